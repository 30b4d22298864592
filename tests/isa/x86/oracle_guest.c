/* tests/isa/x86/oracle_guest.c - running cases in the translator and one of the executors, as a
 * user program under a flat 64-bit system.
 * SPDX-License-Identifier: MIT */
#include "oracle.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <glib.h>

#include "arch/x86/isa_gen.h"
#include "arch/x86/sys.h"
#include "base/err.h"
#include "jit/interp.h"

enum { PAGE = 4096 };

bool guest_trace, guest_hides_code;
static unsigned tier;
static struct x86_cpu *cpu, *pristine;
static struct vcpu vcpu;
static struct ir_builder *builder;
static struct interp_lowerer *lowerer;
static struct tlb_view *tlb;
static uint8_t code_page[CODE_SIZE] __attribute__((aligned(4096)));
static uint8_t data_pages[DATA_SIZE] __attribute__((aligned(4096)));

/* ---- memory ---- */

static uint8_t *guest_byte(gva_t addr)
{
	if (addr - CODE_ADDR < CODE_SIZE)
		return &code_page[addr - CODE_ADDR];
	if (addr - DATA_ADDR < DATA_SIZE)
		return &data_pages[addr - DATA_ADDR];
	return NULL;
}

/* False: faulted at the first byte that is not there. */
static bool reachable(struct jit_env *env, gva_t addr, unsigned size, bool is_write)
{
	bool code64 = env->mode & MODE_CODE64;

	for (unsigned i = 0; i < size; i++) {
		gva_t at = code64 ? addr + i : (uint32_t)(addr + i);

		if (!x86_is_canonical(at))
			return x86_noncanonical(cpu, addr);
		if (!guest_byte(at) || (guest_hides_code && at - CODE_ADDR < CODE_SIZE))
			return x86_raise_page_fault(cpu, at, PF_U | (is_write ? PF_W : 0));
	}
	return true;
}

static bool op_load(struct jit_env *env, unsigned view, gva_t addr, unsigned size, bool for_write,
		    void *out)
{
	(void)view;
	if (!reachable(env, addr, size, for_write))
		return false;
	for (unsigned i = 0; i < size; i++)
		((uint8_t *)out)[i] = *guest_byte(addr + i);
	return true;
}

static bool op_store(struct jit_env *env, unsigned view, gva_t addr, unsigned size, const void *in)
{
	(void)view;
	if (!reachable(env, addr, size, true))
		return false;
	for (unsigned i = 0; i < size; i++)
		*guest_byte(addr + i) = ((const uint8_t *)in)[i];
	return true;
}

static void *op_atomic_ptr(struct jit_env *env, unsigned view, gva_t addr, unsigned size,
			   bool *fault)
{
	(void)view;
	*fault = !reachable(env, addr, size, true);
	if (*fault || (addr & (PAGE - 1)) + size > PAGE || addr & (size - 1))
		return NULL;
	return guest_byte(addr);
}

static void op_exclusive(struct jit_env *env) { (void)env; }

static void op_flush(struct jit_env *env, gva_t page, bool keep_global)
{
	(void)env;
	(void)page;
	(void)keep_global;
}

static void op_stored(struct jit_env *env, unsigned view, gva_t addr, unsigned size)
{
	(void)env;
	(void)view;
	(void)addr;
	(void)size;
}

/* Where there is no fast entry there never is. */
static bool op_fill(struct jit_env *env, unsigned view, gva_t addr, bool for_write, bool quiet)
{
	(void)view;
	return quiet || reachable(env, addr, 1, for_write);
}

static const struct jit_mem_ops mem_ops = {
	.fill = op_fill,
	.load = op_load,
	.store = op_store,
	.atomic_ptr = op_atomic_ptr,
	.exclusive_begin = op_exclusive,
	.exclusive_end = op_exclusive,
	.tlb_flush = op_flush,
	.stored = op_stored,
};

/* With fast entries for some of the data pages: all ways must do the same. */
static void fill_tlb(uint32_t fast)
{
	for (unsigned view = 0; view < TLB_VIEWS; view++)
		tlb_view_init(&tlb[view]);
	for (unsigned n = 0; n < DATA_SIZE / PAGE; n++) {
		gva_t page = DATA_ADDR + n * PAGE;

		for (unsigned kind = TLB_READ; kind <= TLB_WRITE; kind++) {
			struct tlb_table *e = &tlb[VIEW_USER].e[kind];

			if (!(fast >> (n + 8 * kind) & 1))
				continue;
			e->tag[tlb_index(page)] = page;
			e->host[tlb_index(page)] = (uint64_t)(uintptr_t)guest_byte(page);
		}
	}
}

/* ---- state ---- */

bool guest_init(unsigned use_tier, struct err *err)
{
	char *warnings;

	cpu = aligned_alloc(64, align_up(sizeof(*cpu), 64));
	pristine = aligned_alloc(64, align_up(sizeof(*cpu), 64));
	memset(cpu, 0, sizeof(*cpu));
	cpu->vcpu = &vcpu;
	vcpu.cpu = cpu;
	tlb = tlb_views_new();
	builder = ir_builder_new(&x86_state_desc);
	lowerer = interp_lowerer_new(&x86_state_desc);
	tier = use_tier;
	if (!x86_cpuid_init(cpu, "max", &warnings, err) || (tier && !tier1_init(err)))
		return false;
	cpu->env.mem = &mem_ops;
	cpu->env.tlb = tlb;
	vcpu.exit_request = &cpu->env.exit_request;
	x86_reset(cpu);
	cpu->cr0 = CR0_PE | CR0_MP | CR0_ET | CR0_NE | CR0_WP | CR0_AM | CR0_PG;
	cpu->cr4 = CR4_PAE | CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_OSXSAVE;
	cpu->efer = EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE;
	cpu->xcr0 = 7;
	cpu->seg[SEG_TR].attr = SEG_ATTR_P | SYS_TSS32_BUSY;
	cpu->seg[SEG_TR].limit = 0; /* no I/O map */
	*pristine = *cpu;
	return true;
}

static uint64_t features(void)
{
	uint64_t mask = 0;

	for (unsigned i = 0; i < X86_ISA_FEATURES; i++)
		if (x86_has(cpu, (enum x86_feature)x86_isa_features[i]))
			mask |= BIT(i);
	return mask;
}

struct array_reader {
	struct x86_reader r;
	const uint8_t *bytes;
};

static int array_next(struct x86_reader *r)
{
	return *container_of(r, struct array_reader, r)->bytes++;
}

bool guest_decode(const struct run_mode_info *m, const uint8_t *code, struct x86_insn *in)
{
	struct x86_decode_mode mode = { .code64 = m->code64,
					.code32 = m->code32,
					.features = features() };
	struct array_reader ar = { .r.next = array_next, .bytes = code };

	return x86_decode(in, &mode, &ar.r) == DECODE_OK;
}

static void set_segment(unsigned s, uint16_t sel, const struct run_mode_info *m)
{
	const unsigned attr = SEG_ATTR_P | 3u << SEG_ATTR_DPL_SHIFT | SEG_ATTR_S | SEG_ATTR_RW |
			      SEG_ATTR_A;
	bool is_code = s == SEG_CS;

	cpu->seg[s] = (struct x86_seg){
		.sel = sel,
		.attr = (uint16_t)(attr | (is_code ? SEG_ATTR_CODE : 0) |
				   (m->code64 && is_code ? SEG_ATTR_L : 0) |
				   (m->code32 || (m->code64 && !is_code) ? SEG_ATTR_DB : 0)),
		.limit = m->is_flat ? UINT32_MAX
			 : is_code  ? CODE_SIZE - 1
				    : DATA_SIZE - 1,
		.base = is_code ? m->code_base : m->data_base,
	};
}

static void set_segments(const struct run_mode_info *m)
{
	for (unsigned s = SEG_ES; s <= SEG_DS; s++)
		set_segment(s, s == SEG_CS ? m->cs : m->data, m);
	x86_seg_fill_null(&cpu->seg[SEG_FS], 0);
	x86_seg_fill_null(&cpu->seg[SEG_GS], 0);
}

static void set_state(const struct cpu_image *in)
{
	unsigned top = ld16_le(in->fx + FX_FSW) >> 11 & 7;

	memcpy(cpu->gpr, in->gpr, sizeof(cpu->gpr));
	cpu->rflags = (uint32_t)in->rflags | FL_ONE;
	cpu->fcw = ld16_le(in->fx + FX_FCW);
	cpu->fsw = ld16_le(in->fx + FX_FSW) & ~(7u << 11);
	cpu->ftop = (uint8_t)top;
	cpu->ftag = in->fx[FX_FTW];
	cpu->mxcsr = ld32_le(in->fx + FX_MXCSR);
	for (unsigned i = 0; i < 8; i++) {
		struct x86_f80 *f = &cpu->fpr[(top + i) & 7];

		f->frac = ld64_le(in->fx + FX_ST + 16 * i);
		f->sexp = ld16_le(in->fx + FX_ST + 16 * i + 8);
	}
	for (unsigned i = 0; i < 16; i++) {
		memcpy(cpu->ymm[i], in->fx + FX_XMM + 16 * i, 16);
		memcpy(cpu->ymm[i] + 16, in->ymm_high[i], 16);
	}
}

static void get_state(struct cpu_image *out)
{
	memcpy(out->gpr, cpu->gpr, sizeof(cpu->gpr));
	out->rip = cpu->env.pc;
	out->rflags = cpu->rflags;
	st16_le(out->fx + FX_FCW, cpu->fcw);
	st16_le(out->fx + FX_FSW, (uint16_t)(cpu->fsw | cpu->ftop << 11));
	out->fx[FX_FTW] = cpu->ftag;
	st32_le(out->fx + FX_MXCSR, cpu->mxcsr);
	for (unsigned i = 0; i < 8; i++) {
		const struct x86_f80 *f = &cpu->fpr[(cpu->ftop + i) & 7];

		st64_le(out->fx + FX_ST + 16 * i, f->frac);
		st16_le(out->fx + FX_ST + 16 * i + 8, f->sexp);
	}
	for (unsigned i = 0; i < 16; i++) {
		memcpy(out->fx + FX_XMM + 16 * i, cpu->ymm[i], 16);
		memcpy(out->ymm_high[i], cpu->ymm[i] + 16, 16);
	}
}

/* ---- running ---- */

static unsigned fetch_bytes(struct x86_fetch *f, gva_t addr, uint8_t *out, unsigned len)
{
	(void)f;
	for (unsigned i = 0; i < len; i++) {
		const uint8_t *p = guest_byte(addr + i);

		if (!p)
			return i;
		out[i] = *p;
	}
	return len;
}

static struct interp_block *no_next(struct jit_env *env, struct interp_block *from, unsigned n)
{
	(void)env;
	(void)from;
	(void)n;
	return NULL;
}

static const struct ir_block *translate(unsigned insns)
{
	struct x86_fetch fetch = { .bytes = fetch_bytes };
	const struct ir_block *ir;
	char error[128];
	uint32_t len;

	ir_begin(builder, cpu->env.mode, cpu->env.mode & MODE_CODE64 ? 3 : 2);
	if (!x86_translate(cpu, builder, &fetch, insns, &len))
		return NULL;
	ir = ir_end(builder);
	if (ir_verify(ir, error, sizeof(error)))
		return ir;
	ir_print(ir, &x86_state_desc, stderr);
	fprintf(stderr, "bad IR: %s\n", error);
	abort();
}

static void interpret(const struct ir_block *ir, bool again)
{
	const uint64_t start = cpu->env.pc;
	struct interp_block block = { 0 };

	if (!interp_lower(lowerer, &block, ir))
		abort();
	if (guest_trace)
		interp_print(&block, stdout);
	do {
		struct interp_run run = { .next = no_next, .budget = 1000 };

		interp_run(&cpu->env, &block, &x86_state_desc, &run);
	} while (again && cpu->env.pc == start && !cpu->env.fault);
	interp_block_fini(&block);
}

static struct x64_code *make_host_code(const struct ir_block *ir, bool singly)
{
	struct x64_code *code;

	if (!tier1_make(&cpu->env, &code, ir, singly))
		abort();
	if (guest_trace)
		tier1_print(code, stdout);
	return code;
}

/* The rest of a block of so many instructions of which `done` are. */
static void run_rest_singly(unsigned insns, unsigned done)
{
	struct x64_code *code;

	if (done >= insns) {
		fprintf(stderr, "host code left for one that is not in the block\n");
		abort();
	}
	code = make_host_code(translate(insns - done), true);
	tier1_run(&cpu->env, code);
	tier1_drop(code);
}

static void run_host_code(const struct ir_block *ir, bool again)
{
	const uint64_t start = cpu->env.pc;
	unsigned insns = ir->insn_count, done;
	g_autofree int32_t *delta = g_new(int32_t, insns);
	struct x64_code *code;

	for (unsigned k = 0; k < insns; k++)
		delta[k] = ir->insns[k].pc_delta;
	code = make_host_code(ir, false);
	do {
		tier1_run(&cpu->env, code);
		done = 0;
		while (tier1_wants_single() && done < insns &&
		       cpu->env.pc - start != (uint64_t)delta[done])
			done++;
		if (tier1_wants_single())
			run_rest_singly(insns, done);
	} while (again && cpu->env.pc == start && !cpu->env.fault);
	tier1_drop(code);
}

void guest_go(unsigned use_tier, unsigned insns, bool again)
{
	const struct ir_block *ir = translate(insns);

	if (!ir)
		return;
	if (guest_trace)
		ir_print(ir, &x86_state_desc, stdout);
	if (use_tier)
		run_host_code(ir, again);
	else
		interpret(ir, again);
}

/* ---- for cases and blocks ---- */

void guest_load(const struct run_mode_info *m, const struct cpu_image *in, const uint8_t *code,
		unsigned len, const uint8_t mem[DATA_SIZE], uint32_t fast_pages)
{
	*cpu = *pristine;
	memcpy(data_pages, mem, DATA_SIZE);
	memset(code_page, 0xcc, CODE_SIZE);
	memcpy(code_page + (INSN_ADDR - CODE_ADDR), code, len);
	set_segments(m);
	set_state(in);
	x86_mode_update(cpu);
	fill_tlb(fast_pages);
	cpu->env.pc = in->rip;
}

void guest_save(struct outcome *o)
{
	memset(o, 0, sizeof(*o));
	o->vector = VECTOR_NONE;
	if (cpu->env.fault) {
		o->vector = cpu->exc.vector;
		if (cpu->noncanonical && x86_insn_uses_stack(cpu, cpu->noncanonical_addr))
			o->vector = EXC_SS;
		o->error = cpu->exc.error;
		o->cr2 = cpu->cr2;
	}
	get_state(&o->cpu);
	memcpy(o->mem, data_pages, DATA_SIZE);
}

const void *guest_rest(size_t *size)
{
	memset(cpu->vtmp, 0, sizeof(cpu->vtmp)); /* operands of instructions that are done */
	cpu->fsw &= (uint16_t)~0x200u;           /* FCOMI: processors do not agree */
	*size = sizeof(*cpu) - sizeof(cpu->env);
	return (const char *)cpu + sizeof(cpu->env);
}

void guest_run(const struct batch *b, struct test_case *c, bool fast_tlb)
{
	guest_load(mode_of(c), &c->in, c->code, c->len, b->mem, fast_tlb ? FAST_ALL : 0);
	guest_go(tier, 1, true);
	guest_save(&c->guest);
	cpu->env.fault = 0;
}
