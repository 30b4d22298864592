/* dev/timer/i8254.c - 8254 interval timer, and the port 61h that controls its channel 2.
 *
 * Regions: 0 the 8254 (40h), 1 NMI status and control (61h).  Wire 0: OUT 0, ISA line 0.
 * Counters are computed from the machine's clock when somebody looks; one timer waits for the next
 * rising edge of OUT 0.  Port 61h is here because it is the gate and output pins of channel 2 and
 * chips never call each other.
 * Not modelled: the speaker's sound; NMI sources IOCHK# and SERR# (never active).
 * Specification: Intel 8254 data sheet (231164); ICH9 13.7.1 (port 61h).
 * SPDX-License-Identifier: MIT */
#include "dev/timer/i8254.h"

#include "cpu/pc_chips.h"
#include "dev/isa/isa.h"

enum { PIT_HZ = 1193182, NS_PER_S = 1000000000 };
enum { CONTROL_PORT = 3, READ_BACK = 3 };
enum { RW_LATCH, RW_LSB, RW_MSB, RW_WORD };
/* Read-back command: active low */
enum { READ_BACK_NO_COUNT = 0x20, READ_BACK_NO_STATUS = 0x10 };
enum { STATUS_OUT = 0x80, STATUS_NULL = 0x40 };
/* Port 61h */
enum {
	TIM_CNT2_EN = 0x01,
	SPKR_DAT_EN = 0x02,
	REF_TOGGLE = 0x10,
	TMR2_OUT_STS = 0x20,
	PORT61_WRITABLE = 0x0f,
	REFRESH_TICKS = 18
};
/* Edges of OUT 0 closer together than this are told as one: no guest could serve them, and the
 * event loop would do nothing else. */
enum { MIN_EVENT_NS = 20000 };

struct pit_channel {
	uint8_t mode, rw;
	bool is_bcd, gate;
	bool is_loaded;   /* a count was written since the control word */
	bool is_counting; /* ticks pass; false: held */
	bool has_pending; /* modes 2, 3: a new count waits for the end of the period */
	bool is_msb_next; /* second byte of a word is to be written */
	bool reads_msb;   /* second byte of a word is to be read */
	bool has_count_latch, has_status_latch;
	uint8_t write_low, status_latch;
	uint16_t count_latch;
	uint32_t count;   /* in use: 1 .. 65536 */
	uint32_t pending; /* written, not yet in use (modes 1, 2, 3, 5) */
	uint64_t start;   /* tick at which `count` was (or will be) in the counter */
	uint64_t held;    /* ticks that had passed when counting was held */
};

struct i8254 {
	struct isa_device isa;
	struct region ports, port61;
	struct irq out0;
	struct timer edge;        /* the next edge of OUT 0 */
	struct pit_channel ch[3]; /* dev.lock */
	uint8_t control61;        /* dev.lock; bits 0-3 */
	uint64_t seen_tick;       /* dev.lock; OUT 0 was told up to here */
	uint32_t loads;           /* dev.lock; of all channels */
	bool is_lent;             /* dev.lock: somebody else has the state (cpu/pc_chips.h) */
};

static struct i8254 *i8254(struct device *dev) { return container_of(dev, struct i8254, isa.dev); }

/* ---- time ------------------------------------------------------------------------------------ */

static uint64_t pit_now(struct i8254 *s)
{
	int64_t ns = vclock_now(s->isa.dev.env->clock);

	return (uint64_t)((unsigned __int128)ns * PIT_HZ / NS_PER_S);
}

/* The first nanosecond of a tick. */
static int64_t pit_ns(uint64_t tick)
{
	unsigned __int128 ns = ((unsigned __int128)tick * NS_PER_S + PIT_HZ - 1) / PIT_HZ;

	return ns < INT64_MAX ? (int64_t)ns : INT64_MAX;
}

/* ---- one channel ----------------------------------------------------------------------------- */

static bool mode_is_periodic(const struct pit_channel *c) { return c->mode == 2 || c->mode == 3; }
static bool mode_is_triggered(const struct pit_channel *c) { return c->mode == 1 || c->mode == 5; }
static uint32_t channel_modulus(const struct pit_channel *c) { return c->is_bcd ? 10000 : 65536; }

static uint64_t channel_elapsed(const struct pit_channel *c, uint64_t now)
{
	if (!c->is_counting)
		return c->held;
	return now > c->start ? c->held + (now - c->start) : c->held;
}

/* Take a pending count into use when its time has come. */
static void channel_sync(struct pit_channel *c, uint64_t now)
{
	uint64_t end;

	if (!mode_is_periodic(c) || !c->has_pending || !c->is_counting || now < c->start)
		return;
	end = c->start + c->count; /* has_pending was set in this period */
	if (now < end)
		return;
	c->start = end;
	c->held = 0;
	c->count = c->pending;
	c->has_pending = false;
}

/* A period that was entered before the pending count was written must not be the first again. */
static void channel_align(struct pit_channel *c, uint64_t now)
{
	if (c->is_counting && now > c->start)
		c->start = now - (now - c->start) % c->count;
}

static bool channel_out(const struct pit_channel *c, uint64_t now)
{
	uint64_t e = channel_elapsed(c, now);
	bool has_started = c->is_loaded && (!c->is_counting || now >= c->start);

	switch (c->mode) {
	case 0: return has_started && e >= c->count;
	case 1: return !(has_started && c->is_counting && e < c->count);
	case 2: return !(has_started && c->is_counting && e % c->count == c->count - 1);
	case 3: return !(has_started && c->is_counting && e % c->count >= (c->count + 1) / 2);
	default: return !(has_started && c->is_counting && e == c->count);
	}
}

static uint16_t to_bcd(uint32_t v)
{
	return (uint16_t)(v % 10 | v / 10 % 10 << 4 | v / 100 % 10 << 8 | v / 1000 % 10 << 12);
}

static uint32_t from_bcd(uint32_t v)
{
	return (v & 15) + (v >> 4 & 15) * 10 + (v >> 8 & 15) * 100 + (v >> 12 & 15) * 1000;
}

/* What the counting element holds. */
static uint16_t channel_value(const struct pit_channel *c, uint64_t now)
{
	uint64_t e = channel_elapsed(c, now);
	uint32_t mod = channel_modulus(c), v;

	switch (c->mode) {
	case 2: v = c->count - (uint32_t)(e % c->count); break;
	case 3: {
		uint32_t high = (c->count + 1) / 2, at = (uint32_t)(e % c->count);

		v = (c->count & ~1u) - 2 * (at < high ? at : at - high);
		break;
	}
	default: v = (uint32_t)((c->count + mod - e % mod) % mod);
	}
	v %= mod;
	return c->is_bcd ? to_bcd(v) : (uint16_t)v;
}

static void channel_latch_count(struct pit_channel *c, uint64_t now)
{
	if (c->has_count_latch)
		return;
	c->count_latch = channel_value(c, now);
	c->has_count_latch = true;
}

static void channel_latch_status(struct pit_channel *c, uint64_t now)
{
	bool is_null = !c->is_loaded || c->has_pending || (c->is_counting && now < c->start);

	if (c->has_status_latch)
		return;
	c->status_latch = (uint8_t)((channel_out(c, now) ? STATUS_OUT : 0) |
				    (is_null ? STATUS_NULL : 0) | c->rw << 4 | c->mode << 1 |
				    c->is_bcd);
	c->has_status_latch = true;
}

/* A count is complete in the count register; it reaches the counter at the next clock. */
static void channel_load(struct pit_channel *c, uint32_t value, uint64_t now)
{
	uint32_t mod = channel_modulus(c);

	value = (c->is_bcd ? from_bcd(value) : value) % mod;
	if (!value)
		value = mod;
	if (mode_is_triggered(c) || (mode_is_periodic(c) && c->is_loaded && c->is_counting)) {
		if (mode_is_periodic(c))
			channel_align(c, now);
		c->pending = value;
		c->has_pending = true;
		if (mode_is_triggered(c) && !c->is_loaded)
			c->count = value;
		c->is_loaded = true;
		return;
	}
	c->count = value;
	c->held = 0;
	c->start = now + 1;
	c->is_counting = c->gate;
	c->is_loaded = true;
	c->has_pending = false;
}

static void channel_set_gate(struct pit_channel *c, bool gate, uint64_t now)
{
	if (c->gate == gate)
		return;
	c->gate = gate;
	if (!c->is_loaded)
		return;
	if (!gate) {
		if (mode_is_triggered(c))
			return;
		c->held = channel_elapsed(c, now);
		c->is_counting = false;
		return;
	}
	if (mode_is_triggered(c) || mode_is_periodic(c)) {
		if (c->has_pending)
			c->count = c->pending;
		c->has_pending = false;
		c->held = 0;
		c->start = now + 1;
	} else {
		c->start = now;
	}
	/* mode 0 between the two bytes of a count stays held */
	c->is_counting = !(c->mode == 0 && c->is_msb_next);
}

static void channel_control(struct pit_channel *c, uint8_t value)
{
	c->rw = value >> 4 & 3;
	c->mode = value >> 1 & 7;
	if (c->mode > 5)
		c->mode -= 4; /* x10, x11 */
	c->is_bcd = value & 1;
	c->is_loaded = c->is_counting = c->has_pending = false;
	c->is_msb_next = c->reads_msb = c->has_count_latch = c->has_status_latch = false;
	c->held = 0;
}

static void channel_write(struct pit_channel *c, uint8_t value, uint64_t now)
{
	switch (c->rw) {
	case RW_LSB: channel_load(c, value, now); return;
	case RW_MSB: channel_load(c, (uint32_t)value << 8, now); return;
	default: break;
	}
	if (c->is_msb_next) {
		c->is_msb_next = false;
		channel_load(c, (uint32_t)value << 8 | c->write_low, now);
		return;
	}
	c->write_low = value;
	c->is_msb_next = true;
	if (c->mode == 0) { /* the first byte stops the count and OUT goes low */
		c->held = 0;
		c->is_counting = c->is_loaded = false;
	}
}

static uint8_t channel_read(struct pit_channel *c, uint64_t now)
{
	uint16_t v;

	if (c->has_status_latch) {
		c->has_status_latch = false;
		return c->status_latch;
	}
	v = c->has_count_latch ? c->count_latch : channel_value(c, now);
	if (c->rw == RW_WORD && !c->reads_msb) {
		c->reads_msb = true;
		return (uint8_t)v;
	}
	c->reads_msb = c->has_count_latch = false;
	return (uint8_t)(c->rw == RW_LSB ? v : v >> 8);
}

/* ---- OUT 0 ----------------------------------------------------------------------------------- */

/* The tick after `now` at which OUT rises next, UINT64_MAX if it doesn't. */
static uint64_t channel_next_rise(const struct pit_channel *c, uint64_t now)
{
	uint64_t e, edge;

	if (!c->is_loaded || !c->is_counting)
		return UINT64_MAX;
	e = channel_elapsed(c, now);
	if (mode_is_periodic(c)) {
		edge = e - e % c->count + c->count;
	} else {
		edge = c->count + (c->mode >= 4); /* modes 4, 5: one tick of strobe */
		if (e >= edge)
			return UINT64_MAX;
	}
	return (now > c->start ? now : c->start) + (edge - e);
}

/* Tell the wire what happened since the last look, and wait for the next rising edge: nobody sees
 * the falling ones, so they are shown together with the rise that follows. */
static void i8254_update_out(struct i8254 *s, uint64_t now)
{
	struct pit_channel *c = &s->ch[0];
	uint64_t rise = channel_next_rise(c, s->seen_tick);
	int64_t deadline, soon;

	if (s->is_lent)
		return;
	channel_sync(c, now);
	if (rise <= now) {
		irq_set(&s->out0, false);
		irq_set(&s->out0, true);
	}
	irq_set(&s->out0, channel_out(c, now));
	s->seen_tick = now;
	rise = channel_next_rise(c, now);
	if (rise == UINT64_MAX) {
		timer_disarm(&s->edge);
		return;
	}
	deadline = pit_ns(rise);
	soon = vclock_now(s->isa.dev.env->clock) + MIN_EVENT_NS;
	timer_arm(&s->edge, deadline < soon && mode_is_periodic(c) ? soon : deadline);
}

static void i8254_edge(void *dev)
{
	struct i8254 *s = i8254(dev);

	i8254_update_out(s, pit_now(s));
}

/* ---- ports ----------------------------------------------------------------------------------- */

static void i8254_read_back(struct i8254 *s, uint8_t value, uint64_t now)
{
	for (unsigned i = 0; i < 3; i++) {
		if (!(value & 2u << i))
			continue;
		if (!(value & READ_BACK_NO_COUNT))
			channel_latch_count(&s->ch[i], now);
		if (!(value & READ_BACK_NO_STATUS))
			channel_latch_status(&s->ch[i], now);
	}
}

static uint64_t i8254_read(struct device *dev, uint64_t offset, unsigned size)
{
	struct i8254 *s = i8254(dev);
	uint64_t now = pit_now(s);

	(void)size;
	if (offset == CONTROL_PORT)
		return 0xff; /* no operation: the bus floats */
	channel_sync(&s->ch[offset], now);
	return channel_read(&s->ch[offset], now);
}

static void i8254_write(struct device *dev, uint64_t offset, uint64_t value, unsigned size)
{
	struct i8254 *s = i8254(dev);
	uint64_t now = pit_now(s);
	unsigned select = value >> 6 & 3;

	(void)size;
	i8254_update_out(s, now);
	for (unsigned i = 1; i < 3; i++)
		channel_sync(&s->ch[i], now);
	if (offset != CONTROL_PORT) {
		channel_write(&s->ch[offset], (uint8_t)value, now);
		s->loads++;
		select = (unsigned)offset;
	} else if (select == READ_BACK) {
		i8254_read_back(s, (uint8_t)value, now);
		return;
	} else if ((value >> 4 & 3) == RW_LATCH) {
		channel_latch_count(&s->ch[select], now);
		return;
	} else {
		channel_control(&s->ch[select], (uint8_t)value);
	}
	if (select == 0)
		i8254_update_out(s, now);
}

static uint64_t port61_read(struct device *dev, uint64_t offset, unsigned size)
{
	struct i8254 *s = i8254(dev);
	uint64_t now = pit_now(s);

	(void)offset;
	(void)size;
	channel_sync(&s->ch[2], now);
	return (uint64_t)(s->control61 | (channel_out(&s->ch[2], now) ? TMR2_OUT_STS : 0) |
			  (now / REFRESH_TICKS & 1 ? REF_TOGGLE : 0));
}

static void port61_write(struct device *dev, uint64_t offset, uint64_t value, unsigned size)
{
	struct i8254 *s = i8254(dev);
	uint64_t now = pit_now(s);

	(void)offset;
	(void)size;
	s->loads += (s->control61 ^ value) & TIM_CNT2_EN;
	s->control61 = value & PORT61_WRITABLE;
	channel_sync(&s->ch[2], now);
	channel_set_gate(&s->ch[2], value & TIM_CNT2_EN, now);
}

/* ---- life ------------------------------------------------------------------------------------ */

static void i8254_reset(struct device *dev)
{
	struct i8254 *s = i8254(dev);

	for (unsigned i = 0; i < 3; i++)
		s->ch[i] = (struct pit_channel){
			.mode = 3, .rw = RW_WORD, .count = 65536, .gate = i != 2
		};
	s->control61 = 0;
	s->loads++;
	s->seen_tick = pit_now(s);
	i8254_update_out(s, s->seen_tick);
}

static bool i8254_post_load(struct device *dev, struct err *err)
{
	struct i8254 *s = i8254(dev);

	(void)err;
	for (unsigned i = 0; i < 3; i++) {
		struct pit_channel *c = &s->ch[i];

		if (!c->count || c->count > 65536)
			c->count = 65536;
		if (!c->pending || c->pending > 65536)
			c->pending = 65536;
		c->rw &= 3;
		if (c->mode > 5)
			c->mode = 3;
	}
	i8254_update_out(s, pit_now(s));
	return true;
}

/* ---- somebody else's ------------------------------------------------------------------------- */

void i8254_lend(struct device *dev, struct i8254_image *image)
{
	struct i8254 *s = i8254(dev);
	uint64_t now;

	lock_take(&dev->lock);
	now = pit_now(s);
	i8254_update_out(s, now);
	*image = (struct i8254_image){ .control61 = s->control61, .loads = s->loads };
	for (unsigned i = 0; i < 3; i++) {
		const struct pit_channel *c = &s->ch[i];

		image->ch[i].mode = c->mode;
		image->ch[i].rw = c->rw;
		image->ch[i].is_bcd = c->is_bcd;
		image->ch[i].gate = c->gate;
		image->ch[i].is_loaded = c->is_loaded;
		image->ch[i].has_count_latch = c->has_count_latch;
		image->ch[i].has_status_latch = c->has_status_latch;
		image->ch[i].is_msb_next = c->is_msb_next;
		image->ch[i].reads_msb = c->reads_msb;
		image->ch[i].status_latch = c->status_latch;
		image->ch[i].write_low = c->write_low;
		image->ch[i].count_latch = c->count_latch;
		image->ch[i].count = c->has_pending ? c->pending : c->count;
		image->ch[i].elapsed_ns = pit_ns(channel_elapsed(c, now));
	}
	timer_disarm(&s->edge);
	irq_set(&s->out0, false);
	s->is_lent = true;
	lock_drop(&dev->lock);
}

static void channel_return(struct pit_channel *c, const struct i8254_image *image, unsigned i,
			   uint64_t now)
{
	uint64_t elapsed = (uint64_t)((unsigned __int128)image->ch[i].elapsed_ns * PIT_HZ /
				      NS_PER_S);

	*c = (struct pit_channel){
		.mode = image->ch[i].mode,
		.rw = image->ch[i].rw,
		.is_bcd = image->ch[i].is_bcd,
		.gate = image->ch[i].gate,
		.is_loaded = image->ch[i].is_loaded,
		.has_count_latch = image->ch[i].has_count_latch,
		.has_status_latch = image->ch[i].has_status_latch,
		.is_msb_next = image->ch[i].is_msb_next,
		.reads_msb = image->ch[i].reads_msb,
		.status_latch = image->ch[i].status_latch,
		.write_low = image->ch[i].write_low,
		.count_latch = image->ch[i].count_latch,
		.count = image->ch[i].count,
	};
	c->is_counting = c->is_loaded && (c->gate || mode_is_triggered(c));
	/* Its start may lie before the clock's. */
	c->start = now;
	c->held = elapsed;
}

void i8254_return(struct device *dev, const struct i8254_image *image, int64_t since_ns,
		  bool goes_on)
{
	struct i8254 *s = i8254(dev);
	uint64_t now;

	lock_take(&dev->lock);
	now = pit_now(s);
	for (unsigned i = 0; i < 3; i++)
		channel_return(&s->ch[i], image, i, now);
	s->control61 = image->control61;
	s->loads = image->loads;
	if (goes_on) {
		uint64_t missed = now - (uint64_t)((unsigned __int128)since_ns * PIT_HZ / NS_PER_S);
		struct pit_channel *c = &s->ch[0];

		/* An edge that came since is told now. */
		s->is_lent = false;
		s->seen_tick = now;
		if (c->is_loaded && c->held >= c->count && mode_is_periodic(c) &&
		    c->held % c->count < missed) {
			irq_set(&s->out0, false);
			irq_set(&s->out0, true);
		}
		i8254_update_out(s, now);
	}
	lock_drop(&dev->lock);
}

static const struct region_ops i8254_ops = { i8254_read, i8254_write, .max = 1 };
static const struct region_ops port61_ops = { port61_read, port61_write, .max = 1 };

static bool i8254_realize(struct device *dev, struct err *err)
{
	struct i8254 *s = i8254(dev);

	(void)err;
	region_init_io(&s->ports, dev, "i8254", &i8254_ops, 4);
	region_init_io(&s->port61, dev, "port61", &port61_ops, 1);
	isa_add_region(&s->isa, &s->ports, 0x40);
	isa_add_region(&s->isa, &s->port61, 0x61);
	isa_add_irq(&s->isa, &s->out0, 0);
	device_init_timer(dev, &s->edge, i8254_edge);
	return true;
}

/* clang-format off */
#define CHANNEL_FIELDS(i)                                                                    \
	FIELD(struct i8254, ch[i].mode), FIELD(struct i8254, ch[i].rw),                      \
	FIELD(struct i8254, ch[i].is_bcd), FIELD(struct i8254, ch[i].gate),                  \
	FIELD(struct i8254, ch[i].is_loaded), FIELD(struct i8254, ch[i].is_counting),        \
	FIELD(struct i8254, ch[i].has_pending), FIELD(struct i8254, ch[i].is_msb_next),      \
	FIELD(struct i8254, ch[i].reads_msb), FIELD(struct i8254, ch[i].has_count_latch),    \
	FIELD(struct i8254, ch[i].has_status_latch), FIELD(struct i8254, ch[i].write_low),   \
	FIELD(struct i8254, ch[i].status_latch), FIELD(struct i8254, ch[i].count_latch),     \
	FIELD(struct i8254, ch[i].count), FIELD(struct i8254, ch[i].pending),                \
	FIELD(struct i8254, ch[i].start), FIELD(struct i8254, ch[i].held)

static const struct field i8254_state[] = {
	CHANNEL_FIELDS(0), CHANNEL_FIELDS(1), CHANNEL_FIELDS(2),
	FIELD(struct i8254, control61),
	FIELD(struct i8254, seen_tick),
	{ 0 },
};
/* clang-format on */

const struct device_type i8254_type = {
	.base = {
		.name = "i8254",
		.parent = &device_object_type,
		.size = sizeof(struct i8254),
		.help = "interval timer (8254) with port 61h",
	},
	.bus = "isa",
	.category = "misc",
	.state = i8254_state,
	.state_version = 1,
	.realize = i8254_realize,
	.reset = i8254_reset,
	.post_load = i8254_post_load,
};
