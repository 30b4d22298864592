/* accel/kvm/x86_half.c - a KVM that cannot do SYSCALL, or drops parts of what it is told.
 *
 * Kernels that offer /dev/kvm without hardware virtualization run 64-bit code at privilege level 3
 * on the processor and interpret the rest.  One that we met takes SYSCALL for what its own,
 * paravirtual guests mean by it: RIP, RCX, R11 and RFLAGS change, the segments and with them the
 * privilege level do not, and the kernel's first instruction faults.
 *
 * There the guest is run with an empty interrupt table, so that whatever it raises ends in a
 * shutdown, which KVM reports with the registers as they were before the faulting instruction (this
 * too was tried before, x86_kvm_try()).  A SYSCALL is taken back, and the translator does it,
 * or raises the exception, with the guest's own table.  Interrupts are entered by the translator
 * too.  A guest that reads IDTR while KVM interprets it sees a limit of 0.
 *
 * CPUID would tell programs of the host's processor, and XGETBV of its XCR0: the C library takes to
 * AVX-512, which the translator has not, whose registers the guest's kernel does not save.  Where
 * the host has CPUID faulting (SDM 4, MSR_MISC_FEATURES_ENABLES) it ends as SYSCALL does, and the
 * translator runs it.
 *
 * The same kernel takes CR0.PG outside long mode, and EFLAGS.VM, without a word, and leaves them 0.
 * Such states are refused here (x86_kvm_put()), so that the translator runs them.
 *
 * SPDX-License-Identifier: MIT */
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <glib.h>

#include "accel/kvm/kvm.h"
#include "arch/x86/sys.h"
#include "base/err.h"

/* ---- does it? ---- */

/* Pages of the machine that tries it. */
enum { PML4, PDPT, PD, PT, USER, KERNEL, TRY_PAGES };
enum { PAGE = 4096, ALL = 7, SUPERVISOR = 3, LEAF_AT = 3, CPUID_AT = 16 };
static gpa_t page_at(unsigned n) { return (gpa_t)n * PAGE; }

static void try_memory(uint8_t *mem)
{
	static const uint8_t syscall_code[] = { 0x0f, 0x05 }, out_code[] = { 0xe6, 0x80 };
	static const uint8_t cpuid_code[] = { 0x0f, 0xa2, 0xf4 };

	for (unsigned n = PML4; n < LEAF_AT; n++)
		st64_le(mem + page_at(n), page_at(n + 1) | ALL);
	st64_le(mem + page_at(PT) + 8 * USER, page_at(USER) | ALL);
	st64_le(mem + page_at(PT) + 8 * KERNEL, page_at(KERNEL) | SUPERVISOR);
	memcpy(mem + page_at(USER), syscall_code, sizeof(syscall_code));
	memcpy(mem + page_at(USER) + CPUID_AT, cpuid_code, sizeof(cpuid_code));
	memcpy(mem + page_at(KERNEL), out_code, sizeof(out_code));
}

static bool try_registers(int vcpu, gpa_t pc)
{
	struct kvm_segment code = { .limit = UINT32_MAX,
				    .selector = 0x33,
				    .type = 11,
				    .present = 1,
				    .dpl = 3,
				    .s = 1,
				    .l = 1,
				    .g = 1 };
	struct kvm_segment data = code;
	struct kvm_regs regs = { .rip = pc, .rflags = FL_ONE };
	struct {
		uint32_t count, pad; /* struct kvm_msrs with its entries */
		struct kvm_msr_entry entries[2];
	} msrs = { .count = 2,
		   .entries = { { .index = 0xc0000081, .data = UINT64_C(0x0023001000000000) },
				{ .index = 0xc0000082, .data = page_at(KERNEL) } } };
	struct kvm_sregs s = { 0 };

	if (kvm_ioctl(vcpu, KVM_GET_SREGS, &s) < 0)
		return false;
	data.selector = 0x2b;
	data.type = 3;
	data.l = 0;
	data.db = 1;
	s.cs = code;
	s.ds = s.es = s.ss = data;
	s.idt.limit = 0;
	s.cr0 = CR0_PE | CR0_PG | CR0_ET | CR0_WP;
	s.cr3 = page_at(PML4);
	s.cr4 = CR4_PAE;
	s.efer = EFER_SCE | EFER_LME | EFER_LMA;
	return kvm_ioctl(vcpu, KVM_SET_SREGS, &s) >= 0 &&
	       kvm_ioctl(vcpu, KVM_SET_MSRS, &msrs) == 2 &&
	       kvm_ioctl(vcpu, KVM_SET_REGS, &regs) >= 0;
}

static void try_cpuid(const struct kvm_system *sys, int vcpu)
{
	enum { MAX_ENTRIES = 256 };
	g_autofree struct kvm_cpuid2 *t = g_malloc0(sizeof(*t) +
						    MAX_ENTRIES * sizeof(struct kvm_cpuid_entry2));

	t->nent = MAX_ENTRIES;
	if (kvm_ioctl(sys->fd, KVM_GET_SUPPORTED_CPUID, t) >= 0)
		kvm_ioctl(vcpu, KVM_SET_CPUID2, t);
}

/* Nothing else went wrong, and the half of a SYSCALL was done. */
static bool try_run(const struct kvm_system *sys, int vcpu, struct kvm_run *run)
{
	struct kvm_regs regs = { 0 };
	struct kvm_sregs s = { 0 };

	try_cpuid(sys, vcpu);
	return try_registers(vcpu, page_at(USER)) && kvm_ioctl(vcpu, KVM_RUN, NULL) >= 0 &&
	       run->exit_reason == KVM_EXIT_SHUTDOWN && kvm_ioctl(vcpu, KVM_GET_REGS, &regs) >= 0 &&
	       kvm_ioctl(vcpu, KVM_GET_SREGS, &s) >= 0 && regs.rip == page_at(KERNEL) &&
	       s.ss.dpl == 3;
}

bool x86_kvm_fault_cpuid(int vcpu)
{
	struct {
		uint32_t count, pad; /* struct kvm_msrs with its entries */
		struct kvm_msr_entry entries[2];
	} msrs = { .count = 2,
		   .entries = { { .index = 0xce, .data = BIT(31) }, /* it can */
				{ .index = 0x140, .data = 1 } } };

	return kvm_ioctl(vcpu, KVM_SET_MSRS, &msrs) == 2;
}

/* The kernel may take it and do nothing about it. */
static bool try_cpuid_faults(int vcpu, struct kvm_run *run)
{
	const gpa_t pc = page_at(USER) + CPUID_AT;
	struct kvm_regs regs = { 0 };

	return x86_kvm_fault_cpuid(vcpu) && try_registers(vcpu, pc) &&
	       kvm_ioctl(vcpu, KVM_RUN, NULL) >= 0 && run->exit_reason == KVM_EXIT_SHUTDOWN &&
	       kvm_ioctl(vcpu, KVM_GET_REGS, &regs) >= 0 && regs.rip == pc;
}

static bool hide_cpuid_faults(struct kvm_vm *vm, bool has_deadline)
{
	vm->has_our_faults = vm->has_msr_exits;
	if (vm->has_our_faults && !x86_kvm_filter_msrs(vm, has_deadline))
		vm->has_our_faults = false;
	return vm->has_our_faults;
}

/* Paging in protected mode, then the flag of virtual-8086 mode: are they still there? */
static bool try_legacy(int vcpu)
{
	struct kvm_regs regs = { .rflags = FL_ONE | FL_VM }, now = { 0 };
	struct kvm_segment code = {
		.limit = UINT32_MAX, .type = 11, .present = 1, .s = 1, .db = 1, .g = 1
	};
	struct kvm_sregs s = { 0 };

	if (kvm_ioctl(vcpu, KVM_GET_SREGS, &s) < 0)
		return true;
	s.cs = s.ds = s.es = s.ss = code;
	s.ds.type = s.es.type = s.ss.type = 3;
	s.cr0 = CR0_PE | CR0_PG | CR0_ET;
	s.cr3 = page_at(PML4);
	s.cr4 = s.efer = 0;
	if (kvm_ioctl(vcpu, KVM_SET_SREGS, &s) < 0 || kvm_ioctl(vcpu, KVM_GET_SREGS, &s) < 0 ||
	    kvm_ioctl(vcpu, KVM_SET_REGS, &regs) < 0 || kvm_ioctl(vcpu, KVM_GET_REGS, &now) < 0)
		return true; /* what is refused is told of when it is met */
	return s.cr0 & CR0_PG && now.rflags & FL_VM;
}

void x86_kvm_try(struct kvm_accel *k)
{
	struct kvm_userspace_memory_region m = { .memory_size = page_at(TRY_PAGES) };
	void *mem = mmap(NULL, m.memory_size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			 -1, 0);
	int vm = kvm_ioctl_value(k->sys.fd, KVM_CREATE_VM, 0), vcpu = -1;
	void *run = MAP_FAILED;

	if (mem != MAP_FAILED && vm >= 0) {
		try_memory(mem);
		m.userspace_addr = (uintptr_t)mem;
		kvm_ioctl(vm, KVM_SET_USER_MEMORY_REGION, &m);
		vcpu = kvm_ioctl_value(vm, KVM_CREATE_VCPU, 0);
	}
	if (vcpu >= 0)
		run = mmap(NULL, (size_t)k->sys.run_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu,
			   0);
	if (run != MAP_FAILED) {
		k->is_half = k->helper && try_run(&k->sys, vcpu, run);
		k->has_cpuid_faults = k->is_half && try_cpuid_faults(vcpu, run) &&
				      hide_cpuid_faults(&k->vm, k->chips.set != PC_CHIPS_NONE);
		k->is_lossy = !try_legacy(vcpu);
		munmap(run, (size_t)k->sys.run_bytes);
	}
	if (vcpu >= 0)
		close(vcpu);
	if (vm >= 0)
		close(vm);
	if (mem != MAP_FAILED)
		munmap(mem, m.memory_size);
}

bool x86_kvm_is_lost(const struct kvm_vcpu *kv)
{
	const struct x86_cpu *c = kv->cpu;

	return kv->kvm->is_lossy &&
	       (c->rflags & FL_VM || ((c->cr0 & CR0_PG) && !(c->efer & EFER_LMA)));
}

/* ---- running so ---- */

void x86_kvm_half_before(struct kvm_vcpu *kv, struct kvm_sregs2 *s)
{
	kv->was_nmi_blocked = kv->cpu->nmi_blocked;
	s->idt.limit = 0;
}

static bool code_is_syscall(struct x86_cpu *c, gva_t addr)
{
	static const uint8_t bytes[] = { 0x0f, 0x05 };
	bool same = true;

	for (unsigned i = 0; i < sizeof(bytes) && same; i++) {
		struct mmu_result r = { 0 };
		uint8_t byte = 0;

		same = x86_walk(c->vcpu, addr + i, MMU_EXEC, VIEW_USER, false, &r) &&
		       dma_read(c->vcpu->memory, r.gpa, &byte, 1) && byte == bytes[i];
	}
	return same;
}

/* Interrupts of APICs in the kernel end in a shutdown as well, acknowledged, and not always is that
 * what KVM_RUN came back for: which it was is still among the events (put_events() cleared it).
 * With a table that the guest has loaded in KVM they were entered, and in real mode, where KVM does
 * not look at its size. */
static void take_lost(struct kvm_vcpu *kv)
{
	const struct kvm_vcpu_events *e = &kv->copy.events;
	struct x86_cpu *c = kv->cpu;

	if (!x86_kvm_has_lapics(kv) || c->taken.is_pending || kv->copy.sregs.idt.limit ||
	    !(kv->copy.sregs.cr0 & CR0_PE))
		return;
	if (e->interrupt.nr && !e->interrupt.soft) {
		c->taken.is_pending = true;
		c->taken.vector = e->interrupt.nr;
	} else if (e->nmi.masked && !kv->was_nmi_blocked) {
		c->nmi_blocked = false;
		c->taken.is_pending = c->taken.is_nmi = true;
		c->taken.vector = EXC_NMI;
	}
}

void x86_kvm_half_after(struct kvm_vcpu *kv)
{
	struct x86_cpu *c = kv->cpu;

	take_lost(kv);
	if (x86_cpl(c) == 3 && c->env.mode & MODE_CODE64 && c->env.pc == c->msr_lstar &&
	    code_is_syscall(c, c->gpr[RCX] - 2)) {
		c->env.fault = 0; /* that of the kernel's first instruction, if it came so far */
		c->env.pc = c->gpr[RCX] - 2;
		c->rflags = (uint32_t)(c->gpr[R11] & ~(uint64_t)(FL_RF | FL_VM)) | FL_ONE;
		x86_mode_update(c);
	}
}

bool x86_kvm_half_exit(struct kvm_vcpu *kv)
{
	kvm_vcpu_pull(kv->v);
	if (!kv->is_ours)
		return false;
	/* What it tried to deliver is raised again by the instruction. */
	kv->cpu->env.fault = 0;
	kv->cpu->rflags &= ~(uint32_t)FL_RF;
	return kvm_assist(kv);
}
