/* jit/ir_text.h - words that the printer and the parser share.
 * SPDX-License-Identifier: MIT */
#pragma once

extern const char *const ir_cond_words[];   /* enum ir_cond, then NULL */
extern const char *const ir_cmp_words[];    /* enum ir_cmp */
extern const char *const ir_branch_words[]; /* enum ir_branch */
