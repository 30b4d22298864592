/* jit/ir_print.c - a block as text.  One line per op:
 *
 *     block mode=0x1 pc_size=8 kills_flags
 *     insn +0 len=3
 *       %1 = get.8 rax
 *       %2 = add.8.f %1, #5
 *       put.8 rax, %2
 *       %4 = load.4 [%2 + 0x10] rmw
 *     insn +3 len=2 flags=%2
 *       %5 = cond %2, ne
 *       exit_if %5, +16
 *       exit +5
 * SPDX-License-Identifier: MIT */
#include <ctype.h>
#include <inttypes.h>

#include "jit/ir_info.h"
#include "jit/ir_text.h"

const char *const ir_cond_words[] = { "o",  "no", "b",  "ae", "e",  "ne", "be", "a", "s",
				      "ns", "p",  "np", "l",  "ge", "le", "g",  NULL };
const char *const ir_cmp_words[] = { "eq",  "ne",  "ltu", "geu", "leu", "gtu",
				     "lts", "ges", "les", "gts", NULL };
const char *const ir_branch_words[] = { "jump", "call", "ret", NULL };

static void print_slot(const struct ir_state_desc *desc, uint64_t offset, FILE *out)
{
	for (const struct ir_slot *s = desc ? desc->slots : NULL; s && s->name; s++) {
		if (offset < s->offset || offset >= (uint64_t)s->offset + s->size)
			continue;
		fputs(s->name, out);
		if (offset > s->offset)
			fprintf(out, "+%" PRIu64, offset - s->offset);
		return;
	}
	fprintf(out, "@%" PRIu64, offset);
}

static void print_address(const struct ir_op *op, FILE *out)
{
	int64_t d = (int64_t)op->imm;

	fprintf(out, "[%%%u", op->a);
	if (d)
		fprintf(out, " %c 0x%" PRIx64, d < 0 ? '-' : '+', d < 0 ? 0 - op->imm : op->imm);
	fputc(']', out);
}

static void print_name(const struct ir_op *op, FILE *out)
{
	for (const char *p = ir_text[op->code].name; *p; p++)
		fputc(tolower((unsigned char)*p), out);
	switch (op->code) {
	case IR_CONST:
	case IR_VLOAD:
	case IR_VSTORE:
	case IR_CALL:
	case IR_CALL_IF:
	case IR_NATIVE:
	case IR_FENCE:
	case IR_SELECT:
	case IR_WIDER:
	case IR_COND: return;
	default: break;
	}
	if (ir_info[op->code].props & IR_PROP_ENDS || op->code == IR_EXIT_IF ||
	    (op->code >= IR_FLAGS_GET && op->code <= IR_FLAGS_MERGE))
		return;
	fprintf(out, ".%u", ir_size(op));
	if (op->form & IR_FORM_FLAGS)
		fputs(".f", out);
}

/* a, b, c as their letters say, without the special forms. */
static void print_operands(const struct ir_op *op, FILE *out)
{
	const uint16_t x[3] = { op->a, op->b, op->c };
	const char *sep = " ";

	for (unsigned n = 0; n < 3; n++) {
		char k = ir_text[op->code].operands[n];

		if (k == '-')
			continue;
		if (k == 'i' && ir_has_imm(op))
			fprintf(out, "%s#0x%" PRIx64, sep, op->imm);
		else if (k == 'n')
			fprintf(out, "%s%u", sep, x[n]);
		else if (x[n])
			fprintf(out, "%s%%%u", sep, x[n]);
		else if (n < 2 || op->code == IR_CALL)
			fprintf(out, "%s-", sep);
		else
			continue;
		sep = ", ";
	}
}

static void print_memory(const struct ir_op *op, const struct ir_state_desc *desc, FILE *out)
{
	bool vector = op->code == IR_VLOAD || op->code == IR_VSTORE;

	if (vector)
		fprintf(out, " %u ", op->b);
	else
		fputc(' ', out);
	print_address(op, out);
	if (op->code == IR_STORE)
		fprintf(out, ", %%%u", op->b);
	if (vector) {
		fputs(", ", out);
		print_slot(desc, op->c * 8u, out);
	} else {
		if (op->code == IR_LOAD && op->b & IR_MEM_RMW)
			fputs(" rmw", out);
		if (op->c)
			fprintf(out, " view=%u", op->c - 1);
	}
}

static void print_special(const struct ir_op *op, const struct ir_state_desc *desc, FILE *out)
{
	switch (op->code) {
	case IR_CONST: fprintf(out, " 0x%" PRIx64, op->imm); break;
	case IR_PC:
	case IR_EXIT_LOOP: fprintf(out, " %+" PRId64, (int64_t)op->imm); break;
	case IR_EXIT:
		fprintf(out, " %+" PRId64, (int64_t)op->imm);
		if (op->b)
			fprintf(out, ", %s", ir_branch_words[op->b % 3]);
		break;
	case IR_EXIT_IF: fprintf(out, " %%%u, %+" PRId64, op->a, (int64_t)op->imm); break;
	case IR_EXIT_TO: fprintf(out, " %%%u, %s", op->a, ir_branch_words[op->b % 3]); break;
	case IR_GET:
	case IR_PUT:
		fputc(' ', out);
		print_slot(desc, op->imm, out);
		if (op->code == IR_PUT)
			fprintf(out, ", %%%u", op->a);
		break;
	case IR_CMP:
		fprintf(out, " %s, %%%u, ", ir_cmp_words[op->c], op->a);
		if (ir_has_imm(op))
			fprintf(out, "#0x%" PRIx64, op->imm);
		else
			fprintf(out, "%%%u", op->b);
		break;
	case IR_COND: fprintf(out, " %%%u, %s", op->a, ir_cond_words[op->b & 15]); break;
	case IR_LEA:
		print_operands(op, out);
		fprintf(out, ", %+" PRId64, (int64_t)op->imm);
		break;
	case IR_FLAGS_MERGE:
		print_operands(op, out);
		fprintf(out, ", #0x%" PRIx64, op->imm);
		break;
	case IR_CALL:
	case IR_CALL_IF:
		fprintf(out, " %s,", ((const struct ir_helper *)(uintptr_t)op->imm)->name);
		print_operands(op, out);
		break;
	case IR_NATIVE:
		fprintf(out, " %s,", ((const struct ir_native *)(uintptr_t)op->imm)->name);
		print_operands(op, out);
		break;
	case IR_LOAD:
	case IR_STORE:
	case IR_VLOAD:
	case IR_VSTORE: print_memory(op, desc, out); break;
	default: print_operands(op, out); break;
	}
}

/* Op *from, its operands as they are numbered. */
static struct ir_op numbered(const struct ir_op *from, const uint16_t *number)
{
	unsigned named = ir_value_operands(from) | ir_flags_operands(from);
	struct ir_op op = *from;

	if (named & 1)
		op.a = number[op.a];
	if (named & 2)
		op.b = number[op.b];
	if (named & 4)
		op.c = number[op.c];
	return op;
}

static void print_insn(const struct ir_insn *insn, const uint16_t *number, FILE *out)
{
	fprintf(out, "insn %+" PRId32 " len=%u", insn->pc_delta, insn->len);
	if (insn->flags_op)
		fprintf(out, " flags=%%%u", number[insn->flags_op]);
	fputc('\n', out);
}

/* NOPs are left out, and are not counted. */
void ir_print(const struct ir_block *blk, const struct ir_state_desc *desc, FILE *out)
{
	uint16_t number[IR_MAX_OPS] = { 0 };
	unsigned k = 0, count = 0;

	fprintf(out, "block mode=0x%" PRIx64 " pc_size=%u%s\n", blk->mode, 1u << blk->pc_size,
		blk->kills_flags ? " kills_flags" : "");
	for (unsigned i = 1; i < blk->op_count; i++) {
		struct ir_op op = numbered(&blk->ops[i], number);

		for (; k < blk->insn_count && blk->insns[k].first_op <= i; k++)
			print_insn(&blk->insns[k], number, out);
		if (op.code == IR_NOP)
			continue;
		number[i] = (uint16_t)++count;
		fputs("  ", out);
		if (ir_info[op.code].props & (IR_PROP_RESULT | IR_PROP_FLAGS))
			fprintf(out, "%%%u = ", count);
		print_name(&op, out);
		print_special(&op, desc, out);
		fputc('\n', out);
	}
}
