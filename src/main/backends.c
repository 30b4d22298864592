/* main/backends.c - -add-fd, -object, -chardev and -serial.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fdset.h"
#include "base/log.h"
#include "chardev/chardev.h"
#include "event/loop.h"
#include "machine/machine.h"
#include "main/session.h"
#include "object/object.h"

static bool object_add_user(struct session *s, struct keyvals *kv, struct err *err)
{
	char *type_name = keyvals_take(kv, "qom-type"), *id = keyvals_take(kv, "id");
	const struct object_type *type = type_name ? object_type_find(type_name) : NULL;
	struct object *o = NULL;
	bool ok = false;

	if (!type_name) {
		err_set(err, 0, "no type given; -object help lists them");
	} else if (!type || type->is_abstract || !type->complete) {
		object_type_unknown(err, "object type", type_name, NULL);
	} else if (!id) {
		err_set(err, 0, "%s: needs an id=", type_name);
	} else {
		o = object_new(type);
		ok = true;
		for (size_t i = 0; ok && i < kv->count; i++)
			ok = object_set(o, s->root, kv->items[i].key, kv->items[i].value, err);
		ok = ok && type->complete(o, err) &&
		     object_add_child(object_container(s->root, "/objects"), id, o, err);
		object_put(o);
	}
	g_free(type_name);
	g_free(id);
	return ok || err_prefix(err, "-object: ");
}

bool object_add_later(void *session, struct json_object *props, struct err *err)
{
	struct session *s = session;
	const char *id = json_object_get_string(json_object_object_get(props, "id"));
	const struct object_type *type = object_type_find(
		json_object_get_string(json_object_object_get(props, "qom-type")));
	struct object *o;
	bool ok = true;

	if (!value_check_id(id, err))
		return false;
	o = object_new(type); /* the table of arguments knows which there are */
	json_object_object_foreach(props, key,
				   value) if (ok && strcmp(key, "id") && strcmp(key, "qom-type"))
		ok = object_set_json(o, s->root, key, value, err);
	ok = ok && type->complete(o, err) &&
	     object_add_child(object_container(s->root, "/objects"), id, o, err);
	object_put(o);
	return ok;
}

static void serial_quit(void *opaque)
{
	struct session *s = opaque;

	if (s->machine)
		machine_quit(s->machine, CAUSE_UI, 0);
	else
		session_ended(s, 0, NULL);
}

/* Behind a mux it is the mux's own chardev that meets the host. */
static struct object *chardev_at_host(struct session *s, struct chardev *c)
{
	struct err err;
	char *behind = object_get_text(chardev_object(c), "chardev", &err);
	struct object *o = behind ? object_resolve(s->root, behind) : chardev_object(c);

	g_free(behind);
	return o ? o : chardev_object(c);
}

/* Where a pty went is only known now. */
static void chardev_announce(struct session *s, struct object *o, const char *id)
{
	struct err err;
	char *path;

	if (strcmp(o->type->name, "chardev-pty"))
		return;
	path = object_get_text(o, "path", &err);
	log_message(s->program, "char device redirected to %s (label %s)", path, id);
	g_free(path);
}

bool chardev_made(struct session *s, struct chardev *c, const char *id, struct err *err)
{
	struct object *o = chardev_at_host(s, c);

	if (s->opt.daemonize && !strcmp(o->type->name, "chardev-stdio"))
		return err_set(err, 0,
			       "cannot use stdio with -daemonize: a daemon has no terminal");
	chardev_set_mux_quit(c, serial_quit, s);
	chardev_announce(s, o, id);
	return true;
}

static bool chardev_add_user(struct session *s, struct keyvals *kv, struct err *err)
{
	char *backend = keyvals_take(kv, "backend"), *id = keyvals_take(kv, "id");
	const char **keys = g_new0(const char *, kv->count + 1);
	const char **values = g_new0(const char *, kv->count + 1);
	struct chardev *c = NULL;
	bool ok;

	for (size_t i = 0; i < kv->count; i++) {
		keys[i] = kv->items[i].key;
		values[i] = kv->items[i].value;
	}
	if (!backend)
		err_set(err, 0, "no back end given; -chardev help lists them");
	else if (!id)
		err_set(err, 0, "%s: needs an id=", backend);
	else
		c = chardev_new(s->root, s->loop, backend, id, keys, values, err);
	ok = c && chardev_made(s, c, id, err);
	g_free(keys);
	g_free(values);
	g_free(backend);
	g_free(id);
	return ok || err_prefix(err, "-chardev: ");
}

static bool serial_open(struct session *s, unsigned index, const char *spec, struct err *err)
{
	char id[16];

	if (index >= sizeof(s->serials) / sizeof(s->serials[0]))
		return err_set(err, 0, "-serial %s: there are at most 4 serial ports", spec);
	snprintf(id, sizeof(id), "serial%u", index);
	err->code = 0;
	err->text[0] = '\0';
	s->serials[index] = chardev_new_legacy(s->root, s->loop, id, spec, err);
	if (!s->serials[index] && err->text[0])
		return err_prefix(err, "-serial %s: ", spec);
	if (s->serials[index] && !chardev_made(s, s->serials[index], id, err))
		return err_prefix(err, "-serial %s: ", spec);
	if (g_str_has_prefix(spec, "mon:"))
		s->monitored |= (uint8_t)(1u << index);
	return true;
}

static bool qtest_open(struct session *s, struct err *err)
{
	const char *spec = s->opt.qtest;

	if (!spec && s->opt.qtest_log)
		return err_set(err, 0, "-qtest-log: there is nothing to write without -qtest");
	if (!spec)
		return true;
	err_set(err, 0, "nothing to talk to");
	s->qtest_chardev = chardev_new_legacy(s->root, s->loop, "qtest", spec, err);
	return s->qtest_chardev ? chardev_made(s, s->qtest_chardev, "qtest", err)
				: err_prefix(err, "-qtest %s: ", spec);
}

static bool is_stdio(const char *spec) { return spec && g_str_has_prefix(spec, "stdio"); }

/* Does something else want this terminal for itself? */
static bool terminal_is_wanted(const struct options *o)
{
	for (unsigned i = 0; i < o->monitors.count; i++)
		if (is_stdio(keyvals_get(&o->monitors.items[i], "spec")))
			return true;
	for (unsigned i = 0; i < o->chardevs.count; i++)
		if (is_stdio(keyvals_get(&o->chardevs.items[i], "backend")))
			return true;
	return is_stdio(o->qtest) || is_stdio(o->gdb);
}

/* The first serial port and a monitor.  With no display built in, this terminal is where a guest
 * without options is seen. */
static bool terminal_has_default(const struct session *s)
{
	const struct options *o = &s->opt;

	if (o->serials.count || o->nodefaults || o->daemonize)
		return false;
	/* -nographic asks for it, but where there is no serial port others come first. */
	if (o->nographic)
		return s->machine->type->arch || !terminal_is_wanted(o);
	return !o->no_display && !terminal_is_wanted(o);
}

/* The set gets a duplicate: the descriptor itself may stand in several -add-fd. */
static bool fd_add_user(const struct keyvals *kv, struct err *err)
{
	const char *fd_text = keyvals_get(kv, "fd"), *set_text = keyvals_get(kv, "set");
	uint64_t fd, set;
	int flags, copy;

	if (!fd_text || !set_text)
		return err_set(err, 0, "-add-fd: needs fd= and set=");
	if (!value_parse_u64(fd_text, &fd, err))
		return err_prefix(err, "-add-fd: fd: ");
	if (!value_parse_u64(set_text, &set, err))
		return err_prefix(err, "-add-fd: set: ");
	if (fd <= STDERR_FILENO)
		return err_set(err, 0, "-add-fd: fd=%s is a standard stream", fd_text);
	if (set > INT64_MAX)
		return err_set(err, 0, "-add-fd: set=%s is too large", set_text);
	flags = fd <= INT_MAX ? fcntl((int)fd, F_GETFD) : -1;
	/* With the flag it is one of our own. */
	if (flags < 0 || flags & FD_CLOEXEC)
		return err_set(err, 0, "-add-fd: fd=%s is not a descriptor that was inherited",
			       fd_text);
	copy = fcntl((int)fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	if (copy < 0)
		return err_errno(err, errno, "-add-fd: cannot duplicate fd=%s", fd_text);
	return fdset_add((int64_t)set, copy, keyvals_get(kv, "opaque"), err) >= 0 ||
	       err_prefix(err, "-add-fd: ");
}

static bool fds_add_user(const struct keyvals_list *fds, struct err *err)
{
	uint64_t fd;

	for (unsigned i = 0; i < fds->count; i++)
		if (!fd_add_user(&fds->items[i], err))
			return false;
	/* Else nobody who reads from a pipe hears that its set has gone. */
	for (unsigned i = 0; i < fds->count; i++)
		if (value_parse_u64(keyvals_get(&fds->items[i], "fd"), &fd, err))
			close((int)fd);
	return true;
}

bool backends_open(struct session *s, struct err *err)
{
	const struct options *o = &s->opt;
	bool has_default = terminal_has_default(s); /* before chardevs take their words */

	if (!fds_add_user(&o->fds, err))
		return false;
	for (unsigned i = 0; i < o->objects.count; i++)
		if (!object_add_user(s, &o->objects.items[i], err))
			return false;
	for (unsigned i = 0; i < o->chardevs.count; i++)
		if (!chardev_add_user(s, &o->chardevs.items[i], err))
			return false;
	for (unsigned i = 0; i < o->serials.count; i++)
		if (!serial_open(s, i, o->serials.items[i], err))
			return false;
	if (!qtest_open(s, err))
		return false;
	if (!has_default)
		return true;
	if (!serial_open(s, 0, "mon:stdio", err))
		return false;
	if (o->has_monitor)
		s->monitored = 0;
	return true;
}
