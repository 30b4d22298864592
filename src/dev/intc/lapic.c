/* dev/intc/lapic.c - the local APIC of a vCPU: what arrives, what the vCPU is told.
 *
 * Inputs: messages from the apic-bus, LINT0 and LINT1 (lapic_set_lint), its timer (lapic_timer.c),
 * register accesses (lapic_regs.c).  Output: the vCPU's INTR, NMI, INIT and SIPI inputs.
 * Not modelled: SMI (refused and logged), thermal and performance counter events (their LVT entries
 * exist and never fire), the APIC bus' arbitration cycles, CMCI.
 * Specification: SDM 3A chapter 11.
 * SPDX-License-Identifier: MIT */
#include "dev/intc/lapic.h"

#include "dev/intc/apic_internal.h"

enum { BROADCAST_8 = 0xff };

static struct lapic *lapic(struct device *dev) { return container_of(dev, struct lapic, dev); }

#define PEEK(member)    __atomic_load_n(&(member), __ATOMIC_RELAXED)
#define POKE(member, v) __atomic_store_n(&(member), (v), __ATOMIC_RELAXED)

/* ---- 256-bit vectors ------------------------------------------------------------------------- */

static bool vector_test(const uint32_t *set, unsigned n) { return PEEK(set[n / 32]) >> n % 32 & 1; }

static void vector_set(uint32_t *set, unsigned n) { POKE(set[n / 32], set[n / 32] | 1u << n % 32); }

static void vector_clear(uint32_t *set, unsigned n)
{
	POKE(set[n / 32], set[n / 32] & ~(1u << n % 32));
}

/* The highest one, or -1. */
static int vector_highest(const uint32_t *set)
{
	for (int i = 7; i >= 0; i--) {
		uint32_t w = PEEK(set[i]);

		if (w)
			return 32 * i + 31 - __builtin_clz(w);
	}
	return -1;
}

/* ---- states and priorities ------------------------------------------------------------------- */

bool lapic_is_hw_enabled(const struct lapic *l) { return PEEK(l->base) & BASE_EN; }
bool lapic_is_x2apic(const struct lapic *l) { return PEEK(l->base) & BASE_EXTD; }

bool lapic_is_enabled(const struct lapic *l)
{
	return lapic_is_hw_enabled(l) && PEEK(l->svr) & SVR_ENABLE;
}

uint64_t lapic_mmio_base(const struct lapic *l)
{
	uint64_t base = PEEK(l->base);

	return (base & (BASE_EN | BASE_EXTD)) == BASE_EN ? align_down(base, 0x1000) : 0;
}

/* SDM 3A 11.8.3.1 */
uint32_t lapic_ppr(const struct lapic *l)
{
	int in_service = vector_highest(l->isr);
	uint32_t isrv = in_service < 0 ? 0 : (uint32_t)in_service, tpr = PEEK(l->tpr);

	return tpr >> 4 >= isrv >> 4 ? tpr : isrv & 0xf0;
}

/* SDM 3A 11.6.2.4 */
unsigned lapic_arbitration_priority(const struct lapic *l)
{
	int irr = vector_highest(l->irr), isr = vector_highest(l->isr);
	uint32_t irrv = irr < 0 ? 0 : (uint32_t)irr >> 4, isrv = isr < 0 ? 0 : (uint32_t)isr >> 4;
	uint32_t tpr = PEEK(l->tpr);

	if (tpr >> 4 >= irrv && tpr >> 4 > isrv)
		return tpr;
	if (tpr >> 4 > irrv)
		irrv = tpr >> 4;
	return (irrv > isrv ? irrv : isrv) << 4;
}

/* A processor that has the interrupt in service or pending takes it again. */
bool lapic_is_focus(const struct lapic *l, uint8_t vector)
{
	return !(PEEK(l->svr) & SVR_FOCUS_OFF) &&
	       (vector_test(l->irr, vector) || vector_test(l->isr, vector));
}

/* The vector the vCPU should take now, or -1. */
static int lapic_pending(const struct lapic *l)
{
	int vector = vector_highest(l->irr);

	if (vector < 0 || !lapic_is_enabled(l) || (uint32_t)vector >> 4 <= lapic_ppr(l) >> 4)
		return -1;
	return vector;
}

static uint32_t lvt_mode(uint32_t lvt) { return lvt >> 8 & 7; }

/* Does the 8259 ask through LINT0?  With the APIC off, LINT0 is the INTR pin itself. */
static bool lapic_pic_asks(const struct lapic *l)
{
	if (l->has_extint)
		return true;
	if (!(l->lint_level & 1))
		return false;
	if (!lapic_is_hw_enabled(l))
		return true;
	return !(l->lvt[LVT_LINT0] & LVT_MASKED) && lvt_mode(l->lvt[LVT_LINT0]) == APIC_EXTINT;
}

/* Lent, it only passes the 8259's wire on: whoever has the state knows whether LINT0 is heard. */
static bool lapic_asks(const struct lapic *l)
{
	if (l->is_lent)
		return l->lint_level & 1;
	return lapic_pending(l) >= 0 || lapic_pic_asks(l);
}

void lapic_update_locked(struct lapic *l)
{
	if (lapic_asks(l))
		vcpu_set_input(l->vcpu, VCPU_INTR);
	else
		vcpu_clear_input(l->vcpu, VCPU_INTR);
}

/* ---- what arrives ---------------------------------------------------------------------------- */

static void lapic_receive_locked(struct lapic *l, uint8_t vector, bool is_level)
{
	TRACE(apic_deliver, "vcpu %u: vector 0x%02x %s", l->vcpu->id, vector,
	      is_level ? "level" : "edge");
	vector_set(l->irr, vector);
	if (is_level)
		vector_set(l->tmr, vector);
	else
		vector_clear(l->tmr, vector);
	lapic_update_locked(l);
}

/* New bits in the error status; the error interrupt itself cannot make another one. */
void lapic_set_error_locked(struct lapic *l, uint32_t bits)
{
	uint32_t lvt = l->lvt[LVT_ERROR];

	l->esr_pending |= bits;
	if (lvt & LVT_MASKED || !lapic_is_enabled(l))
		return;
	if ((lvt & 0xff) < FIRST_LEGAL_VECTOR)
		l->esr_pending |= ESR_RECEIVE_ILLEGAL;
	else
		lapic_receive_locked(l, (uint8_t)lvt, false);
}

/* SDM 3A 11.6.2: how `dest` names processors. */
bool lapic_matches(const struct lapic *l, const struct apic_msg *msg)
{
	uint32_t broadcast = msg->is_x2apic ? UINT32_MAX : BROADCAST_8;
	uint32_t dest = msg->dest, ldr = PEEK(l->ldr);

	if (dest == broadcast)
		return true;
	if (!msg->is_logical)
		return dest == l->vcpu->apic_id;
	if (lapic_is_x2apic(l))
		return dest >> 16 == ldr >> 16 && dest & ldr & 0xffff;
	ldr >>= 24;
	if (dest > 0xff)
		return false;
	if (PEEK(l->dfr) >> 28 == 0xf) /* flat */
		return dest & ldr;
	return (dest >> 4 == ldr >> 4 || dest >> 4 == 0xf) && dest & ldr & 0xf; /* cluster */
}

static bool lapic_accept_locked(struct lapic *l, const struct apic_msg *msg)
{
	switch (msg->mode) {
	case APIC_FIXED:
	case APIC_LOWEST:
		if (!lapic_is_enabled(l))
			return false;
		if (msg->vector < FIRST_LEGAL_VECTOR)
			lapic_set_error_locked(l, ESR_RECEIVE_ILLEGAL);
		else
			lapic_receive_locked(l, msg->vector, msg->is_level);
		return true;
	case APIC_NMI: vcpu_set_input(l->vcpu, VCPU_NMI); return true;
	case APIC_INIT:
		if (msg->is_level && !msg->is_assert)
			return true; /* only synchronises arbitration ids */
		vcpu_set_input(l->vcpu, VCPU_INIT);
		return true;
	case APIC_STARTUP:
		l->vcpu->sipi_vector = msg->vector;
		vcpu_set_input(l->vcpu, VCPU_SIPI);
		return true;
	case APIC_EXTINT:
		l->has_extint = true;
		lapic_update_locked(l);
		return true;
	case APIC_SMI: guest_error(&l->dev, "SMI refused: there is no SMM"); return true;
	default: guest_error(&l->dev, "reserved delivery mode %u", msg->mode); return false;
	}
}

bool lapic_accept(struct lapic *l, const struct apic_msg *msg)
{
	bool ok;

	lock_take(&l->dev.lock);
	ok = lapic_is_hw_enabled(l) && lapic_accept_locked(l, msg);
	lock_drop(&l->dev.lock);
	return ok;
}

void lapic_fire_lvt_locked(struct lapic *l, enum lvt i)
{
	uint32_t lvt = l->lvt[i];
	bool has_mode = i != LVT_TIMER && i != LVT_ERROR;
	struct apic_msg msg = {
		.mode = has_mode ? (uint8_t)lvt_mode(lvt) : APIC_FIXED,
		.vector = (uint8_t)lvt,
		.is_level = i == LVT_LINT0 && lvt & LVT_LEVEL,
		.is_assert = true,
	};

	if (lvt & LVT_MASKED || !lapic_is_hw_enabled(l))
		return;
	lapic_accept_locked(l, &msg);
}

/* LINT0 set to level-triggered fixed: an interrupt while the pin is high and none is in service. */
void lapic_lint_update_locked(struct lapic *l)
{
	uint32_t *lvt = &l->lvt[LVT_LINT0];

	if (!l->is_lent && l->lint_level & 1 && *lvt & LVT_LEVEL && lvt_mode(*lvt) == APIC_FIXED &&
	    !(*lvt & (LVT_MASKED | LVT_REMOTE_IRR)) && lapic_is_enabled(l)) {
		*lvt |= LVT_REMOTE_IRR;
		lapic_fire_lvt_locked(l, LVT_LINT0);
	}
	lapic_update_locked(l);
}

void lapic_set_lint(void *dev, int pin, bool level)
{
	struct lapic *l = lapic(dev);
	enum lvt entry = pin ? LVT_LINT1 : LVT_LINT0;
	uint8_t bit = pin ? 2 : 1;
	bool is_rising, is_level;

	lock_take(&l->dev.lock);
	is_rising = level && !(l->lint_level & bit) && !l->is_lent;
	l->lint_level = level ? l->lint_level | bit : l->lint_level & (uint8_t)~bit;
	/* LINT1 is always edge-triggered; ExtINT is the pin itself */
	is_level = lvt_mode(l->lvt[entry]) == APIC_EXTINT ||
		   (pin == 0 && l->lvt[entry] & LVT_LEVEL && lvt_mode(l->lvt[entry]) == APIC_FIXED);
	if (!lapic_is_hw_enabled(l)) {
		if (pin == 1 && is_rising)
			vcpu_set_input(l->vcpu, VCPU_NMI);
	} else if (is_rising && !is_level) {
		lapic_fire_lvt_locked(l, entry);
	}
	lapic_lint_update_locked(l);
	lock_drop(&l->dev.lock);
}

int lapic_eoi_locked(struct lapic *l)
{
	int vector = vector_highest(l->isr);
	uint32_t *lint0 = &l->lvt[LVT_LINT0];
	int broadcast = -1;

	if (vector < 0)
		return -1;
	vector_clear(l->isr, (unsigned)vector);
	if (vector_test(l->tmr, (unsigned)vector)) {
		if (*lint0 & LVT_REMOTE_IRR && (int)(*lint0 & 0xff) == vector)
			*lint0 &= ~(uint32_t)LVT_REMOTE_IRR;
		if (!(l->svr & SVR_NO_EOI_BROADCAST))
			broadcast = vector;
	}
	lapic_lint_update_locked(l);
	return broadcast;
}

/* ---- the vCPU's side ------------------------------------------------------------------------- */

static int lapic_ack(void *intc)
{
	struct lapic *l = intc;
	bool is_extint = false;
	int vector;

	lock_take(&l->dev.lock);
	vector = l->is_lent ? -1 : lapic_pending(l);
	if (l->is_lent) {
		is_extint = l->lint_level & 1;
	} else if (vector >= 0) {
		vector_clear(l->irr, (unsigned)vector);
		vector_set(l->isr, (unsigned)vector);
	} else if (lapic_pic_asks(l)) {
		is_extint = true;
		l->has_extint = false;
	}
	lapic_update_locked(l);
	lock_drop(&l->dev.lock);
	if (is_extint && l->bus->extint_ack)
		vector = l->bus->extint_ack(l->bus->pic); /* takes the 8259's lock: below ours */
	return vector;
}

static uint8_t lapic_get_cr8(void *intc)
{
	return (uint8_t)(PEEK(((struct lapic *)intc)->tpr) >> 4);
}

static void lapic_set_cr8(void *intc, uint8_t cr8)
{
	struct lapic *l = intc;

	lock_take(&l->dev.lock);
	POKE(l->tpr, (uint32_t)(cr8 & 15) << 4);
	lapic_update_locked(l);
	lock_drop(&l->dev.lock);
}

void lapic_clear_locked(struct lapic *l)
{
	POKE(l->ldr, 0);
	POKE(l->dfr, UINT32_MAX);
	POKE(l->svr, 0xff);
	POKE(l->tpr, 0);
	memset(l->isr, 0, sizeof(l->isr));
	memset(l->irr, 0, sizeof(l->irr));
	memset(l->tmr, 0, sizeof(l->tmr));
	l->esr = l->esr_pending = l->icr_low = l->icr_high = 0;
	for (unsigned i = 0; i < LVT_COUNT; i++)
		l->lvt[i] = LVT_MASKED;
	l->divide = l->initial_count = 0;
	l->expiry_ns = INT64_MAX;
	l->tsc_deadline = 0;
	l->has_extint = false;
	if (lapic_is_x2apic(l)) {
		uint32_t id = l->vcpu->apic_id;

		POKE(l->ldr, (id & 0xffff0) << 12 | 1u << (id & 0xf));
	}
	lapic_timer_rearm_locked(l);
	lapic_update_locked(l);
}

static void lapic_init(void *intc)
{
	struct lapic *l = intc;

	lock_take(&l->dev.lock);
	lapic_clear_locked(l);
	lock_drop(&l->dev.lock);
}

static const struct vcpu_intc_ops lapic_ops = {
	.ack = lapic_ack,
	.get_cr8 = lapic_get_cr8,
	.set_cr8 = lapic_set_cr8,
	.read_msr = lapic_read_msr,
	.write_msr = lapic_write_msr,
	.set_tsc_deadline = lapic_set_tsc_deadline,
	.init = lapic_init,
	.show = lapic_show,
	.lend = lapic_lend,
	.take_back = lapic_return,
};

struct lapic *lapic_of_vcpu(const struct apic_bus *bus, const struct vcpu *v)
{
	struct lapic *l = v->intc_ops == &lapic_ops ? v->intc : NULL;

	return l && l->bus == bus ? l : NULL;
}

void lapic_wire(struct device *dev, struct device *apic_bus, struct vcpu *v)
{
	struct lapic *l = lapic(dev);

	l->bus = apic_bus_from_device(apic_bus);
	l->vcpu = v;
	v->intc = l;
	v->intc_ops = &lapic_ops;
	apic_bus_join(l->bus, l);
}

/* ---- life ------------------------------------------------------------------------------------ */

static void lapic_reset(struct device *dev)
{
	struct lapic *l = lapic(dev);
	bool is_bsp = l->vcpu->id == 0;

	POKE(l->base, APIC_WINDOW_BASE | BASE_EN | (is_bsp ? (uint64_t)BASE_BSP : 0));
	lapic_clear_locked(l);
	if (is_bsp && l->is_virtual_wire) {
		POKE(l->svr, 0xffu | SVR_ENABLE);
		l->lvt[LVT_LINT0] = APIC_EXTINT << 8;
		l->lvt[LVT_LINT1] = APIC_NMI << 8;
		lapic_update_locked(l);
	}
}

static bool lapic_post_load(struct device *dev, struct err *err)
{
	(void)err;
	lapic_timer_rearm_locked(lapic(dev));
	lapic_update_locked(lapic(dev));
	return true;
}

static bool lapic_realize(struct device *dev, struct err *err)
{
	struct lapic *l = lapic(dev);

	(void)err;
	device_init_timer(dev, &l->timer, lapic_timer_fn);
	lapic_reset(dev);
	return true;
}

static void lapic_unwire(struct lapic *l)
{
	if (!l->bus)
		return;
	l->vcpu->intc_ops = NULL;
	l->vcpu->intc = NULL;
	apic_bus_leave(l->bus, l);
	l->bus = NULL;
}

static void lapic_unrealize(struct device *dev) { lapic_unwire(lapic(dev)); }

/* Also for one that was wired and could not be realized. */
static void lapic_fini(struct object *o) { lapic_unwire(lapic(device_from_object(o))); }

static const struct prop lapic_props[] = {
	PROP_BOOL(struct lapic, is_virtual_wire, "virtual-wire", true,
		  .help = "the bootstrap processor's starts as firmware leaves it: LINT0 ExtINT"),
	PROP_BOOL(struct lapic, has_x2apic, "x2apic", true, .help = "x2APIC mode can be entered"),
	{ 0 },
};

static const struct field lapic_state[] = {
	FIELD(struct lapic, base),
	FIELD(struct lapic, ldr),
	FIELD(struct lapic, dfr),
	FIELD(struct lapic, svr),
	FIELD(struct lapic, tpr),
	FIELD(struct lapic, isr),
	FIELD(struct lapic, irr),
	FIELD(struct lapic, tmr),
	FIELD(struct lapic, esr),
	FIELD(struct lapic, esr_pending),
	FIELD(struct lapic, icr_low),
	FIELD(struct lapic, icr_high),
	FIELD(struct lapic, lvt),
	FIELD(struct lapic, divide),
	FIELD(struct lapic, initial_count),
	FIELD(struct lapic, count_start_ns),
	FIELD(struct lapic, expiry_ns),
	FIELD(struct lapic, tsc_deadline),
	FIELD(struct lapic, lint_level),
	FIELD(struct lapic, has_extint),
	{ 0 },
};

const struct device_type lapic_type = {
	.base = {
		.name = "lapic",
		.parent = &device_object_type,
		.size = sizeof(struct lapic),
		.props = lapic_props,
		.help = "local APIC of a vCPU",
		.fini = lapic_fini,
	},
	.bus = "system",
	.category = "misc",
	.lock_rank = LOCK_INTC_CPU,
	.state = lapic_state,
	.state_version = 1,
	.realize = lapic_realize,
	.reset = lapic_reset,
	.post_load = lapic_post_load,
	.unrealize = lapic_unrealize,
};
