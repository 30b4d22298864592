/* firmware/acpi.h - ACPI tables of a hardware-reduced x86 machine.
 * SPDX-License-Identifier: MIT */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/bits.h"

struct device;
struct err;

enum { ACPI_MAX_SERIALS = 4 };

/* What the tables tell of the board. */
struct acpi_board {
	const uint32_t *apic_ids; /* of the vCPUs */
	unsigned cpu_count;
	gpa_t lapic, ioapic; /* 0: none */
	bool has_pic, has_rtc;
	uint32_t pit_gsi; /* where ISA line 0 arrives; ISA_LINE 0 itself when 0 */
	gpa_t ged_events; /* register blocks of dev/acpi/ged.h */
	gpa_t ged_regs;
	uint32_t ged_gsi;
	struct {
		uint16_t port;
		uint8_t line;
	} serials[ACPI_MAX_SERIALS];
	unsigned serial_count;
	uint16_t fw_cfg_port;   /* 0: none */
	uint16_t pvpanic_port;  /* 0: none */
	uint16_t pm_timer_port; /* 0: none */
};

/* The tables in one piece, with their pointers relative to it until they are placed. */
struct acpi_tables {
	GByteArray *bytes; /* XSDT, FADT, MADT, DSDT */
	GArray *pointers;  /* struct acpi_pointer */
	GArray *checksums; /* struct acpi_checksum */
	uint32_t xsdt;     /* offset in bytes */
};
struct acpi_pointer {
	uint32_t at;   /* offset of the pointer in bytes */
	uint32_t size; /* 4 or 8; it holds the offset of its target */
};
struct acpi_checksum {
	uint32_t table, len; /* of the table whose byte 9 it is */
};

void acpi_build(struct acpi_tables *t, const struct acpi_board *board);
void acpi_free(struct acpi_tables *t);
enum { ACPI_RSDP_SIZE = 36 };
/* For a kernel started without firmware: RSDP at `at`, the tables behind it, all pointers absolute.
 * g_byte_array_unref() the result. */
GByteArray *acpi_place(const struct acpi_tables *t, gpa_t at);
/* For firmware: etc/acpi/tables, etc/acpi/rsdp and etc/table-loader with the commands to place
 * them. */
bool acpi_add_to_fw_cfg(const struct acpi_tables *t, struct device *fw_cfg, struct err *err);
