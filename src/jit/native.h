/* jit/native.h - what ir_native.rule says: one x86 vector or x87 instruction, so that a host of the
 * same kind can do it itself.
 *
 * Vector registers have the numbers of the encoding; a memory operand lies where the state's
 * description says (ir_native_state.operand); a general register operand that is read is the
 * operation's value, one that is written is ir_native.dst.  Helpers get the same facts as the
 * argument that ir_helper.rule_arg names.
 *
 * SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* An operand of a vector instruction. */
enum rule_kind {
	RULE_KIND_NONE, /* or a part of the opcode */
	RULE_KIND_VECTOR,
	RULE_KIND_GENERAL,
	RULE_KIND_MEM,
};
/* Which operand is written. */
enum rule_dst { RULE_DST_NONE, RULE_DST_REG, RULE_DST_VVVV, RULE_DST_RM };

/* What a host needs beside AVX. */
enum rule_needs {
	RULE_NEEDS_AVX,
	RULE_NEEDS_AVX2,
	RULE_NEEDS_FMA,
	RULE_NEEDS_F16C,
	RULE_NEEDS_AES,
	RULE_NEEDS_PCLMUL,
	RULE_NEEDS_SHA,
	RULE_NEEDS_DOT_ORDER, /* of several NaNs DPPS and DPPD give that of the lowest lane */
	RULE_NEEDS_COUNT,
};

enum {
	RULE_OPCODE_SHIFT = 0,  /* 8 bits */
	RULE_MAP_SHIFT = 8,     /* 2 bits: one byte, 0F, 0F38, 0F3A */
	RULE_PREFIX_SHIFT = 11, /* 2 bits: none, 66, F3, F2 */
	RULE_W = 1u << 13,
	RULE_L = 1u << 14,
	RULE_VEX = 1u << 15,
	RULE_DIGIT_SHIFT = 16, /* 3 bits: ModRM.reg where it is an opcode extension */
	RULE_MEM = 1u << 19,   /* ModRM.rm is a memory operand */
	RULE_RM_SHIFT = 20,    /* x87, 3 bits: ModRM.rm: ST(i), or part of the opcode */
	RULE_SEG_SHIFT = 24,   /* x87, 3 bits: segment of the memory operand */
	RULE_MOD_SHIFT = 27,   /* x87, 2 bits: ModRM.mod */
	RULE_IMM8 = 1u << 29,  /* an immediate byte follows */
	/* The host may do it: no exception is unmasked, and its result is the same in all bits. */
	RULE_HOST = 1u << 30,
	/* Vector instructions only */
	RULE_REG_SHIFT = 32, /* 4 bits each: numbers of ModRM.reg, VEX.vvvv, ModRM.rm */
	RULE_VVVV_SHIFT = 36,
	RULE_RMREG_SHIFT = 40,
	RULE_REG_KIND_SHIFT = 44, /* 2 bits each: enum rule_kind */
	RULE_VVVV_KIND_SHIFT = 46,
	RULE_RM_KIND_SHIFT = 48,
	RULE_DST_SHIFT = 50,   /* 2 bits: enum rule_dst */
	RULE_NEEDS_SHIFT = 52, /* 3 bits: enum rule_needs */
	RULE_IMM_SHIFT = 56,   /* the immediate byte */
};

static inline unsigned rule_opcode(uint64_t rule) { return rule & 0xff; }
static inline unsigned rule_map(uint64_t rule) { return rule >> RULE_MAP_SHIFT & 3; }
static inline unsigned rule_prefix(uint64_t rule) { return rule >> RULE_PREFIX_SHIFT & 3; }
static inline unsigned rule_digit(uint64_t rule) { return rule >> RULE_DIGIT_SHIFT & 7; }
static inline unsigned rule_reg(uint64_t rule) { return rule >> RULE_REG_SHIFT & 15; }
static inline unsigned rule_vvvv(uint64_t rule) { return rule >> RULE_VVVV_SHIFT & 15; }
static inline unsigned rule_rm(uint64_t rule) { return rule >> RULE_RMREG_SHIFT & 15; }
static inline enum rule_kind rule_reg_kind(uint64_t rule)
{
	return (enum rule_kind)(rule >> RULE_REG_KIND_SHIFT & 3);
}
static inline enum rule_kind rule_vvvv_kind(uint64_t rule)
{
	return (enum rule_kind)(rule >> RULE_VVVV_KIND_SHIFT & 3);
}
static inline enum rule_kind rule_rm_kind(uint64_t rule)
{
	return (enum rule_kind)(rule >> RULE_RM_KIND_SHIFT & 3);
}
static inline enum rule_dst rule_dst(uint64_t rule)
{
	return (enum rule_dst)(rule >> RULE_DST_SHIFT & 3);
}
static inline enum rule_needs rule_needs(uint64_t rule)
{
	return (enum rule_needs)(rule >> RULE_NEEDS_SHIFT & 7);
}
static inline uint8_t rule_imm(uint64_t rule) { return (uint8_t)(rule >> RULE_IMM_SHIFT); }
/* x87: opcodes D8 to DF of the one-byte map. */
static inline bool rule_is_x87(uint64_t rule)
{
	return !rule_map(rule) && (rule_opcode(rule) & 0xf8) == 0xd8;
}

/* Where the guest's registers of these kinds lie in its state; vectors 0: it has none. */
struct ir_native_state {
	uint32_t vectors;  /* 16 of 32 bytes */
	uint32_t operand;  /* 64 bytes: memory operand */
	uint32_t mxcsr;    /* 4 bytes */
	uint32_t fpr;      /* physical x87 registers 0-7, 16 bytes each: 10 are used */
	uint32_t fcw, fsw; /* 2 bytes each; fsw without TOP */
	uint32_t ftop;     /* 1 byte: 0-7 */
	uint32_t ftag;     /* 1 byte: a bit per physical register: 1: not empty */
};
