/* jit/interp_ops.h - the interpreter's own operations: one handler each.
 *
 * H(name) lists.  The order inside a family matters: ids are computed as family + index.  Sizes are
 * 1, 2, 4, 8 bytes; R/I: operand b is a value / the immediate; N/F: without / with recorded flags.
 * SPDX-License-Identifier: MIT */
#pragma once

#include <stdint.h>

/* Fields by operation: d, a, b are byte offsets from env unless said otherwise. */
struct interp_op {
	const void *handler;
	uint16_t d, a, b, c;
	uint64_t imm;
};

/* clang-format off */
#define H_SIZES(F, H, op)     F(H, op, 1) F(H, op, 2) F(H, op, 4) F(H, op, 8)
#define H_BINARY_N(H, op, sz) H(op##_##sz##_RN) H(op##_##sz##_IN)
#define H_BINARY_F(H, op, sz) H(op##_##sz##_RN) H(op##_##sz##_IN) H(op##_##sz##_RF) H(op##_##sz##_IF)
#define H_UNARY_N(H, op, sz)  H(op##_##sz##_N)
#define H_UNARY_F(H, op, sz)  H(op##_##sz##_N) H(op##_##sz##_F)
#define H_PLAIN(H, op, sz)    H(op##_##sz)
#define H_LOAD(H, op, sz)     H(op##_##sz##_D) H(op##_##sz##_X) H(op##_##sz##_W) H(op##_##sz##_P)
#define H_CMP(H, op, sz) \
	H(op##_EQ_##sz) H(op##_NE_##sz) H(op##_LTU_##sz) H(op##_GEU_##sz) H(op##_LEU_##sz) \
	H(op##_GTU_##sz) H(op##_LTS_##sz) H(op##_GES_##sz) H(op##_LES_##sz) H(op##_GTS_##sz)
#define H_CC(H, op, sz) \
	H(op##_O_##sz) H(op##_NO_##sz) H(op##_B_##sz) H(op##_AE_##sz) H(op##_E_##sz) H(op##_NE_##sz) \
	H(op##_BE_##sz) H(op##_A_##sz) H(op##_S_##sz) H(op##_NS_##sz) H(op##_P_##sz) H(op##_NP_##sz) \
	H(op##_L_##sz) H(op##_GE_##sz) H(op##_LE_##sz) H(op##_G_##sz)
/* Comparisons of a result with 0, in this order: */
enum { INTERP_Z_EQ, INTERP_Z_NE, INTERP_Z_LT, INTERP_Z_GE, INTERP_Z_LE, INTERP_Z_GT, INTERP_Z_COUNT };
#define H_ZERO(H, op, sz) \
	H(op##_EQ_##sz) H(op##_NE_##sz) H(op##_LT_##sz) H(op##_GE_##sz) H(op##_LE_##sz) H(op##_GT_##sz)

#define INTERP_HANDLERS(H) \
	H_SIZES(H_BINARY_F, H, ADD) H_SIZES(H_BINARY_F, H, SUB) H_SIZES(H_BINARY_F, H, AND) \
	H_SIZES(H_BINARY_F, H, OR) H_SIZES(H_BINARY_F, H, XOR) H_SIZES(H_BINARY_F, H, SHL) \
	H_SIZES(H_BINARY_F, H, SHR) H_SIZES(H_BINARY_F, H, SAR) \
	H_SIZES(H_BINARY_N, H, ADC) H_SIZES(H_BINARY_N, H, SBB) H_SIZES(H_BINARY_N, H, ANDN) \
	H_SIZES(H_BINARY_N, H, MUL) H_SIZES(H_BINARY_N, H, ROL) H_SIZES(H_BINARY_N, H, ROR) \
	H_SIZES(H_UNARY_F, H, NEG) H_SIZES(H_UNARY_F, H, INC) H_SIZES(H_UNARY_F, H, DEC) \
	H_SIZES(H_UNARY_N, H, NOT) H_SIZES(H_PLAIN, H, MOV) H_SIZES(H_PLAIN, H, PUT) \
	H_SIZES(H_PLAIN, H, PUTI) \
	H(MULUH_8) H(MULSH_8) H(VALUE_R) H(VALUE_I) /* VALUE: c flags; code and size in imm (R) or b (I) */ \
	H(SEXT_1_2) H(SEXT_1_4) H(SEXT_1_8) H(SEXT_2_4) H(SEXT_2_8) H(SEXT_4_8) \
	H(BSWAP_4) H(BSWAP_8) \
	H(LEA_2) H(LEA_4) H(LEA_8) /* c: shift */ \
	H(CONST) H(PC) H(SELECT) H(WIDER) /* b: bits */ \
	H_SIZES(H_CMP, H, CMPR) H_SIZES(H_CMP, H, CMPI) \
	H_SIZES(H_LOAD, H, LD) H_SIZES(H_LOAD, H, LW) H_SIZES(H_LOAD, H, ST) \
	H_SIZES(H_PLAIN, H, STI) /* imm: low half displacement, high half value */ \
	H(LD_VIEW) H(ST_VIEW) H(VLD_16) H(VST_16) H(VLD) H(VST) H(ATOMIC) H(FENCE) \
	H(CALL) H(CALL_PURE) H(CALL_IF) H(NATIVE) \
	H(FLAGS_GET) H(CARRY_GET) H(FLAGS_EVAL) H(FLAGS_RECORD) H(FLAGS_SYNC) H(FLAGS_MERGE) \
	H(CARRY_ADD_4) H(CARRY_ADD_8) H(CARRY_SUB_4) H(CARRY_SUB_8) \
	H(COND_BITS) H(COND_LAZY) H_SIZES(H_CC, H, COND) /* of the recorded SUB */ \
	H(EXIT) H(EXIT_IF) H(EXIT_TO) H(EXIT_LOOP) H(EXIT_STATE) H(STOP) \
	H_SIZES(H_CC, H, J)    /* of the recorded SUB */ \
	H_SIZES(H_CC, H, CMPJR) H_SIZES(H_CC, H, CMPJI) /* SUB, recorded, and jump */ \
	H_SIZES(H_ZERO, H, JZ) /* result and 0 */ \
	H_SIZES(H_ZERO, H, TESTJR) H_SIZES(H_ZERO, H, TESTJI) /* AND, recorded, and jump */

enum interp_id {
#define H(name) IH_##name,
	INTERP_HANDLERS(H)
#undef H
	INTERP_ID_COUNT
};
/* clang-format on */

/* Handler addresses by id (interp.c). */
const void *const *interp_handlers(void);
