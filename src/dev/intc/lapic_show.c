/* dev/intc/lapic_show.c - a local APIC's registers for people: `info lapic`.
 * SPDX-License-Identifier: MIT */
#include "dev/intc/apic_internal.h"

static const char *const modes[] = { "Fixed", "Lowest", "SMI",  "...",
				     "NMI",   "INIT",   "SIPI", "ExtINT" };

static void show_lvt(const struct lapic *l, FILE *out, const char *name, enum lvt i)
{
	static const char *const timer_modes[] = { "one-shot", "periodic", "tsc-deadline", "..." };
	uint32_t v = l->lvt[i];

	fprintf(out, "%s\t 0x%08x %s %-5s %-6s %-12s %-6s", name, v,
		v & LVT_POLARITY ? "active-lo" : "active-hi", v & LVT_LEVEL ? "level" : "edge",
		v & LVT_MASKED ? "masked" : "", i == LVT_TIMER ? timer_modes[v >> 17 & 3] : "",
		modes[v >> 8 & 7]);
	if ((v >> 8 & 7) != APIC_NMI)
		fprintf(out, " (vec %u)", v & 0xff);
	fputc('\n', out);
}

static void show_vectors(FILE *out, const char *name, const uint32_t bits[8])
{
	bool has_any = false;

	fprintf(out, "%s\t ", name);
	for (unsigned i = 0; i < 256; i++) {
		if (!(bits[i / 32] >> i % 32 & 1))
			continue;
		fprintf(out, "%u ", i);
		has_any = true;
	}
	fputs(has_any ? "\n" : "(none)\n", out);
}

static void show_icr(const struct lapic *l, FILE *out)
{
	static const char *const shorthands[] = { "no-shorthand", "self", "all", "all-self" };
	uint32_t v = l->icr_low;

	fprintf(out, "ICR\t 0x%08x %s %s %s %s\n", v, v & 1u << 11 ? "logical" : "physical",
		v & LVT_LEVEL ? "level" : "edge", v & 1u << 14 ? "assert" : "de-assert",
		shorthands[v >> 18 & 3]);
	fprintf(out, "ICR2\t 0x%08x\n", l->icr_high);
}

/* APIC divide configuration (SDM 3A 11.5.4): bits 3, 1, 0; all set is 1. */
static unsigned divisor(const struct lapic *l)
{
	unsigned code = (l->divide & 3) | (l->divide >> 1 & 4);

	return code == 7 ? 1 : 2u << code;
}

void lapic_show(void *intc, FILE *out)
{
	struct lapic *l = intc;

	lock_take(&l->dev.lock);
	show_lvt(l, out, "LVT0", LVT_LINT0);
	show_lvt(l, out, "LVT1", LVT_LINT1);
	show_lvt(l, out, "LVTPC", LVT_PMC);
	show_lvt(l, out, "LVTERR", LVT_ERROR);
	show_lvt(l, out, "LVTTHMR", LVT_THERMAL);
	show_lvt(l, out, "LVTT", LVT_TIMER);
	fprintf(out, "Timer\t DCR=0x%x (divide by %u) initial_count = %u current_count = %u\n",
		l->divide, divisor(l), l->initial_count, lapic_timer_current_locked(l));
	fprintf(out, "SPIV\t 0x%08x APIC %s, focus=%s, spurious vec %u\n", l->svr,
		l->svr & SVR_ENABLE ? "enabled" : "disabled", l->svr & SVR_FOCUS_OFF ? "on" : "off",
		l->svr & 0xff);
	show_icr(l, out);
	fprintf(out, "ESR\t 0x%08x\n", l->esr);
	show_vectors(out, "ISR", l->isr);
	show_vectors(out, "IRR", l->irr);
	fprintf(out, "\nAPR 0x%02x TPR 0x%02x DFR 0x%02x LDR 0x%02x PPR 0x%02x\n",
		lapic_arbitration_priority(l), l->tpr, l->dfr >> 28, l->ldr >> 24, lapic_ppr(l));
	lock_drop(&l->dev.lock);
}
