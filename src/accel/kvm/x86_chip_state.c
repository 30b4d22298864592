/* accel/kvm/x86_chip_state.c - states of the kernel's interrupt chips as images (cpu/pc_chips.h).
 *
 * What an image does not have stays the kernel's: masks of what may be set, versions.
 * Specification: api.rst 4.26, 4.57 (IRQCHIP, LAPIC), 4.71 (PIT2), <asm/kvm.h>.
 * SPDX-License-Identifier: MIT */
#include <string.h>
#include <time.h>

#include "accel/kvm/kvm.h"
#include "base/log.h"
#include "event/clock.h"

enum { MSR_TSC = 0x10, MSR_APIC_BASE = 0x1b, MSR_TSC_DEADLINE = 0x6e0 };
enum { REG_ID = 0x02, LVT_TIMER = 0x32, BASE_EXTD = 1 << 10 };
enum { PIT_HZ = 1193182, NS_PER_S = 1000000000 };
/* The kernel has no channel that waits for its first count: here that is one with a count that does
 * not end for an hour, because a mode that makes its timer stand would stay when the count comes.
 */
#define PIT_NO_COUNT 0xfffffffeu

static bool ask(int fd, unsigned long what, const void *arg, const char *name)
{
	int r = kvm_ioctl(fd, what, arg);

	if (r < 0)
		log_line("kvm: the kernel refuses to %s: %s", name, strerror(-r));
	return r >= 0;
}

/* ---- local APIC ---- */

struct apic_msrs { /* struct kvm_msrs with its entries */
	uint32_t count, pad;
	struct kvm_msr_entry entries[3];
};

static uint32_t *reg_at(struct kvm_lapic_state *s, unsigned n)
{
	return (uint32_t *)(void *)&s->regs[16 * n];
}

bool x86_kvm_lapic_get(struct kvm_vcpu *kv, struct lapic_image *image)
{
	struct apic_msrs m = { .count = 3,
			       .entries = { { .index = MSR_APIC_BASE },
					    { .index = MSR_TSC_DEADLINE },
					    { .index = MSR_TSC } } };
	struct kvm_lapic_state s = { 0 };
	uint64_t left;

	if (!ask(kv->fd, KVM_GET_LAPIC, &s, "tell a local APIC's state"))
		return false;
	/* After the registers: a deadline that has passed stays until it is told. */
	if (kvm_ioctl(kv->fd, KVM_GET_MSRS, &m) != 3) {
		log_line("kvm: vcpu %u: the kernel refuses to tell a local APIC's MSRs", kv->v->id);
		return false;
	}
	for (unsigned i = 0; i < ARRAY_SIZE(image->reg); i++)
		image->reg[i] = *reg_at(&s, i);
	image->base = m.entries[0].data;
	if (image->base & BASE_EXTD && !kv->kvm->chips.has_wide_ids)
		image->reg[REG_ID] >>= 24;
	image->deadline = m.entries[1].data;
	image->deadline_ns = vclock_now(kv->v->clock);
	if (image->deadline > m.entries[2].data) {
		left = image->deadline - m.entries[2].data;
		left = (uint64_t)((unsigned __int128)left * 1000000 / kv->kvm->tsc_khz);
		image->deadline_ns = left < (uint64_t)(INT64_MAX - image->deadline_ns)
					     ? image->deadline_ns + (int64_t)left
					     : INT64_MAX;
	}
	return true;
}

static bool set_msr(struct kvm_vcpu *kv, uint32_t msr, uint64_t value)
{
	struct apic_msrs m = { .count = 1, .entries = { { .index = msr, .data = value } } };

	if (kvm_ioctl(kv->fd, KVM_SET_MSRS, &m) == 1)
		return true;
	log_line("kvm: vcpu %u: the kernel refuses MSR 0x%x = 0x%llx", kv->v->id, msr,
		 (unsigned long long)value);
	return false;
}

bool x86_kvm_lapic_set(struct kvm_vcpu *kv, const struct lapic_image *image)
{
	struct kvm_lapic_state s = { 0 };

	if (!ask(kv->fd, KVM_GET_LAPIC, &s, "tell a local APIC's state"))
		return false;
	for (unsigned i = 0; i < ARRAY_SIZE(image->reg); i++)
		if (i != 0x03) /* the version */
			*reg_at(&s, i) = image->reg[i];
	if (image->base & BASE_EXTD && !kv->kvm->chips.has_wide_ids)
		*reg_at(&s, REG_ID) <<= 24;
	/* The old deadline must not be armed again by the registers. */
	return set_msr(kv, MSR_APIC_BASE, image->base) && set_msr(kv, MSR_TSC_DEADLINE, 0) &&
	       ask(kv->fd, KVM_SET_LAPIC, &s, "take a local APIC's state") &&
	       (!image->deadline || set_msr(kv, MSR_TSC_DEADLINE, image->deadline));
}

/* ---- I/O APIC ---- */

bool x86_kvm_ioapic_get(struct kvm_accel *k, struct ioapic_image *image)
{
	struct kvm_irqchip c = { .chip_id = KVM_IRQCHIP_IOAPIC };

	if (!ask(k->vm.fd, KVM_GET_IRQCHIP, &c, "tell the I/O APIC's state"))
		return false;
	*image = (struct ioapic_image){ .id = (uint8_t)c.chip.ioapic.id,
					.select = (uint8_t)c.chip.ioapic.ioregsel,
					.lines = c.chip.ioapic.irr };
	for (unsigned i = 0; i < ARRAY_SIZE(image->rte); i++)
		image->rte[i] = c.chip.ioapic.redirtbl[i].bits;
	return true;
}

bool x86_kvm_ioapic_set(struct kvm_accel *k, const struct ioapic_image *image)
{
	struct kvm_irqchip c = { .chip_id = KVM_IRQCHIP_IOAPIC };

	if (!ask(k->vm.fd, KVM_GET_IRQCHIP, &c, "tell the I/O APIC's state"))
		return false;
	c.chip.ioapic.id = image->id;
	c.chip.ioapic.ioregsel = image->select;
	c.chip.ioapic.irr = image->lines;
	for (unsigned i = 0; i < ARRAY_SIZE(image->rte); i++)
		c.chip.ioapic.redirtbl[i].bits = image->rte[i];
	return ask(k->vm.fd, KVM_SET_IRQCHIP, &c, "take the I/O APIC's state");
}

/* ---- 8259s ---- */

bool x86_kvm_i8259_get(struct kvm_accel *k, struct i8259_image *image)
{
	for (unsigned i = 0; i < 2; i++) {
		struct kvm_irqchip c = { .chip_id = i ? KVM_IRQCHIP_PIC_SLAVE
						      : KVM_IRQCHIP_PIC_MASTER };
		const struct kvm_pic_state *p = &c.chip.pic;

		if (!ask(k->vm.fd, KVM_GET_IRQCHIP, &c, "tell an 8259's state"))
			return false;
		image[i] = (struct i8259_image){
			.irr = p->irr,
			.isr = p->isr,
			.imr = p->imr,
			.lines = p->last_irr,
			.elcr = p->elcr,
			.vector = p->irq_base,
			.init_step = p->init_state ? p->init_state + 1 : 0,
			.top = p->priority_add,
			.has_icw4 = p->init4,
			.is_auto_eoi = p->auto_eoi,
			.is_special_nested = p->special_fully_nested_mode,
			.is_special_mask = p->special_mask,
			.is_rotating_aeoi = p->rotate_on_auto_eoi,
			.reads_isr = p->read_reg_select,
			.is_polled = p->poll,
		};
	}
	return true;
}

bool x86_kvm_i8259_set(struct kvm_accel *k, const struct i8259_image *image)
{
	for (unsigned i = 0; i < 2; i++) {
		struct kvm_irqchip c = { .chip_id = i ? KVM_IRQCHIP_PIC_SLAVE
						      : KVM_IRQCHIP_PIC_MASTER };
		struct kvm_pic_state *p = &c.chip.pic;

		if (!ask(k->vm.fd, KVM_GET_IRQCHIP, &c, "tell an 8259's state"))
			return false;
		p->irr = image[i].irr;
		p->isr = image[i].isr;
		p->imr = image[i].imr;
		p->last_irr = image[i].lines;
		p->elcr = image[i].elcr;
		p->irq_base = image[i].vector;
		p->init_state = image[i].init_step ? image[i].init_step - 1 : 0;
		p->priority_add = image[i].top;
		p->init4 = image[i].has_icw4;
		p->auto_eoi = image[i].is_auto_eoi;
		p->special_fully_nested_mode = image[i].is_special_nested;
		p->special_mask = image[i].is_special_mask;
		p->rotate_on_auto_eoi = image[i].is_rotating_aeoi;
		p->read_reg_select = image[i].reads_isr;
		p->poll = image[i].is_polled;
		if (!ask(k->vm.fd, KVM_SET_IRQCHIP, &c, "take an 8259's state"))
			return false;
	}
	return true;
}

/* ---- 8254 ---- */

static int64_t monotonic_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * (int64_t)NS_PER_S + t.tv_nsec;
}

static bool is_periodic(uint8_t mode) { return mode == 2 || mode == 3; }

/* Of channel 0 the kernel knows only what it was told here, not when the guest loaded it: of a
 * count that comes once it is better to tell the end late, or once more, than before its time. */
static int64_t elapsed_of(const struct kvm_pit_channel_state *c, unsigned i, int64_t now)
{
	if (i == 0 && !is_periodic(c->mode))
		return 0;
	return now > c->count_load_time ? now - c->count_load_time : 0;
}

/* Which byte comes next: 1 low only, 2 high only, 3 low of two, 4 high of two. */
static uint8_t byte_state(uint8_t rw, bool is_msb) { return rw == 3 && is_msb ? 4 : rw; }

bool x86_kvm_i8254_get(struct kvm_accel *k, struct i8254_image *image)
{
	struct kvm_pit_state2 s = { 0 };
	int64_t now;

	if (!ask(k->vm.fd, KVM_GET_PIT2, &s, "tell the 8254's state"))
		return false;
	now = monotonic_ns();
	*image = (struct i8254_image){ 0 };
	for (unsigned i = 0; i < 3; i++) {
		const struct kvm_pit_channel_state *c = &s.channels[i];

		bool is_idle = c->mode > 5 || !c->count || c->count > 65536;

		image->ch[i].is_loaded = !is_idle;
		image->ch[i].mode = c->mode <= 5 ? c->mode : 3;
		image->ch[i].rw = c->rw_mode & 3 ? c->rw_mode & 3 : 3;
		image->ch[i].is_bcd = c->bcd;
		image->ch[i].gate = c->gate;
		image->ch[i].has_count_latch = c->count_latched;
		image->ch[i].count_latch = c->latched_count;
		image->ch[i].has_status_latch = c->status_latched;
		image->ch[i].status_latch = c->status;
		image->ch[i].is_msb_next = c->write_state == 4;
		image->ch[i].write_low = c->write_latch;
		image->ch[i].reads_msb = c->count_latched ? c->rw_mode == 3 && c->count_latched == 2
							  : c->read_state == 4;
		image->ch[i].count = is_idle ? 65536 : c->count;
		image->ch[i].elapsed_ns = is_idle ? 0 : elapsed_of(c, i, now);
	}
	image->control61 = (uint8_t)(image->ch[2].gate |
				     (s.flags & KVM_PIT_FLAGS_SPEAKER_DATA_ON ? 2 : 0));
	return true;
}

/* What is left of a count that comes once: the kernel starts it from there.  Of one that has come,
 * as little as there can be: a channel's mode is known only while its timer runs. */
static uint32_t left_of(const struct i8254_image *image, unsigned i)
{
	uint64_t ticks = (uint64_t)((unsigned __int128)image->ch[i].elapsed_ns * PIT_HZ / NS_PER_S);

	if (!image->ch[i].is_loaded)
		return PIT_NO_COUNT;
	if (is_periodic(image->ch[i].mode))
		return image->ch[i].count;
	return ticks < image->ch[i].count ? image->ch[i].count - (uint32_t)ticks : 1;
}

bool x86_kvm_i8254_set(struct kvm_accel *k, const struct i8254_image *image)
{
	struct kvm_pit_state2 s = { 0 };
	int64_t now = monotonic_ns();

	if (!ask(k->vm.fd, KVM_GET_PIT2, &s, "tell the 8254's state"))
		return false;
	s.flags &= ~(uint32_t)KVM_PIT_FLAGS_SPEAKER_DATA_ON;
	if (image->control61 & 2)
		s.flags |= KVM_PIT_FLAGS_SPEAKER_DATA_ON;
	for (unsigned i = 0; i < 3; i++) {
		struct kvm_pit_channel_state *c = &s.channels[i];
		bool has_latch = image->ch[i].has_count_latch;

		*c = (struct kvm_pit_channel_state){
			.count = left_of(image, i),
			.latched_count = image->ch[i].count_latch,
			.status_latched = image->ch[i].has_status_latch,
			.status = image->ch[i].status_latch,
			.read_state = byte_state(image->ch[i].rw,
						 image->ch[i].reads_msb && !has_latch),
			.write_state = byte_state(image->ch[i].rw, image->ch[i].is_msb_next),
			.write_latch = image->ch[i].write_low,
			.rw_mode = image->ch[i].rw,
			.mode = image->ch[i].mode,
			.bcd = image->ch[i].is_bcd,
			.gate = image->ch[i].gate,
			.count_load_time = now,
		};
		if (has_latch)
			c->count_latched = image->ch[i].reads_msb ? 2 : image->ch[i].rw;
	}
	return ask(k->vm.fd, KVM_SET_PIT2, &s, "take the 8254's state");
}
