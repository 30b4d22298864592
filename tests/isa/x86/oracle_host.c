/* tests/isa/x86/oracle_host.c - running cases on the host CPU.
 *
 * All happens in a signal handler of a forked child: it writes the registers of the next case into
 * its own signal frame and returns.  The instruction runs, and the INT3 behind it (or its own
 * fault) brings us back with all registers in the next frame.
 * SPDX-License-Identifier: MIT */
#include "oracle.h"

#include <asm/ldt.h>
#include <cpuid.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

enum {
	XSTATE_BV = 512,
	XSTATE_YMM_HIGH = 576,
	XSTATE_ALL = 7,
	TRAP_BP = 3,
	TRAP_PF = 14,
	TIME_LIMIT_S = 10,
};

static struct batch *running;
static int current = -1;

static const int gpr_regs[16] = { REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP,
				  REG_RSI, REG_RDI, REG_R8,  REG_R9,  REG_R10, REG_R11,
				  REG_R12, REG_R13, REG_R14, REG_R15 };

struct batch *host_batch_new(void)
{
	void *p = mmap(NULL, sizeof(struct batch), PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

static void record(struct outcome *o, const struct test_case *c, const ucontext_t *uc)
{
	const greg_t *g = uc->uc_mcontext.gregs;
	const uint8_t *fp = (const uint8_t *)uc->uc_mcontext.fpregs;

	for (unsigned i = 0; i < 16; i++)
		o->cpu.gpr[i] = (uint64_t)g[gpr_regs[i]];
	o->cpu.rip = (uint64_t)g[REG_RIP];
	o->cpu.rflags = (uint64_t)g[REG_EFL];
	memcpy(o->cpu.fx, fp, FX_SIZE);
	memcpy(o->cpu.ymm_high, fp + XSTATE_YMM_HIGH, sizeof(o->cpu.ymm_high));
	memcpy(o->mem, (const void *)DATA_ADDR, DATA_SIZE);
	o->vector = (int)g[REG_TRAPNO];
	o->error = (uint32_t)g[REG_ERR];
	o->cr2 = (uint64_t)g[REG_CR2];
	if (o->vector == TRAP_BP) {
		o->vector = VECTOR_NONE;
		o->cpu.rip--;
	} else if (o->cpu.rip != c->in.rip) { /* it jumped, and the target faulted */
		o->vector = VECTOR_NONE;
	}
}

/* A component whose XSTATE_BV bit was clear is in its initial state. */
static void complete(struct outcome *o, const ucontext_t *uc)
{
	const uint8_t *fp = (const uint8_t *)uc->uc_mcontext.fpregs;
	uint64_t bv;

	memcpy(&bv, fp + XSTATE_BV, sizeof(bv));
	if (!(bv & 1)) {
		static const uint8_t fcw[] = { 0x7f, 0x03 };

		memset(o->cpu.fx, 0, 24);
		memset(o->cpu.fx + FX_ST, 0, 128);
		memcpy(o->cpu.fx, fcw, 2);
	}
	if (!(bv & 2))
		memset(o->cpu.fx + FX_XMM, 0, 256);
	if (!(bv & 4))
		memset(o->cpu.ymm_high, 0, sizeof(o->cpu.ymm_high));
}

static void prepare(const struct batch *b, const struct test_case *c, ucontext_t *uc)
{
	greg_t *g = uc->uc_mcontext.gregs;
	uint8_t *fp = (uint8_t *)uc->uc_mcontext.fpregs;
	const struct run_mode_info *m = mode_of(c);
	uint64_t bv = XSTATE_ALL;

	memcpy((void *)DATA_ADDR, b->mem, DATA_SIZE);
	memset((void *)CODE_ADDR, 0xcc, CODE_SIZE);
	memcpy((void *)INSN_ADDR, c->code, c->len);
	for (unsigned i = 0; i < 16; i++)
		g[gpr_regs[i]] = (greg_t)c->in.gpr[i];
	g[REG_EFL] = (greg_t)c->in.rflags;
	g[REG_RIP] = (greg_t)c->in.rip;
	g[REG_CSGSFS] = (g[REG_CSGSFS] & 0x0000ffffffff0000) | m->cs | (greg_t)m->data << 48;
	/* 64-bit code does not look at them */
	__asm__ volatile("mov %0, %%ds; mov %0, %%es" : : "r"((unsigned)m->data));
	memcpy(fp, c->in.fx, 28);
	memcpy(fp + FX_ST, c->in.fx + FX_ST, 128 + 256);
	memcpy(fp + XSTATE_YMM_HIGH, c->in.ymm_high, sizeof(c->in.ymm_high));
	memcpy(fp + XSTATE_BV, &bv, sizeof(bv));
}

static void on_signal(int sig, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;

	(void)sig;
	(void)info;
	if (current >= 0) {
		record(&running->cases[current].host, &running->cases[current], uc);
		complete(&running->cases[current].host, uc);
		running->done = (unsigned)current + 1;
	}
	if (++current == (int)running->count)
		_exit(0);
	prepare(running, &running->cases[current], uc);
}

/* LDT entries of the segmented modes. */
static bool make_segments(void)
{
	for (unsigned mode = 0; mode < RUN_COUNT; mode++) {
		const struct run_mode_info *m = &run_modes[mode];
		struct user_desc code = {
			.entry_number = m->cs >> 3,
			.base_addr = m->code_base,
			.limit = CODE_SIZE - 1,
			.seg_32bit = m->code32,
			.contents = 2 /* code, readable */,
		};
		struct user_desc data = {
			.entry_number = m->data >> 3,
			.base_addr = m->data_base,
			.limit = DATA_SIZE - 1,
			.seg_32bit = m->code32,
		};

		if (!m->is_flat && (syscall(SYS_modify_ldt, 1, &code, sizeof(code)) ||
				    syscall(SYS_modify_ldt, 1, &data, sizeof(data))))
			return false;
	}
	return true;
}

/* Does not return. */
static void child(struct batch *b)
{
	static const int signals[] = { SIGTRAP, SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGUSR1 };
	const size_t stack = 256 * 1024;
	const int prot = PROT_READ | PROT_WRITE | PROT_EXEC;
	const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE;
	struct sigaction sa = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK };
	struct itimerval limit = { .it_value.tv_sec = TIME_LIMIT_S };
	stack_t alt = { .ss_sp = malloc(stack), .ss_size = stack };
	uint8_t *code = mmap((void *)CODE_ADDR, CODE_SIZE, prot, flags, -1, 0);
	uint8_t *data = mmap((void *)DATA_ADDR, DATA_SIZE, PROT_READ | PROT_WRITE, flags, -1, 0);

	if (code != (void *)CODE_ADDR || data != (void *)DATA_ADDR || sigaltstack(&alt, NULL))
		_exit(1);
	if (!make_segments())
		_exit(1);
	sigfillset(&sa.sa_mask);
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		sigaction(signals[i], &sa, NULL);
	setitimer(ITIMER_REAL, &limit, NULL);
	running = b;
	raise(SIGUSR1);
	_exit(2);
}

bool host_run(struct batch *b)
{
	int status;
	pid_t pid;

	b->done = 0;
	pid = fork();
	if (pid == 0)
		child(b);
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return false;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* ---- what the host can ---- */

#include "arch/x86/cpuid.h"

static uint32_t cpuid_word(enum x86_cpuid_word w)
{
	uint32_t leaf, subleaf, r[4] = { 0 };
	unsigned reg;

	x86_cpuid_word_place(w, &leaf, &subleaf, &reg);
	__get_cpuid_count(leaf, subleaf, &r[0], &r[1], &r[2], &r[3]);
	return r[reg];
}

bool host_has_feature(const char *name)
{
	int f = x86_feature_find(name);

	return f >= 0 && cpuid_word((enum x86_cpuid_word)(f / 32)) >> (f % 32) & 1;
}
