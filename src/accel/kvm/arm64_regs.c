/* accel/kvm/arm64_regs.c - registers of an arm64 vCPU between the kernel and struct arm_cpu.
 *
 * Which there are the kernel says (KVM_GET_REG_LIST).  Those that struct arm_cpu knows have a place
 * in it; the others are the kernel's alone, who starts them anew with the vCPU.  Going back, only
 * what differs is told.
 *
 * Specification: api.rst 4.68 (numbers of registers), 4.83 (the list).
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <glib.h>

#include "accel/kvm/kvm.h"
#include "base/err.h"
#include "base/log.h"

/* ---- where a register is ---- */

#define PLACE(member)   (int32_t) offsetof(struct arm_cpu, member)
#define CORE(member)    (uint32_t) KVM_REG_ARM_CORE_REG(member)
#define MEMBER_BYTES(m) sizeof(((struct kvm_regs *)NULL)->m)

/* Runs of core registers: numbers count words of four bytes of struct kvm_regs. */
static const struct {
	uint32_t first, count;
	uint32_t bytes;
	int32_t place, stride;
} core_rows[] = {
	{ CORE(regs.regs[0]), 31, 8, PLACE(x), 8 },
	{ CORE(regs.sp), 1, 8, PLACE(sp[ARM_EL0]), 0 },
	{ CORE(regs.pc), 1, 8, PLACE(pc), 0 },
	{ CORE(regs.pstate), 1, 8, PLACE(pstate), 0 },
	{ CORE(sp_el1), 1, 8, PLACE(sp[ARM_EL1]), 0 },
	{ CORE(elr_el1), 1, 8, PLACE(elr[ARM_EL1]), 0 },
	{ CORE(spsr[KVM_SPSR_EL1]), 1, 8, PLACE(spsr[ARM_EL1]), 0 },
	{ CORE(spsr[KVM_SPSR_ABT]), 1, 8, PLACE(spsr_abt), 0 },
	{ CORE(spsr[KVM_SPSR_UND]), 1, 8, PLACE(spsr_und), 0 },
	{ CORE(spsr[KVM_SPSR_IRQ]), 1, 8, PLACE(spsr_irq), 0 },
	{ CORE(spsr[KVM_SPSR_FIQ]), 1, 8, PLACE(spsr_fiq), 0 },
	{ CORE(fp_regs.vregs[0]), 32, 16, PLACE(z), ARM_Z_BYTES },
	{ CORE(fp_regs.fpsr), 1, 4, PLACE(fpsr), 0 },
	{ CORE(fp_regs.fpcr), 1, 4, PLACE(fpcr), 0 },
};

static const struct {
	uint16_t encoding;
	uint8_t flags;
	const char *name;
} sys_rows[ARM_SYS_COUNT] = {
#define ARM_SYS(name, op0, op1, crn, crm, op2, flags) \
	[ARM_##name] = { op0 << 14 | op1 << 11 | crn << 7 | crm << 3 | op2, flags, #name },
#include "arch/arm/sysregs.def"
#undef ARM_SYS
};

static int32_t core_place(uint32_t number, uint32_t bytes)
{
	for (unsigned i = 0; i < ARRAY_SIZE(core_rows); i++) {
		uint32_t words = core_rows[i].bytes / 4, behind = number - core_rows[i].first;

		if (core_rows[i].bytes == bytes && behind < core_rows[i].count * words &&
		    behind % words == 0)
			return core_rows[i].place + (int32_t)(behind / words) * core_rows[i].stride;
	}
	return ARM64_KVM_NO_PLACE;
}

/* The kernel's numbers of the virtual timer's compare value and count were swapped by mistake, for
 * good (<asm/kvm.h>). */
static int sys_index(uint64_t id)
{
	uint16_t encoding = (uint16_t)id;

	if (id == KVM_REG_ARM_TIMER_CVAL)
		return ARM_CNTV_CVAL_EL0;
	if (id == KVM_REG_ARM_TIMER_CNT)
		return ARM_CNTVCT_EL0;
	for (int i = 0; i < ARM_SYS_COUNT; i++)
		if (sys_rows[i].encoding == encoding)
			return i;
	return -1;
}

/* The one slice that there is of up to 2048 bits. */
static int32_t sve_place(uint64_t id, uint32_t bytes)
{
	uint32_t number = (uint16_t)id, n = number / KVM_ARM64_SVE_MAX_SLICES;
	uint32_t p = n - KVM_REG_ARM64_SVE_PREG_BASE / KVM_ARM64_SVE_MAX_SLICES;

	if (number % KVM_ARM64_SVE_MAX_SLICES)
		return ARM64_KVM_NO_PLACE;
	if (n < 32 && bytes == ARM_Z_BYTES)
		return PLACE(z) + (int32_t)n * ARM_Z_BYTES;
	if (p < 16 && bytes == ARM_P_BYTES)
		return PLACE(p) + (int32_t)p * ARM_P_BYTES;
	return number == KVM_REG_ARM64_SVE_FFR_BASE && bytes == ARM_P_BYTES ? PLACE(ffr)
									    : ARM64_KVM_NO_PLACE;
}

void arm64_kvm_reg_place(uint64_t id, struct arm64_kvm_reg *out)
{
	int sys;

	out->id = id;
	out->bytes = KVM_REG_SIZE(id);
	out->place = ARM64_KVM_NO_PLACE;
	out->is_const = false;
	switch (id & KVM_REG_ARM_COPROC_MASK) {
	case KVM_REG_ARM_CORE: out->place = core_place((uint16_t)id, out->bytes); break;
	case KVM_REG_ARM64_SYSREG:
		sys = out->bytes == 8 ? sys_index(id) : -1;
		if (sys < 0)
			break;
		out->place = PLACE(sys) + 8 * sys;
		out->is_const = sys_rows[sys].flags & ARM_SYS_ID;
		break;
	case KVM_REG_ARM64_SVE:
		out->is_const = id == KVM_REG_ARM64_SVE_VLS;
		if (!out->is_const)
			out->place = sve_place(id, out->bytes);
		break;
	/* Sizes of caches, what the kernel offers as firmware. */
	case KVM_REG_ARM_DEMUX:
	case KVM_REG_ARM_FW:
	case KVM_REG_ARM_FW_FEAT_BMAP: out->is_const = true; break;
	default: break;
	}
}

void arm64_kvm_reg_name(uint64_t id, char *out, size_t room)
{
	struct arm64_kvm_reg r;

	arm64_kvm_reg_place(id, &r);
	if ((id & KVM_REG_ARM_COPROC_MASK) == KVM_REG_ARM64_SYSREG && r.place >= 0)
		snprintf(out, room, "%s", sys_rows[sys_index(id)].name);
	else
		snprintf(out, room, "0x%" PRIx64, id);
}

/* ---- the list ---- */

static bool fetch_list(struct kvm_vcpu *kv, struct kvm_reg_list **out, struct err *err)
{
	struct kvm_reg_list none = { 0 }, *list;
	int r = kvm_ioctl(kv->fd, KVM_GET_REG_LIST, &none);

	if (r < 0 && r != -E2BIG)
		return err_errno(err, -r, "cannot list the vCPU's registers");
	list = g_malloc0(sizeof(*list) + none.n * sizeof(list->reg[0]));
	list->n = none.n;
	r = kvm_ioctl(kv->fd, KVM_GET_REG_LIST, list);
	if (r < 0) {
		g_free(list);
		return err_errno(err, -r, "cannot list the vCPU's registers");
	}
	*out = list;
	return true;
}

static int read_reg(const struct kvm_vcpu *kv, const struct arm64_kvm_reg *r, void *value)
{
	struct kvm_one_reg one = { .id = r->id, .addr = (uintptr_t)value };

	return kvm_ioctl(kv->fd, KVM_GET_ONE_REG, &one);
}

static void *place_of(const struct kvm_vcpu *kv, const struct arm64_kvm_reg *r)
{
	return (char *)kv->cpu + r->place;
}

static bool get_failed(const struct arm64_kvm_reg *r, int result, struct err *err)
{
	char name[32];

	arm64_kvm_reg_name(r->id, name, sizeof(name));
	return err_errno(err, -result, "cannot get the vCPU's register %s", name);
}

/* A register that is listed and cannot be read is none; the guest may still have it. */
static void drop_unreadable(struct kvm_vcpu *kv)
{
	struct kvm_copy *k = &kv->copy;
	unsigned kept = 0;

	for (unsigned i = 0; i < k->reg_count; i++) {
		char name[32];
		int r = read_reg(kv, &k->regs[i], k->values + k->regs[i].at);

		if (r >= 0) {
			k->regs[kept++] = k->regs[i];
			continue;
		}
		arm64_kvm_reg_name(k->regs[i].id, name, sizeof(name));
		if (log_on(LOG_UNIMP))
			log_line("kvm: register %s cannot be read: %s", name, strerror(-r));
	}
	k->reg_count = kept;
}

bool arm64_kvm_regs_init(struct kvm_vcpu *kv, struct err *err)
{
	g_autofree struct kvm_reg_list *list = NULL;
	struct kvm_copy *k = &kv->copy;
	uint32_t at = 0;

	if (!fetch_list(kv, &list, err))
		return false;
	k->regs = g_new0(struct arm64_kvm_reg, list->n);
	k->reg_count = (unsigned)list->n;
	for (unsigned i = 0; i < k->reg_count; i++) {
		arm64_kvm_reg_place(list->reg[i], &k->regs[i]);
		k->regs[i].at = at;
		at += k->regs[i].bytes;
	}
	k->values = g_malloc0(at);
	drop_unreadable(kv);
	for (unsigned i = 0; i < k->reg_count; i++) {
		const struct arm64_kvm_reg *r = &k->regs[i];

		if (r->is_const && r->place >= 0)
			memcpy(place_of(kv, r), k->values + r->at, r->bytes);
	}
	return true;
}

void arm64_kvm_regs_fini(struct kvm_vcpu *kv)
{
	g_clear_pointer(&kv->copy.regs, g_free);
	g_clear_pointer(&kv->copy.values, g_free);
	kv->copy.reg_count = 0;
}

/* ---- back and forth ---- */

bool arm64_kvm_regs_reload(struct kvm_vcpu *kv, struct err *err)
{
	struct kvm_copy *k = &kv->copy;

	for (unsigned i = 0; i < k->reg_count; i++) {
		int r = read_reg(kv, &k->regs[i], k->values + k->regs[i].at);

		if (r < 0)
			return get_failed(&k->regs[i], r, err);
	}
	return true;
}

bool arm64_kvm_regs_get(struct kvm_vcpu *kv, struct err *err)
{
	struct kvm_copy *k = &kv->copy;

	for (unsigned i = 0; i < k->reg_count; i++) {
		const struct arm64_kvm_reg *reg = &k->regs[i];
		int r;

		if (reg->is_const || reg->place < 0)
			continue;
		r = read_reg(kv, reg, k->values + reg->at);
		if (r < 0)
			return get_failed(reg, r, err);
		memcpy(place_of(kv, reg), k->values + reg->at, reg->bytes);
	}
	return true;
}

/* A value that the kernel refuses for a system register is told of and not tried again before it
 * changes; without the others a guest cannot run. */
static bool refused(const struct kvm_vcpu *kv, const struct arm64_kvm_reg *reg, int result,
		    struct err *err)
{
	char name[32];

	arm64_kvm_reg_name(reg->id, name, sizeof(name));
	if ((reg->id & KVM_REG_ARM_COPROC_MASK) != KVM_REG_ARM64_SYSREG)
		return err_errno(err, -result, "cannot set the vCPU's register %s", name);
	if (log_on(LOG_UNIMP))
		log_line("kvm: vcpu %u: register %s: the kernel refuses 0x%" PRIx64, kv->v->id,
			 name, ld64_le(place_of(kv, reg)));
	return true;
}

bool arm64_kvm_regs_put(struct kvm_vcpu *kv, struct err *err)
{
	struct kvm_copy *k = &kv->copy;

	for (unsigned i = 0; i < k->reg_count; i++) {
		const struct arm64_kvm_reg *reg = &k->regs[i];
		struct kvm_one_reg one = { .id = reg->id };
		void *now;
		int r;

		if (reg->place < 0)
			continue;
		now = place_of(kv, reg);
		if (!memcmp(now, k->values + reg->at, reg->bytes))
			continue;
		one.addr = (uintptr_t)now;
		r = kvm_ioctl(kv->fd, KVM_SET_ONE_REG, &one);
		if (r < 0 && !refused(kv, reg, r, err))
			return false;
		memcpy(k->values + reg->at, now, reg->bytes);
	}
	return true;
}
