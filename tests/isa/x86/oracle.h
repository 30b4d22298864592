/* tests/isa/x86/oracle.h - the host CPU as the oracle of x86 instructions.
 *
 * A case is one instruction with registers, flags, vector and x87 state and a scratch area of
 * memory. It runs on the host CPU (oracle_host.c: a child process, entered and left through
 * signals) and in our translator and executors (oracle_guest.c); what both leave behind must be
 * equal.
 * SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "arch/x86/decode.h"
#include "arch/x86/state.h"
#include "base/err.h"
#include "jit/x64/x64.h"

enum {
	/* Same addresses in the host process and for the guest; below 4 GiB for 32-bit code. */
	CODE_ADDR = 0x10000000,
	CODE_SIZE = 0x1000,
	INSN_ADDR = CODE_ADDR + 0x800,
	DATA_ADDR = 0x20000000,
	DATA_SIZE = 0x4000,
	DATA_MIDDLE = DATA_ADDR + DATA_SIZE / 2,
	VECTOR_NONE = -1, /* the instruction completed */
	FX_SIZE = 512,
};

/* Offsets in the FXSAVE image (SDM 1 table 10-2). */
enum { FX_FCW = 0, FX_FSW = 2, FX_FTW = 4, FX_MXCSR = 24, FX_ST = 32, FX_XMM = 160 };

struct cpu_image {
	uint64_t gpr[16];
	uint64_t rip;
	uint64_t rflags;
	uint8_t fx[FX_SIZE];
	uint8_t ymm_high[16][16];
};

struct outcome {
	struct cpu_image cpu;
	int vector;
	uint32_t error;
	uint64_t cr2;
	uint8_t mem[DATA_SIZE];
};

/* How code runs: 64-bit, 32-bit flat, and 32- and 16-bit in segments of their own (LDT) whose base
 * is not 0 and whose limits are the ends of the areas. */
enum run_mode { RUN_64, RUN_32, RUN_32_SEGMENTS, RUN_16, RUN_COUNT };
struct run_mode_info {
	const char *name;
	uint16_t cs, data; /* selectors */
	uint32_t code_base, data_base;
	bool code64, code32, is_flat;
	unsigned regs;
};
extern const struct run_mode_info run_modes[RUN_COUNT];

struct test_case {
	uint8_t code[X86_MAX_INSN + 1];
	uint8_t len;
	uint8_t mode; /* enum run_mode */
	struct cpu_image in;
	struct outcome host, guest;
};
static inline const struct run_mode_info *mode_of(const struct test_case *c)
{
	return &run_modes[c->mode];
}

/* One row's worth of cases; `mem` is what the scratch area holds before each.  Lives in memory
 * shared with the child. */
enum { CASES_MAX = 128 };
struct batch {
	unsigned count;
	volatile unsigned done; /* host outcomes present */
	uint8_t mem[DATA_SIZE];
	struct test_case cases[CASES_MAX];
};

/* oracle_host.c */
struct batch *host_batch_new(void);
/* Run all cases natively; false: the child did not finish (b->done tells how far it came). */
bool host_run(struct batch *b);
/* Why a feature (name of cpuid_features.def) cannot be tested here; NULL: it can. */
bool host_has_feature(const char *name);

/* oracle_guest.c */
extern bool guest_hides_code; /* it cannot be read as data */
extern bool guest_trace;      /* print the IR and its lowered form */
/* Tier 0: the interpreter, 1: host code.  False: err says why that cannot be. */
bool guest_init(unsigned tier, struct err *err);
/* The instruction at code, as the guest's CPU would read it.  False: it is none. */
bool guest_decode(const struct run_mode_info *m, const uint8_t *code, struct x86_insn *in);
void guest_run(const struct batch *b, struct test_case *c, bool fast_tlb);
/* The steps of that.  fast_pages: bit n: the soft TLB has page n of the scratch area for reading, n
 * + 8: for writing. */
enum { FAST_ALL = 0xf0f };
void guest_load(const struct run_mode_info *m, const struct cpu_image *in, const uint8_t *code,
		unsigned len, const uint8_t mem[DATA_SIZE], uint32_t fast_pages);
/* Translate up to insns instructions and run them; again: as long as they lead to themselves. */
void guest_go(unsigned use_tier, unsigned insns, bool again);
void guest_save(struct outcome *o);
/* All of the CPU's state but what executors keep in it. */
const void *guest_rest(size_t *size);

/* oracle_choice.c */
/* Where the host did what it may, but Rhea does otherwise: its outcome becomes what it would have
 * been with Rhea's choice.  Both outcomes are there; mem: the scratch area before the case. */
void choice_adopt(const struct x86_row *row, struct test_case *c, const uint8_t mem[DATA_SIZE]);

/* oracle_tier1.c */
bool tier1_init(struct err *err);
/* singly: without groups of accesses.  False: the block is too big. */
bool tier1_make(struct jit_env *env, struct x64_code **code, const struct ir_block *ir,
		bool singly);
enum x64_why tier1_run(struct jit_env *env, const struct x64_code *code);
/* Was it left at env->pc, for code without groups? */
bool tier1_wants_single(void);
void tier1_drop(struct x64_code *code);
void tier1_print(const struct x64_code *code, FILE *out);

/* oracle_gen.c */
struct random {
	uint64_t state;
};
uint64_t random_u64(struct random *r);
static inline unsigned random_below(struct random *r, unsigned n)
{
	return (unsigned)((random_u64(r) >> 16) % n);
}
void gen_memory(struct random *r, uint8_t mem[DATA_SIZE]);
/* An instruction for a CPU in this state, with its memory operand in the scratch area where that
 * can be.  False: none could be made. */
bool gen_insn(struct random *r, const struct x86_row *row, enum run_mode mode,
	      const struct cpu_image *now, uint8_t bytes[32], struct x86_insn *in);
void gen_state(struct random *r, const struct run_mode_info *m, struct cpu_image *s);
/* A case for the row; false: none could be made (the row does not exist in that mode). */
bool gen_case(struct random *r, const struct x86_row *row, enum run_mode mode,
	      const uint8_t mem[DATA_SIZE], struct test_case *c);
