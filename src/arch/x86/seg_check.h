/* arch/x86/seg_check.h - segment checks of data accesses when segments are not flat.
 * SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "arch/x86/state.h"
#include "jit/ir.h"

/* Linear address of [offset, offset + size) in segment seg (not in 64-bit mode), for reading or
 * writing.  False: #GP(0) or #SS(0) is recorded.  SDM 3A 5.3, 5.5. */
bool x86_seg_check(struct x86_cpu *c, enum x86_seg_id seg, uint32_t offset, unsigned size,
		   bool is_write, gva_t *linear);
/* The same without raising. */
bool x86_seg_allows(const struct x86_seg *s, uint32_t offset, unsigned size, bool is_write);

/* a: offset, b: segment, with enum tr_access in bits 8-15, c: size; result: the linear address. */
extern const struct ir_helper x86_seg_check_helper;
