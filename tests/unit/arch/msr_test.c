/* tests/unit/arch/msr_test.c - the MSRs that the interrupt controller keeps: what it is handed.
 * SPDX-License-Identifier: MIT */
#include "sys_fixture.h"

enum { MSR_TSC = 0x10, MSR_APIC_BASE = 0x1b, MSR_TSC_DEADLINE = 0x6e0 };
#define NOW_NS INT64_C(5000000000)

/* The controller's side. */
struct fake_intc {
	uint64_t base, tsc;
	int64_t deadline_ns;
	unsigned writes;
};

static bool fake_read(void *intc, uint32_t msr, uint64_t *value)
{
	const struct fake_intc *f = intc;

	*value = msr == MSR_APIC_BASE ? f->base : f->tsc;
	return true;
}

static bool fake_write(void *intc, uint32_t msr, uint64_t value)
{
	struct fake_intc *f = intc;

	g_assert_cmphex(msr, ==, MSR_APIC_BASE);
	f->base = value;
	f->writes++;
	return true;
}

static void fake_set_deadline(void *intc, uint64_t tsc, int64_t deadline_ns)
{
	struct fake_intc *f = intc;

	f->tsc = tsc;
	f->deadline_ns = deadline_ns;
}

static const struct vcpu_intc_ops fake_ops = { .read_msr = fake_read,
					       .write_msr = fake_write,
					       .set_tsc_deadline = fake_set_deadline };

/* A vCPU at NOW_NS of a clock that stands still. */
static struct rig *msr_rig(struct fake_intc *f)
{
	struct rig *r = rig_new("max");

	*f = (struct fake_intc){ .deadline_ns = -1 };
	r->v.clock = vclock_new();
	vclock_set_manual(r->v.clock);
	vclock_set(r->v.clock, NOW_NS);
	r->v.intc_ops = &fake_ops;
	r->v.intc = f;
	rig_protected(r, 0);
	return r;
}

static void msr_rig_free(struct rig *r)
{
	vclock_free(r->v.clock);
	rig_free(r);
}

static int64_t deadline_of(struct rig *r, uint64_t tsc)
{
	const struct fake_intc *f = r->v.intc;

	g_assert_true(x86_msr_write(r->c, MSR_TSC_DEADLINE, tsc));
	g_assert_cmphex(f->tsc, ==, tsc);
	return f->deadline_ns;
}

static void test_apic_base_is_as_wide_as_addresses(void)
{
	struct fake_intc f;
	struct rig *r = msr_rig(&f);

	g_assert_true(x86_msr_write(r->c, MSR_APIC_BASE, 0xfee00800));
	g_assert_true(x86_msr_write(r->c, MSR_APIC_BASE, BIT(r->c->phys_bits - 1) | 0x800));
	g_assert_cmpuint(f.writes, ==, 2);
	g_assert_false(x86_msr_write(r->c, MSR_APIC_BASE, BIT(r->c->phys_bits) | 0x800));
	rig_fault(r, EXC_GP, 0);
	g_assert_cmpuint(f.writes, ==, 2);
	msr_rig_free(r);
}

static void test_deadlines_on_the_machines_clock(void)
{
	struct fake_intc f;
	struct rig *r = msr_rig(&f);

	g_assert_cmpint(deadline_of(r, NOW_NS + 700), ==, NOW_NS + 700);
	g_assert_cmpint(deadline_of(r, 1), ==, NOW_NS); /* has been */
	g_assert_cmpint(deadline_of(r, UINT64_MAX), ==, INT64_MAX);
	/* a TSC behind the clock */
	g_assert_true(x86_msr_write(r->c, MSR_TSC, 1000));
	g_assert_cmpint(r->c->tsc_offset, <, 0);
	g_assert_cmpint(deadline_of(r, 1700), ==, NOW_NS + 700);
	g_assert_cmpint(deadline_of(r, 999), ==, NOW_NS);
	g_assert_cmpint(deadline_of(r, BIT(63)), ==, INT64_MAX);
	g_assert_cmpint(deadline_of(r, UINT64_MAX), ==, INT64_MAX);
	/* and far ahead of it: the offset looks negative, the counter is not */
	g_assert_true(x86_msr_write(r->c, MSR_TSC, BIT(63) + 1000));
	g_assert_cmpint(deadline_of(r, BIT(63) + 1700), ==, NOW_NS + 700);
	g_assert_cmpint(deadline_of(r, 1700), ==, NOW_NS);
	msr_rig_free(r);
}

static void test_a_deadline_moves_with_the_tsc(void)
{
	struct fake_intc f;
	struct rig *r = msr_rig(&f);

	g_assert_cmpint(deadline_of(r, NOW_NS + 700), ==, NOW_NS + 700);
	g_assert_true(x86_msr_write(r->c, MSR_TSC, NOW_NS + 300));
	g_assert_cmpint(f.deadline_ns, ==, NOW_NS + 400);
	msr_rig_free(r);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/msr/apic-base", test_apic_base_is_as_wide_as_addresses);
	g_test_add_func("/msr/deadline", test_deadlines_on_the_machines_clock);
	g_test_add_func("/msr/deadline-moves", test_a_deadline_moves_with_the_tsc);
	return g_test_run();
}
