/* jit/ir_info.h - facts about each IR operation, for passes and executors.
 * SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "jit/ir.h"

enum ir_prop {
	IR_PROP_RESULT = 1u << 0, /* R */
	IR_PROP_FLAGS = 1u << 1,  /* F */
	IR_PROP_PURE = 1u << 2,   /* P */
	IR_PROP_LEAVES = 1u << 3, /* X */
	IR_PROP_ENDS = 1u << 4,   /* E */
	/* Those that pass on only the carry of their flags operand. */
	IR_PROP_CARRY = 1u << 5,
	IR_PROP_STORES = 1u << 6, /* S */
};

/* Small, as all of the compiler looks here for each operation. */
struct ir_info {
	uint8_t props; /* enum ir_prop */
	/* A bit for each operand: it is a value (without and with IR_FORM_IMM), a flags value. */
	uint8_t values[2], flags;
};
BUILD_ASSERT(sizeof(struct ir_info) == 4);

struct ir_text {
	const char *name;     /* lower case */
	const char *operands; /* three letters of ir_ops.def */
};

extern const struct ir_info ir_info[IR_CODE_COUNT];
extern const struct ir_text ir_text[IR_CODE_COUNT];

static inline unsigned ir_size_log2(const struct ir_op *op) { return op->form & 3; }
static inline unsigned ir_size(const struct ir_op *op) { return 1u << (op->form & 3); }
static inline bool ir_has_imm(const struct ir_op *op) { return op->form & IR_FORM_IMM; }

/* Which operands (bits 0-2) of op are values, which are flags values. */
static inline unsigned ir_value_operands(const struct ir_op *op)
{
	return ir_info[op->code].values[op->form >> 2 & 1];
}
/* Can its operand b be an immediate instead? */
static inline bool ir_takes_imm(const struct ir_op *op)
{
	const struct ir_info *info = &ir_info[op->code];

	return info->values[0] != info->values[1];
}
static inline unsigned ir_flags_operands(const struct ir_op *op) { return ir_info[op->code].flags; }
static inline bool ir_operand_is_value(const struct ir_op *op, unsigned n)
{
	return ir_value_operands(op) >> n & 1;
}
static inline bool ir_operand_is_flags(const struct ir_op *op, unsigned n)
{
	return ir_flags_operands(op) >> n & 1;
}

/* How op may change guest state beyond PUT, as seen by what follows it: everything, or nothing. */
bool ir_clobbers_state(const struct ir_op *op);
/* May op store to guest memory?  Then its instruction may be the last one executed (its store hit
 * the block itself), so that the state must be exact at the instruction's end too. */
bool ir_may_store(const struct ir_op *op);
/* May op leave the block or look at the whole guest state? */
static inline bool ir_may_leave(const struct ir_op *op)
{
	return ir_info[op->code].props & IR_PROP_LEAVES && op->code != IR_FENCE;
}
static inline bool ir_reads_carry_only(const struct ir_op *op)
{
	return ir_info[op->code].props & IR_PROP_CARRY;
}
/* Flags (enum ir_flag) that a condition looks at. */
uint32_t ir_cond_flags(enum ir_cond c);
