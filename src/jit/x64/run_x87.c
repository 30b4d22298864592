/* jit/x64/run_x87.c - the guest's x87 state, into the host's FPU and back.
 *
 * By the image of FSAVE and FRSTOR (SDM 1 figure 8-9): it has the registers in stack order, the
 * state has them where they physically are.  The pointers are the state's alone.
 * SPDX-License-Identifier: MIT */
#include <stdint.h>
#include <string.h>

#include "base/bits.h"
#include "jit/native.h"
#include "jit/x64/lower.h"

enum { FCW_MASKS = 0x3f, FSW_TOP_SHIFT = 11, FSW_TOP = 7u << FSW_TOP_SHIFT, TAG_EMPTY = 3 };

struct x87_image {
	uint16_t fcw, pad0, fsw, pad1, ftw, pad2;
	uint16_t pointers[8];
	uint8_t st[8][10];
} __attribute__((packed));
BUILD_ASSERT(sizeof(struct x87_image) == 108);

static const struct ir_native_state *layout(const struct jit_env *env)
{
	return ((const struct x64_jit *)env->native)->desc->native;
}

static char *field(struct jit_env *env, uint32_t offset) { return (char *)env + offset; }

static char *fpr(struct jit_env *env, unsigned n)
{
	return field(env, layout(env)->fpr + 16 * (n & 7));
}

void x64_rt_x87_load(struct jit_env *env)
{
	const struct ir_native_state *s = layout(env);
	unsigned top = *(uint8_t *)field(env, s->ftop), tags = *(uint8_t *)field(env, s->ftag);
	struct x87_image m = { 0 };

	memcpy(&m.fcw, field(env, s->fcw), 2);
	memcpy(&m.fsw, field(env, s->fsw), 2);
	m.fcw |= FCW_MASKS;
	m.fsw = (uint16_t)(m.fsw | top << FSW_TOP_SHIFT);
	for (unsigned i = 0; i < 8; i++) {
		if (!(tags >> i & 1))
			m.ftw |= (uint16_t)(TAG_EMPTY << 2 * i);
		memcpy(m.st[i], fpr(env, top + i), 10);
	}
	__asm__ volatile("frstor %0" : : "m"(m));
	env->has_x87 = true;
}

void x64_rt_x87_save(struct jit_env *env)
{
	const struct ir_native_state *s = layout(env);
	struct x87_image m;
	unsigned top;
	uint8_t tags = 0;

	__asm__ volatile("fnsave %0" : "=m"(m));
	top = m.fsw >> FSW_TOP_SHIFT & 7;
	m.fsw &= (uint16_t)~FSW_TOP;
	for (unsigned i = 0; i < 8; i++) {
		if ((m.ftw >> 2 * i & 3) != TAG_EMPTY)
			tags |= (uint8_t)(1u << i);
		memcpy(fpr(env, top + i), m.st[i], 10);
	}
	memcpy(field(env, s->fsw), &m.fsw, 2);
	*(uint8_t *)field(env, s->ftop) = (uint8_t)top;
	*(uint8_t *)field(env, s->ftag) = tags;
	env->has_x87 = false;
}
