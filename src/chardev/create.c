/* chardev/create.c - chardevs from the command line: -chardev and the short forms of -serial.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include <glib.h>

#include "base/err.h"
#include "base/fdset.h"
#include "chardev/chardev_impl.h"
#include "event/loop.h"

enum { MAX_KEYS = 32 };

/* ---- backends -------------------------------------------------------------------------------- */

static const struct chardev_type *const backends[] = {
	&chardev_file_type, &chardev_mux_type,     &chardev_null_type,   &chardev_pipe_type,
	&chardev_pty_type,  &chardev_ringbuf_type, &chardev_socket_type, &chardev_stdio_type,
};

/* Names of the language that Rhea has no backend for, and why. */
static const struct {
	const char *name, *why;
} refused[] = {
	{ "serial", "a host's serial port" },
	{ "tty", "a host's serial port" },
	{ "parallel", "a host's parallel port" },
	{ "parport", "a host's parallel port" },
	{ "udp", "UDP" },
	{ "websocket", "websocket" },
	{ "vc", "a console in a window" },
	{ "console", "a Windows console" },
	{ "braille", "a braille terminal" },
	{ "msmouse", "a serial mouse" },
	{ "spicevmc", "SPICE" },
	{ "spiceport", "SPICE" },
};

void chardev_register_types(void)
{
	const struct object_type *types[ARRAY_SIZE(backends) + 2] = { &chardev_object_type };
	struct sigaction sa;

	for (unsigned i = 0; i < ARRAY_SIZE(backends); i++)
		types[i + 1] = &backends[i]->base;
	object_types_add(types);
	if (sigaction(SIGPIPE, NULL, &sa) == 0 && sa.sa_handler == SIG_DFL)
		signal(SIGPIPE, SIG_IGN);
}

static const struct chardev_type *backend_find(const char *name, struct err *err)
{
	const char *names[ARRAY_SIZE(backends) + 1] = { NULL };

	if (strcmp(name, "memory") == 0) /* its older name */
		return &chardev_ringbuf_type;
	for (unsigned i = 0; i < ARRAY_SIZE(backends); i++) {
		names[i] = backends[i]->base.name + strlen("chardev-");
		if (strcmp(names[i], name) == 0)
			return backends[i];
	}
	for (unsigned i = 0; i < ARRAY_SIZE(refused); i++) {
		if (strcmp(refused[i].name, name) == 0) {
			err_set(err, ENOTSUP, "character device backend '%s' (%s) is not supported",
				name, refused[i].why);
			return NULL;
		}
	}
	err_set(err, ENOENT, "unknown character device backend '%s'", name);
	err_suggest(err, name, names);
	return NULL;
}

/* ---- one chardev ----------------------------------------------------------------------------- */

static bool open_log(struct chardev *c, struct err *err)
{
	int flags = O_WRONLY | O_CREAT | O_CLOEXEC | (c->log_append ? O_APPEND : O_TRUNC);

	if (!c->log_path)
		return true;
	c->log_fd = fdset_open(c->log_path, flags, 0666);
	return c->log_fd >= 0 || err_errno(err, errno, "cannot open '%s'", c->log_path);
}

static struct chardev *fail(struct object *o, const char *id, struct err *err)
{
	object_unparent(o);
	object_put(o);
	err_prefix(err, "character device '%s': ", id);
	return NULL;
}

/* Configured and put into the tree under `name`, not yet open. */
static struct chardev *make(struct object *root, struct loop *loop, const struct chardev_type *type,
			    const char *name, const char *const *keys, const char *const *values,
			    struct err *err)
{
	struct object *o = object_new(&type->base);
	struct chardev *c = chardev_from_object(o);

	chardev_set_loop(c, loop);
	for (unsigned i = 0; keys[i]; i++)
		if (!object_set(o, root, keys[i], values[i], err))
			return fail(o, name, err);
	if (c->is_muxed && type == &chardev_mux_type) {
		err_set(err, EINVAL, "mux=on is not for a mux");
		return fail(o, name, err);
	}
	if (!object_add_child(object_container(root, "/chardevs"), name, o, err))
		return fail(o, name, err);
	return c;
}

/* The tree keeps it; the reference of object_new() goes. */
static struct chardev *open_made(struct chardev *c, const char *id, struct err *err)
{
	if (!open_log(c, err) || !chardev_ops(c)->open(c, err))
		return fail(&c->obj, id, err);
	c->obj.is_complete = true;
	object_put(&c->obj);
	return c;
}

static bool wants_mux(const char *const *keys, const char *const *values)
{
	struct err unused;
	bool on = false;

	for (unsigned i = 0; keys[i]; i++)
		if (strcmp(keys[i], "mux") == 0 && !value_parse_bool(values[i], &on, &unused))
			return false; /* told when the property is set */
	return on;
}

struct chardev *chardev_new(struct object *root, struct loop *loop, const char *backend,
			    const char *id, const char *const *keys, const char *const *values,
			    struct err *err)
{
	static const char *const mux_keys[] = { "chardev", NULL };
	const struct chardev_type *type = backend_find(backend, err);
	bool is_muxed = type != &chardev_mux_type && wants_mux(keys, values);
	struct chardev *c, *m;
	const char *mux_values[2] = { NULL };
	bool is_known;
	char *name;

	if (!type || !value_check_id(id, err))
		return NULL;
	name = g_strconcat("/chardevs/", id, NULL);
	is_known = object_resolve(root, name);
	g_free(name);
	if (is_known) {
		err_set(err, EEXIST, "there is already a character device '%s'", id);
		return NULL;
	}
	name = g_strconcat(id, is_muxed ? "-base" : "", NULL);
	c = make(root, loop, type, name, keys, values, err);
	if (c)
		c = open_made(c, id, err);
	if (c && is_muxed) {
		mux_values[0] = name;
		m = make(root, loop, &chardev_mux_type, id, mux_keys, mux_values, err);
		if (m)
			m = open_made(m, id, err);
		if (!m)
			object_unparent(&c->obj);
		c = m;
	}
	g_free(name);
	return c;
}

/* ---- short forms ----------------------------------------------------------------------------- */

struct pairs {
	char *keys[MAX_KEYS + 1], *values[MAX_KEYS + 1];
	unsigned count;
};

static bool pairs_add(struct pairs *p, const char *key, const char *value, struct err *err)
{
	if (p->count == MAX_KEYS)
		return err_set(err, E2BIG, "too many options");
	p->keys[p->count] = g_strdup(key);
	p->values[p->count++] = g_strdup(value);
	return true;
}

static void pairs_free(struct pairs *p)
{
	for (unsigned i = 0; i < p->count; i++) {
		g_free(p->keys[i]);
		g_free(p->values[i]);
	}
}

/* Text up to a single comma, "," doubled standing for one; *text moves behind it. */
static char *next_part(const char **text)
{
	GString *part = g_string_new(NULL);
	const char *p = *text;

	for (; *p; p++) {
		if (*p == ',' && *++p != ',')
			break;
		g_string_append_c(part, *p);
	}
	*text = p;
	return g_string_free(part, false);
}

/* "a=b,c,nod" into pairs: a key alone is "on", with "no" before it "off". */
static bool parse_options(struct pairs *p, const char *text, struct err *err)
{
	bool ok = true;

	while (ok && *text) {
		char *part = next_part(&text), *value = strchr(part, '=');

		if (value) {
			*value++ = '\0';
			ok = pairs_add(p, part, value, err);
		} else if (strcmp(part, "nowait") == 0 || strcmp(part, "noserver") == 0) {
			ok = pairs_add(p, part + strlen("no"), "off", err);
		} else {
			ok = pairs_add(p, part, "on", err);
		}
		g_free(part);
	}
	return ok;
}

/* "HOST:PORT", "[v6]:PORT", ":PORT" */
static bool parse_host_port(struct pairs *p, char *text, struct err *err)
{
	char *colon = strrchr(text, ':'), *host = text;

	if (!colon || !colon[1])
		return err_set(err, EINVAL, "'%s' is not HOST:PORT", text);
	*colon = '\0';
	if (*host == '[' && colon[-1] == ']') {
		host++;
		colon[-1] = '\0';
	}
	return pairs_add(p, "host", host, err) && pairs_add(p, "port", colon + 1, err);
}

static bool parse_rest(struct pairs *p, const char *key, const char *rest, struct err *err)
{
	char *first = next_part(&rest);
	bool ok = *first || err_set(err, EINVAL, "the name after ':' is missing");

	if (ok && key)
		ok = pairs_add(p, key, first, err);
	else if (ok)
		ok = parse_host_port(p, first, err);
	g_free(first);
	return ok && parse_options(p, rest, err);
}

static const struct {
	const char *prefix, *backend;
	const char *key; /* what stands after the prefix; NULL: HOST:PORT */
	bool is_telnet;
} short_forms[] = {
	{ "file:", "file", "path", false },   { "pipe:", "pipe", "path", false },
	{ "unix:", "socket", "path", false }, { "tcp:", "socket", NULL, false },
	{ "telnet:", "socket", NULL, true },
};

/* *backend and p from spec; false with an error when it is none. */
static bool parse_spec(const char *spec, const char **backend, struct pairs *p, struct err *err)
{
	static const char *const bare[] = { "null", "stdio", "pty", "ringbuf" };
	char *word;
	bool found = false;

	for (unsigned i = 0; i < ARRAY_SIZE(short_forms); i++) {
		if (!g_str_has_prefix(spec, short_forms[i].prefix))
			continue;
		*backend = short_forms[i].backend;
		if (short_forms[i].is_telnet && !pairs_add(p, "telnet", "on", err))
			return false;
		return parse_rest(p, short_forms[i].key, spec + strlen(short_forms[i].prefix), err);
	}
	word = g_strndup(spec, strcspn(spec, ":,"));
	for (unsigned i = 0; i < ARRAY_SIZE(bare); i++) {
		if (strcmp(word, bare[i]) == 0 && spec[strlen(word)] != ':') {
			*backend = bare[i];
			found = true;
		}
	}
	if (found) {
		spec += strlen(word);
		found = parse_options(p, *spec ? spec + 1 : spec, err);
	} else if (g_str_has_prefix(spec, "/dev/")) {
		err_set(err, ENOTSUP, "'%s': a host's serial port is not supported", spec);
	} else if (backend_find(word, err)) {
		err_set(err, EINVAL, "'%s' needs -chardev %s,id=... and chardev:ID here", spec,
			word);
	}
	g_free(word);
	return found;
}

static struct chardev *find_existing(struct object *root, const char *id, struct err *err)
{
	struct object *o = object_resolve(root, id);

	if (o && object_type_is(o->type, "chardev"))
		return chardev_from_object(o);
	err_set(err, ENOENT, "there is no character device '%s'", id);
	return NULL;
}

struct chardev *chardev_new_legacy(struct object *root, struct loop *loop, const char *id,
				   const char *spec, struct err *err)
{
	const char *backend = NULL;
	struct pairs p = { .count = 0 };
	struct chardev *c = NULL;
	bool is_shared = g_str_has_prefix(spec, "mon:"), ok = true;

	if (strcmp(spec, "none") == 0) {
		err->code = 0;
		err->text[0] = '\0';
		return NULL;
	}
	if (g_str_has_prefix(spec, "chardev:"))
		return find_existing(root, spec + strlen("chardev:"), err);
	if (is_shared) {
		spec += strlen("mon:");
		/* Ctrl-C is the guest's there: Ctrl-A X ends Rhea. */
		ok = pairs_add(&p, "mux", "on", err) &&
		     (strcmp(spec, "stdio") != 0 || pairs_add(&p, "signal", "off", err));
	}
	if (ok && parse_spec(spec, &backend, &p, err))
		c = chardev_new(root, loop, backend, id, (const char *const *)p.keys,
				(const char *const *)p.values, err);
	pairs_free(&p);
	return c;
}
