/* arch/x86/mem.c - memory as the CPU's own machinery sees it: descriptor tables, stacks, TSSs.
 * Hits in the soft TLB are served here, all else by the accelerator.
 * SPDX-License-Identifier: MIT */
#include "arch/x86/sys.h"

static inline void *mem_hit(struct x86_cpu *c, unsigned view, unsigned kind, gva_t addr,
			    unsigned len)
{
	return tlb_find(&c->env.tlb[view], kind, addr, len);
}

bool x86_load_bytes(struct x86_cpu *c, unsigned view, gva_t addr, void *out, unsigned len)
{
	uint8_t *p = out;

	while (len) {
		unsigned n = len < 64 ? len : 64;
		void *host = mem_hit(c, view, TLB_READ, addr, n);

		if (host)
			memcpy(p, host, n);
		else if (!c->env.mem->load(&c->env, view, addr, n, false, p))
			return false;
		p += n;
		addr += n;
		len -= n;
	}
	return true;
}

bool x86_store_bytes(struct x86_cpu *c, unsigned view, gva_t addr, const void *in, unsigned len)
{
	const uint8_t *p = in;

	while (len) {
		unsigned n = len < 64 ? len : 64;
		void *host = mem_hit(c, view, TLB_WRITE, addr, n);

		if (host)
			memcpy(host, p, n);
		else if (!c->env.mem->store(&c->env, view, addr, n, p))
			return false;
		p += n;
		addr += n;
		len -= n;
	}
	return true;
}

static bool load_missed(struct x86_cpu *c, unsigned view, gva_t addr, unsigned size, uint64_t *out)
{
	uint64_t v = 0;

	if (!c->env.mem->load(&c->env, view, addr, size, false, &v))
		return false;
	*out = v;
	return true;
}

bool x86_load(struct x86_cpu *c, unsigned view, gva_t addr, unsigned size, uint64_t *out)
{
	const uint8_t *host = mem_hit(c, view, TLB_READ, addr, size);

	if (!host)
		return load_missed(c, view, addr, size, out);
	switch (size) {
	case 1: *out = *host; break;
	case 2: *out = ld16_le(host); break;
	case 4: *out = ld32_le(host); break;
	default: *out = ld64_le(host); break;
	}
	return true;
}

static bool store_missed(struct x86_cpu *c, unsigned view, gva_t addr, unsigned size,
			 uint64_t value)
{
	return c->env.mem->store(&c->env, view, addr, size, &value);
}

bool x86_store(struct x86_cpu *c, unsigned view, gva_t addr, unsigned size, uint64_t value)
{
	uint8_t *host = mem_hit(c, view, TLB_WRITE, addr, size);

	if (!host)
		return store_missed(c, view, addr, size, value);
	switch (size) {
	case 1: *host = (uint8_t)value; break;
	case 2: memcpy(host, &value, 2); break;
	case 4: memcpy(host, &value, 4); break;
	default: memcpy(host, &value, 8); break;
	}
	jit_origin_stored(&c->env, host, size); /* elements of strings are stored so too */
	return true;
}

/* Without process-context identifiers there is one address space, whose tables change. */
static uint64_t tlb_asid(const struct x86_cpu *c)
{
	return c->cr4 & CR4_PCIDE ? c->cr3 & 0xfff : 0;
}

void x86_tlb_flush(struct x86_cpu *c, bool keep_global)
{
	c->tlb_changes++;
	x86_walks_forget(c);
	if (!c->env.mem)
		return;
	c->env.mem->tlb_flush(&c->env, ~UINT64_C(0), keep_global);
	if (!keep_global && c->env.mem->tlb_switch) /* CR4.PCIDE may be what changed */
		c->env.mem->tlb_switch(&c->env, tlb_asid(c), true);
}

void x86_tlb_flush_space(struct x86_cpu *c, uint64_t asid, gva_t addr)
{
	const struct jit_mem_ops *mem = c->env.mem;

	c->tlb_changes++;
	x86_walks_forget(c);
	if (mem && mem->tlb_flush_space)
		mem->tlb_flush_space(&c->env, asid, addr);
	else if (mem)
		mem->tlb_flush(&c->env, addr, true);
}

void x86_tlb_switch(struct x86_cpu *c, bool keep)
{
	const struct jit_mem_ops *mem = c->env.mem;

	c->tlb_changes++;
	x86_walks_forget(c);
	if (mem && mem->tlb_switch)
		mem->tlb_switch(&c->env, tlb_asid(c), keep);
	else if (mem)
		mem->tlb_flush(&c->env, ~UINT64_C(0), true);
}

void x86_tlb_flush_page(struct x86_cpu *c, gva_t addr)
{
	c->tlb_changes++;
	x86_walks_forget(c);
	if (c->env.mem)
		c->env.mem->tlb_flush(&c->env, addr & ~UINT64_C(0xfff), false);
}

/* ---- stacks ---- */

void x86_stack_current(struct x86_cpu *c, struct x86_stack *s)
{
	*s = (struct x86_stack){
		.c = c,
		.seg = c->seg[SEG_SS],
		.sp = c->gpr[RSP],
		.view = c->env.view,
		.is_64 = x86_is_code64(c),
	};
}

static uint64_t stack_mask(const struct x86_stack *s)
{
	if (s->is_64)
		return UINT64_MAX;
	return s->seg.attr & SEG_ATTR_DB ? UINT32_MAX : 0xffff;
}

/* The linear address of `size` bytes at offset off of the stack, or #SS. */
static bool stack_linear(struct x86_stack *s, uint64_t off, unsigned size, gva_t *addr)
{
	uint32_t first = (uint32_t)off, last = first + size - 1;

	if (s->is_64) {
		*addr = off;
		if (x86_is_canonical(off) && x86_is_canonical(off + size - 1))
			return true;
		return x86_raise_code(s->c, EXC_SS, s->error);
	}
	*addr = (uint32_t)(s->seg.base + first);
	if ((s->seg.attr & (SEG_ATTR_CODE | SEG_ATTR_DC)) == SEG_ATTR_DC) {
		uint32_t top = s->seg.attr & SEG_ATTR_DB ? UINT32_MAX : 0xffff;

		if (first > s->seg.limit && last >= first && last <= top)
			return true;
	} else if (last >= first && last <= s->seg.limit) {
		return true;
	}
	return x86_raise_code(s->c, EXC_SS, s->error);
}

bool x86_stack_push(struct x86_stack *s, unsigned size, uint64_t value)
{
	uint64_t mask = stack_mask(s);
	uint64_t sp = (s->sp - size) & mask;
	gva_t addr;

	if (!stack_linear(s, sp, size, &addr) || !x86_store(s->c, s->view, addr, size, value))
		return false;
	s->sp = (s->sp & ~mask) | sp;
	return true;
}

bool x86_stack_peek(struct x86_stack *s, uint64_t off, unsigned size, uint64_t *value)
{
	gva_t addr;

	return stack_linear(s, (s->sp + off) & stack_mask(s), size, &addr) &&
	       x86_load(s->c, s->view, addr, size, value);
}

bool x86_stack_pop(struct x86_stack *s, unsigned size, uint64_t *value)
{
	uint64_t mask = stack_mask(s);

	if (!x86_stack_peek(s, 0, size, value))
		return false;
	s->sp = (s->sp & ~mask) | ((s->sp + size) & mask);
	return true;
}

void x86_stack_commit(const struct x86_stack *s)
{
	uint64_t mask = stack_mask(s);

	if (mask == UINT32_MAX) /* a 32-bit register write */
		s->c->gpr[RSP] = s->sp & mask;
	else
		s->c->gpr[RSP] = (s->c->gpr[RSP] & ~mask) | (s->sp & mask);
}
