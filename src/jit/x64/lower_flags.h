/* jit/x64/lower_flags.h - flags while one block is lowered: conditions, records, recipes.
 * SPDX-License-Identifier: MIT */
#pragma once

#include "jit/x64/lower.h"

/* EFLAGS are lost. */
static inline void flags_lost(struct x64_compiler *c) { c->eflags = 0; }
/* EFLAGS hold the flags of f, those in mask. */
static inline void flags_are(struct x64_compiler *c, unsigned f, uint32_t mask)
{
	c->eflags = (uint16_t)f;
	c->eflags_mask = mask;
}

/* ---- lower_cond.c ---- */
/* Make EFLAGS such that the returned condition says cond of f. */
enum x64_cc flags_cond(struct x64_compiler *c, unsigned f, enum ir_cond cond);
/* The same of value v (COND, CMP or 0/1), fused or not. */
enum x64_cc flags_test(struct x64_compiler *c, unsigned v);
/* CF := carry of f. */
void flags_carry(struct x64_compiler *c, unsigned f);
/* Do f's operation again: EFLAGS hold its flags, those that the host's own has. */
void flags_again(struct x64_compiler *c, unsigned f, uint32_t need);
/* Is there no doing it again? */
bool flags_are_opaque(const struct x64_compiler *c, unsigned f);

/* ---- lower_flags.c ---- */
/* CF to a new temporary; EFLAGS stay. */
void flags_carry_to_tmp(struct x64_compiler *c, struct place *p);
/* The returned condition: flags_c is not the carry of the flags env knows. */
enum x64_cc flags_emit_has_carry(struct x64_compiler *c);
/* Where the recipe of f has the carry of before. */
struct x64_rm flags_kept(const struct x64_compiler *c, unsigned f);
/* Remember in the recipe of producer i what its flags operand says, before it is executed. */
void flags_keep_carry(struct x64_compiler *c, unsigned i);
/* The same of a shift by `count`, which takes them only where that is 0. */
void flags_keep_if_zero(struct x64_compiler *c, unsigned i, unsigned count);
/* Tell env of flags f: stores only, EFLAGS stay. */
void flags_record(struct x64_compiler *c, unsigned f);
/* The same in a stub, by stub_record(): both scratch registers are free behind it. */
void flags_record_later(struct x64_compiler *c, unsigned f, struct record *r);
void stub_record(struct x64_compiler *c, const struct record *r);
void stub_bits(struct x64_compiler *c, struct stub *s);
void stub_keep(struct x64_compiler *c, struct stub *s);
/* The six bits of f as an operand of 4 bytes; other bits may be set beside them.  EFLAGS are lost.
 */
struct x64_rm flags_bits(struct x64_compiler *c, unsigned f);
void lower_flags_op(struct x64_compiler *c, unsigned i);
/* Make the flags slot true. */
void flags_sync_slot(struct x64_compiler *c);
/* The flags value that a fault at op i must report and env does not know, or 0. */
unsigned flags_at_fault(const struct x64_compiler *c, unsigned i);
/* The flags of before that somebody still wants are kept, as the slot is about to be written. */
void flags_keep_env(struct x64_compiler *c);
/* Does a fault at op i need flags that env does not know? */
bool flags_wanted(const struct x64_compiler *c, unsigned i);
/* Let env know them. */
void flags_before_call(struct x64_compiler *c, unsigned i);
/* The flags at op i, as a fault there must report them. */
void flags_site(struct x64_compiler *c, unsigned i, struct x64_site *site);
/* Those of f, where `kind` is still 0. */
void flags_site_of(struct x64_compiler *c, unsigned f, struct x64_site *site);

/* ---- thunk_flags.c ---- */
/* slow: env_bits by C. */
void flags_thunks(struct x64_asm *a, const struct x64_jit *j, struct x64_thunks *out,
		  uint64_t slow);
