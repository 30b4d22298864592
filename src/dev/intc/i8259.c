/* dev/intc/i8259.c - the PC's pair of 8259A interrupt controllers, cascaded through line 2.
 *
 * Regions: 0 master (20h), 1 slave (A0h), 2 edge/level control (4D0h, 4D1h: chipset's ELCR).
 * Wire 0: INTR.  Inputs: i8259_set_irq().
 * Not modelled: MCS-80 mode (vectors are given as in 8086 mode), buffered mode, cascades other than
 * the PC's.  As in chipsets' cells, an edge stays latched when its line falls before the INTA.
 * Specification: Intel 8259A data sheet (231468); ICH9 13.4 (ELCR).
 * SPDX-License-Identifier: MIT */
#include "dev/intc/i8259.h"

#include "cpu/pc_chips.h"
#include "dev/isa/isa.h"

enum { ICW1_IC4 = 0x01, ICW1_SNGL = 0x02, ICW1_LTIM = 0x08, ICW1_SELECT = 0x10 };
enum { ICW4_UPM = 0x01, ICW4_AEOI = 0x02, ICW4_SFNM = 0x10 };
enum {
	OCW3_RIS = 0x01,
	OCW3_RR = 0x02,
	OCW3_P = 0x04,
	OCW3_SELECT = 0x08,
	OCW3_SMM = 0x20,
	OCW3_ESMM = 0x40
};
/* OCW2 bits 7-5: R, SL, EOI */
enum {
	OCW2_ROTATE_AEOI_CLEAR,
	OCW2_EOI,
	OCW2_NOP,
	OCW2_EOI_LEVEL,
	OCW2_ROTATE_AEOI_SET,
	OCW2_ROTATE_EOI,
	OCW2_SET_PRIORITY,
	OCW2_ROTATE_EOI_LEVEL
};
enum { MASTER, SLAVE, CASCADE_LINE = 2, SPURIOUS_LINE = 7 };

/* What the next write to the odd port is (data sheet figure 6). */
enum init_step { INIT_DONE, INIT_ICW2, INIT_ICW3, INIT_ICW4 };

struct pic {
	uint8_t irr, isr, imr;
	uint8_t lines;  /* input levels, for edges */
	uint8_t elcr;   /* 1: level */
	uint8_t vector; /* ICW2 */
	uint8_t icw3;
	uint8_t init_step;
	uint8_t top;    /* the line of highest priority */
	bool is_level;  /* ICW1 LTIM: all lines */
	bool is_single; /* ICW1 SNGL */
	bool has_icw4;
	bool is_auto_eoi, is_special_nested; /* ICW4 */
	bool is_special_mask, is_rotating_aeoi, reads_isr, is_polled;
};

struct i8259 {
	struct isa_device isa;
	struct region ports[3];
	struct irq intr;
	struct pic pic[2];              /* dev.lock */
	uint64_t taken[ISA_LINE_COUNT]; /* dev.lock: statistics */
	bool is_lent;                   /* dev.lock: somebody else has the state (cpu/pc_chips.h) */
};

static struct i8259 *i8259(struct device *dev) { return container_of(dev, struct i8259, isa.dev); }

/* ---- one chip -------------------------------------------------------------------------------- */

static uint8_t pic_level_mask(const struct pic *p) { return p->is_level ? 0xff : p->elcr; }

/* Place of the highest-priority line in set: 0 is the highest, 8 is none. */
static unsigned pic_place(const struct pic *p, uint8_t set)
{
	unsigned place = 0;

	while (place < 8 && !(set & 1u << ((p->top + place) & 7)))
		place++;
	return place;
}

/* The line this chip asks to be served, or -1. */
static int pic_request(const struct pic *p, bool is_master)
{
	uint8_t in_service = p->isr;
	unsigned wanted = pic_place(p, p->irr & (uint8_t)~p->imr);

	if (p->is_special_mask)
		in_service &= (uint8_t)~p->imr;
	if (p->is_special_nested && is_master)
		in_service &= (uint8_t) ~(1u << CASCADE_LINE);
	if (wanted == 8 || wanted >= pic_place(p, in_service))
		return -1;
	return (int)((p->top + wanted) & 7);
}

static void pic_set_line(struct pic *p, unsigned line, bool level)
{
	uint8_t bit = (uint8_t)(1u << line);

	if (pic_level_mask(p) & bit)
		p->irr = level ? p->irr | bit : p->irr & (uint8_t)~bit;
	else if (level && !(p->lines & bit))
		p->irr |= bit;
	p->lines = level ? p->lines | bit : p->lines & (uint8_t)~bit;
}

/* The second INTA pulse for a line. */
static void pic_accept(struct pic *p, unsigned line)
{
	uint8_t bit = (uint8_t)(1u << line);

	if (!p->is_auto_eoi)
		p->isr |= bit;
	else if (p->is_rotating_aeoi)
		p->top = (line + 1) & 7;
	if (!(pic_level_mask(p) & bit))
		p->irr &= (uint8_t)~bit;
}

static void pic_eoi(struct pic *p, int line, bool rotate)
{
	if (line < 0) { /* non-specific: the one in service of highest priority */
		uint8_t set = p->isr;
		unsigned place;

		if (p->is_special_mask)
			set &= (uint8_t)~p->imr;
		place = pic_place(p, set);
		if (place == 8)
			return;
		line = (int)((p->top + place) & 7);
	}
	p->isr &= (uint8_t) ~(1u << line);
	if (rotate)
		p->top = (uint8_t)((line + 1) & 7);
}

static void pic_icw1(struct pic *p, uint8_t value)
{
	p->imr = p->isr = 0;
	p->top = 0;
	p->is_special_mask = p->reads_isr = p->is_polled = false;
	p->is_level = value & ICW1_LTIM;
	p->is_single = value & ICW1_SNGL;
	p->has_icw4 = value & ICW1_IC4;
	if (!p->has_icw4)
		p->is_auto_eoi = p->is_special_nested = false;
	/* The edge detectors are cleared: a line must go low and high again. */
	p->irr = p->lines & pic_level_mask(p);
	p->init_step = INIT_ICW2;
}

static void pic_ocw2(struct pic *p, uint8_t value)
{
	int line = value & 7;

	switch (value >> 5) {
	case OCW2_ROTATE_AEOI_CLEAR: p->is_rotating_aeoi = false; break;
	case OCW2_ROTATE_AEOI_SET: p->is_rotating_aeoi = true; break;
	case OCW2_EOI: pic_eoi(p, -1, false); break;
	case OCW2_ROTATE_EOI: pic_eoi(p, -1, true); break;
	case OCW2_EOI_LEVEL: pic_eoi(p, line, false); break;
	case OCW2_ROTATE_EOI_LEVEL: pic_eoi(p, line, true); break;
	case OCW2_SET_PRIORITY: p->top = (uint8_t)((line + 1) & 7); break;
	default: break;
	}
}

static void pic_ocw3(struct pic *p, uint8_t value)
{
	if (value & OCW3_P)
		p->is_polled = true;
	if (value & OCW3_RR)
		p->reads_isr = value & OCW3_RIS;
	if (value & OCW3_ESMM)
		p->is_special_mask = value & OCW3_SMM;
}

static void pic_write_odd(struct pic *p, uint8_t value)
{
	switch (p->init_step) {
	case INIT_DONE: p->imr = value; return;
	case INIT_ICW2:
		p->vector = value & 0xf8;
		p->init_step = p->is_single ? INIT_ICW4 : INIT_ICW3;
		break;
	case INIT_ICW3:
		p->icw3 = value;
		p->init_step = INIT_ICW4;
		break;
	case INIT_ICW4:
		p->is_auto_eoi = value & ICW4_AEOI;
		p->is_special_nested = value & ICW4_SFNM;
		p->init_step = INIT_DONE;
		break;
	}
	if (p->init_step == INIT_ICW4 && !p->has_icw4)
		p->init_step = INIT_DONE;
}

/* ---- the pair -------------------------------------------------------------------------------- */

static void i8259_update_locked(struct i8259 *s)
{
	if (s->is_lent)
		return;
	pic_set_line(&s->pic[MASTER], CASCADE_LINE, pic_request(&s->pic[SLAVE], false) >= 0);
	irq_set(&s->intr, pic_request(&s->pic[MASTER], true) >= 0);
}

/* INTA to the slave.  Its INT pin drops in between, so that what else waits makes a new edge. */
static int i8259_accept_slave(struct i8259 *s)
{
	struct pic *slave = &s->pic[SLAVE];
	int line = pic_request(slave, false);

	if (line < 0)
		return SPURIOUS_LINE;
	pic_accept(slave, (unsigned)line);
	pic_set_line(&s->pic[MASTER], CASCADE_LINE, false);
	return line;
}

int i8259_ack(void *pic)
{
	struct i8259 *s = i8259(pic);
	struct pic *master = &s->pic[MASTER];
	int line, vector;

	lock_take(&s->isa.dev.lock);
	line = pic_request(master, true);
	if (line < 0) {
		vector = master->vector + SPURIOUS_LINE;
	} else {
		pic_accept(master, (unsigned)line);
		vector = master->vector + line;
		if (line == CASCADE_LINE && !master->is_single) {
			line = i8259_accept_slave(s);
			vector = s->pic[SLAVE].vector + line;
			line += 8;
		}
		s->taken[line]++;
	}
	i8259_update_locked(s);
	lock_drop(&s->isa.dev.lock);
	return vector;
}

void i8259_set_irq(void *pic, int line, bool level)
{
	struct i8259 *s = i8259(pic);

	if (line == CASCADE_LINE)
		return;
	lock_take(&s->isa.dev.lock);
	TRACE(irq_raise, "i8259 line %d: %d", line, level);
	device_tell_input(&s->isa.dev, line, level);
	pic_set_line(&s->pic[line >> 3], (unsigned)line & 7, level);
	i8259_update_locked(s);
	lock_drop(&s->isa.dev.lock);
}

/* OCW3 poll: the read is the INTA (data sheet, "Poll command"). */
static uint8_t i8259_poll(struct i8259 *s, unsigned chip)
{
	struct pic *p = &s->pic[chip];
	int line = pic_request(p, chip == MASTER);

	p->is_polled = false;
	if (line < 0)
		return 0;
	pic_accept(p, (unsigned)line);
	if (chip == SLAVE)
		pic_set_line(&s->pic[MASTER], CASCADE_LINE, false);
	i8259_update_locked(s);
	return (uint8_t)(0x80 | line);
}

static uint64_t i8259_read(struct i8259 *s, unsigned chip, uint64_t offset)
{
	struct pic *p = &s->pic[chip];

	if (p->is_polled)
		return i8259_poll(s, chip);
	if (offset)
		return p->imr;
	return p->reads_isr ? p->isr : p->irr;
}

static void i8259_write(struct i8259 *s, unsigned chip, uint64_t offset, uint8_t value)
{
	struct pic *p = &s->pic[chip];

	if (offset)
		pic_write_odd(p, value);
	else if (value & ICW1_SELECT)
		pic_icw1(p, value);
	else if (value & OCW3_SELECT)
		pic_ocw3(p, value);
	else
		pic_ocw2(p, value);
	i8259_update_locked(s);
}

static uint64_t master_read(struct device *dev, uint64_t offset, unsigned size)
{
	(void)size;
	return i8259_read(i8259(dev), MASTER, offset);
}

static void master_write(struct device *dev, uint64_t offset, uint64_t value, unsigned size)
{
	(void)size;
	i8259_write(i8259(dev), MASTER, offset, (uint8_t)value);
}

static uint64_t slave_read(struct device *dev, uint64_t offset, unsigned size)
{
	(void)size;
	return i8259_read(i8259(dev), SLAVE, offset);
}

static void slave_write(struct device *dev, uint64_t offset, uint64_t value, unsigned size)
{
	(void)size;
	i8259_write(i8259(dev), SLAVE, offset, (uint8_t)value);
}

static uint64_t elcr_read(struct device *dev, uint64_t offset, unsigned size)
{
	(void)size;
	return i8259(dev)->pic[offset].elcr;
}

/* Lines 0, 1, 2, 8 and 13 are always edge-triggered. */
static void elcr_write(struct device *dev, uint64_t offset, uint64_t value, unsigned size)
{
	struct i8259 *s = i8259(dev);
	struct pic *p = &s->pic[offset];
	uint8_t old = p->elcr;

	(void)size;
	p->elcr = value & (offset == MASTER ? 0xf8 : 0xde);
	/* A line that becomes level-triggered shows its level at once. */
	p->irr = (p->irr & (uint8_t) ~(old ^ p->elcr)) | (p->lines & p->elcr);
	i8259_update_locked(s);
}

static void i8259_reset(struct device *dev)
{
	struct i8259 *s = i8259(dev);

	for (unsigned i = 0; i < 2; i++)
		s->pic[i] = (struct pic){ .lines = s->pic[i].lines };
	s->pic[MASTER].lines &= (uint8_t) ~(1u << CASCADE_LINE);
	i8259_update_locked(s);
}

static bool i8259_post_load(struct device *dev, struct err *err)
{
	struct i8259 *s = i8259(dev);

	(void)err;
	for (unsigned i = 0; i < 2; i++)
		s->pic[i].top &= 7;
	irq_set(&s->intr, pic_request(&s->pic[MASTER], true) >= 0);
	return true;
}

/* ---- somebody else's ------------------------------------------------------------------------- */

void i8259_lend(struct device *dev, struct i8259_image *image)
{
	struct i8259 *s = i8259(dev);

	lock_take(&dev->lock);
	for (unsigned i = 0; i < 2; i++) {
		const struct pic *p = &s->pic[i];

		image[i] = (struct i8259_image){
			.irr = p->irr,
			.isr = p->isr,
			.imr = p->imr,
			.lines = p->lines,
			.elcr = p->elcr,
			.vector = p->vector,
			.init_step = p->init_step == INIT_DONE ? 0 : p->init_step + 1,
			.top = p->top,
			.has_icw4 = p->has_icw4,
			.is_auto_eoi = p->is_auto_eoi,
			.is_special_nested = p->is_special_nested,
			.is_special_mask = p->is_special_mask,
			.is_rotating_aeoi = p->is_rotating_aeoi,
			.reads_isr = p->reads_isr,
			.is_polled = p->is_polled,
		};
	}
	s->is_lent = true;
	irq_set(&s->intr, false);
	lock_drop(&dev->lock);
}

static void pic_return(struct pic *p, const struct i8259_image *image)
{
	p->irr = image->irr;
	p->isr = image->isr;
	p->imr = image->imr;
	p->lines = image->lines;
	p->elcr = image->elcr;
	p->vector = image->vector & 0xf8;
	p->init_step = image->init_step < 2 || image->init_step > 4 ? INIT_DONE
								    : image->init_step - 1;
	p->top = image->top & 7;
	p->has_icw4 = image->has_icw4;
	p->is_auto_eoi = image->is_auto_eoi;
	p->is_special_nested = image->is_special_nested;
	p->is_special_mask = image->is_special_mask;
	p->is_rotating_aeoi = image->is_rotating_aeoi;
	p->reads_isr = image->reads_isr;
	p->is_polled = image->is_polled;
}

void i8259_return(struct device *dev, const struct i8259_image *image, bool goes_on)
{
	struct i8259 *s = i8259(dev);

	lock_take(&dev->lock);
	for (unsigned i = 0; i < 2; i++)
		pic_return(&s->pic[i], &image[i]);
	s->pic[MASTER].lines &= (uint8_t) ~(1u << CASCADE_LINE);
	if (goes_on) {
		s->is_lent = false;
		i8259_update_locked(s);
	}
	lock_drop(&dev->lock);
}

static const struct region_ops master_ops = { master_read, master_write, .max = 1 };
static const struct region_ops slave_ops = { slave_read, slave_write, .max = 1 };
static const struct region_ops elcr_ops = { elcr_read, elcr_write, .max = 1 };

static bool i8259_realize(struct device *dev, struct err *err)
{
	struct i8259 *s = i8259(dev);

	(void)err;
	region_init_io(&s->ports[0], dev, "i8259-master", &master_ops, 2);
	region_init_io(&s->ports[1], dev, "i8259-slave", &slave_ops, 2);
	region_init_io(&s->ports[2], dev, "i8259-elcr", &elcr_ops, 2);
	isa_add_region(&s->isa, &s->ports[0], 0x20);
	isa_add_region(&s->isa, &s->ports[1], 0xa0);
	isa_add_region(&s->isa, &s->ports[2], 0x4d0);
	isa_add_irq(&s->isa, &s->intr, ISA_NO_LINE);
	return true;
}

/* clang-format off */
#define PIC_FIELDS(i)                                                                              \
	FIELD(struct i8259, pic[i].irr), FIELD(struct i8259, pic[i].isr),                          \
	FIELD(struct i8259, pic[i].imr), FIELD(struct i8259, pic[i].lines),                        \
	FIELD(struct i8259, pic[i].elcr), FIELD(struct i8259, pic[i].vector),                      \
	FIELD(struct i8259, pic[i].icw3), FIELD(struct i8259, pic[i].init_step),                   \
	FIELD(struct i8259, pic[i].top), FIELD(struct i8259, pic[i].is_level),                     \
	FIELD(struct i8259, pic[i].is_single), FIELD(struct i8259, pic[i].has_icw4),               \
	FIELD(struct i8259, pic[i].is_auto_eoi), FIELD(struct i8259, pic[i].is_special_nested),    \
	FIELD(struct i8259, pic[i].is_special_mask), FIELD(struct i8259, pic[i].is_rotating_aeoi), \
	FIELD(struct i8259, pic[i].reads_isr), FIELD(struct i8259, pic[i].is_polled)

static const struct field i8259_state[] = { PIC_FIELDS(0), PIC_FIELDS(1), { 0 } };
/* clang-format on */

static void i8259_show(struct device *dev, FILE *out)
{
	const struct i8259 *s = i8259(dev);

	for (int i = SLAVE; i >= MASTER; i--) {
		const struct pic *p = &s->pic[i];

		fprintf(out,
			"pic%d: irr=%02x imr=%02x isr=%02x hprio=%u irq_base=%02x rr_sel=%d "
			"elcr=%02x fnm=%d\n",
			i, p->irr, p->imr, p->isr, p->top, p->vector, p->reads_isr,
			pic_level_mask(p), p->is_special_nested);
	}
}

static const uint64_t *i8259_irq_counts(const struct device *dev)
{
	return container_of(dev, const struct i8259, isa.dev)->taken;
}

const struct device_type i8259_type = {
	.base = {
		.name = "i8259",
		.parent = &device_object_type,
		.size = sizeof(struct i8259),
		.help = "PC interrupt controllers (two 8259A)",
	},
	.bus = "isa",
	.category = "misc",
	.lock_rank = LOCK_INTC - 1, /* its INTR pin may be wired to an I/O APIC */
	.input_count = ISA_LINE_COUNT,
	.set_input = i8259_set_irq,
	.state = i8259_state,
	.state_version = 1,
	.realize = i8259_realize,
	.reset = i8259_reset,
	.post_load = i8259_post_load,
	.show = i8259_show,
	.irq_counts = i8259_irq_counts,
};
