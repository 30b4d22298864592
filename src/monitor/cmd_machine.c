/* monitor/cmd_machine.c - QMP: run states, and what ends, resets and wakes the machine.
 * SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "cpu/vcpu.h"
#include "machine/machine.h"
#include "monitor/impl.h"

static struct machine *machine(const struct qmp_call *call) { return call->env->machine; }

/* ---- run state ---- */

/* clang-format off */
QMP_ENUM_TYPE(run_state, "prelaunch", "running", "paused", "shutdown", "debug", "guest-panicked",
	      "internal-error");
QMP_OBJECT_TYPE(status_info, REQUIRED("running", qmp_bool), REQUIRED("singlestep", qmp_bool),
		REQUIRED("status", run_state));
/* clang-format on */

static struct json_object *run_query_status(struct qmp_call *call)
{
	struct json_object *o = json_object_new_object();

	json_put_str(o, "status", machine_state_name(machine(call)->state));
	json_put_bool(o, "singlestep", false);
	json_put_bool(o, "running", machine(call)->state == MACHINE_RUNNING);
	return o;
}

static struct json_object *run_stop(struct qmp_call *call)
{
	machine_stop(machine(call), MACHINE_PAUSED);
	return qmp_ok();
}

static struct json_object *run_cont(struct qmp_call *call)
{
	return qmp_done(call, machine_continue(machine(call), &call->err));
}

static struct json_object *run_system_reset(struct qmp_call *call)
{
	machine_system_reset(machine(call), CAUSE_QMP_RESET);
	return qmp_ok();
}

static struct json_object *run_system_powerdown(struct qmp_call *call)
{
	return qmp_done(call, machine_system_powerdown(machine(call), &call->err));
}

static struct json_object *run_system_wakeup(struct qmp_call *call)
{
	return qmp_fail(call, QMP_GENERIC_ERROR,
			"wake-up from suspend is not supported by this guest");
}

static struct json_object *run_quit(struct qmp_call *call)
{
	machine_quit(machine(call), CAUSE_QMP_QUIT, EXIT_SUCCESS);
	return qmp_ok();
}

/* clang-format off */
QMP_OBJECT_TYPE(current_machine, REQUIRED("wakeup-suspend-support", qmp_bool));
/* clang-format on */

static struct json_object *run_query_current_machine(struct qmp_call *call)
{
	struct json_object *o = json_object_new_object();

	(void)call;
	json_put_bool(o, "wakeup-suspend-support", false);
	return o;
}

/* ---- what the guest's doings lead to ---- */

/* In the order of the enumerations in machine/runstate.h. */
/* clang-format off */
QMP_ENUM_TYPE(reboot_words, "reset", "shutdown");
QMP_ENUM_TYPE(shutdown_words, "poweroff", "pause");
QMP_ENUM_TYPE(panic_words, "shutdown", "pause", "exit-failure", "none");
QMP_ENUM_TYPE(watchdog_words, "reset", "shutdown", "poweroff", "pause", "debug", "none",
	      "inject-nmi");
QMP_OBJECT_TYPE(set_action_args, OPTIONAL("reboot", reboot_words),
		OPTIONAL("shutdown", shutdown_words), OPTIONAL("panic", panic_words),
		OPTIONAL("watchdog", watchdog_words));
QMP_OBJECT_TYPE(watchdog_args, REQUIRED("action", watchdog_words));
/* clang-format on */

static int word_index(const struct qmp_type *t, const char *word)
{
	int i = 0;

	while (strcmp(t->values[i], word))
		i++;
	return i;
}

static struct json_object *run_set_action(struct qmp_call *call)
{
	struct machine_actions *a = &machine(call)->actions;
	const char *reboot = qmp_arg_str(call, "reboot");
	const char *shutdown = qmp_arg_str(call, "shutdown");
	const char *panic = qmp_arg_str(call, "panic");

	if (qmp_has(call, "watchdog"))
		return qmp_fail(call, QMP_GENERIC_ERROR, "there is no watchdog device");
	if (reboot)
		a->reboot = (enum reboot_action)word_index(&reboot_words, reboot);
	if (shutdown)
		a->shutdown = (enum shutdown_action)word_index(&shutdown_words, shutdown);
	if (panic)
		a->panic = (enum panic_action)word_index(&panic_words, panic);
	return qmp_ok();
}

static struct json_object *run_watchdog_set_action(struct qmp_call *call)
{
	return qmp_fail(call, QMP_GENERIC_ERROR, "there is no watchdog device");
}

/* ---- interrupts and clocks ---- */

static struct json_object *run_inject_nmi(struct qmp_call *call)
{
	struct machine *m = machine(call);

	if (!m->cpu_count)
		return qmp_fail(call, QMP_GENERIC_ERROR, "machine '%s' has no CPU", m->type->name);
	for (unsigned i = 0; i < m->cpu_count; i++)
		vcpu_set_input(m->cpus[i], VCPU_NMI);
	return qmp_ok();
}

static struct json_object *run_rtc_reset_reinjection(struct qmp_call *call)
{
	return qmp_fail(call, QMP_GENERIC_ERROR,
			"no interrupts of the real-time clock are kept to be injected again");
}

const struct qmp_command qmp_machine_commands[] = {
	{ "query-status", run_query_status, .returns = &status_info },
	{ "query-current-machine", run_query_current_machine, .returns = &current_machine },
	{ "stop", run_stop },
	{ "cont", run_cont },
	{ "system_reset", run_system_reset },
	{ "system_powerdown", run_system_powerdown },
	{ "system_wakeup", run_system_wakeup },
	{ "quit", run_quit },
	{ "set-action", run_set_action, .args = &set_action_args },
	{ "watchdog-set-action", run_watchdog_set_action, .args = &watchdog_args },
	{ "inject-nmi", run_inject_nmi },
	{ "rtc-reset-reinjection", run_rtc_reset_reinjection },
	{ 0 },
};
