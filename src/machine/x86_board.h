/* machine/x86_board.h - what every x86 board has: APICs, the ISA chips, fw_cfg, a kernel loader.
 * SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "cpu/pc_chips.h"
#include "firmware/acpi.h"
#include "firmware/boot.h"
#include "machine/machine.h"

enum {
	X86_BOARD_IOAPIC = 0xfec00000,
	X86_BOARD_PIT_LINE = 0,
	X86_BOARD_PIT_GSI = 2,
	X86_BOARD_ISA_PORTS = 64
};

struct x86_board {
	struct machine machine;                     /* first */
	bool has_pic, has_pit, has_rtc, has_serial; /* -machine's switches */

	struct device *apic_bus, *ioapic, *pic, *pit;
	/* const after build: the accelerator's chips, which these lend their states; NULL: none */
	const struct pc_chips_ops *chips;
	struct pc_chips_board lender;
	bool has_lent_lines;
	struct region_guard chips_guard;
	struct {
		uint16_t first, last;
		const char *owner;
	} ports[X86_BOARD_ISA_PORTS]; /* of the I/O space, taken */
	unsigned port_count;

	struct ram_block *rom_block;
	struct region rom;
	struct e820_entry e820[E820_MAX];
	unsigned e820_count;
	struct acpi_board acpi;
	struct boot_image boot; /* kernel started without firmware */
};

static inline struct x86_board *x86_board(struct machine *m)
{
	return container_of(m, struct x86_board, machine);
}

/* Local APICs and their bus, I/O APIC, and the ISA chips that are switched on. */
bool x86_board_build(struct x86_board *b, struct err *err);
/* Make a chip of type `type`, realize it and, if it is an ISA device, wire it.  NULL: error. */
struct device *x86_board_add(struct x86_board *b, const char *type, struct err *err);
/* The COM port of an isa-serial that was given none: the next free one. */
bool x86_board_prepare_isa(struct machine *m, struct device *dev, struct err *err);
/* Ports and lines of a realized ISA device. */
bool x86_board_plug_isa(struct x86_board *b, struct device *dev, struct err *err);
/* machine_type.cpu_apic_id. */
uint32_t x86_board_number_cpu(const struct machine *m, unsigned index);
/* x86_chips.c: the accelerator may have the interrupt chips' states. */
bool x86_board_connect_chips(struct x86_board *b, struct err *err);
/* Raise or lower ISA line or GSI n: sink for irq_connect(), opaque is the board. */
void x86_board_set_line(void *opaque, int line, bool level);
/* e820, ACPI, fw_cfg contents; then the -bios image or the -kernel.  acpi says whether to make
 * tables. */
bool x86_board_finish(struct x86_board *b, bool acpi, struct err *err);
/* object_type.fini of every x86 machine. */
void x86_board_fini(struct object *o);
/* machine_type.load: put kernel and tables into memory, set the boot vCPU. */
bool x86_board_load(struct machine *m, struct err *err);
void x86_board_show_roms(struct machine *m, FILE *out);
