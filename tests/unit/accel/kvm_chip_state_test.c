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
		g_assert_true(x86_kvm_lapic_get(rig.kv, &a));
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
		g_assert_true(x86_kvm_lapic_set(rig.kv, &a));
		memset(&b, 0xee, sizeof(b));
		g_assert_true(x86_kvm_lapic_get(rig.kv, &b));
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
	struct kvm_accel *k = rig.kv->kvm;
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
	struct kvm_accel *k = rig.kv->kvm;
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

static void test_halted_and_waiting(void)
{
	struct err err = { 0 };

	for (unsigned i = 0; i < 12; i++) {
		rig.cpu->is_halted = i % 3 == 1;
		rig.cpu->wait_sipi = i % 3 == 2;
		if (!kvm_host.put(rig.kv, &err))
			g_error("%s", err.text);
		rig.cpu->is_halted = rig.cpu->wait_sipi = i & 1;
		if (!kvm_host.get(rig.kv, &err))
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
	if (!rig_begin("on", &err)) {
		g_print("1..0 # SKIP %s\n", err.text);
		return 0;
	}
	g_test_add_func("/accel/kvm/chips/lapic", test_local_apic);
	g_test_add_func("/accel/kvm/chips/ioapic", test_io_apic);
	g_test_add_func("/accel/kvm/chips/i8259", test_i8259s);
	g_test_add_func("/accel/kvm/chips/halted", test_halted_and_waiting);
	status = g_test_run();
	rig_end();
	return status;
}
