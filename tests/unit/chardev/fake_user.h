/* tests/unit/chardev/fake_user.h - a user of a chardev that remembers what happened to it, and the
 * loop and tree around it.
 * SPDX-License-Identifier: MIT */
#pragma once

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <glib.h>

#include "base/err.h"
#include "base/lock.h"
#include "chardev/chardev.h"
#include "event/clock.h"
#include "event/loop.h"
#include "object/object.h"

struct fake_user {
	struct lock lock;
	size_t room; /* left; receive() counts it down */
	GString *got;
	int opened, closed, breaks, mux_in, mux_out, writable;
};

static struct loop *loop;
static struct object *root;
static struct err err;
static char *dir; /* for this test, once it asked: test_dir() */

static size_t fake_room(void *opaque)
{
	struct fake_user *u = opaque;

	g_assert_true(lock_held(&u->lock));
	return u->room;
}

static void fake_receive(void *opaque, const uint8_t *buf, size_t len)
{
	struct fake_user *u = opaque;

	g_assert_true(lock_held(&u->lock));
	g_assert_cmpuint(len, >, 0);
	g_assert_cmpuint(len, <=, u->room);
	u->room -= len;
	g_string_append_len(u->got, (const char *)buf, (gssize)len);
}

static void fake_event(void *opaque, enum chardev_event ev)
{
	struct fake_user *u = opaque;

	g_assert_true(lock_held(&u->lock));
	switch (ev) {
	case CHARDEV_OPENED: u->opened++; break;
	case CHARDEV_CLOSED: u->closed++; break;
	case CHARDEV_BREAK: u->breaks++; break;
	case CHARDEV_MUX_IN: u->mux_in++; break;
	case CHARDEV_MUX_OUT: u->mux_out++; break;
	}
}

static void fake_writable(void *opaque)
{
	struct fake_user *u = opaque;

	g_assert_true(lock_held(&u->lock));
	u->writable++;
}

static const struct chardev_user fake_ops = { fake_room, fake_receive, fake_event, fake_writable };

static inline void fake_init(struct fake_user *u, size_t room)
{
	*u = (struct fake_user){ .room = room, .got = g_string_new(NULL) };
	lock_init(&u->lock, LOCK_DEVICE, "user");
}

static inline void fake_fini(struct fake_user *u)
{
	g_string_free(u->got, true);
	lock_fini(&u->lock);
}

static inline void fake_attach(struct fake_user *u, struct chardev *c, size_t room)
{
	fake_init(u, room);
	g_assert_true(chardev_attach(c, &fake_ops, u, &u->lock, &err));
}

/* Whatever is ready now. */
static inline void serve_all(void)
{
	for (int i = 0; i < 50 && loop_poll(loop, 2000000); i++)
		;
}

static inline void world_init(void)
{
	chardev_register_types();
	loop = loop_new("test", &err);
	root = object_new(&object_container_type);
	dir = NULL;
}

static inline void world_fini(void)
{
	serve_all(); /* jobs that hold references */
	object_put(root);
	loop_free(loop);
	if (dir) {
		char *cmd = g_strdup_printf("rm -rf '%s'", dir);

		g_assert_cmpint(system(cmd), ==, 0);
		g_free(cmd);
		g_free(dir);
	}
}

/* An empty directory, gone with the world.  Children that end without one have not asked. */
static inline const char *test_dir(void)
{
	if (!dir)
		dir = g_dir_make_tmp("chardev-XXXXXX", NULL);
	g_assert_nonnull(dir);
	return dir;
}

static inline char *in_dir(const char *name) { return g_build_filename(test_dir(), name, NULL); }

/* "key=value,key=value" without escapes. */
static inline struct chardev *try_new(const char *backend, const char *id, const char *options)
{
	char **parts = g_strsplit(options, ",", -1);
	const char *keys[32] = { NULL }, *values[32] = { NULL };
	struct chardev *c;

	for (unsigned i = 0; parts[i] && *parts[i]; i++) {
		char *value = strchr(parts[i], '=');

		*value = '\0';
		keys[i] = parts[i];
		values[i] = value + 1;
	}
	memset(&err, 0, sizeof(err));
	c = chardev_new(root, loop, backend, id, keys, values, &err);
	g_strfreev(parts);
	return c;
}

static inline struct chardev *must_new(const char *backend, const char *id, const char *options)
{
	struct chardev *c = try_new(backend, id, options);

	if (!c)
		g_error("%s", err.text);
	return c;
}

static inline void expect_failure(const char *backend, const char *options, const char *text)
{
	g_assert_null(try_new(backend, "x", options));
	g_assert_cmpstr(err.text, ==, text);
	g_assert_null(object_resolve(root, "x")); /* nothing is left behind */
	g_assert_null(object_resolve(root, "x-base"));
}

/* Serve until cond holds; a test that waits for five seconds has failed. */
#define SERVE_UNTIL(cond)                                                    \
	do {                                                                 \
		int64_t end_ns_ = clock_host_ns() + 5 * INT64_C(1000000000); \
		while (!(cond)) {                                            \
			g_assert_cmpint(clock_host_ns(), <, end_ns_);        \
			loop_poll(loop, 1000000);                            \
		}                                                            \
	} while (0)

static inline size_t put(struct chardev *c, const char *text)
{
	return chardev_write(c, (const uint8_t *)text, strlen(text));
}

static inline void expect_file(const char *path, const char *text)
{
	char *content = NULL;

	g_assert_true(g_file_get_contents(path, &content, NULL, NULL));
	g_assert_cmpstr(content, ==, text);
	g_free(content);
}
