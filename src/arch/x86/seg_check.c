/* arch/x86/seg_check.c - segment checks of data accesses when segments are not flat.
 * SPDX-License-Identifier: MIT */
#include "arch/x86/seg_check.h"

#include "arch/x86/x86.h"

static bool type_allows(const struct x86_seg *s, bool is_write)
{
	if (!(s->attr & SEG_ATTR_P))
		return false;
	if (is_write)
		return (s->attr & (SEG_ATTR_CODE | SEG_ATTR_RW)) == SEG_ATTR_RW;
	return !(s->attr & SEG_ATTR_CODE) || s->attr & SEG_ATTR_RW;
}

bool x86_seg_allows(const struct x86_seg *s, uint32_t offset, unsigned size, bool is_write)
{
	uint64_t last = (uint64_t)offset + size - 1;

	if (!type_allows(s, is_write))
		return false;
	if ((s->attr & (SEG_ATTR_CODE | SEG_ATTR_DC)) == SEG_ATTR_DC) /* grows down */
		return offset > s->limit && last <= (s->attr & SEG_ATTR_DB ? UINT32_MAX : 0xffff);
	return last <= s->limit;
}

bool x86_seg_check(struct x86_cpu *c, enum x86_seg_id seg, uint32_t offset, unsigned size,
		   bool is_write, gva_t *linear)
{
	const struct x86_seg *s = &c->seg[seg];

	if (!x86_seg_allows(s, offset, size, is_write))
		return x86_raise_code(c, seg == SEG_SS ? EXC_SS : EXC_GP, 0);
	*linear = (uint32_t)(s->base + offset);
	return true;
}

static uint64_t seg_check(void *env, uint64_t offset, uint64_t what, uint64_t size)
{
	gva_t linear = 0;

	x86_seg_check(env, what & 0xff, (uint32_t)offset, (unsigned)size, what >> 8, &linear);
	return linear;
}

const struct ir_helper x86_seg_check_helper = {
	.name = "seg_check",
	.fn = seg_check,
	.can_fault = true,
};
