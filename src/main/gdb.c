/* main/gdb.c - -gdb, -s, and gdbserver of the monitors.
 * SPDX-License-Identifier: MIT */
#include "monitor/gdb/gdb.h"

#include <stdio.h>
#include <string.h>

#include <glib.h>

#include "base/err.h"
#include "chardev/chardev.h"
#include "main/session.h"
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
	if (!s->gdb)
		gdb_close(s, -1);
	return s->gdb;
}
