/* monitor/gdb/memory.c - registers and memory.  Each is looked at in the vCPU's own thread, so that
 * it is right whatever the accelerator keeps where.
 * SPDX-License-Identifier: MIT */
#include <string.h>

#include "cpu/arch.h"
#include "cpu/vcpu.h"
#include "memory/address_space.h"
#include "monitor/gdb/gdb_impl.h"

enum { MEMORY_MAX = GDB_PACKET_MAX / 2 };

/* ---- registers ---- */

struct registers {
	unsigned first, count; /* n: only this one */
	uint8_t *bytes;        /* DEBUG_REG_MAX each */
	unsigned *sizes;
};

static void read_work(struct vcpu *v, void *opaque)
{
	struct registers *r = opaque;

	for (unsigned i = 0; i < r->count; i++)
		r->sizes[i] = v->arch->debug->reg_read(v, r->first + i,
						       r->bytes + (size_t)i * DEBUG_REG_MAX);
}

static void write_work(struct vcpu *v, void *opaque)
{
	struct registers *r = opaque;

	for (unsigned i = 0; i < r->count; i++)
		if (r->sizes[i])
			v->arch->debug->reg_write(v, r->first + i,
						  r->bytes + (size_t)i * DEBUG_REG_MAX);
}

static void registers_init(struct registers *r, struct vcpu *v, unsigned first, unsigned count)
{
	r->first = first;
	r->count = count;
	r->bytes = g_malloc0((size_t)count * DEBUG_REG_MAX);
	r->sizes = g_new0(unsigned, count);
	vcpu_run_sync(v, read_work, r);
}

static void registers_fini(struct registers *r)
{
	g_free(r->bytes);
	g_free(r->sizes);
}

void gdb_read_registers(struct gdb *g, const char *args, size_t len)
{
	struct vcpu *v = gdb_general(g);
	struct registers r;

	(void)args;
	(void)len;
	registers_init(&r, v, 0, v->arch->debug->reg_count(v));
	for (unsigned i = 0; i < r.count; i++)
		gdb_append_hex(g->reply, r.bytes + (size_t)i * DEBUG_REG_MAX, r.sizes[i]);
	registers_fini(&r);
}

/* Those that the packet has no digits for stay as they are. */
void gdb_write_registers(struct gdb *g, const char *args, size_t len)
{
	struct vcpu *v = gdb_general(g);
	struct registers r;
	bool is_short = false;

	(void)len;
	registers_init(&r, v, 0, v->arch->debug->reg_count(v));
	for (unsigned i = 0; i < r.count; i++) {
		uint8_t in[DEBUG_REG_MAX];

		is_short = is_short || gdb_hex_bytes(&args, in, r.sizes[i]) < r.sizes[i];
		if (is_short)
			r.sizes[i] = 0;
		else
			memcpy(r.bytes + (size_t)i * DEBUG_REG_MAX, in, r.sizes[i]);
	}
	vcpu_run_sync(v, write_work, &r);
	registers_fini(&r);
	gdb_ok(g);
}

void gdb_read_register(struct gdb *g, const char *args, size_t len)
{
	struct vcpu *v = gdb_general(g);
	struct registers r;
	uint64_t n;

	(void)len;
	if (!gdb_hex(&args, &n) || n >= v->arch->debug->reg_count(v)) {
		gdb_fail(g, GDB_EINVAL);
		return;
	}
	registers_init(&r, v, (unsigned)n, 1);
	gdb_append_hex(g->reply, r.bytes, r.sizes[0]);
	registers_fini(&r);
}

void gdb_write_register(struct gdb *g, const char *args, size_t len)
{
	struct vcpu *v = gdb_general(g);
	struct registers r;
	uint64_t n;

	(void)len;
	if (!gdb_hex(&args, &n) || !gdb_eat(&args, '=') || n >= v->arch->debug->reg_count(v)) {
		gdb_fail(g, GDB_EINVAL);
		return;
	}
	registers_init(&r, v, (unsigned)n, 1);
	if (gdb_hex_bytes(&args, r.bytes, r.sizes[0]) == r.sizes[0]) {
		vcpu_run_sync(v, write_work, &r);
		gdb_ok(g);
	} else {
		gdb_fail(g, GDB_EINVAL);
	}
	registers_fini(&r);
}

/* ---- memory ---- */

struct memory {
	const struct gdb *g;
	uint64_t addr;
	uint8_t *buf;
	size_t len;
	size_t done; /* how much could be had */
	bool is_write;
};

/* Byte by byte, up to the first that is no memory, where not all of it is. */
static size_t physical(struct vcpu *v, const struct memory *m, size_t len)
{
	size_t done = 0;

	if (m->is_write) {
		if (dma_write_rom(v->memory, m->addr, m->buf, len))
			return len;
	} else if (dma_read(v->memory, m->addr, m->buf, len)) {
		return len;
	}
	while (done < len &&
	       (m->is_write ? dma_write_rom(v->memory, m->addr + done, m->buf + done, 1)
			    : dma_read(v->memory, m->addr + done, m->buf + done, 1)))
		done++;
	return done;
}

static void memory_work(struct vcpu *v, void *opaque)
{
	struct memory *m = opaque;

	if (m->g->is_physical)
		m->done = physical(v, m, m->len);
	else if (m->is_write)
		m->done = vcpu_debug_write(v, m->addr, m->buf, m->len);
	else
		m->done = vcpu_debug_read(v, m->addr, m->buf, m->len);
}

/* "ADDR,LEN" */
static bool parse_range(const char **p, uint64_t *addr, uint64_t *len)
{
	return gdb_hex(p, addr) && gdb_eat(p, ',') && gdb_hex(p, len);
}

void gdb_read_memory(struct gdb *g, const char *args, size_t len)
{
	struct memory m = { .g = g };
	uint64_t n;

	(void)len;
	if (!parse_range(&args, &m.addr, &n)) {
		gdb_fail(g, GDB_EINVAL);
		return;
	}
	m.len = MIN(n, MEMORY_MAX);
	m.buf = g_malloc(m.len + 1);
	vcpu_run_sync(gdb_general(g), memory_work, &m);
	if (m.len && !m.done)
		gdb_fail(g, GDB_EFAULT);
	else
		gdb_append_hex(g->reply, m.buf, m.done);
	g_free(m.buf);
}

static void write_bytes(struct gdb *g, uint64_t addr, const uint8_t *bytes, size_t len)
{
	struct memory m = { .g = g, .addr = addr, .len = len, .is_write = true };

	m.buf = (uint8_t *)(uintptr_t)bytes;
	if (len)
		vcpu_run_sync(gdb_general(g), memory_work, &m);
	if (m.done < len)
		gdb_fail(g, GDB_EFAULT);
	else
		gdb_ok(g);
}

void gdb_write_memory(struct gdb *g, const char *args, size_t len)
{
	g_autofree uint8_t *bytes = g_malloc(len / 2 + 1);
	uint64_t addr, n;

	if (!parse_range(&args, &addr, &n) || !gdb_eat(&args, ':') || n > len / 2 ||
	    gdb_hex_bytes(&args, bytes, n) != n)
		gdb_fail(g, GDB_EINVAL);
	else
		write_bytes(g, addr, bytes, n);
}

void gdb_write_binary(struct gdb *g, const char *args, size_t len)
{
	const char *end = args + len;
	uint64_t addr, n;

	if (!parse_range(&args, &addr, &n) || !gdb_eat(&args, ':') || n != (size_t)(end - args))
		gdb_fail(g, GDB_EINVAL);
	else
		write_bytes(g, addr, (const uint8_t *)args, n);
}
