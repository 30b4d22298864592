/* jit/ir_info.c - the table of IR operations and questions answered from it.
 * SPDX-License-Identifier: MIT */
#include "jit/ir_info.h"

#include <string.h>

#define HAS(text, ch) (__builtin_strchr(text, ch) != NULL)
#define PROPS(text)                                                                     \
	((HAS(text, 'R') ? IR_PROP_RESULT : 0) | (HAS(text, 'F') ? IR_PROP_FLAGS : 0) | \
	 (HAS(text, 'P') ? IR_PROP_PURE : 0) | (HAS(text, 'X') ? IR_PROP_LEAVES : 0) |  \
	 (HAS(text, 'E') ? IR_PROP_ENDS : 0) | (HAS(text, 'S') ? IR_PROP_STORES : 0))
#define CARRY(code)                                                                   \
	((code) == IR_ADC || (code) == IR_SBB || (code) == IR_INC || (code) == IR_DEC \
		 ? IR_PROP_CARRY                                                      \
		 : 0)
#define WHERE(text, ch) (((text)[0] == (ch)) | ((text)[1] == (ch)) << 1 | ((text)[2] == (ch)) << 2)

const struct ir_info ir_info[IR_CODE_COUNT] = {
#define IR_OP(op_name, op_operands, op_props)                                  \
	[IR_##op_name] = {                                                     \
		.props = PROPS(op_props) | CARRY(IR_##op_name),                \
		.values = { WHERE(op_operands, 'v') | WHERE(op_operands, 'i'), \
			    WHERE(op_operands, 'v') },                         \
		.flags = WHERE(op_operands, 'f'),                              \
	},
#include "jit/ir_ops.def"
#undef IR_OP
};

const struct ir_text ir_text[IR_CODE_COUNT] = {
#define IR_OP(op_name, op_operands, op_props) [IR_##op_name] = { #op_name, op_operands },
#include "jit/ir_ops.def"
#undef IR_OP
};

static const struct ir_helper *helper_of(const struct ir_op *op)
{
	return (const struct ir_helper *)(uintptr_t)op->imm;
}

bool ir_clobbers_state(const struct ir_op *op)
{
	switch (op->code) {
	case IR_CALL: return !helper_of(op)->is_pure;
	case IR_CALL_IF: return !helper_of(op)->is_pure && !helper_of(op)->always_faults;
	case IR_NATIVE: return true;
	default: return false;
	}
}

bool ir_may_store(const struct ir_op *op)
{
	if (op->code == IR_CALL || op->code == IR_CALL_IF)
		return helper_of(op)->can_fault && !helper_of(op)->always_faults &&
		       !helper_of(op)->host_op;
	return ir_info[op->code].props & IR_PROP_STORES;
}

uint32_t ir_cond_flags(enum ir_cond c)
{
	static const uint16_t read[8] = {
		IR_O, IR_C, IR_Z, IR_C | IR_Z, IR_S, IR_P, IR_S | IR_O, IR_S | IR_O | IR_Z,
	};

	return read[(c >> 1) & 7];
}
