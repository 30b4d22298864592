/* tests/unit/accel/kvm_chip_state_test.c - the states of interrupt chips go into the kernel and
 * come back the same, as does whether a vCPU is halted.  Skips where /dev/kvm does not open.
 * SPDX-License-Identifier: MIT */
#include "kvm_rig.h"

#include <string.h>

enum { ROUNDS = 50 };
/* Registers of a local APIC, by offset / 10h (SDM 3A table 11-1). */
enum {
	REG_ID = 2,
	REG_TPR = 8,
	REG_LDR = 0xd,
	REG_DFR,
	REG_SVR,
	REG_ISR,
	REG_TMR = 0x18,
	REG_IRR = 0x20,
	REG_ESR = 0x28,
	REG_LVT_TIMER = 0x32,
	REG_LVT_LINT0 = 0x35,
	REG_LVT_LINT1,
	REG_LVT_ERROR,
	REG_TIMER_COUNT,
	REG_TIMER_DIVIDE = 0x3e
};
enum { LVT_MASKED = 1 << 16, LVT_NMI = 4 << 8, LVT_DEADLINE = 2 << 17 };
enum { APIC_ENABLED = 1 << 8, DFR_FLAT = 0x0fffffff };

static uint32_t any(uint32_t mask) { return g_random_int() & mask; }

/* A vector that hardware takes: 16 and more. */
static uint32_t any_vector(void) { return 16 + any(127); }

static void test_local_apic(void)
{
	static const uint8_t same[] = { REG_TPR,       REG_LDR,       REG_DFR,
					REG_SVR,       REG_LVT_TIMER, REG_LVT_LINT0,
					REG_LVT_LINT1, REG_LVT_ERROR, REG_TIMER_DIVIDE };
	struct lapic_image a, b;

	for (unsigned round = 0; round < ROUNDS; round++) {
		g_assert_true(x86_kvm_lapic_get(rig_kv, &a));
		a.reg[REG_TPR] = any(0xf0);
		a.reg[REG_LDR] = any(0xff) << 24;
		a.reg[REG_DFR] = DFR_FLAT | any(1) * 0xf0000000;
		a.reg[REG_SVR] = any_vector() | APIC_ENABLED;
		a.reg[REG_LVT_TIMER] = any_vector() | LVT_MASKED;
		a.reg[REG_LVT_LINT0] = any_vector() | any(1) * LVT_MASKED;
		a.reg[REG_LVT_LINT1] = LVT_NMI | any(1) * LVT_MASKED;
		a.reg[REG_LVT_ERROR] = any_vector() | any(1) * LVT_MASKED;
		a.reg[REG_TIMER_DIVIDE] = any(0xb);
		for (unsigned i = 0; i < 8; i++) { /* a vector is in service, or waits */
			a.reg[REG_ISR + i] = 0;
			a.reg[REG_IRR + i] = i ? any(~0u) : any(~0u) & 0xffff0000;
			a.reg[REG_TMR + i] = 0;
		}
		a.reg[REG_ISR + 5] = 1u << any(31);
		g_assert_true(x86_kvm_lapic_set(rig_kv, &a));
		memset(&b, 0xee, sizeof(b));
		g_assert_true(x86_kvm_lapic_get(rig_kv, &b));
		for (unsigned i = 0; i < ARRAY_SIZE(same); i++)
			g_assert_cmphex(b.reg[same[i]], ==, a.reg[same[i]]);
		g_assert_cmpmem(b.reg + REG_ISR, 32, a.reg + REG_ISR, 32);
		g_assert_cmpmem(b.reg + REG_IRR, 32, a.reg + REG_IRR, 32);
		g_assert_cmphex(b.base, ==, a.base);
		g_assert_cmphex(b.reg[REG_ID], ==, a.reg[REG_ID]);
	}
}

static void test_io_apic(void)
{
	struct kvm_accel *k = rig_kv->kvm;
	struct ioapic_image a, b;

	for (unsigned round = 0; round < ROUNDS; round++) {
		memset(&a, 0, sizeof(a));
		a.id = (uint8_t)any(0xf);
		a.select = (uint8_t)any(0x3f);
		for (unsigned i = 0; i < PC_IOAPIC_PINS; i++) /* masked: nothing is sent */
			a.rte[i] = any_vector() | any(0xa000) | LVT_MASKED |
				   (uint64_t)any(0xff) << 56;
		g_assert_true(x86_kvm_ioapic_set(k, &a));
		memset(&b, 0xee, sizeof(b));
		g_assert_true(x86_kvm_ioapic_get(k, &b));
		g_assert_cmpuint(b.id, ==, a.id);
		g_assert_cmphex(b.select, ==, a.select);
		for (unsigned i = 0; i < PC_IOAPIC_PINS; i++)
			g_assert_cmphex(b.rte[i], ==, a.rte[i]);
	}
}

static void test_i8259s(void)
{
	struct kvm_accel *k = rig_kv->kvm;
	struct i8259_image a[2], b[2];

	for (unsigned round = 0; round < ROUNDS; round++) {
		memset(a, 0, sizeof(a));
		for (unsigned i = 0; i < 2; i++)
			a[i] = (struct i8259_image){ .isr = (uint8_t)any(0xff),
						     .imr = 0xff,
						     .elcr = (uint8_t)any(i ? 0xde : 0xf8),
						     .vector = (uint8_t)any(0xf8),
						     .init_step = (uint8_t)(any(1) ? 2 + any(1)
										   : 0),
						     .top = (uint8_t)any(7),
						     .has_icw4 = any(1),
						     .is_auto_eoi = any(1),
						     .is_special_nested = any(1),
						     .is_special_mask = any(1),
						     .is_rotating_aeoi = any(1),
						     .reads_isr = any(1),
						     .is_polled = any(1) };
		g_assert_true(x86_kvm_i8259_set(k, a));
		memset(b, 0xee, sizeof(b));
		g_assert_true(x86_kvm_i8259_get(k, b));
		for (unsigned i = 0; i < 2; i++) {
			g_assert_cmphex(b[i].isr, ==, a[i].isr);
			g_assert_cmphex(b[i].imr, ==, a[i].imr);
			g_assert_cmphex(b[i].elcr, ==, a[i].elcr);
			g_assert_cmphex(b[i].vector, ==, a[i].vector);
			g_assert_cmpuint(b[i].init_step, ==, a[i].init_step);
			g_assert_cmpuint(b[i].top, ==, a[i].top);
			g_assert_true(b[i].has_icw4 == a[i].has_icw4);
			g_assert_true(b[i].is_auto_eoi == a[i].is_auto_eoi);
			g_assert_true(b[i].is_special_nested == a[i].is_special_nested);
			g_assert_true(b[i].is_special_mask == a[i].is_special_mask);
			g_assert_true(b[i].is_rotating_aeoi == a[i].is_rotating_aeoi);
			g_assert_true(b[i].reads_isr == a[i].reads_isr);
			g_assert_true(b[i].is_polled == a[i].is_polled);
		}
	}
}

/* ---- 8254 ---- */

enum { SECOND_NS = 1000000000, PIT_TICK_NS = 838, SPEAKER_DATA = 2 };

static bool is_periodic(unsigned mode) { return mode == 2 || mode == 3; }

static struct i8254_image any_i8254(void)
{
	struct i8254_image a = { .control61 = (uint8_t)any(1 | SPEAKER_DATA) };

	for (unsigned i = 0; i < 3; i++) {
		a.ch[i].mode = (uint8_t)g_random_int_range(0, 6);
		a.ch[i].rw = (uint8_t)g_random_int_range(1, 4);
		a.ch[i].is_bcd = any(1);
		a.ch[i].gate = i < 2 || a.control61 & 1;
		a.ch[i].is_loaded = any(3);
		a.ch[i].has_status_latch = any(1);
		a.ch[i].status_latch = (uint8_t)any(0xff);
		a.ch[i].has_count_latch = any(1);
		a.ch[i].count_latch = (uint16_t)any(0xffff);
		a.ch[i].reads_msb = a.ch[i].rw == 3 && any(1);
		a.ch[i].is_msb_next = a.ch[i].rw == 3 && any(1);
		a.ch[i].write_low = (uint8_t)any(0xff);
		/* Long enough not to run out while we look. */
		a.ch[i].count = 40000 + any(0x3fff);
		a.ch[i].elapsed_ns = any(0xfff) * INT64_C(1000);
	}
	return a;
}

static void compare_channel(const struct i8254_image *a, const struct i8254_image *b, unsigned i)
{
	g_assert_cmpuint(b->ch[i].mode, ==, a->ch[i].mode);
	g_assert_cmpuint(b->ch[i].rw, ==, a->ch[i].rw);
	g_assert_true(b->ch[i].is_bcd == a->ch[i].is_bcd);
	g_assert_true(b->ch[i].gate == a->ch[i].gate);
	g_assert_true(b->ch[i].is_loaded == a->ch[i].is_loaded);
	g_assert_true(b->ch[i].has_status_latch == a->ch[i].has_status_latch);
	g_assert_cmphex(b->ch[i].status_latch, ==, a->ch[i].status_latch);
	g_assert_true(b->ch[i].has_count_latch == a->ch[i].has_count_latch);
	g_assert_cmphex(b->ch[i].count_latch, ==, a->ch[i].count_latch);
	g_assert_true(b->ch[i].reads_msb == a->ch[i].reads_msb);
	g_assert_true(b->ch[i].is_msb_next == a->ch[i].is_msb_next);
	g_assert_cmphex(b->ch[i].write_low, ==, a->ch[i].write_low);
}

/* Where it counts: a period begins anew, what comes once goes on from where it was. */
static void compare_count(const struct i8254_image *a, const struct i8254_image *b, unsigned i)
{
	int64_t left = a->ch[i].count - a->ch[i].elapsed_ns / PIT_TICK_NS;

	if (!a->ch[i].is_loaded)
		return;
	g_assert_cmpint(b->ch[i].elapsed_ns, >=, 0);
	g_assert_cmpint(b->ch[i].elapsed_ns, <, SECOND_NS);
	if (is_periodic(a->ch[i].mode)) {
		g_assert_cmpuint(b->ch[i].count, ==, a->ch[i].count);
		return;
	}
	g_assert_cmpint(b->ch[i].count, >=, left - 4);
	g_assert_cmpint(b->ch[i].count, <=, left + 4);
	if (i == 0) /* nobody knows: then not before its time */
		g_assert_cmpint(b->ch[i].elapsed_ns, ==, 0);
}

static void test_i8254(void)
{
	struct kvm_accel *k = rig_kv->kvm;
	struct i8254_image a, b;

	for (unsigned round = 0; round < 4 * ROUNDS; round++) {
		a = any_i8254();
		g_assert_true(x86_kvm_i8254_set(k, &a));
		memset(&b, 0xee, sizeof(b));
		g_assert_true(x86_kvm_i8254_get(k, &b));
		g_assert_cmphex(b.control61, ==, a.control61);
		for (unsigned i = 0; i < 3; i++) {
			compare_channel(&a, &b, i);
			compare_count(&a, &b, i);
		}
	}
}

/* One that comes once and has come: a guest that loads a new count must find the mode. */
static void test_i8254_that_has_run_out(void)
{
	struct kvm_accel *k = rig_kv->kvm;
	struct i8254_image a = any_i8254(), b;

	a.ch[0].mode = 0;
	a.ch[0].is_loaded = true;
	a.ch[0].elapsed_ns = SECOND_NS;
	g_assert_true(x86_kvm_i8254_set(k, &a));
	g_assert_true(x86_kvm_i8254_get(k, &b));
	compare_channel(&a, &b, 0);
	g_assert_cmpuint(b.ch[0].count, ==, 1);
}

/* The kernel's own, of which no image was told. */
static void test_i8254_as_it_was_made(void)
{
	struct kvm_accel *k = rig_kv->kvm;
	struct kvm_pit_config config = { .flags = KVM_PIT_SPEAKER_DUMMY };
	struct i8254_image a;

	g_assert_cmpint(kvm_ioctl(k->vm.fd, KVM_CREATE_PIT2, &config), >=, 0);
	g_assert_true(x86_kvm_i8254_get(k, &a));
	for (unsigned i = 0; i < 3; i++) {
		g_assert_false(a.ch[i].is_loaded);
		g_assert_true(a.ch[i].gate == (i < 2));
		g_assert_cmpuint(a.ch[i].count, ==, 65536);
	}
	g_assert_cmphex(a.control61, ==, 0);
}

/* ---- MSRs that the kernel refused ---- */

static unsigned asked;

static bool controller_reads(void *intc, uint32_t msr, uint64_t *value)
{
	(void)intc;
	(void)msr;
	*value = 0;
	asked++;
	return true;
}

static bool controller_writes(void *intc, uint32_t msr, uint64_t value)
{
	(void)intc;
	(void)msr;
	(void)value;
	asked++;
	return true;
}

/* The state is the kernel's, and so is the last word. */
static void test_msrs_that_the_kernel_refused(void)
{
	static const struct vcpu_intc_ops ops = { .read_msr = controller_reads,
						  .write_msr = controller_writes };
	static const uint32_t kernels[] = { 0x1b, 0x6e0, 0x80b, 0x830, 0xc0000080 };
	struct kvm_run *run = rig_kv->run;

	rig.v.intc_ops = &ops;
	asked = 0;
	for (unsigned i = 0; i < 2 * ARRAY_SIZE(kernels); i++) {
		run->msr.index = kernels[i / 2];
		run->msr.reason = KVM_MSR_EXIT_REASON_INVAL;
		run->msr.data = 0;
		run->msr.error = 0;
		x86_kvm_msr_exit(rig_kv, i & 1);
		g_assert_cmphex(run->msr.error, ==, 1);
	}
	g_assert_cmpuint(asked, ==, 0);
	/* One that it does not know, and we do: IA32_MISC_ENABLE. */
	run->msr.index = 0x1a0;
	run->msr.reason = KVM_MSR_EXIT_REASON_UNKNOWN;
	x86_kvm_msr_exit(rig_kv, false);
	g_assert_cmphex(run->msr.error, ==, 0);
	rig.v.intc_ops = NULL;
}

/* What the translator does not have, while it runs on for the kernel: read from the kernel as the
 * guest's own instruction would, written back, and never what is told of the kernel alone. */
static void test_msrs_that_only_the_kernel_has(void)
{
	enum { MISC_FEATURES = 0x140, VMX_BASIC = 0x480 };
	struct {
		uint32_t count, pad;
		struct kvm_msr_entry entry;
	} l = { .count = 1, .entry = { .index = MISC_FEATURES } };
	bool was_ours = rig_kv->is_ours;
	uint64_t v = 1;

	if (kvm_ioctl(rig_kv->fd, KVM_GET_MSRS, &l) != 1) {
		g_test_skip("this KVM has no MISC_FEATURES_ENABLES");
		return;
	}
	rig_kv->is_ours = true;
	g_assert_true(x86_msr_read(rig_kv->cpu, MISC_FEATURES, &v));
	g_assert_cmphex(v, ==, l.entry.data);
	g_assert_true(x86_msr_write(rig_kv->cpu, MISC_FEATURES, v));
	g_assert_false(x86_msr_read(rig_kv->cpu, VMX_BASIC, &v));
	g_assert_cmpuint(rig_kv->cpu->env.fault, !=, 0);
	rig_kv->cpu->env.fault = 0;
	/* The kernel was asked already by who runs there. */
	rig_kv->is_ours = false;
	g_assert_false(x86_msr_read(rig_kv->cpu, MISC_FEATURES, &v));
	rig_kv->cpu->env.fault = 0;
	rig_kv->is_ours = was_ours;
}

static void test_halted_and_waiting(void)
{
	struct err err = { 0 };

	for (unsigned i = 0; i < 12; i++) {
		rig.cpu->is_halted = i % 3 == 1;
		rig.cpu->wait_sipi = i % 3 == 2;
		if (!kvm_host.put(rig_kv, &err))
			g_error("%s", err.text);
		rig.cpu->is_halted = rig.cpu->wait_sipi = i & 1;
		if (!kvm_host.get(rig_kv, &err))
			g_error("%s", err.text);
		g_assert_true(rig.cpu->is_halted == (i % 3 == 1));
		g_assert_true(rig.cpu->wait_sipi == (i % 3 == 2));
	}
}

int main(int argc, char **argv)
{
	struct err err = { 0 };
	int status;

	g_test_init(&argc, &argv, NULL);
	if (!rig_begin("kvm,assist=off,kernel-irqchip=on", &err)) {
		g_print("1..0 # SKIP %s\n", err.text);
		return 0;
	}
	g_test_add_func("/accel/kvm/chips/lapic", test_local_apic);
	g_test_add_func("/accel/kvm/chips/ioapic", test_io_apic);
	g_test_add_func("/accel/kvm/chips/i8259", test_i8259s);
	g_test_add_func("/accel/kvm/chips/i8254_new", test_i8254_as_it_was_made);
	g_test_add_func("/accel/kvm/chips/i8254", test_i8254);
	g_test_add_func("/accel/kvm/chips/i8254_out", test_i8254_that_has_run_out);
	g_test_add_func("/accel/kvm/chips/msrs", test_msrs_that_the_kernel_refused);
	g_test_add_func("/accel/kvm/chips/other-msrs", test_msrs_that_only_the_kernel_has);
	g_test_add_func("/accel/kvm/chips/halted", test_halted_and_waiting);
	status = g_test_run();
	rig_end();
	return status;
}
