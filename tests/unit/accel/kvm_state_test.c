/* tests/unit/accel/kvm_state_test.c - a vCPU's state goes into the kernel and comes back the same;
 * what the kernel refuses is told.  Skips where /dev/kvm does not open.
 * SPDX-License-Identifier: MIT */
#include "kvm_rig.h"

#include <inttypes.h>
#include <stddef.h>
#include <string.h>

#include "arch/x86/cpuid.h"
#include "arch/x86/sys.h"

enum { ROUNDS = 100, TSC_SAME = 1 << 20 };

static char *failure;
static bool has_tsc; /* the cycle counter can be set */

static uint64_t any(void) { return (uint64_t)g_random_int() << 32 | g_random_int(); }
static uint64_t any_address(void) { return (uint64_t)((int64_t)any() >> 16); } /* canonical */
static bool any_bool(void) { return g_random_boolean(); }

/* ---- what is compared ---- */

enum group { REGS, SREGS, XSAVE, DEBUG, MSRS, EVENTS, GROUP_COUNT };

#define STATE(group, f)                                                                  \
	{                                                                                \
		group, #f, offsetof(struct x86_cpu, f), sizeof(((struct x86_cpu *)0)->f) \
	}
static const struct {
	enum group group;
	const char *name;
	size_t offset, size;
} fields[] = {
	STATE(REGS, gpr),
	STATE(REGS, env.pc),
	STATE(REGS, rflags),
	STATE(SREGS, seg[SEG_ES]),
	STATE(SREGS, seg[SEG_CS]),
	STATE(SREGS, seg[SEG_SS]),
	STATE(SREGS, seg[SEG_DS]),
	STATE(SREGS, seg[SEG_FS]),
	STATE(SREGS, seg[SEG_GS]),
	STATE(SREGS, seg[SEG_LDT]),
	STATE(SREGS, seg[SEG_TR]),
	STATE(SREGS, gdtr.base),
	STATE(SREGS, gdtr.limit),
	STATE(SREGS, idtr.base),
	STATE(SREGS, idtr.limit),
	STATE(SREGS, cr0),
	STATE(SREGS, cr2),
	STATE(SREGS, cr3),
	STATE(SREGS, cr4),
	STATE(SREGS, efer),
	STATE(SREGS, pdpte),
	STATE(XSAVE, xcr0),
	STATE(XSAVE, fcw),
	STATE(XSAVE, fsw),
	STATE(XSAVE, ftop),
	STATE(XSAVE, ftag),
	STATE(XSAVE, fop),
	STATE(XSAVE, fip),
	STATE(XSAVE, fdp),
	STATE(XSAVE, fpr[0].frac),
	STATE(XSAVE, fpr[0].sexp),
	STATE(XSAVE, fpr[7].frac),
	STATE(XSAVE, fpr[7].sexp),
	STATE(XSAVE, mxcsr),
	STATE(XSAVE, ymm),
	STATE(DEBUG, dr),
	STATE(MSRS, msr_star),
	STATE(MSRS, msr_lstar),
	STATE(MSRS, msr_cstar),
	STATE(MSRS, msr_fmask),
	STATE(MSRS, msr_kernel_gs_base),
	STATE(MSRS, msr_sysenter_cs),
	STATE(MSRS, msr_sysenter_esp),
	STATE(MSRS, msr_sysenter_eip),
	STATE(MSRS, msr_pat),
	STATE(MSRS, msr_tsc_aux),
	STATE(MSRS, msr_mtrr_def_type),
	STATE(MSRS, msr_mtrr_fixed),
	STATE(MSRS, msr_mtrr_phys),
	STATE(MSRS, msr_mcg_status),
	STATE(MSRS, msr_mcg_ctl),
	STATE(MSRS, msr_tsc_adjust),
	STATE(MSRS, msr_kvm_wall_clock),
	STATE(MSRS, msr_kvm_system_time),
	STATE(EVENTS, exc.vector),
	STATE(EVENTS, exc.has_error),
	STATE(EVENTS, exc.error),
	STATE(EVENTS, env.fault),
	STATE(EVENTS, taken.is_pending),
	STATE(EVENTS, taken.is_nmi),
	STATE(EVENTS, taken.vector),
	STATE(EVENTS, nmi_blocked),
	STATE(EVENTS, in_shadow),
};

static void compare(const struct x86_cpu *want, const struct x86_cpu *got)
{
	int64_t late = got->tsc_offset - want->tsc_offset;

	for (unsigned i = 0; i < ARRAY_SIZE(fields); i++) {
		const uint8_t *a = (const uint8_t *)want + fields[i].offset;
		const uint8_t *b = (const uint8_t *)got + fields[i].offset;

		for (size_t at = 0; at < fields[i].size; at++)
			if (a[at] != b[at])
				g_error("%s: byte %zu: 0x%02x went in, 0x%02x came out",
					fields[i].name, at, a[at], b[at]);
	}
	if (!has_tsc)
		return;
	if (late < -TSC_SAME || late > TSC_SAME)
		g_error("the cycle counter is %" PRId64 " off", late);
}

/* What was in the fields before is no help. */
static void spoil(struct x86_cpu *c)
{
	for (unsigned i = 0; i < ARRAY_SIZE(fields); i++)
		memset((uint8_t *)c + fields[i].offset, 0, fields[i].size);
	c->tsc_offset = 0;
}

/* ---- states ---- */

enum mode { REAL, V86, PROT32, PAE, COMPAT, LONG, MODE_COUNT };

static struct x86_seg segment(unsigned attr)
{
	return (struct x86_seg){ .sel = (uint16_t)(any() & ~UINT64_C(7)),
				 .attr = (uint16_t)attr,
				 .limit = attr & SEG_ATTR_G ? UINT32_MAX : 0xffff,
				 .base = (uint32_t)any() };
}

static void random_segments(struct x86_cpu *c, enum mode mode)
{
	unsigned dpl = mode == V86 ? 3 : 0;
	unsigned common = SEG_ATTR_P | SEG_ATTR_S | SEG_ATTR_A | SEG_ATTR_RW | dpl << 5;
	unsigned size = mode == REAL || mode == V86 ? 0 : SEG_ATTR_DB | SEG_ATTR_G;
	unsigned code = common | size | (mode == V86 ? 0 : SEG_ATTR_CODE);

	for (unsigned i = 0; i <= SEG_GS; i++) {
		c->seg[i] = segment(common | size);
		if (mode == V86)
			c->seg[i].base = (uint32_t)c->seg[i].sel << 4;
	}
	if (mode == LONG)
		code = (code & ~(unsigned)SEG_ATTR_DB) | SEG_ATTR_L;
	c->seg[SEG_CS].attr = (uint16_t)code;
	if (mode == LONG || mode == COMPAT)
		c->seg[SEG_FS].base = any_address();
	c->seg[SEG_LDT] = segment(SEG_ATTR_P | 2);
	c->seg[SEG_TR] = segment(SEG_ATTR_P | 11);
	c->gdtr = (struct x86_table){ .base = (uint32_t)any(), .limit = (uint16_t)any() };
	c->idtr = (struct x86_table){ .base = (uint32_t)any(), .limit = (uint16_t)any() };
}

static void random_control(struct x86_cpu *c, enum mode mode)
{
	bool is_long = mode == LONG || mode == COMPAT;

	c->cr0 = CR0_ET | CR0_NE | (mode == REAL ? 0 : CR0_PE);
	c->cr0 |= (mode == V86 || mode == PAE || is_long ? (uint64_t)CR0_PG | CR0_WP : 0);
	c->cr0 |= any_bool() ? CR0_TS : 0;
	c->cr2 = is_long ? any() : (uint32_t)any();
	c->cr3 = 0x2000;
	c->cr4 = (mode == PAE || is_long ? CR4_PAE : 0) | CR4_OSFXSR | CR4_OSXSAVE;
	if (!x86_has(c, X86_FEAT_XSAVE))
		c->cr4 &= ~(uint64_t)CR4_OSXSAVE;
	c->efer = EFER_SCE | (is_long ? EFER_LME | EFER_LMA : 0) | (any_bool() ? EFER_NXE : 0);
	for (unsigned i = 0; i < 4; i++)
		c->pdpte[i] = mode == PAE ? (any() & 0xf000) | 1 : 0;
}

static void random_fpu(struct x86_cpu *c)
{
	c->fcw = (uint16_t)(any() & 0xf3f) | 0x40;
	c->fsw = (uint16_t)any() & 0x477f;
	if (c->fsw & ~c->fcw & 0x3f)
		c->fsw |= 0x8080; /* B, ES: one of them is not masked */
	c->ftop = any() & 7;
	c->ftag = (uint8_t)any();
	c->fop = any() & 0x7ff;
	c->fcs = c->fds = 0;
	c->fip = any_address();
	c->fdp = any_address();
	for (unsigned i = 0; i < 8; i++) {
		c->fpr[i].frac = any();
		c->fpr[i].sexp = (uint16_t)any();
	}
	c->mxcsr = any() & 0xffbf;
	for (unsigned i = 0; i < sizeof(c->ymm); i++)
		((uint8_t *)c->ymm)[i] = i % 32 < 16 || x86_has(c, X86_FEAT_AVX) ? (uint8_t)any()
										 : 0;
	c->xcr0 = XCR0_X87;
	if (x86_has(c, X86_FEAT_XSAVE))
		c->xcr0 |= XCR0_SSE | (x86_has(c, X86_FEAT_AVX) ? XCR0_AVX : 0);
}

static uint64_t memory_types(bool is_pat)
{
	static const uint8_t types[] = { 0, 1, 4, 5, 6, 7 };
	uint64_t v = 0;

	for (unsigned i = 0; i < 8; i++)
		v = v << 8 | types[any() % (ARRAY_SIZE(types) - !is_pat)];
	return v;
}

static void random_msrs(struct x86_cpu *c)
{
	c->msr_star = any();
	c->msr_lstar = any_address();
	c->msr_cstar = any_address();
	c->msr_fmask = (uint32_t)any();
	c->msr_kernel_gs_base = any_address();
	c->msr_sysenter_cs = (uint16_t)any();
	c->msr_sysenter_esp = any_address();
	c->msr_sysenter_eip = any_address();
	c->msr_pat = memory_types(true);
	c->msr_tsc_aux = x86_has(c, X86_FEAT_RDTSCP) ? (uint32_t)any() : 0;
	c->msr_mtrr_def_type = 0xc00 | (any_bool() ? 6 : 0);
	for (unsigned i = 0; i < ARRAY_SIZE(c->msr_mtrr_fixed); i++)
		c->msr_mtrr_fixed[i] = memory_types(false);
	for (unsigned i = 0; i < ARRAY_SIZE(c->msr_mtrr_phys); i++)
		c->msr_mtrr_phys[i] = (any() & 0xfffff000) | (i % 2 ? 0x800 : 6);
	c->msr_mcg_status = x86_has(c, X86_FEAT_MCA) ? any() & 7 : 0;
	c->msr_mcg_ctl = x86_has(c, X86_FEAT_MCA) && any_bool() ? UINT64_MAX : 0;
	c->msr_tsc_adjust = x86_has(c, X86_FEAT_TSC_ADJUST) ? any() >> 20 : 0;
	c->msr_kvm_wall_clock = c->msr_kvm_system_time = 0;
	if (x86_has(c, X86_FEAT_KVMCLOCK)) {
		c->msr_kvm_wall_clock = 0x1000 * (1 + any() % 8);
		c->msr_kvm_system_time = 0x1000 * (1 + any() % 8) | (any() & 1);
	}
	/* Far apart: kernels take what is within a second of the last for an attempt at the same.
	 */
	c->tsc_offset = ((int64_t)(any() % 16) - 8) * (INT64_C(1) << 38);
}

static void random_events(struct x86_cpu *c)
{
	memset(&c->exc, 0, sizeof(c->exc));
	memset(&c->taken, 0, sizeof(c->taken));
	c->env.fault = 0;
	c->nmi_blocked = any_bool();
	c->in_shadow = rig_kv->kvm->sys.caps.intr_shadow && any_bool();
	c->shadow_is_mov_ss = false;
	switch (any() % 4) {
	case 0:
		c->env.fault = 1;
		c->exc.vector = EXC_PF;
		c->exc.has_error = true;
		c->exc.error = any() & 7;
		break;
	case 1:
		c->env.fault = 1;
		c->exc.vector = EXC_UD;
		break;
	case 2:
		c->taken.is_pending = true;
		c->taken.vector = (uint8_t)(32 + any() % 200);
		break;
	case 3:
		c->taken.is_pending = c->taken.is_nmi = true;
		c->taken.vector = EXC_NMI;
		break;
	}
}

static bool has_mode(enum mode mode)
{
	return !rig_kv->kvm->is_lossy || (mode != V86 && mode != PAE);
}

static void random_state(struct x86_cpu *c, enum mode mode)
{
	if (!has_mode(mode))
		mode = LONG;
	for (unsigned i = 0; i < 16; i++)
		c->gpr[i] = any();
	c->env.pc = mode == LONG ? any_address() : (uint16_t)any();
	c->rflags = (uint32_t)(any() & 0x247ed5) | FL_ONE;
	c->rflags = mode == V86 ? c->rflags | FL_VM | FL_IOPL : c->rflags;
	random_segments(c, mode);
	random_control(c, mode);
	random_fpu(c);
	for (unsigned i = 0; i < 4; i++)
		c->dr[i] = any_address();
	c->dr[6] = 0xffff0ff0 | (any() & 0xe00f);
	c->dr[7] = 0x400 | (any() & 0xffff00ff);
	random_msrs(c);
	random_events(c);
	x86_mode_update(c);
}

/* ---- there and back ---- */

static void put(void)
{
	struct err err = { 0 };

	if (!x86_kvm_put(rig_kv, &err))
		g_error("%s", err.text);
	rig_kv->is_ours = false;
}

static void get(void)
{
	struct err err = { 0 };

	if (!x86_kvm_get(rig_kv, &err))
		g_error("%s", err.text);
	rig_kv->is_ours = true;
}

static void test_all_state_comes_back(void)
{
	g_autofree struct x86_cpu *a = g_new(struct x86_cpu, 1), *b = g_new(struct x86_cpu, 1);

	for (unsigned i = 0; i < ROUNDS; i++) {
		random_state(rig.cpu, i % MODE_COUNT);
		*a = *rig.cpu;
		put();
		spoil(rig.cpu);
		get();
		compare(a, rig.cpu);
		/* another in its place, and back */
		random_state(rig.cpu, any() % MODE_COUNT);
		*b = *rig.cpu;
		put();
		spoil(rig.cpu);
		get();
		compare(b, rig.cpu);
		*rig.cpu = *a;
		put();
		spoil(rig.cpu);
		get();
		compare(a, rig.cpu);
	}
}

/* The kernel's own changes are seen, and put right. */
static void test_what_the_kernel_changes_is_put_back(void)
{
	g_autofree struct x86_cpu *a = g_new(struct x86_cpu, 1);
	struct kvm_regs regs = { .rflags = 2 };
	struct kvm_debugregs debug = { .dr6 = 0xffff0ff0, .dr7 = 0x400 };
	struct kvm_sregs sregs = { 0 };

	random_state(rig.cpu, LONG);
	*a = *rig.cpu;
	put();
	for (unsigned i = 0; i < 16; i++)
		((uint64_t *)(void *)&regs)[i] = any();
	g_assert_cmpint(kvm_ioctl(rig_kv->fd, KVM_SET_REGS, &regs), >=, 0);
	g_assert_cmpint(kvm_ioctl(rig_kv->fd, KVM_SET_DEBUGREGS, &debug), >=, 0);
	g_assert_cmpint(kvm_ioctl(rig_kv->fd, KVM_GET_SREGS, &sregs), >=, 0);
	sregs.cr2 = ~a->cr2;
	sregs.fs.base = 0x1234;
	g_assert_cmpint(kvm_ioctl(rig_kv->fd, KVM_SET_SREGS, &sregs), >=, 0);
	get();
	g_assert_cmphex(rig.cpu->cr2, ==, ~a->cr2);
	g_assert_cmphex(rig.cpu->seg[SEG_FS].base, ==, 0x1234);
	g_assert_cmphex(rig.cpu->gpr[RAX], ==, regs.rax);
	g_assert_cmphex(rig.cpu->dr[7], ==, 0x400);
	*rig.cpu = *a;
	put();
	spoil(rig.cpu);
	get();
	compare(a, rig.cpu);
}

/* ---- KVM's clock ---- */

static uint64_t kvm_clock(void)
{
	struct kvm_clock_data data = { 0 };

	g_assert_cmpint(kvm_ioctl(rig_kv->kvm->vm.fd, KVM_GET_CLOCK, &data), >=, 0);
	return data.clock;
}

/* It stands while the machine does. */
static void test_the_clock_stands(void)
{
	enum { STOP_MS = 60 };
	struct kvm_clock_data data = { .clock = UINT64_C(5000000000) };
	struct vclock *clock = (struct vclock *)(uintptr_t)rig.v.clock;
	uint64_t before, ran, stood;

	if (!rig_kv->kvm->sys.caps.adjust_clock || !x86_has(rig.cpu, X86_FEAT_KVMCLOCK)) {
		g_test_skip("this kernel has no such clock");
		return;
	}
	g_assert_cmpint(kvm_ioctl(rig_kv->kvm->vm.fd, KVM_SET_CLOCK, &data), >=, 0);
	vclock_start(clock);
	x86_kvm_clock_resume(rig_kv);
	before = kvm_clock();
	g_usleep(STOP_MS * 1000);
	x86_kvm_clock_resume(rig_kv);
	ran = kvm_clock();
	g_assert_cmpuint(ran - before, >=, STOP_MS * UINT64_C(1000000));
	vclock_stop(clock);
	g_usleep(STOP_MS * 1000);
	vclock_start(clock);
	stood = kvm_clock();
	x86_kvm_clock_resume(rig_kv);
	g_assert_cmpuint(kvm_clock() + STOP_MS * UINT64_C(900000), <, stood + STOP_MS * 500000);
	vclock_stop(clock);
}

static void test_the_clock_can_be_hidden(void)
{
	struct x86_cpu c = { .vcpu = &rig.v };
	g_autofree char *warnings = NULL, *more = NULL;
	struct err err = { 0 };
	uint32_t out[4];

	g_assert_true(x86_cpuid_init(&c, "max,kvmclock=off", &warnings, &err));
	g_assert_true(x86_kvm_cpuid_restrict(rig_kv->kvm, &c, &more, &err));
	g_assert_false(x86_has(&c, X86_FEAT_KVMCLOCK));
	x86_cpuid(&c, 0x40000001, 0, out);
	g_assert_cmphex(out[0] & 9, ==, 0);
	x86_cpuid(&c, 0x40000000, 0, out);
	g_assert_cmpmem(&out[1], 12, "KVMKVMKVM\0\0\0", 12);
	g_clear_pointer(&warnings, g_free);
	g_clear_pointer(&more, g_free);
	for (unsigned i = 0; i < 2; i++) {
		g_assert_true(x86_cpuid_init(&c, i ? "max,-kvm" : "max,kvm=off", &warnings, &err));
		g_assert_true(x86_kvm_cpuid_restrict(rig_kv->kvm, &c, &more, &err));
		x86_cpuid(&c, 0x40000000, 0, out);
		g_assert_cmphex(out[0] | out[1] | out[2] | out[3], ==, 0);
		x86_cpuid(&c, 0x40000001, 0, out);
		g_assert_cmphex(out[0], ==, 0);
		g_clear_pointer(&warnings, g_free);
		g_clear_pointer(&more, g_free);
	}
	g_free(c.feat);
}

/* ---- hostile values ---- */

static void no_paging_extensions(struct x86_cpu *c) { c->cr4 &= ~(uint64_t)CR4_PAE; }
static void reserved_cr4(struct x86_cpu *c) { c->cr4 |= BIT(31); }
static void not_active(struct x86_cpu *c) { c->efer &= ~(uint64_t)EFER_LMA; }
static void high_dr7(struct x86_cpu *c) { c->dr[7] |= BIT(40); }
static void high_dr6(struct x86_cpu *c) { c->dr[6] |= BIT(33); }
static void no_x87(struct x86_cpu *c) { c->xcr0 = XCR0_SSE; }
static void avx_alone(struct x86_cpu *c) { c->xcr0 = XCR0_X87 | XCR0_AVX; }
static void reserved_mxcsr(struct x86_cpu *c) { c->mxcsr = 0x80000000; }
static void no_such_exception(struct x86_cpu *c)
{
	c->env.fault = 1;
	c->exc.vector = 40;
}

static const struct {
	const char *name, *word;
	void (*spoil)(struct x86_cpu *c);
} hostile[] = {
	{ "long mode without PAE", "system registers", no_paging_extensions },
	{ "reserved bit of CR4", "system registers", reserved_cr4 },
	{ "long mode that is not active", "system registers", not_active },
	{ "DR7 beyond 32 bits", "debug registers", high_dr7 },
	{ "DR6 beyond 32 bits", "debug registers", high_dr6 },
	{ "XCR0 without x87", "XCR0", no_x87 },
	{ "XCR0 with AVX but not SSE", "XCR0", avx_alone },
	{ "reserved bit of MXCSR", "extended state", reserved_mxcsr },
	{ "exception 40", "events", no_such_exception },
};

static void test_hostile_values_are_refused(void)
{
	g_autofree struct x86_cpu *good = g_new(struct x86_cpu, 1);
	bool was = rig_kv->kvm->is_lossy;

	rig_kv->kvm->is_lossy = false; /* it is the kernel that is asked */
	random_state(rig.cpu, LONG);
	*good = *rig.cpu;
	put();
	get();
	for (unsigned i = 0; i < ARRAY_SIZE(hostile); i++) {
		struct err err = { 0 };

		if (!x86_has(rig.cpu, X86_FEAT_XSAVE) && !strcmp(hostile[i].word, "XCR0"))
			continue;
		*rig.cpu = *good;
		hostile[i].spoil(rig.cpu);
		if (x86_kvm_put(rig_kv, &err))
			g_error("%s: accepted", hostile[i].name);
		if (!strstr(err.text, hostile[i].word))
			g_error("%s: '%s' does not name the %s", hostile[i].name, err.text,
				hostile[i].word);
		/* ... and what is right is taken again. */
		*rig.cpu = *good;
		put();
		spoil(rig.cpu);
		get();
		compare(good, rig.cpu);
	}
	rig_kv->kvm->is_lossy = was;
}

/* States that the kernel would drop without a word are refused by us. */
static void test_what_would_be_dropped_is_refused(void)
{
	struct err err = { 0 };
	struct kvm_accel *k = rig_kv->kvm;
	bool was = k->is_lossy;

	random_state(rig.cpu, LONG);
	put();
	get();
	k->is_lossy = false; /* for random_state() */
	random_state(rig.cpu, PAE);
	k->is_lossy = true;
	g_assert_false(x86_kvm_put(rig_kv, &err));
	g_assert_nonnull(strstr(err.text, "no paging outside long mode"));
	rig.cpu->rflags |= FL_VM;
	g_assert_false(x86_kvm_put(rig_kv, &err));
	g_assert_nonnull(strstr(err.text, "no virtual-8086 mode"));
	random_state(rig.cpu, LONG);
	put();
	get();
	k->is_lossy = was;
}

static void on_failure(struct vcpu *v, const char *text)
{
	(void)v;
	g_free(failure);
	failure = g_strdup(text);
}

/* The vCPU is parked, with a text; nothing aborts. */
static void test_a_hostile_state_stops_the_vcpu(void)
{
	struct err err = { 0 };

	random_state(rig.cpu, LONG);
	reserved_cr4(rig.cpu);
	rig.v.on_failure = on_failure;
	g_assert_true(vcpu_start_thread(&rig.v, &err));
	vcpu_resume(&rig.v);
	for (unsigned ms = 0; ms < 5000 && !__atomic_load_n(&failure, __ATOMIC_SEQ_CST); ms++)
		g_usleep(1000);
	vcpu_pause(&rig.v);
	vcpu_end_thread(&rig.v);
	g_assert_nonnull(failure);
	g_assert_nonnull(strstr(failure, "cannot set the vCPU's system registers"));
}

/* Of us, who are not a guest, the kernel takes and gives more than it would of one. */
static void test_msrs_that_a_guest_is_refused(void)
{
	uint64_t v;

	random_state(rig.cpu, LONG);
	put();
	get();
	/* The translator's own: 57 bits are for processors that have them. */
	g_assert_false(x86_msr_write(rig.cpu, 0xc0000082, BIT(47)));
	/* Not without VMX and the like, unless it has been locked. */
	if (x86_msr_read(rig.cpu, 0x3a, &v))
		g_assert_cmphex(v & 1, ==, 1);
	rig.cpu->env.fault = 0;
}

/* There are kernels that take it without a word, and stay where they were. */
static bool can_set_tsc(void)
{
	const uint64_t far = BIT(50);
	struct {
		uint32_t count, pad;
		struct kvm_msr_entry entry;
	} l = { .count = 1, .entry = { .index = 0x10 } };
	uint64_t before;

	g_assert_cmpint(kvm_ioctl(rig_kv->fd, KVM_GET_MSRS, &l), ==, 1);
	before = l.entry.data;
	l.entry.data += far;
	kvm_ioctl(rig_kv->fd, KVM_SET_MSRS, &l);
	kvm_ioctl(rig_kv->fd, KVM_GET_MSRS, &l);
	return l.entry.data - before >= far;
}

int main(int argc, char **argv)
{
	struct err err = { 0 };
	int status;

	g_test_init(&argc, &argv, NULL);
	if (!rig_begin("kvm,assist=off,kernel-irqchip=off", &err)) {
		g_print("1..0 # SKIP %s\n", err.text);
		return 0;
	}
	has_tsc = can_set_tsc();
	if (!has_mode(V86))
		g_print("# this kernel has neither virtual-8086 mode nor paging outside long "
			"mode\n");
	if (!has_tsc)
		g_print("# not compared: this kernel's cycle counters cannot be set\n");
	g_test_add_func("/accel/kvm/state/back", test_all_state_comes_back);
	g_test_add_func("/accel/kvm/state/changed", test_what_the_kernel_changes_is_put_back);
	g_test_add_func("/accel/kvm/state/clock_stands", test_the_clock_stands);
	g_test_add_func("/accel/kvm/state/clock_hidden", test_the_clock_can_be_hidden);
	g_test_add_func("/accel/kvm/state/hostile", test_hostile_values_are_refused);
	g_test_add_func("/accel/kvm/state/msrs_refused", test_msrs_that_a_guest_is_refused);
	g_test_add_func("/accel/kvm/state/dropped", test_what_would_be_dropped_is_refused);
	g_test_add_func("/accel/kvm/state/stops", test_a_hostile_state_stops_the_vcpu);
	status = g_test_run();
	rig_end();
	return status;
}
