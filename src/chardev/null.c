/* chardev/null.c - takes everything, gives nothing.
 * SPDX-License-Identifier: MIT */
#include "chardev/chardev_impl.h"

static bool null_open(struct chardev *c, struct err *err)
{
	(void)err;
	chardev_set_open(c, true);
	return true;
}

static void null_consume(struct chardev *c, const uint8_t *buf, size_t len)
{
	(void)c;
	(void)buf;
	(void)len;
}

const struct chardev_type chardev_null_type = {
	.base = { .name = "chardev-null",
		  .parent = &chardev_object_type,
		  .size = sizeof(struct chardev),
		  .help = "takes everything, gives nothing" },
	.ops = { .open = null_open, .consume = null_consume },
};
