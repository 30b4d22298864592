/* arch/x86/inputs.c - what reaches the CPU from outside: interrupts, NMI, INIT, start-up IPI, reset
 * (SDM 3A 6.6, 8.4, 9.1), and the states it can be in.
 * SPDX-License-Identifier: MIT */
#include "arch/x86/sys.h"
#include "base/log.h"

/* Halt until an event; the accelerator's loop waits on vcpu.is_halted. */
void x86_halt(struct x86_cpu *c)
{
	c->is_halted = true;
	c->vcpu->is_halted = true;
	atomic_fetch_or(&c->env.exit_request, VCPU_EXIT_INPUT);
}

void x86_wake(struct x86_cpu *c)
{
	c->is_halted = false;
	c->vcpu->is_halted = c->wait_sipi || c->is_shut_down;
}

void x86_triple_fault(struct x86_cpu *c)
{
	if (log_on(LOG_CPU_RESET | LOG_INT | LOG_GUEST_ERROR))
		log_line("triple fault at %04x:%llx, cr0 %llx, cr3 %llx", c->seg[SEG_CS].sel,
			 (unsigned long long)c->env.pc, (unsigned long long)c->cr0,
			 (unsigned long long)c->cr3);
	c->is_shut_down = true;
	x86_halt(c);
	if (c->vcpu->on_shutdown)
		c->vcpu->on_shutdown(c->vcpu);
}

void x86_ferr(struct x86_cpu *c, bool level)
{
	if (c->vcpu->on_ferr)
		c->vcpu->on_ferr(c->vcpu, level);
}

/* ---- the instruction behind STI ----
 *
 * While nothing waits, it needs no stepping: who looks at inputs later finds RIP still at it, or
 * gone on. */

void x86_sti(struct x86_cpu *c, uint64_t next)
{
	x86_rflags_set(c, FL_IF, FL_IF);
	if (atomic_load(&c->vcpu->inputs)) {
		x86_shadow_set(c, false);
		c->env.code_stored = true; /* leave the block behind this instruction */
		return;
	}
	c->in_sti_shadow = true;
	c->sti_next = next;
}

static bool inputs_in_sti_shadow(const struct x86_cpu *c)
{
	return c->in_sti_shadow && c->env.pc == c->sti_next;
}

/* An input is there: step over that instruction if it has still to run. */
static void inputs_settle_shadow(struct x86_cpu *c)
{
	if (!c->in_sti_shadow)
		return;
	if (inputs_in_sti_shadow(c))
		x86_shadow_set(c, false);
	c->in_sti_shadow = false;
}

static bool inputs_can_interrupt(const struct x86_cpu *c)
{
	return (c->rflags & FL_IF) && !c->in_shadow && !inputs_in_sti_shadow(c);
}

/* The inputs that would be served now. */
static uint32_t inputs_ready(const struct x86_cpu *c)
{
	uint32_t in = atomic_load(&c->vcpu->inputs);
	uint32_t ready = in & (VCPU_RESET | VCPU_INIT);

	if (c->wait_sipi)
		return ready | (in & VCPU_SIPI);
	if (c->is_shut_down)
		return ready | (in & VCPU_NMI);
	if (!c->nmi_blocked && !(c->in_shadow && c->shadow_is_mov_ss))
		ready |= in & VCPU_NMI;
	if (inputs_can_interrupt(c))
		ready |= in & VCPU_INTR;
	return ready;
}

bool x86_has_work(struct vcpu *v) { return inputs_ready(v->cpu); }

static void inputs_startup(struct x86_cpu *c)
{
	uint8_t vector = atomic_load(&c->vcpu->sipi_vector);

	c->wait_sipi = false;
	c->seg[SEG_CS].sel = (uint16_t)(vector << 8);
	c->seg[SEG_CS].base = (uint32_t)vector << 12;
	c->env.pc = 0;
	x86_wake(c);
	x86_mode_update(c);
}

/* The vector at last moment: -1 when the controller has thought better of it. */
static bool inputs_interrupt(struct x86_cpu *c)
{
	const struct vcpu_intc_ops *ops = c->vcpu->intc_ops;
	int vector = ops && ops->ack ? ops->ack(c->vcpu->intc) : -1;

	if (vector < 0)
		return false;
	x86_deliver_interrupt(c, (uint8_t)vector);
	return true;
}

bool x86_poll_life(struct x86_cpu *c)
{
	struct vcpu *v = c->vcpu;
	uint32_t ready = inputs_ready(c);

	/* Edges that mean nothing now are dropped: a start-up IPI only counts after INIT. */
	if (!c->wait_sipi && !(ready & VCPU_INIT))
		vcpu_take_input(v, VCPU_SIPI);
	vcpu_take_input(v, VCPU_SMI);
	vcpu_take_input(v, VCPU_MCE);
	if ((ready & VCPU_RESET) && vcpu_take_input(v, VCPU_RESET)) {
		x86_reset(c);
		return true;
	}
	if ((ready & VCPU_INIT) && vcpu_take_input(v, VCPU_INIT)) {
		x86_init_signal(c);
		return true;
	}
	if ((ready & VCPU_SIPI) && vcpu_take_input(v, VCPU_SIPI)) {
		inputs_startup(c);
		return true;
	}
	return false;
}

bool x86_poll_inputs(struct x86_cpu *c)
{
	struct vcpu *v = c->vcpu;
	uint32_t ready;

	inputs_settle_shadow(c);
	if (x86_poll_life(c))
		return true;
	ready = inputs_ready(c);
	if ((ready & VCPU_NMI) && vcpu_take_input(v, VCPU_NMI)) {
		c->is_shut_down = false;
		x86_wake(c);
		c->nmi_blocked = true;
		x86_deliver_interrupt(c, EXC_NMI);
		return true;
	}
	if (ready & VCPU_INTR) {
		bool was_halted = c->is_halted;

		x86_wake(c);
		if (inputs_interrupt(c))
			return true;
		if (was_halted)
			x86_halt(c);
	}
	return false;
}
