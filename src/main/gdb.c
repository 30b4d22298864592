/* main/gdb.c - -gdb, -s, and gdbserver of the monitors.
 * SPDX-License-Identifier: MIT */
#include "monitor/gdb/gdb.h"

#include <stdio.h>
#include <string.h>

#include <glib.h>

#include "base/err.h"
#include "chardev/chardev.h"
#include "main/session.h"
#include "monitor/hmp/hmp.h"
#include "object/object.h"

/* gdb comes when it likes: a socket listens, and nobody waits for it. */
static char *full_spec(const char *device)
{
	bool is_socket = g_str_has_prefix(device, "tcp:") || g_str_has_prefix(device, "unix:");

	if (!is_socket || strstr(device, "server") || strstr(device, "wait"))
		return g_strdup(device);
	return g_strdup_printf("%s,server=on,wait=off%s", device,
			       device[0] == 't' ? ",nodelay=on" : "");
}

/* gdb's `monitor COMMAND`. */
static void run_console(void *session, const char *command, gdb_print_fn *print, void *out)
{
	struct session *s = session;
	g_autofree char *text = NULL;
	struct err err;

	s->is_gdb_console = true;
	text = hmp_run(s->hmp, command, 0, &err);
	s->is_gdb_console = false;
	if (!text)
		text = g_strdup_printf("%s\n", err.text);
	print(out, text, strlen(text));
}

void gdb_close(struct session *s, int exit_code)
{
	gdb_free(s->gdb, exit_code);
	s->gdb = NULL;
	if (s->gdb_chardev)
		object_unparent(chardev_object(s->gdb_chardev));
	s->gdb_chardev = NULL;
}

bool gdb_open(struct session *s, const char *device, struct err *err)
{
	g_autofree char *spec = full_spec(device);
	struct chardev *c;

	gdb_close(s, -1);
	if (!strcmp(device, "none"))
		return true;
	err_set(err, 0, "nothing to talk to");
	c = chardev_new_legacy(s->root, s->loop, "gdb", spec, err);
	if (!c || !chardev_made(s, c, "gdb", err))
		return false;
	/* One that the user made stays. */
	if (!g_str_has_prefix(device, "chardev:"))
		s->gdb_chardev = c;
	s->gdb = gdb_new(s->machine, c, err);
	if (!s->gdb) {
		gdb_close(s, -1);
		return false;
	}
	gdb_set_console(s->gdb, run_console, s);
	return true;
}

/* ---- with the human monitor ---- */

static bool run_gdbserver(void *session, const char *device, GString *out, struct err *err)
{
	struct session *s = session;

	if (s->is_gdb_console)
		return err_set(err, 0,
			       "gdb cannot move its own connection; detach, then ask "
			       "another monitor");
	if (!gdb_open(s, device, err))
		return err_prefix(err, "%s: ", device);
	if (s->gdb)
		g_string_append_printf(out, "Waiting for gdb connection on device '%s'\n", device);
	else
		g_string_append(out, "Disabled gdbserver\n");
	return true;
}

void gdb_set_hooks(struct session *s)
{
	const struct hmp_hooks hooks = { .gdbserver = run_gdbserver, .opaque = s };

	hmp_set_hooks(s->hmp, &hooks);
}
