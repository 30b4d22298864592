/* tests/unit/machine/runstate_test.c - run states of a machine without CPUs: what stops, resets and
 * ends it, and who hears of it.
 * SPDX-License-Identifier: MIT */
#include "machine/runstate.h"

#include <glib.h>
#include <stdlib.h>

#include "accel/accel.h"
#include "base/err.h"
#include "event/loop.h"
#include "machine/machine.h"

/* ---- a machine whose listener writes down what it hears -------------------------------------- */

static struct object *root;
static struct loop *loop;
static struct accel *accel;
static struct machine *m;
static GString *heard;
static int ended; /* the status; -1: not */

static void on_event(struct machine_listener *l, const struct machine_event_info *info)
{
	static const char *const names[MACHINE_EVENT_COUNT] = {
		"stop",      "resume",   "reset:",         "shutdown:",
		"powerdown", "panicked", "device-deleted", "rtc",
	};
	bool has_cause = info->event == MACHINE_EVENT_RESET ||
			 info->event == MACHINE_EVENT_SHUTDOWN;

	(void)l;
	g_string_append_printf(heard, "%s%s ", names[info->event],
			       has_cause ? machine_cause_name(info->cause) : "");
}

static struct machine_listener listener = { .event = on_event };

static void on_end(void *opaque, int code, const char *why)
{
	(void)opaque;
	g_assert_null(why);
	ended = code;
}

static void setup(void)
{
	struct accel_choice tcg = { .name = "tcg" };
	struct machine_config config = { 0 };
	struct err err;
	char *notes;

	loop = loop_new("test", &err);
	root = object_new(&object_container_type);
	m = machine_new(machine_type_find("none", &err), root, loop);
	accel = accel_start_first(accel_list, m, &tcg, 1, &notes, &err);
	g_assert_true(machine_build(m, &config, accel, &err));
	m->on_end = on_end;
	heard = g_string_new(NULL);
	ended = -1;
	machine_listen(m, &listener);
}

static void teardown(void)
{
	machine_unlisten(m, &listener);
	machine_free(m);
	accel_stop(accel);
	object_put(root);
	loop_free(loop);
	g_string_free(heard, TRUE);
}

static void hears(const char *expected)
{
	g_assert_cmpstr(heard->str, ==, expected);
	g_string_truncate(heard, 0);
}

/* ---- cases ----------------------------------------------------------------------------------- */

static void test_stop_and_go(void)
{
	struct err err;

	setup();
	g_assert_cmpint(m->state, ==, MACHINE_PRELAUNCH);
	machine_stop(m, MACHINE_PAUSED); /* stands already */
	g_assert_cmpint(m->state, ==, MACHINE_PRELAUNCH);
	g_assert_true(machine_continue(m, &err));
	g_assert_true(machine_continue(m, &err));
	hears("resume ");
	machine_stop(m, MACHINE_DEBUG);
	hears("stop ");
	g_assert_cmpstr(machine_state_name(m->state), ==, "debug");
	g_assert_true(machine_continue(m, &err));
	machine_stop(m, MACHINE_INTERNAL_ERROR);
	g_assert_false(machine_continue(m, &err));
	g_assert_cmpstr(err.text, ==, "Resetting the Virtual Machine is required");
	hears("resume stop ");
	machine_system_reset(m, CAUSE_QMP_RESET);
	hears("reset:host-qmp-system-reset ");
	g_assert_cmpint(m->state, ==, MACHINE_PRELAUNCH);
	g_assert_true(machine_continue(m, &err));
	machine_system_reset(m, CAUSE_GUEST_RESET);
	hears("resume reset:guest-reset ");
	g_assert_cmpint(m->state, ==, MACHINE_RUNNING);
	teardown();
}

static void test_power_off(void)
{
	struct err err;

	setup();
	machine_continue(m, &err);
	m->actions.shutdown = SHUTDOWN_PAUSE;
	machine_handle_request(m, REQUEST_SHUTDOWN, 0);
	machine_handle_request(m, REQUEST_SHUTDOWN, 0); /* off already */
	hears("resume shutdown:guest-shutdown stop ");
	g_assert_cmpint(m->state, ==, MACHINE_SHUTDOWN);
	g_assert_cmpint(ended, ==, -1);
	machine_system_reset(m, CAUSE_QMP_RESET);
	m->actions.shutdown = SHUTDOWN_POWEROFF;
	m->actions.reboot = REBOOT_SHUTDOWN;
	machine_handle_request(m, REQUEST_RESET, 0);
	hears("reset:host-qmp-system-reset shutdown:guest-reset ");
	g_assert_cmpint(ended, ==, EXIT_SUCCESS);
	machine_handle_request(m, REQUEST_EXIT, 3);
	g_assert_cmpint(ended, ==, 3);
	g_assert_false(machine_system_powerdown(m, &err));
	g_assert_cmpstr(err.text, ==, "machine 'none' has no power button");
	teardown();
}

static void test_panic(void)
{
	static const struct {
		enum panic_action action;
		enum machine_state state;
		int ended;
		const char *heard;
	} rows[] = {
		{ PANIC_NONE, MACHINE_RUNNING, -1, "resume panicked " },
		{ PANIC_PAUSE, MACHINE_PANICKED, -1, "resume panicked stop " },
		{ PANIC_SHUTDOWN, MACHINE_PANICKED, EXIT_SUCCESS,
		  "resume panicked stop shutdown:guest-panic " },
		{ PANIC_EXIT_FAILURE, MACHINE_PANICKED, EXIT_FAILURE,
		  "resume panicked stop shutdown:guest-panic " },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		struct err err;

		setup();
		m->actions.panic = rows[i].action;
		machine_continue(m, &err);
		machine_handle_request(m, REQUEST_PANIC, 0);
		hears(rows[i].heard);
		g_assert_cmpint(m->state, ==, rows[i].state);
		g_assert_cmpint(ended, ==, rows[i].ended);
		teardown();
	}
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	machine_register_types();
	g_test_add_func("/runstate/stop", test_stop_and_go);
	g_test_add_func("/runstate/off", test_power_off);
	g_test_add_func("/runstate/panic", test_panic);
	return g_test_run();
}
