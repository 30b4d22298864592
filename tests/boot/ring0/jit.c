/* tests/boot/ring0/jit.c - a guest with a JIT: random functions, made into code in a buffer that is
 * used again and again, and run beside an interpreter of the same.
 *
 * Functions lie anywhere in four pages, over their borders too, and call each other.  They are
 * written through either of two addresses of their page, as bytes or by a string instruction, and
 * run at either; they write constants into themselves, also in loops and right in front of what
 * runs; and the second address is given to other pages with other functions now and then.
 * SPDX-License-Identifier: MIT */
#include "c64.h"

enum { VALUES = 8, SLOTS = 11, OPS = 24, SLOT_BYTES = 0x5c0, PAGES = 4, WORLDS = 2, ROUNDS = 4000 };

/* The buffer of world 0, and that of either. */
#define FIXED  ((uint8_t *)0x200000)
#define MOVING ((uint8_t *)0x210000)

enum op_kind {
	OP_CONST,
	OP_ALU,
	OP_ALU32,
	OP_MUL,
	OP_SHIFT,
	OP_ADC,
	OP_SKIP,
	OP_LOOP,
	OP_CALL,
	OP_PATCH
};

/* Opcodes of the form that reads memory: add, or, and, sub, xor. */
static const uint8_t alu_opcodes[] = { 0x03, 0x0b, 0x23, 0x2b, 0x33 };
/* Of the extension in ModRM: rol, ror, shl, shr, sar. */
static const uint8_t shift_digits[] = { 0, 1, 4, 5, 7 };
/* Of jumps: b, ae, e, ne, l, ge. */
static const uint8_t skip_conds[] = { 2, 3, 4, 5, 0xc, 0xd };

struct op {
	uint8_t kind, what; /* what: index of one of the tables above; PATCH: bytes, 1 or 4 */
	uint8_t d, a, b;    /* numbers of values */
	uint8_t n;          /* SKIP, LOOP: ops; CALL: slot; PATCH: op */
	uint32_t imm;       /* LOOP: times */
	uint16_t at;        /* CONST: where imm lies in the code */
};

struct function {
	bool is_made;
	uint16_t start; /* in the buffer */
	uint16_t count;
	struct op ops[OPS];
};

static struct function functions[WORLDS][SLOTS];
static unsigned world; /* that MOVING shows */
static uint64_t seed = 0x2545f4914f6cdd1d;
static uint8_t staging[SLOT_BYTES];

static unsigned below(unsigned n) { return random_below(&seed, n); }

/* ---- what it means ---- */

static uint64_t alu(unsigned what, uint64_t a, uint64_t b)
{
	switch (what) {
	case 0: return a + b;
	case 1: return a | b;
	case 2: return a & b;
	case 3: return a - b;
	default: return a ^ b;
	}
}

static uint64_t shift(unsigned what, uint64_t a, unsigned n)
{
	switch (what) {
	case 0: return a << n | a >> (64 - n);
	case 1: return a >> n | a << (64 - n);
	case 2: return a << n;
	case 3: return a >> n;
	default: return (uint64_t)((int64_t)a >> n);
	}
}

static bool holds(unsigned what, uint64_t a, uint64_t b)
{
	switch (what) {
	case 0: return a < b;
	case 1: return a >= b;
	case 2: return a == b;
	case 3: return a != b;
	case 4: return (int64_t)a < (int64_t)b;
	default: return (int64_t)a >= (int64_t)b;
	}
}

static void interpret(struct function *all, struct function *f, uint64_t *v);

static void patch(struct op *target, const struct op *p)
{
	uint32_t mask = p->what == 1 ? 0xff : 0xffffffff;

	target->imm = (target->imm & ~mask) | (p->imm & mask);
}

/* Which op comes next. */
static unsigned interpret_op(struct function *all, struct function *f, unsigned i, uint64_t *v)
{
	struct op *op = &f->ops[i];
	uint64_t a = v[op->a], b = v[op->b];

	switch (op->kind) {
	case OP_CONST: v[op->d] = (uint64_t)(int32_t)op->imm; break;
	case OP_ALU: v[op->d] = alu(op->what, a, b); break;
	case OP_ALU32: v[op->d] = (uint32_t)alu(op->what, a, b); break;
	case OP_MUL: v[op->d] = a * b; break;
	case OP_SHIFT: v[op->d] = shift(op->what, a, op->n); break;
	case OP_ADC: v[op->d] = a + b + (a < b); break;
	case OP_SKIP: return holds(op->what, a, b) ? i + 1 + op->n : i + 1;
	case OP_CALL: interpret(all, &all[op->n], v); break;
	case OP_PATCH: patch(&f->ops[op->n], op); break;
	case OP_LOOP:
		for (uint32_t k = 0; k < op->imm; k++)
			for (unsigned j = i + 1; j <= i + op->n; j++)
				interpret_op(all, f, j, v);
		return i + 1 + op->n;
	}
	return i + 1;
}

static void interpret(struct function *all, struct function *f, uint64_t *v)
{
	for (unsigned i = 0; i < f->count;)
		i = interpret_op(all, f, i, v);
}

/* ---- what it becomes ---- */

struct emitter {
	uint8_t *out; /* SLOT_BYTES */
	unsigned size;
};

static void byte(struct emitter *e, unsigned v) { e->out[e->size++] = (uint8_t)v; }

static void bytes4(struct emitter *e, uint32_t v)
{
	for (unsigned i = 0; i < 4; i++)
		byte(e, v >> 8 * i & 0xff);
}

/* opcode with REX.W unless is_32, RAX or a digit, and value n: [rdi + 8n]. */
static void rax_value(struct emitter *e, bool is_32, unsigned opcode, unsigned n)
{
	if (!is_32)
		byte(e, 0x48);
	byte(e, opcode);
	byte(e, 0x47);
	byte(e, 8 * n);
}

static void load(struct emitter *e, unsigned n) { rax_value(e, false, 0x8b, n); }
static void store(struct emitter *e, unsigned n) { rax_value(e, false, 0x89, n); }

static void emit_arithmetic(struct emitter *e, const struct op *op)
{
	bool is_32 = op->kind == OP_ALU32;

	load(e, op->a);
	switch (op->kind) {
	case OP_ALU:
	case OP_ALU32: rax_value(e, is_32, alu_opcodes[op->what], op->b); break;
	case OP_MUL:
		byte(e, 0x48);
		byte(e, 0x0f);
		byte(e, 0xaf);
		byte(e, 0x47);
		byte(e, 8 * op->b);
		break;
	case OP_SHIFT:
		byte(e, 0x48);
		byte(e, 0xc1);
		byte(e, 0xc0 | shift_digits[op->what] << 3);
		byte(e, op->n);
		break;
	default:
		rax_value(e, false, 0x3b, op->b); /* cmp */
		rax_value(e, false, 0x13, op->b); /* adc */
		break;
	}
	store(e, op->d);
}

/* A displacement of four bytes, from behind it. */
static void relative(struct emitter *e, int32_t target)
{
	bytes4(e, (uint32_t)(target - (int32_t)e->size - 4));
}

/* Jumps whose targets are known later. */
struct fixups {
	uint16_t at[OPS];
	uint8_t to[OPS]; /* op */
	unsigned count;
};

static void fix(struct emitter *e, struct fixups *x, const uint16_t *starts)
{
	for (unsigned i = 0; i < x->count; i++) {
		unsigned end = e->size;

		e->size = x->at[i];
		relative(e, starts[x->to[i]]);
		e->size = end;
	}
}

static void emit_op(struct emitter *e, const struct function *all, struct function *f, unsigned i,
		    struct fixups *x)
{
	struct op *op = &f->ops[i];

	switch (op->kind) {
	case OP_CONST:
		rax_value(e, false, 0xc7, op->d);
		op->at = (uint16_t)e->size;
		bytes4(e, op->imm);
		break;
	case OP_SKIP:
		load(e, op->a);
		rax_value(e, false, 0x3b, op->b);
		byte(e, 0x0f);
		byte(e, 0x80 | skip_conds[op->what]);
		x->at[x->count] = (uint16_t)e->size;
		x->to[x->count++] = (uint8_t)(i + 1 + op->n);
		bytes4(e, 0);
		break;
	case OP_LOOP:
		byte(e, 0xb9); /* mov $imm, %ecx */
		bytes4(e, op->imm);
		break;
	case OP_CALL:
		byte(e, 0xe8);
		relative(e, all[op->n].start - f->start);
		break;
	case OP_PATCH: /* mov $imm, target(%rip): the displacement counts from behind imm */
		byte(e, op->what == 1 ? 0xc6 : 0xc7);
		byte(e, 0x05);
		x->at[x->count] = (uint16_t)e->size;
		x->to[x->count++] = OPS; /* emit_function() knows better */
		bytes4(e, 0);
		for (unsigned k = 0; k < op->what; k++)
			byte(e, op->imm >> 8 * k & 0xff);
		break;
	default: emit_arithmetic(e, op); break;
	}
}

/* dec %ecx; jnz: to the op behind the LOOP that ends in front of op i. */
static void emit_loop_end(struct emitter *e, const struct function *f, const uint16_t *starts,
			  unsigned i)
{
	for (unsigned k = 0; k < i; k++) {
		if (f->ops[k].kind != OP_LOOP || k + 1u + f->ops[k].n != i)
			continue;
		byte(e, 0xff);
		byte(e, 0xc9);
		byte(e, 0x0f);
		byte(e, 0x85);
		relative(e, starts[k + 1]);
	}
}

static void emit_function(struct emitter *e, const struct function *all, struct function *f)
{
	uint16_t starts[OPS + 1], patches[OPS];
	struct fixups x;

	e->size = x.count = 0;
	for (unsigned i = 0; i < f->count; i++) {
		unsigned known = x.count;

		emit_loop_end(e, f, starts, i);
		starts[i] = (uint16_t)e->size;
		emit_op(e, all, f, i, &x);
		if (f->ops[i].kind == OP_PATCH) {
			patches[i] = x.at[known];
			x.count = known;
		}
	}
	emit_loop_end(e, f, starts, f->count);
	starts[f->count] = (uint16_t)e->size;
	byte(e, 0xc3);
	fix(e, &x, starts);
	for (unsigned i = 0; i < f->count; i++) {
		const struct op *op = &f->ops[i];
		unsigned end = e->size;

		if (op->kind != OP_PATCH)
			continue;
		e->size = patches[i];
		relative(e, f->ops[op->n].at - op->what);
		e->size = end;
	}
	CHECK(e->size <= SLOT_BYTES - 64);
}

/* ---- making one up ---- */

static void make_simple(struct op *op)
{
	static const uint8_t kinds[] = { OP_CONST, OP_ALU, OP_ALU,   OP_ALU32,
					 OP_MUL,   OP_ADC, OP_SHIFT, OP_CONST };

	op->kind = kinds[below(sizeof(kinds))];
	op->d = (uint8_t)below(VALUES);
	op->a = (uint8_t)below(VALUES);
	op->b = (uint8_t)below(VALUES);
	op->what = (uint8_t)below(5);
	op->n = (uint8_t)(1 + below(63));
	op->imm = (uint32_t)random_next(&seed);
}

/* Ops whose jumps and calls must make sense: those before a loop's end are simple. */
static unsigned make_op(struct function *f, unsigned i, unsigned slot)
{
	struct op *op = &f->ops[i];
	unsigned left = f->count - i - 1;

	make_simple(op);
	switch (below(12)) {
	case 0:
		if (!left)
			break;
		op->kind = OP_SKIP;
		op->what = (uint8_t)below(6);
		op->n = (uint8_t)(1 + below(left < 4 ? left : 4));
		break;
	case 1:
		if (left < 5)
			break;
		op->kind = OP_LOOP;
		op->imm = 1 + below(5);
		op->n = (uint8_t)(1 + below(4));
		return op->n;
	case 2:
		if (!slot)
			break;
		op->kind = OP_CALL;
		op->n = (uint8_t)below(slot);
		break;
	}
	return 0;
}

/* A jump into a loop would find no count: it goes to its end. */
static void mend_skips(struct function *f)
{
	for (unsigned i = 0; i < f->count; i++) {
		unsigned to = i + 1 + f->ops[i].n;

		if (f->ops[i].kind != OP_SKIP)
			continue;
		for (unsigned k = i + 1; k < to; k++)
			if (f->ops[k].kind == OP_LOOP && k + 1 + f->ops[k].n > to)
				to = k + 1 + f->ops[k].n;
		f->ops[i].n = (uint8_t)(to - i - 1);
	}
}

/* Some simple ops become stores to the constant of another. */
static void make_patches(struct function *f)
{
	unsigned to;

	for (unsigned i = 0; i < f->count; i++) {
		struct op *op = &f->ops[i];

		if (op->kind != OP_ALU || below(3))
			continue;
		to = below(f->count);
		if (f->ops[to].kind != OP_CONST)
			continue;
		op->kind = OP_PATCH;
		op->n = (uint8_t)to;
		op->what = below(2) ? 1 : 4;
	}
}

static void make_function(struct function *all, unsigned slot)
{
	struct function *f = &all[slot];

	f->count = (uint16_t)(4 + below(OPS - 4));
	for (unsigned i = 0; i < f->count; i++) {
		unsigned body = make_op(f, i, slot);

		for (; body; body--)
			make_simple(&f->ops[++i]);
	}
	mend_skips(f);
	make_patches(f);
	/* calls of what is not there yet */
	for (unsigned i = 0; i < f->count; i++)
		if (f->ops[i].kind == OP_CALL && !all[f->ops[i].n].is_made)
			f->ops[i].kind = OP_MUL;
	/* Others call it there. */
	if (!f->is_made)
		f->start = (uint16_t)(slot * SLOT_BYTES + below(64));
	f->is_made = true;
}

/* ---- the buffer ---- */

static void show_world(unsigned w)
{
	uint64_t *entries = (uint64_t *)(uintptr_t)PAGE_TABLE;

	for (unsigned p = 0; p < PAGES; p++) {
		entries[16 + p] = FREE_RAM + (w * PAGES + p) * PAGE + 3;
		invalidate((uintptr_t)MOVING + p * PAGE);
	}
	world = w;
}

static void map_buffers(void)
{
	volatile uint64_t *directory = (uint64_t *)(uintptr_t)0x102000;
	uint64_t *entries = (uint64_t *)(uintptr_t)PAGE_TABLE;

	for (unsigned i = 0; i < PAGE / 8; i++)
		entries[i] = 0;
	for (unsigned p = 0; p < PAGES; p++)
		entries[p] = FREE_RAM + p * PAGE + 3;
	directory[1] = PAGE_TABLE + 3;
	show_world(0);
}

/* Where the functions of the world that MOVING shows may be reached. */
static uint8_t *window(void) { return world || below(2) ? MOVING : FIXED; }

static void write_function(struct function *all, struct function *f)
{
	uint8_t *to = window() + f->start;
	bool is_copied = below(2);
	struct emitter e = { .out = is_copied ? staging : to };

	emit_function(&e, all, f);
	if (is_copied) {
		const uint8_t *from = staging;
		uint64_t n = e.size;

		__asm__ volatile("rep movsb" : "+S"(from), "+D"(to), "+c"(n) : : "memory");
	}
}

/* One constant of a function becomes another, from outside. */
static void poke(struct function *f)
{
	struct op p = { .what = below(2) ? 1 : 4, .imm = (uint32_t)random_next(&seed) };
	struct op *target = &f->ops[below(f->count)];
	uint8_t *to = window() + f->start + target->at;

	if (target->kind != OP_CONST)
		return;
	patch(target, &p);
	if (p.what == 1)
		*(volatile uint8_t *)to = (uint8_t)p.imm;
	else
		*(volatile uint32_t *)to = p.imm;
}

static void run_and_compare(struct function *all, struct function *f)
{
	uint64_t is[VALUES], must_be[VALUES], *v = is;
	uint8_t *entry = window() + f->start;

	for (unsigned i = 0; i < VALUES; i++)
		is[i] = must_be[i] = below(4) ? random_next(&seed) : below(3);
	interpret(all, f, must_be);
	/* Code that was written by another address may be run behind this only. */
	serialize();
	__asm__ volatile("call *%1" : "+D"(v) : "r"(entry) : "rax", "rcx", "cc", "memory");
	for (unsigned i = 0; i < VALUES; i++)
		CHECK(is[i] == must_be[i]);
}

void guest_event(struct frame *f) { guest_end(0x8000u + (unsigned)f->vector); }

void guest_run(unsigned id)
{
	(void)id;
	map_buffers();
	for (unsigned round = 0; round < ROUNDS; round++) {
		struct function *all = functions[world], *f = &all[below(SLOTS)];

		if (!below(16)) {
			show_world(!world);
			continue;
		}
		if (!f->is_made || !below(3)) {
			make_function(all, (unsigned)(f - all));
			write_function(all, f);
		} else if (below(2)) {
			poke(f);
		}
		for (unsigned n = 1 + below(3); n; n--)
			run_and_compare(all, f);
	}
	guest_end(0);
}
