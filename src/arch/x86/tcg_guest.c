/* arch/x86/tcg_guest.c - x86 as translating accelerators see it.
 * SPDX-License-Identifier: MIT */
#include "arch/x86/tcg_guest.h"

#include "arch/x86/decode.h"
#include "arch/x86/sys.h"
#include "arch/x86/sys_helpers.h"
#include "cpu/guest.h"
#include "jit/ir.h"

static struct jit_env *guest_env(struct vcpu *v) { return &((struct x86_cpu *)v->cpu)->env; }
static gva_t guest_linear_pc(struct vcpu *v) { return x86_linear_pc(v->cpu); }

/* x86_fetch and guest_fetch differ in name only. */
struct guest_reader {
	struct x86_fetch f;
	struct guest_fetch *from;
};

static unsigned guest_bytes(struct x86_fetch *f, gva_t addr, uint8_t *out, unsigned len)
{
	struct guest_fetch *from = container_of(f, struct guest_reader, f)->from;

	return from->bytes(from, addr, out, len);
}

static const uint8_t *guest_operand(struct x86_fetch *f, uint32_t at, unsigned len)
{
	struct guest_fetch *from = container_of(f, struct guest_reader, f)->from;

	return from->operand ? from->operand(from, at, len) : NULL;
}

static const struct ir_helper *guest_before(struct x86_fetch *f, gva_t addr)
{
	struct guest_fetch *from = container_of(f, struct guest_reader, f)->from;

	return from->before ? from->before(from, addr) : NULL;
}

/* A stepped block begins with an instruction of no length that looks for breakpoints. */
static void guest_emit_step(struct ir_builder *b, const struct ir_helper *before)
{
	ir_insn_begin(b, 0);
	if (before)
		ir_call(b, before, IR_NONE, IR_NONE, IR_NONE);
	ir_call(b, &helper_step_begin, IR_NONE, IR_NONE, IR_NONE);
	ir_insn_end(b, 0);
}

static bool guest_translate(struct vcpu *v, struct ir_builder *b, struct guest_fetch *from,
			    unsigned max_insns, uint32_t *guest_len)
{
	struct x86_cpu *c = v->cpu;
	struct guest_reader r = {
		.f = { .bytes = guest_bytes, .operand = guest_operand, .before = guest_before },
		.from = from
	};

	if (c->env.mode & MODE_STEP)
		guest_emit_step(b, guest_before(&r.f, x86_linear_pc(c)));
	return x86_translate(c, b, &r.f, max_insns, guest_len);
}

static unsigned guest_pc_size_log2(struct vcpu *v) { return x86_is_code64(v->cpu) ? 3 : 2; }

static void guest_access_fault(struct vcpu *v, gva_t addr, enum mmu_access access, unsigned view,
			       const struct mmu_result *r)
{
	(void)access;
	(void)view;
	x86_walk_fault(v->cpu, addr, r);
}

static void guest_accessed(struct vcpu *v, gva_t addr, unsigned size, enum mmu_access access)
{
	x86_debug_data(v->cpu, addr, size, access == MMU_WRITE);
}

static void guest_deliver_fault(struct vcpu *v) { x86_deliver_exception(v->cpu); }
static void guest_take_inputs(struct vcpu *v) { x86_poll_inputs(v->cpu); }
static void guest_after_step(struct vcpu *v) { x86_step_end(v->cpu); }

static bool guest_is_settled(struct vcpu *v)
{
	const struct x86_cpu *c = v->cpu;

	return !c->in_shadow && !c->pending_db && !c->step_armed &&
	       !(c->in_sti_shadow && c->env.pc == c->sti_next);
}

static bool guest_is_halted(struct vcpu *v)
{
	const struct x86_cpu *c = v->cpu;

	return c->is_halted || c->wait_sipi || c->is_shut_down;
}

/* ---- -d in_asm ---- */

struct bytes_reader {
	struct x86_reader r;
	const uint8_t *bytes;
	unsigned len, pos;
};

static int bytes_next(struct x86_reader *r)
{
	struct bytes_reader *b = container_of(r, struct bytes_reader, r);

	return b->pos < b->len ? b->bytes[b->pos++] : -1;
}

static unsigned guest_disassemble(struct vcpu *v, gva_t pc, const uint8_t *bytes, unsigned len,
				  FILE *out)
{
	const struct x86_cpu *c = v->cpu;
	struct bytes_reader b = { .r.next = bytes_next, .bytes = bytes, .len = len };
	struct x86_decode_mode m = {
		.code64 = c->env.mode & MODE_CODE64,
		.code32 = c->env.mode & MODE_CODE32,
		.no_vex = x86_is_real(c) || x86_is_vm86(c),
		.features = UINT64_MAX,
	};
	struct x86_insn in;
	char text[160];

	if (x86_decode(&in, &m, &b.r) != DECODE_OK)
		return 0;
	x86_disasm(&in, pc, text, sizeof(text));
	fputs(text, out);
	return in.len;
}

const struct guest_ops x86_guest_ops = {
	.desc = &x86_state_desc,
	.position_free = MODE_CODE64,
	.address_bits = X86_CANONICAL_BITS,
	.flat_code = MODE_CODE64,
	.step = MODE_STEP,
	.env = guest_env,
	.linear_pc = guest_linear_pc,
	.translate = guest_translate,
	.pc_size_log2 = guest_pc_size_log2,
	.access_fault = guest_access_fault,
	.accessed = guest_accessed,
	.deliver_fault = guest_deliver_fault,
	.take_inputs = guest_take_inputs,
	.after_step = guest_after_step,
	.is_settled = guest_is_settled,
	.is_halted = guest_is_halted,
	.disassemble = guest_disassemble,
};
