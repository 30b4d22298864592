/* main/options.c - the command line's table and parser.
 * SPDX-License-Identifier: MIT */
#include "main/options.h"

#include <ctype.h>
#include <glib.h>
#include <string.h>

#include "base/bits.h"
#include "base/err.h"
#include "main/option_keys.h"
#include "object/object.h"

enum option_id {
#define OPTION_GROUP(title)
#define OPTION(id, name, has_arg, params, help) OPT_##id,
#include "main/options.def"
#undef OPTION
#undef OPTION_GROUP
	OPT_COUNT
};

struct option_row {
	const char *name; /* NULL: a group's title in help */
	bool has_arg;
	const char *params, *help;
	enum option_id id;
};

static const struct option_row option_rows[] = {
#define OPTION_GROUP(title)                     { NULL, false, NULL, title, OPT_COUNT },
#define OPTION(id, name, has_arg, params, help) { name, has_arg, params, help, OPT_##id },
#include "main/options.def"
#undef OPTION
#undef OPTION_GROUP
};

/* ---- arguments that have a language of their own ---- */

static bool option_set_text(char **slot, const char *arg)
{
	g_free(*slot);
	*slot = g_strdup(arg);
	return true;
}

static void strings_add(struct strings *s, const char *text)
{
	s->items = g_realloc_n(s->items, s->count + 1, sizeof(*s->items));
	s->items[s->count++] = g_strdup(text);
}

static struct keyvals *keyvals_list_add(struct keyvals_list *l)
{
	l->items = g_realloc_n(l->items, l->count + 1, sizeof(*l->items));
	l->items[l->count] = (struct keyvals){ 0 };
	return &l->items[l->count++];
}

static bool option_word(const char *option, const char *value, const char *const *words, int *out,
			struct err *err)
{
	for (int i = 0; words[i]; i++) {
		if (!strcmp(words[i], value)) {
			*out = i;
			return true;
		}
	}
	char *all = g_strjoinv(", ", (char **)words);

	err_set(err, 0, "%s: '%s' is none of %s", option, value, all);
	g_free(all);
	return false;
}

static bool option_smp_number(struct options *o, const char *key, const char *value,
			      struct err *err)
{
	struct smp_config *s = &o->smp;
	uint64_t n;
	const struct {
		const char *key;
		uint32_t *slot;
	} keys[] = {
		{ "cpus", &s->cpus }, { "maxcpus", &s->max_cpus }, { "sockets", &s->sockets },
		{ "dies", &s->dies }, { "cores", &s->cores },      { "threads", &s->threads }
	};

	if (!value_parse_u64(value, &n, err))
		return err_prefix(err, "-smp: %s: ", key);
	if (n == 0 || n > 65536)
		return err_set(err, 0, "-smp: %s=%s: must be a number from 1 to 65536", key, value);
	if (!strcmp(key, "clusters"))
		return n == 1 ||
		       err_set(err, 0, "-smp: no machine here has clusters; leave it out");
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (!strcmp(key, keys[i].key))
			*keys[i].slot = (uint32_t)n;
	return true;
}

static bool option_smp(struct options *o, const char *arg, struct err *err)
{
	struct keyvals kv = { 0 };
	bool ok = keyvals_parse(&kv, arg, "cpus", err) &&
		  option_keys_check(&kv, "-smp", "smp-opts", err);

	for (size_t i = 0; ok && i < kv.count; i++)
		ok = option_smp_number(o, kv.items[i].key, kv.items[i].value, err);
	keyvals_clear(&kv);
	return ok;
}

static bool option_mem(struct options *o, const char *arg, struct err *err)
{
	struct keyvals kv = { 0 };
	const char *size;
	bool ok = keyvals_parse(&kv, arg, "size", err) &&
		  option_keys_check(&kv, "-m", "memory", err);

	if (ok && (keyvals_get(&kv, "slots") || keyvals_get(&kv, "maxmem")))
		ok = err_set(err, 0,
			     "-m: no machine here has memory hotplug; leave out slots and maxmem");
	size = keyvals_get(&kv, "size");
	if (ok && size && !value_parse_size(size, MIB, &o->ram_size, err))
		ok = err_prefix(err, "-m: ");
	if (ok && size && o->ram_size == 0)
		ok = err_set(err, 0, "-m: a guest needs memory; '%s' is none", size);
	if (ok && size && o->ram_size > UINT64_MAX - 8 * KIB)
		ok = err_set(err, 0, "-m: '%s' is too much", size);
	if (ok)
		o->ram_size = align_up(o->ram_size, 8 * KIB);
	keyvals_clear(&kv);
	return ok;
}

static bool option_name(struct options *o, const char *arg, struct err *err)
{
	struct keyvals kv = { 0 };
	const char *threads;
	bool is_on = true;
	bool ok = keyvals_parse(&kv, arg, "guest", err) &&
		  option_keys_check(&kv, "-name", "name", err);

	if (ok && keyvals_get(&kv, "guest"))
		option_set_text(&o->name, keyvals_get(&kv, "guest"));
	if (ok && keyvals_get(&kv, "process"))
		option_set_text(&o->process_name, keyvals_get(&kv, "process"));
	threads = keyvals_get(&kv, "debug-threads");
	if (ok && threads && !value_parse_bool(threads, &is_on, err))
		ok = err_prefix(err, "-name: debug-threads: ");
	if (ok && !is_on)
		ok = err_set(err, 0, "-name: threads always carry names; leave out debug-threads");
	keyvals_clear(&kv);
	return ok;
}

static bool option_msg(struct options *o, const char *arg, struct err *err)
{
	static const char *const names[] = { "timestamp", "guest-name", NULL };
	bool *const slots[] = { &o->msg_has_time, &o->msg_has_name };
	struct keyvals kv = { 0 };
	bool ok = keyvals_parse(&kv, arg, NULL, err) && option_keys_check(&kv, "-msg", "msg", err);

	for (int i = 0; ok && names[i]; i++) {
		const char *value = keyvals_get(&kv, names[i]);

		if (value && !value_parse_bool(value, slots[i], err))
			ok = err_prefix(err, "-msg: %s: ", names[i]);
	}
	keyvals_clear(&kv);
	return ok;
}

/* RFC 4122 text form, 8-4-4-4-12 hexadecimal digits. */
static bool option_uuid(struct options *o, const char *arg, struct err *err)
{
	unsigned digits = 0;

	for (const char *p = arg; *p; p++) {
		bool is_dash = p - arg == 8 || p - arg == 13 || p - arg == 18 || p - arg == 23;

		if (p - arg >= 36 || is_dash != (*p == '-') || (!is_dash && !isxdigit((uint8_t)*p)))
			return err_set(err, 0,
				       "-uuid: '%s' is not of the form "
				       "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx",
				       arg);
		if (is_dash)
			continue;
		o->uuid[digits / 2] = (uint8_t)(o->uuid[digits / 2] << 4 |
						g_ascii_xdigit_value(*p));
		digits++;
	}
	o->has_uuid = true;
	return digits == 32 || err_set(err, 0, "-uuid: '%s' has %u digits, not 32", arg, digits);
}

static bool option_rtc(struct options *o, const char *arg, struct err *err)
{
	struct keyvals kv = { 0 };
	const char *drift;
	bool ok = keyvals_parse(&kv, arg, "base", err) &&
		  option_keys_check(&kv, "-rtc", "rtc", err);

	drift = keyvals_get(&kv, "driftfix");
	if (ok && drift && strcmp(drift, "none"))
		ok = err_set(err, 0, "-rtc: driftfix=%s is not built; only 'none' is", drift);
	if (ok && keyvals_get(&kv, "base"))
		option_set_text(&o->rtc_base, keyvals_get(&kv, "base"));
	if (ok && keyvals_get(&kv, "clock"))
		option_set_text(&o->rtc_clock, keyvals_get(&kv, "clock"));
	keyvals_clear(&kv);
	return ok;
}

static bool option_action(struct options *o, const char *arg, struct err *err)
{
	static const char *const reboot[] = { "reset", "shutdown", NULL };
	static const char *const shutdown[] = { "poweroff", "pause", NULL };
	static const char *const panic[] = { "shutdown", "pause", "exit-failure", "none", NULL };
	struct keyvals kv = { 0 };
	bool ok = keyvals_parse(&kv, arg, NULL, err) &&
		  option_keys_check(&kv, "-action", "action", err);

	for (size_t i = 0; ok && i < kv.count; i++) {
		const char *key = kv.items[i].key, *value = kv.items[i].value;
		int word = 0;

		if (!strcmp(key, "watchdog"))
			ok = err_set(err, 0,
				     "-action: there is no watchdog device; leave out 'watchdog'");
		else if (!strcmp(key, "reboot"))
			ok = option_word("-action: reboot", value, reboot, &word, err),
			o->actions.reboot = (enum reboot_action)word;
		else if (!strcmp(key, "shutdown"))
			ok = option_word("-action: shutdown", value, shutdown, &word, err),
			o->actions.shutdown = (enum shutdown_action)word;
		else
			ok = option_word("-action: panic", value, panic, &word, err),
			o->actions.panic = (enum panic_action)word;
	}
	keyvals_clear(&kv);
	return ok;
}

/* "driver.prop=value" or "driver=D,property=P,value=V". */
static bool option_global(struct options *o, const char *arg, struct err *err)
{
	static const char *const names[] = { "driver", "property", "value", NULL };
	struct keyvals *kv = keyvals_list_add(&o->globals);
	const char *dot = strchr(arg, '.'), *eq = strchr(arg, '=');

	if (dot && eq && dot < eq) {
		char *driver = g_strndup(arg, (gsize)(dot - arg));
		char *prop = g_strndup(dot + 1, (gsize)(eq - dot - 1));

		keyvals_add(kv, "driver", driver);
		keyvals_add(kv, "property", prop);
		keyvals_add(kv, "value", eq + 1);
		g_free(driver);
		g_free(prop);
		return true;
	}
	if (!eq)
		return err_set(err, 0, "-global: '%s' is not DRIVER.PROPERTY=VALUE", arg);
	if (!keyvals_parse(kv, arg, NULL, err) || !keyvals_check(kv, "-global", names, err))
		return false;
	for (int i = 0; names[i]; i++)
		if (!keyvals_get(kv, names[i]))
			return err_set(err, 0, "-global: '%s' is not DRIVER.PROPERTY=VALUE", arg);
	return true;
}

static bool option_add(struct keyvals_list *list, const char *arg, const char *implied,
		       struct err *err)
{
	return keyvals_parse_any(keyvals_list_add(list), arg, implied, err);
}

/* -qmp and its kin: a chardev's short form. */
static bool option_monitor_spec(struct options *o, const char *spec, const char *mode,
				const char *pretty)
{
	struct keyvals *kv = keyvals_list_add(&o->monitors);

	keyvals_add(kv, "spec", spec);
	keyvals_add(kv, "mode", mode);
	if (pretty)
		keyvals_add(kv, "pretty", pretty);
	return true;
}

/* -monitor none only takes back the one behind -serial mon: that nobody asked for. */
static bool option_monitor(struct options *o, const char *arg)
{
	o->has_monitor = true;
	return !strcmp(arg, "none") || option_monitor_spec(o, arg, "readline", NULL);
}

static bool option_mon(struct options *o, const char *arg, struct err *err)
{
	struct keyvals *kv = keyvals_list_add(&o->monitors);

	if (!keyvals_parse_any(kv, arg, "chardev", err) ||
	    !option_keys_check(kv, "-mon", "mon", err))
		return false;
	return keyvals_get(kv, "chardev") || err_set(err, 0, "-mon: needs a chardev=");
}

static bool option_add_fd(struct options *o, const char *arg, struct err *err)
{
	struct keyvals *kv = keyvals_list_add(&o->fds);

	return keyvals_parse(kv, arg, NULL, err) && option_keys_check(kv, "-add-fd", "add-fd", err);
}

static bool option_overcommit(struct options *o, const char *arg, struct err *err)
{
	struct keyvals kv = { 0 };
	const char *lock, *idle;
	bool is_idle_ours = false;
	bool ok = keyvals_parse(&kv, arg, NULL, err) &&
		  option_keys_check(&kv, "-overcommit", "overcommit", err);

	lock = keyvals_get(&kv, "mem-lock");
	if (ok && lock && !value_parse_bool(lock, &o->is_memory_locked, err))
		ok = err_prefix(err, "-overcommit: mem-lock: ");
	idle = keyvals_get(&kv, "cpu-pm");
	if (ok && idle && !value_parse_bool(idle, &is_idle_ours, err))
		ok = err_prefix(err, "-overcommit: cpu-pm: ");
	if (ok && is_idle_ours)
		ok = err_set(err, 0,
			     "-overcommit: guests cannot have the host's idle states; "
			     "leave out cpu-pm=on");
	keyvals_clear(&kv);
	return ok;
}

/* Boot devices there are none; so nothing is booted that -kernel or -bios did not name. */
static bool option_boot(const char *arg, struct err *err)
{
	struct keyvals kv = { 0 };
	bool is_strict;
	bool ok = keyvals_parse(&kv, arg, "order", err) &&
		  option_keys_check(&kv, "-boot", "boot-opts", err);

	for (size_t i = 0; ok && i < kv.count; i++) {
		if (strcmp(kv.items[i].key, "strict"))
			ok = err_set(
				err, 0,
				"-boot: no machine here boots from disks or a network yet; leave "
				"out '%s'",
				kv.items[i].key);
		else if (!value_parse_bool(kv.items[i].value, &is_strict, err))
			ok = err_prefix(err, "-boot: strict: ");
	}
	keyvals_clear(&kv);
	return ok;
}

static bool option_audiodev(const char *arg, struct err *err)
{
	struct keyvals kv = { 0 };
	const char *driver;
	bool ok = keyvals_parse_any(&kv, arg, "driver", err) &&
		  option_keys_check(&kv, "-audiodev", "audiodev", err);

	driver = keyvals_get(&kv, "driver");
	if (ok && (!driver || strcmp(driver, "none")))
		ok = err_set(err, 0,
			     "-audiodev: no machine has sound yet; the driver must be 'none'");
	if (ok && !keyvals_get(&kv, "id"))
		ok = err_set(err, 0, "-audiodev: needs an id=");
	keyvals_clear(&kv);
	return ok;
}

static bool option_only_none(const char *option, const char *arg, const char *why, struct err *err)
{
	return !strcmp(arg, "none") ||
	       err_set(err, 0, "-%s %s: %s; only 'none' is accepted", option, arg, why);
}

/* ---- dispatch ---- */

static bool options_apply_switch(struct options *o, enum option_id id)
{
	switch (id) {
	case OPT_H:
	case OPT_HELP: o->help = true; break;
	case OPT_VERSION: o->version = true; break;
	case OPT_NO_ACPI: keyvals_add(&o->machine, "acpi", "off"); break;
	case OPT_ENABLE_KVM: keyvals_add(keyvals_list_add(&o->accels), "accel", "kvm"); break;
	case OPT_NOGRAPHIC: o->nographic = true; break;
	case OPT_NODEFAULTS: o->nodefaults = true; break;
	case OPT_S: o->stopped = true; break;
	case OPT_NO_REBOOT: o->actions.reboot = REBOOT_SHUTDOWN; break;
	case OPT_NO_SHUTDOWN: o->actions.shutdown = SHUTDOWN_PAUSE; break;
	case OPT_DAEMONIZE: o->daemonize = true; break;
	default: break;
	}
	return true;
}

static bool options_apply_machine(struct options *o, enum option_id id, const char *arg,
				  struct err *err)
{
	switch (id) {
	case OPT_MACHINE:
	case OPT_M: return keyvals_parse_any(&o->machine, arg, "type", err);
	case OPT_ACCEL: return option_add(&o->accels, arg, "accel", err);
	case OPT_CPU: return option_set_text(&o->cpu, arg);
	case OPT_SMP: return option_smp(o, arg, err);
	case OPT_MEM: return option_mem(o, arg, err);
	case OPT_NAME: return option_name(o, arg, err);
	case OPT_UUID: return option_uuid(o, arg, err);
	case OPT_RTC: return option_rtc(o, arg, err);
	case OPT_KERNEL: return option_set_text(&o->kernel, arg);
	case OPT_INITRD: return option_set_text(&o->initrd, arg);
	case OPT_BOOT: return option_boot(arg, err);
	case OPT_OVERCOMMIT: return option_overcommit(o, arg, err);
	case OPT_APPEND: return option_set_text(&o->append, arg);
	case OPT_BIOS: return option_set_text(&o->bios, arg);
	default: return false;
	}
}

static bool options_apply_arg(struct options *o, const struct option_row *row, const char *arg,
			      struct err *err)
{
	switch (row->id) {
	case OPT_FW_CFG: strings_add(&o->fw_cfg, arg); return true;
	case OPT_DEVICE: return option_add(&o->devices, arg, "driver", err);
	case OPT_ADD_FD: return option_add_fd(o, arg, err);
	case OPT_AUDIODEV: return option_audiodev(arg, err);
	case OPT_OBJECT: return option_add(&o->objects, arg, "qom-type", err);
	case OPT_GLOBAL: return option_global(o, arg, err);
	case OPT_CHARDEV: return option_add(&o->chardevs, arg, "backend", err);
	case OPT_SERIAL: strings_add(&o->serials, arg); return true;
	case OPT_TRACE: strings_add(&o->traces, arg); return true;
	case OPT_PARALLEL:
		return option_only_none(row->name, arg, "no board has a parallel port", err);
	case OPT_QMP: return option_monitor_spec(o, arg, "control", "off");
	case OPT_QMP_PRETTY: return option_monitor_spec(o, arg, "control", "on");
	case OPT_MON: return option_mon(o, arg, err);
	case OPT_MONITOR: return option_monitor(o, arg);
	case OPT_DISPLAY:
		o->no_display = true;
		return option_only_none(row->name, arg, "there is no display yet", err);
	case OPT_VGA:
		return option_only_none(row->name, arg, "no board has a graphics adapter yet", err);
	case OPT_NET:
	case OPT_NIC:
		return option_only_none(row->name, arg, "no board has a network adapter yet", err);
	case OPT_ACTION: return option_action(o, arg, err);
	case OPT_MSG: return option_msg(o, arg, err);
	case OPT_PIDFILE: return option_set_text(&o->pidfile, arg);
	case OPT_GDB: return option_set_text(&o->gdb, arg);
	case OPT_SHORT_GDB: return option_set_text(&o->gdb, "tcp::1234");
	case OPT_QTEST: return option_set_text(&o->qtest, arg);
	case OPT_QTEST_LOG: return option_set_text(&o->qtest_log, arg);
	case OPT_D: return option_set_text(&o->log_items, arg);
	case OPT_DFILE: return option_set_text(&o->log_file, arg);
	default: return options_apply_machine(o, row->id, arg, err);
	}
}

static const struct option_row *option_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(option_rows); i++)
		if (option_rows[i].name && !strcmp(option_rows[i].name, name))
			return &option_rows[i];
	return NULL;
}

bool options_parse(struct options *o, int argc, char *const *argv, struct err *err)
{
	for (int i = 1; i < argc; i++) {
		const char *word = argv[i], *name = word;
		const struct option_row *row;

		if (*name != '-')
			return err_set(err, 0,
				       "'%s' is not an option; disk images as bare arguments "
				       "are not supported yet",
				       word);
		name += name[1] == '-' ? 2 : 1;
		row = option_find(name);
		if (!row) {
			err_set(err, 0, "unknown option '%s'", word);
			return err_suggest(err, word, options_names());
		}
		if (!row->has_arg) {
			options_apply_switch(o, row->id);
			continue;
		}
		if (++i == argc)
			return err_set(err, 0, "option '%s' needs an argument: %s", word,
				       row->params);
		if (!options_apply_arg(o, row, argv[i], err)) {
			char at[16];

			snprintf(at, sizeof(at), "-%s", row->name);
			return !strncmp(err->text, at, strlen(at)) ? false
								   : err_prefix(err, "%s: ", at);
		}
	}
	return true;
}

const char *const *options_names(void)
{
	static const char *const names[] = {
#define OPTION_GROUP(title)
#define OPTION(id, name, has_arg, params, help) "-" name,
#include "main/options.def"
#undef OPTION
#undef OPTION_GROUP
		NULL
	};

	return names;
}

/* ---- help ---- */

/* Words of text from column `indent` on, broken before column 80. */
static void help_wrap(FILE *out, const char *text, int indent)
{
	int column = indent;

	fprintf(out, "%*s", indent, "");
	while (*text) {
		int word = (int)strcspn(text, " ");

		if (column > indent && column + 1 + word > 79) {
			fprintf(out, "\n%*s", indent, "");
			column = indent;
		} else if (column > indent) {
			fputc(' ', out);
			column++;
		}
		fprintf(out, "%.*s", word, text);
		column += word;
		text += word;
		text += *text == ' ';
	}
	fputc('\n', out);
}

void options_help(FILE *out, const char *program)
{
	fprintf(out, "usage: %s [options]\n", program);
	for (size_t i = 0; i < ARRAY_SIZE(option_rows); i++) {
		const struct option_row *r = &option_rows[i];

		if (!r->name) {
			fprintf(out, "\n%s:\n", r->help);
		} else if (r->help) {
			fprintf(out, "  -%s%s%s\n", r->name, *r->params ? " " : "", r->params);
			help_wrap(out, r->help, 8);
		}
	}
	fprintf(out, "\nIn an argument ',,' stands for a comma. With -nographic: Ctrl-A X ends, "
		     "Ctrl-A H lists the keys.\n");
}

static void keyvals_list_clear(struct keyvals_list *l)
{
	for (unsigned i = 0; i < l->count; i++)
		keyvals_clear(&l->items[i]);
	g_free(l->items);
}

static void strings_clear(struct strings *s)
{
	for (unsigned i = 0; i < s->count; i++)
		g_free(s->items[i]);
	g_free(s->items);
}

void options_clear(struct options *o)
{
	char *texts[] = { o->cpu,       o->name,     o->process_name, o->rtc_base,  o->rtc_clock,
			  o->kernel,    o->initrd,   o->append,       o->bios,      o->pidfile,
			  o->log_items, o->log_file, o->qtest,        o->qtest_log, o->gdb };
	struct keyvals_list *lists[] = { &o->accels,   &o->devices, &o->objects, &o->globals,
					 &o->chardevs, &o->fds,     &o->monitors };

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		g_free(texts[i]);
	for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
		keyvals_list_clear(lists[i]);
	keyvals_clear(&o->machine);
	strings_clear(&o->serials);
	strings_clear(&o->traces);
	strings_clear(&o->fw_cfg);
	*o = (struct options){ 0 };
}
