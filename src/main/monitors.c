/* main/monitors.c - -qmp, -qmp-pretty, -mon and -monitor, and what monitors ask of the program.
 * SPDX-License-Identifier: MIT */
#include "monitor/monitor.h"

#include <glib.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "chardev/chardev.h"
#include "machine/machine.h"
#include "main/option_keys.h"
#include "main/session.h"
#include "main/version.h"
#include "monitor/hmp/hmp.h"
#include "object/object.h"

/* The chardev of one monitor, made for it or named. */
static struct chardev *monitor_chardev(struct session *s, const struct keyvals *kv, unsigned index,
				       struct err *err)
{
	const char *spec = keyvals_get(kv, "spec"), *id = keyvals_get(kv, "chardev");
	char name[32];
	struct object *o;
	struct chardev *c;

	if (!spec) {
		o = object_resolve(s->root, id);
		if (o && object_type_is(o->type, "chardev"))
			return chardev_from_object(o);
		err_set(err, 0, "there is no character device '%s'", id);
		return NULL;
	}
	snprintf(name, sizeof(name), "compat_monitor%u", index);
	err->text[0] = '\0';
	c = chardev_new_legacy(s->root, s->loop, name, spec, err);
	if (!c && !err->text[0])
		err_set(err, 0, "a monitor needs a character device");
	return c && chardev_made(s, c, name, err) ? c : NULL;
}

/* "vc" may be followed by a size. */
static bool check_spec(const char *spec, struct err *err)
{
	return !spec || !g_str_has_prefix(spec, "vc") ||
	       err_set(err, 0,
		       "there is no window to show a monitor in; use stdio, "
		       "unix:PATH,server=on,wait=off, or none");
}

static bool monitor_open(struct session *s, const struct keyvals *kv, unsigned index,
			 struct err *err)
{
	const char *mode = keyvals_get(kv, "mode"), *pretty = keyvals_get(kv, "pretty");
	bool is_control = mode && !strcmp(mode, "control"), is_pretty = false;
	struct chardev *c;

	if (mode && !is_control && strcmp(mode, "readline"))
		return err_set(err, 0, "mode=%s is neither readline nor control", mode);
	if (pretty && !value_parse_bool(pretty, &is_pretty, err))
		return err_prefix(err, "pretty: ");
	if (is_pretty && !is_control)
		return err_set(err, 0, "pretty=on is for mode=control");
	if (!check_spec(keyvals_get(kv, "spec"), err))
		return false;
	c = monitor_chardev(s, kv, index, err);
	if (!c)
		return false;
	return is_control ? monitors_add_qmp(s->monitors, c, is_pretty, err)
			  : hmp_add_session(s->hmp, c, err);
}

static char *run_human_command(void *session, const char *line, int cpu, struct err *err)
{
	return hmp_run(((struct session *)session)->hmp, line, cpu, err);
}

/* Behind the muxes of -serial mon:, where the guest has the keyboard first. */
static bool monitors_behind_serials(struct session *s, struct err *err)
{
	for (unsigned i = 0; i < ARRAY_SIZE(s->serials); i++)
		if ((s->monitored >> i & 1) && !hmp_add_session(s->hmp, s->serials[i], err))
			return err_prefix(err, "monitor behind serial port %u: ", i);
	return true;
}

static const char *option_of(const struct keyvals *kv)
{
	return strcmp(keyvals_get(kv, "mode"), "control") ? "-monitor" : "-qmp";
}

bool monitors_open(struct session *s, struct err *err)
{
	struct monitor_config config = { .loop = s->loop,
					 .root = s->root,
					 .machine = s->machine,
					 .target = "x86_64",
					 .guest_name = s->opt.name,
					 .version = RHEA_VERSION,
					 .has_uuid = s->opt.has_uuid,
					 .host = { .device_add = device_add_later,
						   .object_add = object_add_later,
						   .options = option_keys,
						   .human_command = run_human_command,
						   .opaque = s } };
	unsigned specs = 0;

	memcpy(config.uuid, s->opt.uuid, sizeof(config.uuid));
	s->monitors = monitors_new(&config);
	s->hmp = hmp_new(s->monitors, &config);
	for (unsigned i = 0; i < s->opt.monitors.count; i++) {
		const struct keyvals *kv = &s->opt.monitors.items[i];
		const char *spec = keyvals_get(kv, "spec");

		if (!monitor_open(s, kv, specs, err))
			return spec ? err_prefix(err, "%s %s: ", option_of(kv), spec)
				    : err_prefix(err, "-mon: ");
		specs += spec != NULL;
	}
	return monitors_behind_serials(s, err);
}
