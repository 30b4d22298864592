/* main/startup.c - from parsed options to a running machine: a list of named steps.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <glib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#include "arch/x86/cpuid.h"
#include "base/err.h"
#include "base/log.h"
#include "chardev/chardev.h"
#include "cpu/accel.h"
#include "dev/nvram/fw_cfg.h"
#include "event/clock.h"
#include "event/loop.h"
#include "machine/machine.h"
#include "main/session.h"
#include "monitor/qtest/qtest.h"

/* ---- logging ---- */

static bool step_log(struct session *s, struct err *err)
{
	uint32_t mask = 0;

	if (s->opt.log_items && !log_parse_items(s->opt.log_items, &mask, err))
		return err_prefix(err, "-d: ");
	if (s->opt.log_file && !log_open(s->opt.log_file, err))
		return err_prefix(err, "-D: ");
	log_set_mask(mask);
	for (unsigned i = 0; i < s->opt.traces.count; i++) {
		const char *pattern = s->opt.traces.items[i];

		if (g_str_has_prefix(pattern, "enable="))
			pattern += strlen("enable=");
		if (!trace_set_pattern(pattern, true, err))
			return err_prefix(err, "-trace: ");
	}
	return true;
}

static bool step_names(struct session *s, struct err *err)
{
	(void)err;
	if (s->opt.process_name)
		prctl(PR_SET_NAME, s->opt.process_name, 0, 0, 0);
	return true;
}

/* What is mapped from here on is locked as it comes.  After the fork of -daemonize, which would
 * undo it. */
static bool step_lock_memory(struct session *s, struct err *err)
{
	if (!s->opt.is_memory_locked || mlockall(MCL_CURRENT | MCL_FUTURE) == 0)
		return true;
	return err_errno(err, errno,
			 "-overcommit: cannot lock memory (raise the limit RLIMIT_MEMLOCK)");
}

static bool step_loop(struct session *s, struct err *err)
{
	s->loop = loop_new("main", err);
	if (!s->loop)
		return false;
	s->root = object_new(&object_container_type);
	object_container(s->root, "/objects");
	object_container(s->root, "/chardevs");
	return true;
}

/* One message for each line; text may be NULL. */
static void print_lines(const struct session *s, const char *kind, const char *text)
{
	char **lines = g_strsplit(text ? text : "", "\n", 0);

	for (unsigned i = 0; lines[i]; i++)
		if (*lines[i])
			log_message(s->program, "%s%s", kind, lines[i]);
	g_strfreev(lines);
}

/* ---- accelerator ---- */

struct accel_words {
	struct session *s;
	const struct keyvals *kv; /* NULL: none given */
	const char *irqchip;      /* -machine kernel-irqchip=, or NULL */
};

static bool accel_configure(struct object *o, void *opaque, struct err *err)
{
	const struct accel_words *w = opaque;

	if (!globals_apply(w->s, o, err))
		return false;
	for (size_t i = 0; w->kv && i < w->kv->count; i++) {
		const struct keyval *k = &w->kv->items[i];

		if (strcmp(k->key, "accel") && !object_set(o, w->s->root, k->key, k->value, err))
			return err_prefix(err, "-accel %s: ", keyvals_get(w->kv, "accel"));
	}
	/* Other accelerators have no use for it. */
	if (w->irqchip && !strcmp(o->type->name, "kvm-accel") &&
	    !object_set(o, w->s->root, "kernel-irqchip", w->irqchip, err))
		return err_prefix(err, "-machine kernel-irqchip=%s: ", w->irqchip);
	return true;
}

/* Of accelerators that have a use for it or none. */
static bool irqchip_check(const char *word, struct err *err)
{
	static const char *const words[] = { "on", "split", "off", "auto", NULL };

	return !word || g_strv_contains(words, word) ||
	       err_set(err, 0, "-machine kernel-irqchip=%s: must be on, split, off or auto", word);
}

/* -accel in order, else the machine's accel=a:b, else what is fast here: count of them. */
static bool accel_collect(struct session *s, char **names, const char *irqchip,
			  struct accel_words *words, struct accel_choice *choices, unsigned count,
			  struct err *err)
{
	for (unsigned i = 0; i < count; i++) {
		const struct keyvals *kv = names ? NULL : &s->opt.accels.items[i];

		words[i] = (struct accel_words){ s, kv, irqchip };
		choices[i] = (struct accel_choice){ names ? names[i] : keyvals_get(kv, "accel"),
						    accel_configure, &words[i] };
		if (!choices[i].name || !*choices[i].name)
			return err_set(err, 0, "%s: no name given; -accel help lists them",
				       names ? "-machine accel=" : "-accel");
	}
	return true;
}

/* Nobody runs where there is no CPU. */
static char **accel_default_names(const struct session *s)
{
	const struct accel_ops *a = accel_list[0];
	char **names = g_new0(char *, 3);
	unsigned n = 0;

	if (s->machine->type->arch)
		a = accel_default(accel_list, NULL);
	names[n++] = g_strdup(a->name);
	if (a != accel_list[0])
		names[n] = g_strdup(accel_list[0]->name);
	return names;
}

static bool step_accel(struct session *s, struct err *err)
{
	g_autofree char *list = keyvals_take(&s->opt.machine, "accel");
	char *notes = NULL;
	g_autofree char *old_word = keyvals_take(&s->opt.machine, "kernel_irqchip");
	g_autofree char *new_word = keyvals_take(&s->opt.machine, "kernel-irqchip");
	const char *irqchip = new_word ? new_word : old_word;
	char **names = NULL;
	g_autofree struct accel_words *words = NULL;
	g_autofree struct accel_choice *choices = NULL;
	unsigned n = s->opt.accels.count;

	if (list && s->opt.accels.count)
		return err_set(err, 0,
			       "-accel and -machine accel= both name accelerators; use one");
	if (old_word && new_word)
		return err_set(err, 0,
			       "-machine: kernel_irqchip= and kernel-irqchip= are one property; "
			       "use one");
	if (!irqchip_check(irqchip, err))
		return false;
	if (!n) {
		names = list ? g_strsplit(*list ? list : ":", ":", 0) : accel_default_names(s);
		n = g_strv_length(names);
	}
	words = g_new0(struct accel_words, n);
	choices = g_new0(struct accel_choice, n);
	if (accel_collect(s, names, irqchip, words, choices, n, err))
		s->accel = accel_start_first(accel_list, s->machine, choices, n, &notes, err);
	print_lines(s, "", notes);
	g_free(notes);
	g_strfreev(names);
	return s->accel != NULL;
}

/* ---- machine ---- */

static bool step_machine(struct session *s, struct err *err)
{
	char *name = keyvals_take(&s->opt.machine, "type");
	const struct machine_type *type = NULL;

	if (!name)
		err_set(err, 0, "no machine given; use -M microvm (-M help lists them)");
	else
		type = machine_type_find(name, err);
	g_free(name);
	if (!type)
		return false;
	s->machine = machine_new(type, s->root, s->loop);
	s->machine->on_end = session_ended;
	s->machine->on_end_opaque = s;
	s->machine->actions = s->opt.actions;
	return true;
}

static bool machine_set_props(struct session *s, struct err *err)
{
	const struct keyvals *kv = &s->opt.machine;

	if (!globals_apply(s, &s->machine->obj, err))
		return false;
	for (size_t i = 0; i < kv->count; i++)
		if (!object_set(&s->machine->obj, s->root, kv->items[i].key, kv->items[i].value,
				err))
			return err_prefix(err, "-machine: ");
	return true;
}

static bool step_build(struct session *s, struct err *err)
{
	const struct options *o = &s->opt;
	struct machine_config c = { .cpu_model = o->cpu,
				    .ram_size = o->ram_size,
				    .smp = o->smp,
				    .kernel = o->kernel,
				    .initrd = o->initrd,
				    .append = o->append,
				    .bios = o->bios,
				    .rtc_base = o->rtc_base,
				    .rtc_clock = o->rtc_clock,
				    .has_uuid = o->has_uuid };
	char *warnings;
	bool ok;

	memcpy(c.uuid, o->uuid, sizeof(c.uuid));
	memcpy(c.serials, s->serials, sizeof(c.serials));
	for (unsigned i = 0; i < o->serials.count; i++)
		c.wants_serials |= s->serials[i] != NULL;
	if (!machine_set_props(s, err))
		return false;
	ok = machine_build(s->machine, &c, s->accel, err);
	warnings = x86_cpu_take_warnings();
	if (ok) {
		print_lines(s, "warning: ", warnings);
		print_lines(s, "", s->accel->note);
	}
	g_free(warnings);
	return ok;
}

static bool step_fw_cfg(struct session *s, struct err *err)
{
	const struct strings *l = &s->opt.fw_cfg;

	for (unsigned i = 0; i < l->count; i++) {
		struct device *fw = s->machine->fw_cfg;

		if (!fw)
			return err_set(err, 0, "-fw_cfg: machine '%s' has no fw_cfg device",
				       s->machine->type->name);
		if (!fw_cfg_add_option(fw, l->items[i], err))
			return err_prefix(err, "-fw_cfg %s: ", l->items[i]);
	}
	return true;
}

static bool step_finish(struct session *s, struct err *err)
{
	const struct options *o = &s->opt;

	if (s->machine->type->arch && !s->accel->ops->is_by_hand && !o->kernel && !o->bios &&
	    !o->stopped)
		log_message(s->program,
			    "warning: machine '%s' has no firmware of its own: without -kernel or "
			    "-bios there is nothing to run",
			    s->machine->type->name);
	return machine_finish(s->machine, err);
}

static bool step_qtest(struct session *s, struct err *err)
{
	if (s->qtest_chardev)
		s->qtest = qtest_new(s->machine, s->qtest_chardev, s->opt.qtest_log, err);
	return s->qtest || !s->qtest_chardev;
}

static bool step_gdb(struct session *s, struct err *err)
{
	gdb_set_hooks(s);
	return !s->opt.gdb || gdb_open(s, s->opt.gdb, err) ||
	       err_prefix(err, "-gdb %s: ", s->opt.gdb);
}

static bool step_start(struct session *s, struct err *err)
{
	if (!machine_reset(s->machine, err) || !machine_start_threads(s->machine, err))
		return false;
	daemon_ready(s);
	if (!s->opt.stopped)
		return machine_continue(s->machine, err);
	return true;
}

static bool step_globals(struct session *s, struct err *err) { return globals_check(&s->opt, err); }

/* ---- the list ---- */

/* clang-format off */
static const struct {
	const char *name;
	bool (*run)(struct session *s, struct err *err);
} steps[] = {
	{ "daemonize", daemon_fork },
	{ "memory lock", step_lock_memory },
	{ "log", step_log },
	{ "names", step_names },
	{ "globals", step_globals },
	{ "loop", step_loop },
	{ "signals", signals_watch },
	{ "pidfile", pidfile_write },
	{ "machine", step_machine },
	{ "back ends", backends_open },
	{ "accelerator", step_accel },
	{ "build", step_build },
	{ "fw_cfg", step_fw_cfg },
	{ "devices", devices_add },
	{ "monitors", monitors_open },
	{ "finish", step_finish },
	{ "qtest", step_qtest },
	{ "gdb", step_gdb },
	{ "start", step_start },
};
/* clang-format on */

bool session_start(struct session *s, struct err *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		int64_t began = clock_host_ns();

		if (!steps[i].run(s, err))
			return false;
		TRACE(startup_step, "%s: %lld us", steps[i].name,
		      (long long)(clock_host_ns() - began) / 1000);
	}
	return true;
}
