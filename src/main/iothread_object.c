/* main/iothread_object.c - `-object iothread,id=X`: an event loop with a thread of its own.
 * SPDX-License-Identifier: MIT */
#include "main/iothread_object.h"

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

const struct object_type iothread_object_type = {
	.name = "iothread",
	.size = sizeof(struct iothread_object),
	.help = "event loop with a thread of its own, for devices",
	.fini = iothread_object_fini,
	.complete = iothread_object_complete,
};
