/* tests/unit/accel/kvm_arm64_rig.h - a vCPU of accel/kvm whose kernel is this file: it takes the
 * place of accel/kvm/ioctl.c, keeps registers and attributes, and notes what it was asked in one
 * line.
 * SPDX-License-Identifier: MIT */
#pragma once

#include "accel/kvm/kvm.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include <glib.h>

#include "base/err.h"
#include "cpu/arch.h"

enum { VM_FD = 1000, VCPU_FD = 1001, RIG_REGS = 512 };

struct fake_reg {
	uint64_t id;
	uint8_t value[256];
};

struct rig {
	struct kvm_accel accel;
	struct kvm_vcpu kv;
	struct vcpu v;
	struct arm_cpu cpu;
	struct kvm_run run;
	/* the kernel's */
	struct fake_reg regs[RIG_REGS];
	unsigned reg_count;
	uint64_t refuses_set, refuses_get; /* ids */
	struct kvm_vcpu_init init;
	struct kvm_vcpu_events events;
	struct kvm_guest_debug debug;
	uint32_t mp_state;
	unsigned gets, device_type;
	int fails; /* the error of calls that are noted; 0: none */
	GString *calls;
	/* what was heard */
	GString *heard;
};

static struct rig *rig;

static inline uint64_t rig_sys(unsigned op0, unsigned op1, unsigned crn, unsigned crm, unsigned op2)
{
	return UINT64_C(0x6030000000130000) | arm_sys_encoding(op0, op1, crn, crm, op2);
}

static inline struct fake_reg *rig_reg(uint64_t id)
{
	for (unsigned i = 0; i < rig->reg_count; i++)
		if (rig->regs[i].id == id)
			return &rig->regs[i];
	return NULL;
}

static inline void rig_reg_add(uint64_t id, uint64_t value)
{
	struct fake_reg *r = &rig->regs[rig->reg_count++];

	g_assert_cmpuint(rig->reg_count, <=, RIG_REGS);
	r->id = id;
	memcpy(r->value, &value, sizeof(value));
}

static inline uint64_t rig_value(uint64_t id) { return ld64_le(rig_reg(id)->value); }

static inline void rig_expect(GString *said, const char *expected)
{
	g_assert_cmpstr(said->str, ==, expected);
	g_string_truncate(said, 0);
}

/* ---- the kernel ---- */

static int one_reg(bool is_set, const struct kvm_one_reg *one)
{
	struct fake_reg *r = rig_reg(one->id);
	size_t bytes = KVM_REG_SIZE(one->id);

	if (!is_set)
		rig->gets++;
	else
		g_string_append_printf(rig->calls, "set %" PRIx64 "; ", (uint64_t)one->id);
	if (one->id == (is_set ? rig->refuses_set : rig->refuses_get))
		return -EINVAL;
	if (one->id == KVM_REG_ARM64_SVE_VLS)
		return 0;
	if (!r)
		return -ENOENT;
	if (is_set)
		memcpy(r->value, (const void *)(uintptr_t)one->addr, bytes);
	else
		memcpy((void *)(uintptr_t)one->addr, r->value, bytes);
	return 0;
}

static int reg_list(struct kvm_reg_list *list)
{
	if (list->n < rig->reg_count) {
		list->n = rig->reg_count;
		return -E2BIG;
	}
	for (unsigned i = 0; i < rig->reg_count; i++)
		list->reg[i] = rig->regs[i].id;
	g_string_append(rig->calls, "list; ");
	return 0;
}

/* Values of attributes are of four or eight bytes, as arm-vgic-v3.rst and vcpu.rst say. */
static uint64_t attr_value(int fd, const struct kvm_device_attr *a)
{
	const void *at = (const void *)(uintptr_t)a->addr;
	bool is_long = fd != VCPU_FD && a->group == KVM_DEV_ARM_VGIC_GRP_ADDR;

	return !at ? 0 : is_long ? ld64_le(at) : ld32_le(at);
}

static int device_attr(int fd, bool is_set, const struct kvm_device_attr *a)
{
	uint32_t read = 0x12345678;

	g_string_append_printf(rig->calls, "%s %u.%" PRIx64, fd == VCPU_FD ? "vcpu" : "gic",
			       a->group, (uint64_t)a->attr);
	if (!is_set)
		memcpy((void *)(uintptr_t)a->addr, &read, sizeof(read));
	else if (a->addr)
		g_string_append_printf(rig->calls, "=%" PRIx64, attr_value(fd, a));
	g_string_append(rig->calls, "; ");
	return -rig->fails;
}

static int create_device(struct kvm_create_device *d)
{
	if (d->type != rig->device_type)
		return -ENODEV;
	if (d->flags & KVM_CREATE_DEVICE_TEST)
		return 0;
	d->fd = (uint32_t)open("/dev/null", O_RDWR);
	g_string_append_printf(rig->calls, "device %u; ", d->type);
	return 0;
}

int kvm_ioctl(int fd, unsigned long what, const void *arg)
{
	void *out = (void *)(uintptr_t)arg;

	switch (what) {
	case KVM_GET_ONE_REG: return one_reg(false, arg);
	case KVM_SET_ONE_REG: return one_reg(true, arg);
	case KVM_GET_REG_LIST: return reg_list(out);
	case KVM_SET_DEVICE_ATTR: return device_attr(fd, true, arg);
	case KVM_GET_DEVICE_ATTR: return device_attr(fd, false, arg);
	case KVM_CREATE_DEVICE: return create_device(out);
	case KVM_GET_VCPU_EVENTS: memcpy(out, &rig->events, sizeof(rig->events)); return 0;
	case KVM_GET_MP_STATE: memcpy(out, &rig->mp_state, sizeof(rig->mp_state)); return 0;
	case KVM_SET_VCPU_EVENTS:
		memcpy(&rig->events, arg, sizeof(rig->events));
		g_string_append(rig->calls, "events; ");
		return -rig->fails;
	case KVM_SET_MP_STATE:
		memcpy(&rig->mp_state, arg, sizeof(rig->mp_state));
		g_string_append_printf(rig->calls, "power %u; ", rig->mp_state);
		return -rig->fails;
	case KVM_ARM_PREFERRED_TARGET:
		memset(out, 0, sizeof(struct kvm_vcpu_init));
		((struct kvm_vcpu_init *)out)->target = KVM_ARM_TARGET_GENERIC_V8;
		return 0;
	case KVM_ARM_VCPU_INIT:
		memcpy(&rig->init, arg, sizeof(rig->init));
		g_string_append_printf(rig->calls, "init %u %x; ", rig->init.target,
				       rig->init.features[0]);
		return -rig->fails;
	case KVM_ARM_VCPU_FINALIZE:
		g_string_append_printf(rig->calls, "finalize %u; ", ld32_le(arg));
		return -rig->fails;
	case KVM_SET_GUEST_DEBUG:
		memcpy(&rig->debug, arg, sizeof(rig->debug));
		g_string_append_printf(rig->calls, "debug %x; ", rig->debug.control);
		return -rig->fails;
	case KVM_IRQ_LINE:
		g_string_append_printf(rig->calls, "line %x=%u; ", ld32_le(arg),
				       ld32_le((const char *)arg + 4));
		return -rig->fails;
	default: g_error("call 0x%lx on %d", what, fd);
	}
}

int kvm_ioctl_value(int fd, unsigned long what, unsigned long value)
{
	(void)value;
	g_error("call 0x%lx on %d", what, fd);
}

/* ---- the rig ---- */

static void reset(struct vcpu *v)
{
	struct arm_cpu *c = v->cpu;

	memset(c->x, 0, sizeof(c->x));
	c->pc = 0;
	c->resets++;
}

static uint64_t get_pc(struct vcpu *v) { return ((struct arm_cpu *)v->cpu)->pc; }

static void on_failure(struct vcpu *v, const char *text)
{
	(void)v;
	g_string_append_printf(rig->heard, "failed: %s; ", text);
}

static void on_system_event(struct arm_cpu *c, enum arm_system_event e)
{
	(void)c;
	g_string_append_printf(rig->heard, "event %d; ", e);
}

static void on_line(struct arm_cpu *c, enum arm_line line, bool level)
{
	(void)c;
	g_string_append_printf(rig->heard, "line %d=%d; ", line, level);
}

static void rig_new(void)
{
	static const struct arch_ops arch = { .name = "aarch64",
					      .cpu_reset = reset,
					      .get_pc = get_pc };

	rig = g_new0(struct rig, 1);
	rig->calls = g_string_new(NULL);
	rig->heard = g_string_new(NULL);
	rig->accel.vm.fd = VM_FD;
	rig->accel.vm.sys = &rig->accel.sys;
	rig->accel.sys.caps = (struct kvm_caps){ .vcpu_events = 1, .user_irq = 1 };
	vcpu_init(&rig->v, 0, &arch, &rig->cpu);
	kvm_rounds_init(&rig->accel.rounds);
	rig->v.accel_data = &rig->kv;
	rig->v.on_failure = on_failure;
	rig->cpu.vcpu = &rig->v;
	rig->cpu.on_system_event = on_system_event;
	rig->cpu.on_line = on_line;
	rig->kv = (struct kvm_vcpu){ .v = &rig->v,
				     .cpu = &rig->cpu,
				     .kvm = &rig->accel,
				     .fd = VCPU_FD,
				     .run = &rig->run,
				     .is_ours = true };
}

static void rig_free(void)
{
	kvm_host.vcpu_fini(&rig->kv);
	kvm_host.vm_fini(&rig->accel.vm);
	kvm_rounds_fini(&rig->accel.rounds);
	vcpu_fini(&rig->v);
	g_string_free(rig->calls, TRUE);
	g_string_free(rig->heard, TRUE);
	g_free(rig);
}
