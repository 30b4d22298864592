/* chardev/ringbuf.c - keeps the last bytes of output in memory.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <inttypes.h>

#include <glib.h>

#include "base/err.h"
#include "chardev/chardev_impl.h"

struct ringbuf {
	struct chardev chr;
	uint64_t size;    /* const after open: a power of two */
	uint8_t *bytes;   /* chr.lock */
	uint64_t in, out; /* chr.lock: bytes ever written, and read or overwritten */
};

static struct ringbuf *ringbuf(struct chardev *c) { return container_of(c, struct ringbuf, chr); }

static bool ringbuf_open(struct chardev *c, struct err *err)
{
	struct ringbuf *r = ringbuf(c);

	if (!is_pow2(r->size))
		return err_set(err, EINVAL, "size %" PRIu64 " is not a power of two", r->size);
	r->bytes = g_malloc(r->size);
	chardev_set_open(c, true);
	return true;
}

static void ringbuf_consume(struct chardev *c, const uint8_t *buf, size_t len)
{
	struct ringbuf *r = ringbuf(c);

	for (size_t i = 0; i < len; i++)
		r->bytes[r->in++ & (r->size - 1)] = buf[i];
	if (r->in - r->out > r->size)
		r->out = r->in - r->size;
}

size_t chardev_ringbuf_read(struct chardev *c, uint8_t *buf, size_t len)
{
	struct ringbuf *r = ringbuf(c);
	size_t n = 0;

	if (c->obj.type != &chardev_ringbuf_type.base)
		return 0;
	lock_take(&c->lock);
	while (n < len && r->out != r->in)
		buf[n++] = r->bytes[r->out++ & (r->size - 1)];
	lock_drop(&c->lock);
	return n;
}

static void ringbuf_fini(struct object *o) { g_free(ringbuf(chardev_from_object(o))->bytes); }

static const struct prop ringbuf_props[] = {
	PROP_SIZE(struct ringbuf, size, "size", 64 * KIB, .min = 1, .max = GIB,
		  .help = "bytes kept, a power of two"),
	{ 0 },
};

const struct chardev_type chardev_ringbuf_type = {
	.base = { .name = "chardev-ringbuf",
		  .parent = &chardev_object_type,
		  .size = sizeof(struct ringbuf),
		  .props = ringbuf_props,
		  .fini = ringbuf_fini,
		  .help = "keeps the last bytes of output in memory" },
	.ops = { .open = ringbuf_open, .consume = ringbuf_consume },
};
