/* tests/unit/accel/kvm_arm64_state_test.c - registers, features, events and power of an arm64 vCPU,
 * with a kernel of our own.
 * SPDX-License-Identifier: MIT */
#include "kvm_arm64_rig.h"

/* ---- numbers ---- */

/* From the table in api.rst 4.68. */
static void test_core_registers_have_the_documented_numbers(void)
{
	static const struct {
		uint64_t id;
		size_t place;
		uint32_t bytes;
	} rows[] = {
		{ 0x6030000000100000, offsetof(struct arm_cpu, x[0]), 8 },
		{ 0x6030000000100002, offsetof(struct arm_cpu, x[1]), 8 },
		{ 0x603000000010003c, offsetof(struct arm_cpu, x[30]), 8 },
		{ 0x603000000010003e, offsetof(struct arm_cpu, sp[ARM_EL0]), 8 },
		{ 0x6030000000100040, offsetof(struct arm_cpu, pc), 8 },
		{ 0x6030000000100042, offsetof(struct arm_cpu, pstate), 8 },
		{ 0x6030000000100044, offsetof(struct arm_cpu, sp[ARM_EL1]), 8 },
		{ 0x6030000000100046, offsetof(struct arm_cpu, elr[ARM_EL1]), 8 },
		{ 0x6030000000100048, offsetof(struct arm_cpu, spsr[ARM_EL1]), 8 },
		{ 0x603000000010004a, offsetof(struct arm_cpu, spsr_abt), 8 },
		{ 0x603000000010004c, offsetof(struct arm_cpu, spsr_und), 8 },
		{ 0x603000000010004e, offsetof(struct arm_cpu, spsr_irq), 8 },
		{ 0x6030000000100050, offsetof(struct arm_cpu, spsr_fiq), 8 },
		{ 0x6040000000100054, offsetof(struct arm_cpu, z[0]), 16 },
		{ 0x6040000000100058, offsetof(struct arm_cpu, z[1]), 16 },
		{ 0x60400000001000d0, offsetof(struct arm_cpu, z[31]), 16 },
		{ 0x60200000001000d4, offsetof(struct arm_cpu, fpsr), 4 },
		{ 0x60200000001000d5, offsetof(struct arm_cpu, fpcr), 4 },
		/* SVE: 32 vectors, 16 predicates, the first-fault register */
		{ 0x6080000000150000, offsetof(struct arm_cpu, z[0]), 256 },
		{ 0x60800000001503e0, offsetof(struct arm_cpu, z[31]), 256 },
		{ 0x6050000000150400, offsetof(struct arm_cpu, p[0]), 32 },
		{ 0x60500000001505e0, offsetof(struct arm_cpu, p[15]), 32 },
		{ 0x6050000000150600, offsetof(struct arm_cpu, ffr), 32 },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		struct arm64_kvm_reg r;

		arm64_kvm_reg_place(rows[i].id, &r);
		g_assert_cmphex(r.place, ==, rows[i].place);
		g_assert_cmpuint(r.bytes, ==, rows[i].bytes);
		g_assert_false(r.is_const);
	}
}

static void test_unknown_numbers_have_no_place(void)
{
	static const uint64_t ids[] = {
		0x6030000000100001, /* the middle of X0 */
		0x6020000000100000, /* half of it */
		0x6030000000100052, /* behind the last SPSR */
		0x60200000001000d6, /* behind FPCR */
		0x6030000000138002, /* OSDTRRX_EL1: no row */
		0x6020000000110000, /* CCSIDR */
		0x6030000000140000, /* PSCI's version */
		0x6080000000150001, /* the second slice of Z0 */
		0x6050000000150620, /* behind the first-fault register */
		0x606000000015ffff, /* vector lengths */
	};

	for (unsigned i = 0; i < ARRAY_SIZE(ids); i++) {
		struct arm64_kvm_reg r;

		arm64_kvm_reg_place(ids[i], &r);
		g_assert_cmpint(r.place, ==, ARM64_KVM_NO_PLACE);
	}
}

static int place_of_sys(uint64_t id)
{
	struct arm64_kvm_reg r;

	arm64_kvm_reg_place(id, &r);
	return r.place < 0 ? -1 : (r.place - (int)offsetof(struct arm_cpu, sys)) / 8;
}

static void test_system_registers_are_found_by_encoding(void)
{
	char name[32];

	g_assert_cmpint(place_of_sys(0x603000000013c080), ==, ARM_SCTLR_EL1);
	g_assert_cmpint(place_of_sys(0x603000000013c005), ==, ARM_MPIDR_EL1);
	g_assert_cmpint(place_of_sys(0x603000000013df19), ==, ARM_CNTV_CTL_EL0);
	arm64_kvm_reg_name(0x603000000013c080, name, sizeof(name));
	g_assert_cmpstr(name, ==, "SCTLR_EL1");
	arm64_kvm_reg_name(0x6030000000100000, name, sizeof(name));
	g_assert_cmpstr(name, ==, "0x6030000000100000");
}

/* Of CNTV_CVAL_EL0 (3, 3, 14, 3, 2) and CNTVCT_EL0 (3, 3, 14, 0, 2) each has the other's number. */
static void test_the_virtual_timers_numbers_are_swapped(void)
{
	g_assert_cmphex(KVM_REG_ARM_TIMER_CVAL, ==, rig_sys(3, 3, 14, 0, 2));
	g_assert_cmpint(place_of_sys(KVM_REG_ARM_TIMER_CVAL), ==, ARM_CNTV_CVAL_EL0);
	g_assert_cmphex(KVM_REG_ARM_TIMER_CNT, ==, rig_sys(3, 3, 14, 3, 2));
	g_assert_cmpint(place_of_sys(KVM_REG_ARM_TIMER_CNT), ==, ARM_CNTVCT_EL0);
	g_assert_cmpint(place_of_sys(KVM_REG_ARM_PTIMER_CVAL), ==, ARM_CNTP_CVAL_EL0);
	g_assert_cmpint(place_of_sys(KVM_REG_ARM_PTIMER_CNT), ==, ARM_CNTPCT_EL0);
}

/* What the assembler makes of each name in MRS: data here, never run. */
extern const uint32_t assembled[];
__asm__(".pushsection .rodata\n"
	".arch armv8.6-a+sve+memtag+sme\n"
	".balign 4\n"
	".globl assembled\n"
	"assembled:\n"
#define ARM_SYS(name, op0, op1, crn, crm, op2, flags) "mrs x0, " #name "\n"
#include "arch/arm/sysregs.def"
#undef ARM_SYS
	".popsection\n");

static void test_encodings_are_the_assemblers(void)
{
	static const struct {
		const char *name;
		uint16_t encoding;
	} rows[] = {
#define ARM_SYS(name, op0, op1, crn, crm, op2, flags) \
	{ #name, op0 << 14 | op1 << 11 | crn << 7 | crm << 3 | op2 },
#include "arch/arm/sysregs.def"
#undef ARM_SYS
	};

	g_assert_cmpuint(ARRAY_SIZE(rows), ==, ARM_SYS_COUNT);
	for (unsigned i = 0; i < ARM_SYS_COUNT; i++)
		if (rows[i].encoding != (uint16_t)(assembled[i] >> 5))
			g_error("%s: 0x%x, the assembler has 0x%x", rows[i].name, rows[i].encoding,
				(uint16_t)(assembled[i] >> 5));
}

static void test_mpidr_has_sixteen_to_a_cluster(void)
{
	g_assert_cmphex(arm_mpidr(0), ==, 0x80000000);
	g_assert_cmphex(arm_mpidr(15), ==, 0x8000000f);
	g_assert_cmphex(arm_mpidr(16), ==, 0x80000100);
	g_assert_cmphex(arm_mpidr(511), ==, 0x80001f0f);
	g_assert_cmphex(arm_mpidr(0x1234), ==, 0x80012304);
}

/* ---- state ---- */

static void add_all_registers(void)
{
	uint64_t value = 0x1000;

	for (unsigned i = 0; i < 31; i++)
		rig_reg_add(0x6030000000100000 + 2 * i, value++);
	for (unsigned i = 0x3e; i <= 0x50; i += 2)
		rig_reg_add(0x6030000000100000 + i, value++);
	for (unsigned i = 0; i < 32; i++)
		rig_reg_add(0x6040000000100054 + 4 * i, value++);
	rig_reg_add(0x60200000001000d4, 1);
	rig_reg_add(0x60200000001000d5, 2);
#define ARM_SYS(name, op0, op1, crn, crm, op2, flags) \
	rig_reg_add(rig_sys(op0, op1, crn, crm, op2), value++);
#include "arch/arm/sysregs.def"
#undef ARM_SYS
	rig_reg_add(0x6030000000138002, value++); /* not in struct arm_cpu */
}

static void start(const char *expected)
{
	struct err err;

	if (!kvm_host.vcpu_init(&rig->kv, &err))
		g_error("%s", err.text);
	rig_expect(rig->calls, expected);
}

static void put(const char *expected)
{
	struct err err;

	if (!kvm_host.put(&rig->kv, &err))
		g_error("%s", err.text);
	rig->kv.is_ours = false;
	rig_expect(rig->calls, expected);
}

static void get(void)
{
	struct err err;

	if (!kvm_host.get(&rig->kv, &err))
		g_error("%s", err.text);
	rig->kv.is_ours = true;
	rig_expect(rig->calls, "");
}

static void test_a_new_vcpu_is_identified_by_the_kernel(void)
{
	rig_new();
	add_all_registers();
	rig->cpu.sys[ARM_SCTLR_EL1] = 5;
	start("init 5 4; list; ");
	g_assert_cmphex(rig->cpu.sys[ARM_MIDR_EL1], ==, rig_value(rig_sys(3, 0, 0, 0, 0)));
	g_assert_cmphex(rig->cpu.sys[ARM_SCTLR_EL1], ==, 5);
	rig_free();
}

static void test_state_goes_round(void)
{
	rig_new();
	add_all_registers();
	start("init 5 4; list; ");
	get();
	for (unsigned i = 0; i < 31; i++)
		g_assert_cmphex(rig->cpu.x[i], ==, 0x1000 + i);
	g_assert_cmphex(ld64_le(rig->cpu.z[31]), ==, rig_value(0x60400000001000d0));
	g_assert_cmphex(rig->cpu.fpcr, ==, 2);
	g_assert_cmphex(rig->cpu.sys[ARM_VBAR_EL1], ==, rig_value(rig_sys(3, 0, 12, 0, 0)));
	/* what was swapped */
	g_assert_cmphex(rig->cpu.sys[ARM_CNTV_CVAL_EL0], ==, rig_value(rig_sys(3, 3, 14, 0, 2)));
	put("");
	g_assert_cmpuint(rig->kv.count.pulls, ==, 1);
	g_assert_cmpuint(rig->kv.count.pushes, ==, 1);
	rig_free();
}

static void test_only_what_differs_is_told(void)
{
	rig_new();
	add_all_registers();
	start("init 5 4; list; ");
	get();
	rig->cpu.x[3]++;
	rig->cpu.z[2][15]++;
	rig->cpu.sys[ARM_TTBR1_EL1] = 77;
	put("set 6030000000100006; set 604000000010005c; set 603000000013c101; ");
	g_assert_cmphex(rig_value(0x603000000013c101), ==, 77);
	put("");
	/* Time that has gone on is not set back. */
	memset(rig_reg(KVM_REG_ARM_TIMER_CNT)->value, 0x11, 8);
	get();
	put("");
	rig_free();
}

static void test_constant_registers_are_read_once(void)
{
	unsigned first;

	rig_new();
	rig_reg_add(rig_sys(3, 0, 0, 0, 0), 1);
	rig_reg_add(0x6020000000110000, 1); /* CCSIDR */
	rig_reg_add(0x6030000000100000, 1);
	start("init 5 4; list; ");
	first = rig->gets;
	get();
	g_assert_cmpuint(rig->gets - first, ==, 1);
	rig_free();
}

static void test_an_unreadable_register_is_left_alone(void)
{
	rig_new();
	rig->refuses_get = rig_sys(3, 0, 5, 6, 0);
	rig_reg_add(rig->refuses_get, 1);
	rig_reg_add(0x6030000000100040, 0x8000);
	start("init 5 4; list; ");
	get();
	g_assert_cmphex(rig->cpu.pc, ==, 0x8000);
	rig->cpu.sys[ARM_TFSR_EL1] = 4;
	put("");
	rig_free();
}

static void test_a_refused_system_register_is_survived(void)
{
	struct err err;

	rig_new();
	rig->refuses_set = rig_sys(3, 0, 1, 0, 1);
	rig_reg_add(rig->refuses_set, 1);
	rig_reg_add(0x6030000000100040, 0);
	start("init 5 4; list; ");
	get();
	rig->cpu.sys[ARM_ACTLR_EL1] = 9;
	put("set 603000000013c081; ");
	put("");
	rig->refuses_set = 0x6030000000100040;
	rig->cpu.pc = 4;
	g_assert_false(kvm_host.put(&rig->kv, &err));
	g_assert_cmpstr(err.text, ==,
			"cannot set the vCPU's register 0x6030000000100040: Invalid argument");
	rig_free();
}

/* ---- features, power, events ---- */

static void test_features_are_asked_for_in_order(void)
{
	rig_new();
	rig_reg_add(0x6030000000100040, 0);
	rig->accel.sys.caps.sve = rig->accel.sys.caps.pmu_v3 = 1;
	rig->accel.sys.caps.ptrauth_address = rig->accel.sys.caps.ptrauth_generic = 1;
	rig->cpu.features = ARM_FEAT_SVE | ARM_FEAT_PMU | ARM_FEAT_PAUTH;
	rig->cpu.sve_lengths = 3;
	start("init 5 7c; set 606000000015ffff; finalize 4; list; ");
	rig_free();
}

static void test_a_feature_that_kvm_lacks_is_refused(void)
{
	struct err err;

	rig_new();
	rig->accel.sys.caps.ptrauth_address = 1;
	rig->cpu.features = ARM_FEAT_PAUTH;
	g_assert_false(kvm_host.vcpu_init(&rig->kv, &err));
	g_assert_cmpstr(err.text, ==,
			"CPU feature 'pauth': KVM on this host lacks KVM_CAP_ARM_PTRAUTH_ADDRESS "
			"and _GENERIC");
	rig_expect(rig->calls, "");
	rig_free();
}

static void test_secondaries_wait_to_be_switched_on(void)
{
	rig_new();
	rig_reg_add(0x6030000000100040, 0);
	rig->cpu.is_off = true;
	start("init 5 4; list; ");
	put("power 5; ");
	rig->mp_state = KVM_MP_STATE_RUNNABLE; /* PSCI CPU_ON */
	get();
	g_assert_false(rig->cpu.is_off);
	put("");
	rig_free();
}

static void test_a_reset_starts_the_kernels_registers_anew(void)
{
	const uint64_t mine = 0x6030000000138002;

	rig_new();
	rig_reg_add(0x6030000000100040, 0x8000);
	rig_reg_add(mine, 3);
	start("init 5 4; list; ");
	get();
	put("");
	atomic_store(&rig->v.inputs, VCPU_RESET | VCPU_INTR);
	g_assert_true(kvm_host.inputs(&rig->kv));
	rig_expect(rig->calls, "line 0=1; ");
	g_assert_true(rig->kv.is_ours);
	g_assert_cmphex(rig->cpu.pc, ==, 0);
	/* which drops interrupt inputs too */
	put("init 5 4; line 0=1; set 6030000000100040; ");
	g_assert_cmpuint(atomic_load(&rig->v.inputs), ==, VCPU_INTR);
	rig_free();
}

static void test_a_pending_serror_is_state(void)
{
	rig_new();
	rig_reg_add(0x6030000000100040, 0);
	rig->accel.sys.caps.serror_esr = 1;
	rig->events.exception.serror_pending = 1;
	rig->events.exception.serror_has_esr = 1;
	rig->events.exception.serror_esr = 0x1234;
	start("init 5 4; list; ");
	get();
	g_assert_true(rig->cpu.serror.is_pending);
	g_assert_cmphex(rig->cpu.serror.syndrome, ==, 0x1234);
	put("");
	rig->cpu.serror.is_pending = false;
	put("events; ");
	g_assert_cmpuint(rig->events.exception.serror_pending, ==, 0);
	g_assert_cmpuint(rig->events.exception.serror_has_esr, ==, 0);
	rig_free();
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
#define ADD(name) g_test_add_func("/kvm-arm64/state/" #name, test_##name)
	ADD(core_registers_have_the_documented_numbers);
	ADD(unknown_numbers_have_no_place);
	ADD(system_registers_are_found_by_encoding);
	ADD(the_virtual_timers_numbers_are_swapped);
	ADD(encodings_are_the_assemblers);
	ADD(mpidr_has_sixteen_to_a_cluster);
	ADD(a_new_vcpu_is_identified_by_the_kernel);
	ADD(state_goes_round);
	ADD(only_what_differs_is_told);
	ADD(constant_registers_are_read_once);
	ADD(an_unreadable_register_is_left_alone);
	ADD(a_refused_system_register_is_survived);
	ADD(features_are_asked_for_in_order);
	ADD(a_feature_that_kvm_lacks_is_refused);
	ADD(secondaries_wait_to_be_switched_on);
	ADD(a_reset_starts_the_kernels_registers_anew);
	ADD(a_pending_serror_is_state);
	return g_test_run();
}
