/* main/iothread_object.c - `-object iothread,id=X`: an event loop with a thread of its own.
 * SPDX-License-Identifier: MIT */
#include "main/iothread_object.h"

#include <glib.h>

#include "base/err.h"
#include "event/iothread.h"

struct iothread_object {
	struct object obj;
	struct iothread *thread; /* const after complete */
};

static struct iothread_object *iothread_object(struct object *o)
{
	return container_of(o, struct iothread_object, obj);
}

static bool iothread_object_complete(struct object *o, struct err *err)
{
	iothread_object(o)->thread = iothread_new("iothread", err);
	return iothread_object(o)->thread != NULL;
}

static void iothread_object_fini(struct object *o)
{
	if (iothread_object(o)->thread)
		iothread_free(iothread_object(o)->thread);
}

static char *get_thread_id(struct object *o, const struct prop *p)
{
	struct iothread *t = iothread_object(o)->thread;

	(void)p;
	return g_strdup_printf("%d", t ? iothread_tid(t) : 0);
}

static const struct prop iothread_props[] = {
	PROP_CUSTOM("thread-id", NULL, get_thread_id, .is_read_only = true),
	{ 0 },
};

const struct object_type iothread_object_type = {
	.name = "iothread",
	.size = sizeof(struct iothread_object),
	.help = "event loop with a thread of its own, for devices",
	.props = iothread_props,
	.fini = iothread_object_fini,
	.complete = iothread_object_complete,
};
