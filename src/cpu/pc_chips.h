/* cpu/pc_chips.h - interrupt chips of a PC that the accelerator has too.
 *
 * A board makes the same chips (dev/intc, dev/timer) under every accelerator.  One with chips of
 * its own, as Linux' KVM, is lent their states before guest code runs there, and returns them when
 * somebody else is to run or to show them: the translator, a reset, a monitor.  In between a chip
 * that is lent does nothing.  States travel as the images below, which are what the data sheets
 * show of the registers.
 *
 * Only whole sets are lent: all of them, or the local APICs alone ("split").  pc_chips_ops.hold()
 * says where they are and keeps them there, for whoever has an interrupt to deliver.
 * SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct accel;
struct err;

enum pc_chips_set {
	PC_CHIPS_NONE,   /* all are the board's */
	PC_CHIPS_LAPICS, /* the local APICs */
	PC_CHIPS_ALL,    /* with them the I/O APIC, the 8259s and the 8254 */
};

enum { PC_LINES = 24, PC_IOAPIC_PINS = 24 };

/* What is returned is only shown, or the chip goes on from there. */
enum pc_chip_return { PC_CHIP_SHOW, PC_CHIP_GO_ON };

struct lapic_image {
	uint32_t reg[64];    /* that at offset 10h * n (SDM 3A table 11-1) */
	uint64_t base;       /* IA32_APIC_BASE */
	uint64_t deadline;   /* IA32_TSC_DEADLINE; 0: none */
	int64_t deadline_ns; /* when, on the machine's clock */
};

struct ioapic_image {
	uint8_t id, select;
	uint32_t lines; /* input levels */
	uint64_t rte[PC_IOAPIC_PINS];
};

struct i8259_image { /* one of the pair */
	uint8_t irr, isr, imr, lines, elcr, vector;
	uint8_t init_step; /* the command word that comes next: 2, 3, 4; 0: none */
	uint8_t top;       /* the line of highest priority */
	bool has_icw4, is_auto_eoi, is_special_nested, is_special_mask, is_rotating_aeoi;
	bool reads_isr, is_polled;
};

struct i8254_image {
	struct {
		uint8_t mode, rw;
		bool is_bcd, gate, is_loaded;
		bool has_count_latch, has_status_latch, is_msb_next, reads_msb;
		uint8_t status_latch, write_low;
		uint16_t count_latch;
		uint32_t count;     /* 1 .. 65536 */
		int64_t elapsed_ns; /* since it was loaded */
	} ch[3];
	uint8_t control61;
	uint32_t loads; /* how often one was loaded or started by its gate */
};

/* The board's side.  Context: hold()'s lock or none is held, no chip's. */
struct pc_chips_board {
	void (*lend_ioapic)(void *board, struct ioapic_image *image);
	void (*return_ioapic)(void *board, const struct ioapic_image *image,
			      enum pc_chip_return how);
	void (*lend_i8259)(void *board, struct i8259_image *image);
	void (*return_i8259)(void *board, const struct i8259_image *image, enum pc_chip_return how);
	/* These two: no lock is held.  An edge after since_ns may not have been told. */
	void (*lend_i8254)(void *board, struct i8254_image *image);
	void (*return_i8254)(void *board, const struct i8254_image *image, int64_t since_ns,
			     enum pc_chip_return how);
	/* Level-triggered interrupts of the I/O APIC end, with PC_CHIPS_LAPICS. */
	void (*eoi)(void *board, uint8_t vector);
	bool has_pic, has_pit;
};

/* The accelerator's side (accel_ops.chips).  The local APICs' states go by vcpu_intc_ops. */
struct pc_chips_ops {
	enum pc_chips_set (*set)(const struct accel *a);
	/* The board is built; it still has all states. */
	bool (*connect)(struct accel *a, const struct pc_chips_board *ops, void *board,
			struct err *err);
	/* Once connected, with PC_CHIPS_ALL: is the 8254 one of them? */
	bool (*has_pit)(const struct accel *a);
	/* Until drop() no state moves.  True: they are lent.  Context: any thread; with
	 * PC_CHIPS_LAPICS also under the I/O APIC's lock, else no interrupt controller's. */
	bool (*hold)(struct accel *a);
	void (*drop)(struct accel *a);
	/* With PC_CHIPS_ALL: line 0 .. 15 of the ISA bus, or that pin of the I/O APIC, whoever has
	 * the states.  Needs hold(). */
	void (*set_line)(struct accel *a, unsigned line, bool level);
	/* A message, while they are lent; true: somebody accepted it.  Needs hold(). */
	bool (*send)(struct accel *a, uint64_t addr, uint32_t data);
	/* What pin of the board's I/O APIC sends, so that its EOIs are told; addr 0: nothing that
	 * has one. */
	void (*route)(struct accel *a, unsigned pin, uint64_t addr, uint32_t data);
	/* All states come back; the next vCPU that runs lends them again.  Context: main thread, no
	 * vCPU runs. */
	void (*recall)(struct accel *a);
	/* From begin to end all states are here, and no guest code runs where it could have them
	 * lent: for accesses to the board's chips that are not the guest's own.  Context: any
	 * thread, no device's or controller's lock held; begin may block. */
	void (*begin_access)(struct accel *a);
	void (*end_access)(struct accel *a);
	/* The board's chips show what the accelerator's hold.  Context: main thread. */
	void (*show)(struct accel *a);
};
