/* arch/x86/int_helpers.h - C functions behind integer instructions, and what their translators
 * share.
 * SPDX-License-Identifier: MIT */
#pragma once

#include "arch/x86/tr.h"

/* Linear address of a locked read-modify-write of the ModRM operand. */
ir_val tr_lock_addr(struct x86_tr *t, unsigned size);

extern const struct ir_helper x86_div_helper, x86_idiv_helper;
extern const struct ir_helper x86_daa_helper, x86_das_helper, x86_aaa_helper, x86_aas_helper,
	x86_aam_helper, x86_aad_helper;
extern const struct ir_helper x86_bextr_helper, x86_pext_helper, x86_pdep_helper, x86_crc32_helper;
extern const struct ir_helper x86_random_helper;
extern const struct ir_helper x86_cmpxchg16b_helper;
extern const struct ir_helper x86_pushf_helper, x86_popf_helper;
extern const struct ir_helper x86_direction_helper; /* a: new DF */
extern const struct ir_helper x86_in_helper, x86_out_helper;
extern const struct ir_helper x86_pending_x87_helper;

/* String instructions with REP (string.c). */
enum {
	STRING_SIZE = 0xff,         /* bytes of an element */
	STRING_ASIZE_SHIFT = 8,     /* 8 bits: bytes of the address */
	STRING_SEG_SHIFT = 16,      /* 8 bits: source segment */
	STRING_ONE = 1u << 24,      /* at most one element: stepping */
	STRING_WHILE_NE = 1u << 25, /* CMPS, SCAS: REPNE */
	STRING_ONCE = 1u << 26,     /* no REP: one element, rCX is not looked at */
};
/* a: STRING_*; result: 1 when done, 0 when the instruction must be executed again. */
extern const struct ir_helper x86_movs_helper, x86_cmps_helper, x86_stos_helper, x86_lods_helper,
	x86_scas_helper, x86_ins_helper, x86_outs_helper;
