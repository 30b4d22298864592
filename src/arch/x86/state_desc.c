/* arch/x86/state_desc.c - what the compiler must know of struct x86_cpu.
 * SPDX-License-Identifier: MIT */
#include "arch/x86/x86.h"
#include "jit/native.h"

/* clang-format off */
#define GPR(i, text)  { .name = text, .offset = offsetof(struct x86_cpu, gpr) + 8 * (i), .size = 8, .pin = (i) + 1 }
#define SEG(i, text)  { .name = text, .offset = offsetof(struct x86_cpu, seg) + sizeof(struct x86_seg) * (i) + \
			offsetof(struct x86_seg, base), .size = 8 }
#define FPR(i)        { .name = "fpr" #i, .offset = offsetof(struct x86_cpu, fpr) + 16 * (i), .size = 16 }
#define YMM(i)        { .name = "ymm" #i, .offset = offsetof(struct x86_cpu, ymm) + 32 * (i), .size = 32 }
#define ONE(field)    { .name = #field, .offset = offsetof(struct x86_cpu, field), \
			.size = sizeof(((struct x86_cpu *)0)->field) }

static const struct ir_slot slots[] = {
	{ .name = "pc", .offset = offsetof(struct x86_cpu, env.pc), .size = 8 },
	GPR(0, "rax"), GPR(1, "rcx"), GPR(2, "rdx"), GPR(3, "rbx"), GPR(4, "rsp"), GPR(5, "rbp"),
	GPR(6, "rsi"), GPR(7, "rdi"), GPR(8, "r8"), GPR(9, "r9"), GPR(10, "r10"), GPR(11, "r11"),
	GPR(12, "r12"), GPR(13, "r13"), GPR(14, "r14"), GPR(15, "r15"),
	ONE(rflags),
	SEG(SEG_ES, "es_base"), SEG(SEG_CS, "cs_base"), SEG(SEG_SS, "ss_base"), SEG(SEG_DS, "ds_base"),
	SEG(SEG_FS, "fs_base"), SEG(SEG_GS, "gs_base"),
	FPR(0), FPR(1), FPR(2), FPR(3), FPR(4), FPR(5), FPR(6), FPR(7),
	ONE(fcw), ONE(fsw), ONE(ftop), ONE(ftag), ONE(mxcsr),
	YMM(0), YMM(1), YMM(2), YMM(3), YMM(4), YMM(5), YMM(6), YMM(7),
	YMM(8), YMM(9), YMM(10), YMM(11), YMM(12), YMM(13), YMM(14), YMM(15),
	{ .name = "vtmp0", .offset = offsetof(struct x86_cpu, vtmp), .size = 64 },
	{ .name = "vtmp1", .offset = offsetof(struct x86_cpu, vtmp) + 64, .size = 64 },
	{ .name = NULL },
};
/* clang-format on */

BUILD_ASSERT(sizeof(struct x86_cpu) < 65536);
BUILD_ASSERT(offsetof(struct x86_cpu, env) == 0);
BUILD_ASSERT(offsetof(struct x86_cpu, gpr) == sizeof(struct jit_env));

static const struct ir_native_state native = {
	.vectors = offsetof(struct x86_cpu, ymm),
	.operand = offsetof(struct x86_cpu, vtmp),
	.mxcsr = offsetof(struct x86_cpu, mxcsr),
	.fpr = offsetof(struct x86_cpu, fpr),
	.fcw = offsetof(struct x86_cpu, fcw),
	.fsw = offsetof(struct x86_cpu, fsw),
	.ftop = offsetof(struct x86_cpu, ftop),
	.ftag = offsetof(struct x86_cpu, ftag),
};

const struct ir_state_desc x86_state_desc = {
	.slots = slots,
	.pc_offset = offsetof(struct x86_cpu, env.pc),
	.flags_offset = offsetof(struct x86_cpu, rflags),
	.size = offsetof(struct x86_cpu, walks),
	.native = &native,
};
