/* accel/tcg/translate.c - from guest code to a block: fetch it, have it made into IR, compile that.
 *
 * A translation is made without a lock, and taken only if nobody stored meanwhile to the pages it
 * was made from.  Of restless pages nobody would know: it is made from a copy.
 * SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include <glib.h>

#include "base/log.h"
#include "jit/ir.h"
#include "jit/ir_info.h"
#include "accel/tcg/tcg.h"

enum { PAGE = RAM_PAGE_SIZE };

/* Guest code as the translator reads it. */
struct fetch {
	struct guest_fetch base;
	struct tcg_vcpu *tv;
	gva_t page;             /* of the block's first byte */
	const uint8_t *host[2]; /* those pages in host memory */
	const uint8_t *code[2]; /* and where they are read: a restless page's copy */
	bool is_kept;           /* what is made from it: stores to its pages are told of */
	struct tcg_source source;
	const struct tcg_block *made; /* what it is for */
	unsigned hole_count;
	struct tcg_hole holes[TCG_HOLES];
};

/* ---- fetching ---- */

static bool is_restless(const struct fetch *f, unsigned n)
{
	return f->source.page[n] && f->source.page[n]->is_restless;
}

static const uint8_t *copy_page(struct tcg_vcpu *tv, const uint8_t *page, unsigned n)
{
	if (!tv->code_copy)
		tv->code_copy = g_malloc(2 * (size_t)PAGE);
	return memcpy(tv->code_copy + n * (size_t)PAGE, page, PAGE);
}

/* Field by field: it is made for each block, and the holes are many. */
static void fetch_init(struct fetch *f, struct tcg_vcpu *tv, gva_t pc)
{
	f->base = (struct guest_fetch){ 0 };
	f->tv = tv;
	f->page = align_down(pc, PAGE);
	f->host[0] = f->host[1] = NULL;
	f->is_kept = false;
	f->source.page[0] = f->source.page[1] = NULL;
	f->made = NULL;
	f->hole_count = 0;
}

static bool fetch_page(struct fetch *f, unsigned n)
{
	struct ram_block *ram;
	uint64_t offset;

	if (f->host[n])
		return true;
	f->host[n] = tcg_code_host(f->tv, f->page + n * (gva_t)PAGE, false, &ram, &offset);
	if (!f->host[n])
		return false;
	if (f->is_kept) {
		tcg_source_page(f->tv->tcg, &f->source, n, ram, offset);
		if (!f->tv->tcg->is_helper && !is_restless(f, n))
			f->tv->code_page.page = f->source.page[n];
	}
	f->code[n] = is_restless(f, n) ? copy_page(f->tv, f->host[n], n) : f->host[n];
	return true;
}

/* The first page is the one at host, where the last block was made from as well? */
static void fetch_same_page(struct fetch *f, const uint8_t *host)
{
	const struct tcg_code_page *last = &f->tv->code_page;

	if (last->page && last->host == host && tcg_source_again(&f->source, last->page))
		f->host[0] = f->code[0] = host;
}

static unsigned fetch_bytes(struct guest_fetch *g, gva_t addr, uint8_t *out, unsigned len)
{
	struct fetch *f = container_of(g, struct fetch, base);
	gva_t distance = addr - f->page;
	unsigned n = distance >= PAGE, at = addr % PAGE;

	if (distance >= 2 * (gva_t)PAGE || !fetch_page(f, n))
		return 0;
	len = MIN(len, PAGE - at);
	memcpy(out, f->code[n] + at, len);
	return len;
}

/* On a page that is not restless nothing may be read later: it is a translation's end if it
 * changes. */
static const uint8_t *fetch_operand(struct guest_fetch *g, uint32_t at, unsigned len)
{
	struct fetch *f = container_of(g, struct fetch, base);
	const struct tcg_block *b = f->made;
	uint64_t in_page = b ? (uintptr_t)b->host_pc % PAGE + at : 0;
	struct tcg_block *chain;

	if (!b || !is_restless(f, 0) || in_page + len > PAGE)
		return NULL;
	for (unsigned n = 0; n < f->hole_count; n++)
		if (f->holes[n].at == at && f->holes[n].len == len)
			return f->host[0] + in_page;
	if (f->hole_count == TCG_HOLES)
		return NULL;
	chain = rcu_fetch(f->tv->tcg->cache.buckets[tcg_hash(b->host_pc, b->key)]);
	if (!tcg_is_changing(b, chain, at, f->code[0] + in_page, len))
		return NULL;
	f->holes[f->hole_count++] = (struct tcg_hole){ .at = at, .len = len };
	return f->host[0] + in_page;
}

static const struct ir_helper *fetch_before(struct guest_fetch *g, gva_t addr)
{
	return tcg_debug_before(container_of(g, struct fetch, base)->tv, addr);
}

/* Code that is not in memory: nothing is kept, each byte is read as the bus gives it. */
static unsigned fetch_io(struct guest_fetch *g, gva_t addr, uint8_t *out, unsigned len)
{
	struct fetch *f = container_of(g, struct fetch, base);
	struct mmu_result r = { 0 };

	len = MIN(len, PAGE - addr % PAGE);
	if (!f->tv->v->arch->walk(f->tv->v, addr, MMU_EXEC, f->tv->env->view, true, &r)) {
		f->tv->guest->access_fault(f->tv->v, addr, MMU_EXEC, f->tv->env->view, &r);
		return 0;
	}
	for (unsigned i = 0; i < len; i++) {
		uint64_t byte;

		address_space_read(f->tv->v->memory, r.gpa + i, 1, &byte);
		out[i] = (uint8_t)byte;
	}
	return len;
}

/* ---- IR ---- */

static void log_block(struct tcg_vcpu *tv, const struct ir_block *ir, gva_t pc, struct fetch *f)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	uint8_t bytes[16];

	if (!out)
		return;
	if (log_on(LOG_IN_ASM) && tv->guest->disassemble) {
		fprintf(out, "IN: 0x%" PRIx64 "\n", pc);
		for (unsigned k = 0; k < ir->insn_count; k++) {
			gva_t at = pc + (uint64_t)(int64_t)ir->insns[k].pc_delta;
			unsigned n = f->host[0] ? fetch_bytes(&f->base, at, bytes, ir->insns[k].len)
						: 0;

			if (!ir->insns[k].len) /* what a step does before its instruction */
				continue;
			fprintf(out, "0x%" PRIx64 ":  ", at);
			if (n)
				tv->guest->disassemble(tv->v, at, bytes, n, out);
			fputc('\n', out);
		}
	}
	if (log_on(LOG_OP)) {
		fprintf(out, "OP: 0x%" PRIx64 "\n", pc);
		ir_print(ir, tv->guest->desc, out);
	}
	fclose(out);
	log_line("%s", text);
	free(text);
}

/* IR of at most max_insns instructions from env->pc on.  NULL: the fetch faulted. */
static const struct ir_block *make_ir(struct tcg_vcpu *tv, struct fetch *f, unsigned max_insns,
				      uint32_t *guest_len)
{
	const struct ir_block *ir;

	f->hole_count = 0;
	ir_begin(tv->builder, tv->env->mode, tv->guest->pc_size_log2(tv->v));
	if (!tv->guest->translate(tv->v, tv->builder, &f->base, max_insns, guest_len))
		return NULL;
	ir = ir_end(tv->builder);
	if (log_on(LOG_IN_ASM | LOG_OP))
		log_block(tv, ir, tv->guest->linear_pc(tv->v), f);
	return ir;
}

/* How many instructions of ir may be run before the code must be looked at again. */
static unsigned insns_to_store(const struct ir_block *ir)
{
	for (unsigned i = 1, n = 1; i < ir->op_count; i++) {
		while (n < ir->insn_count && ir->insns[n].first_op <= i)
			n++;
		if (ir_may_store(&ir->ops[i]))
			return n;
	}
	return ir->insn_count;
}

/* The same, but of instructions that run as one: those of a restless page end where they store. */
static const struct ir_block *make_block_ir(struct tcg_vcpu *tv, struct fetch *f,
					    unsigned max_insns, uint32_t *guest_len)
{
	const struct ir_block *ir = make_ir(tv, f, max_insns, guest_len);

	if (!ir || (!is_restless(f, 0) && !is_restless(f, 1)) ||
	    insns_to_store(ir) == ir->insn_count)
		return ir;
	return make_ir(tv, f, insns_to_store(ir), guest_len);
}

static bool lower(struct tcg_vcpu *tv, struct fetch *f, unsigned max_insns,
		  struct interp_block *code, uint32_t *guest_len)
{
	for (;; max_insns /= 2) {
		const struct ir_block *ir = make_block_ir(tv, f, max_insns, guest_len);

		if (!ir)
			return false;
		if (interp_lower(tv->lowerer, code, ir))
			return true;
		g_assert(max_insns > 1);
	}
}

/* ---- blocks ---- */

static void log_lowered(const struct tcg_block *b, gva_t pc)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return;
	fprintf(out, "OUT: 0x%" PRIx64 ", for the interpreter\n", pc);
	interp_print(&b->code, out);
	fclose(out);
	log_line("%s", text);
	free(text);
}

/* Where b lies, whose length is known; and what is compared at its entry. */
static void place_block(struct fetch *f, struct tcg_block *b)
{
	if (!b->guest_len)
		b->guest_len = 1;
	b->host_second = NULL;
	if ((uintptr_t)b->host_pc % PAGE + b->guest_len > PAGE)
		b->host_second = f->host[1];
	g_free(b->origin);
	b->origin = NULL;
	if (is_restless(f, 0) || (b->host_second && is_restless(f, 1)))
		b->origin = tcg_origin_new(b, f->code, f->holes, f->hole_count);
}

/* What was known of b before it was made.  Its state is not touched: it may be evicted already. */
static void fill(struct tcg_block *b, const struct tcg_block *wanted)
{
	b->guest_len = wanted->guest_len;
	b->origin = wanted->origin;
	b->key = wanted->key;
	b->host_pc = wanted->host_pc;
	b->host_second = wanted->host_second;
	tcg_targets_init_block(b);
}

/* For the interpreter. */
static struct tcg_block *compile_lowered(struct tcg_vcpu *tv, struct fetch *f,
					 struct tcg_block *wanted, gva_t pc, unsigned max_insns)
{
	struct tcg_block *b = g_new0(struct tcg_block, 1);

	if (!lower(tv, f, max_insns, &b->code, &wanted->guest_len)) {
		g_free(b);
		return NULL;
	}
	place_block(f, wanted);
	fill(b, wanted);
	b->code.host_pc = b->host_pc;
	b->outgoing = g_new0(struct tcg_link, b->code.exit_count);
	tv->counts.insns[0] += b->code.insn_count;
	tv->counts.bytes[0] += b->code.size;
	if (log_on(LOG_OUT_ASM))
		log_lowered(b, pc);
	return b;
}

/* How many instructions of ir lie wholly in the page of its first; 1 at least. */
static unsigned insns_on_page(const struct ir_block *ir, gva_t pc)
{
	unsigned n = 0;

	while (n < ir->insn_count &&
	       pc % PAGE + (uint64_t)(int64_t)ir->insns[n].pc_delta + ir->insns[n].len <= PAGE)
		n++;
	return MAX(n, 1);
}

static struct tcg_block *compile_native(struct tcg_vcpu *tv, struct fetch *f,
					struct tcg_block *wanted, gva_t pc)
{
	unsigned max_insns = TCG_MAX_INSNS;
	const struct ir_block *ir;
	enum x64_result result;
	struct tcg_block *b;

	do {
		ir = make_block_ir(tv, f, max_insns, &wanted->guest_len);
		if (!ir)
			return NULL;
		/* What lies on two pages is not linked, and this one is reached by a link. */
		if (wanted->key & TCG_KEY_SINGLE && insns_on_page(ir, pc) < ir->insn_count) {
			max_insns = insns_on_page(ir, pc);
			ir = make_ir(tv, f, max_insns, &wanted->guest_len);
			if (!ir)
				return NULL;
		}
		place_block(f, wanted);
		result = tcg_native_compile(tv, wanted, ir, &b);
		max_insns /= 2;
	} while (result == X64_TOO_BIG && max_insns);
	if (result == X64_TOO_BIG) /* one instruction that is beyond it */
		return compile_lowered(tv, f, wanted, pc, 1);
	if (result == X64_NO_ROOM) {
		tv->needs_room = true;
		return NULL;
	}
	b->is_native = true;
	b->outgoing = (struct tcg_link *)(b + 1); /* beside the code, as b itself */
	fill(b, wanted);
	tcg_check_make(tv, b, ir);
	tv->counts.insns[1] += b->host.insn_count;
	tv->counts.bytes[1] += b->host.size;
	tcg_native_log(tv, b, pc);
	return b;
}

static struct tcg_block *make_block(struct tcg_vcpu *tv, struct fetch *f, gva_t pc, uint64_t key)
{
	bool is_step = tv->env->mode & tv->guest->step;
	struct tcg_block wanted, *b; /* of wanted what fill() asks for, no more */

	if (!fetch_page(f, 0))
		return NULL;
	wanted.key = key;
	wanted.host_pc = f->host[0] + pc % PAGE;
	wanted.origin = NULL;
	f->made = &wanted;
	if (tv->compiler && !is_step)
		b = compile_native(tv, f, &wanted, pc);
	else
		b = compile_lowered(tv, f, &wanted, pc, is_step ? 1 : TCG_MAX_INSNS);
	if (!b) {
		g_free(wanted.origin);
		return NULL;
	}
	tv->counts.blocks[b->is_native]++;
	tv->counts.compared += b->origin ? 1 : 0;
	tv->counts.holes += b->origin && b->origin->hole_count ? 1 : 0;
	tv->counts.singles += b->key & TCG_KEY_SINGLE ? 1 : 0;
	TRACE(tcg_translate, "vcpu %u: pc 0x%" PRIx64 " mode 0x%" PRIx64 ", %u bytes", tv->v->id,
	      pc, tv->env->mode, b->guest_len);
	return b;
}

static uint64_t thread_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* One attempt.  False: in vain, what it was made from is not there any more. */
static bool translate_once(struct tcg_vcpu *tv, gva_t pc, const uint8_t *host, uint64_t key,
			   struct tcg_asker *asker, struct tcg_block **b)
{
	struct fetch f;

	fetch_init(&f, tv, pc);
	f.base = (struct guest_fetch){ fetch_bytes, fetch_operand, fetch_before };
	f.is_kept = true;
	fetch_same_page(&f, host - pc % PAGE);
	*b = make_block(tv, &f, pc, key);
	if (*b)
		return tcg_cache_insert(tv->tcg, b, &f.source, asker);
	tcg_source_end(tv->tcg, &f.source);
	return true;
}

struct tcg_block *tcg_translate(struct tcg_vcpu *tv, gva_t pc, const uint8_t *host, uint64_t key,
				struct tcg_asker *asker)
{
	uint64_t began = tv->tcg->stats ? thread_ns() : 0;
	struct tcg_block *b;

	while (!translate_once(tv, pc, host, key, asker, &b))
		;
	if (began)
		tv->counts.translate_ns += thread_ns() - began;
	return b;
}

/* ---- one instruction, not kept ---- */

static struct interp_block *no_next(struct jit_env *env, struct interp_block *from, unsigned n)
{
	(void)env;
	(void)from;
	(void)n;
	return NULL;
}

/* The len bytes of code at pc, of which no block may tell that they are stored to. */
static void cover(struct tcg_vcpu *tv, gva_t pc, uint32_t len, struct jit_origin *o)
{
	for (uint32_t done = 0, part; done < len; done += part) {
		const uint8_t *at = tcg_code_byte(tv, pc + done);

		part = MIN(len - done, (uint32_t)(PAGE - (pc + done) % PAGE));
		if (at)
			o->part[o->count++] = (struct jit_bytes){ .at = at, .len = part };
	}
}

enum interp_why tcg_run_alone(struct tcg_vcpu *tv, struct interp_run *run, bool is_ram)
{
	struct fetch f;
	struct interp_run alone = { .next = no_next, .budget = run->budget };
	struct interp_block code = { 0 };
	struct jit_origin own = { 0 };
	enum interp_why why;
	uint32_t guest_len;

	fetch_init(&f, tv, tv->guest->linear_pc(tv->v));
	f.base.bytes = is_ram ? fetch_bytes : fetch_io;
	if (!lower(tv, &f, 1, &code, &guest_len))
		return INTERP_FAULT;
	cover(tv, tv->guest->linear_pc(tv->v), guest_len, &own);
	tv->env->origin = &own;
	why = interp_run(tv->env, &code, tv->guest->desc, &alone);
	tv->env->origin = NULL;
	run->budget = alone.budget;
	interp_block_fini(&code);
	return why;
}
