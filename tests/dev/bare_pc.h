/* tests/dev/bare_pc.h - the chips of a small PC on a bare bus, wired to each other and to vCPUs.
 * SPDX-License-Identifier: MIT */
#pragma once

#include "bare.h"

struct vcpu;

enum { PC_IOAPIC = 0xfec00000, PC_GED = 0xfea00000, PC_GED_REGS = 0xfea00200 };

struct bare_pc {
	struct bare b;
	struct vcpu *vcpus;
	unsigned cpu_count;
	struct device *devices[16], *pic, *ioapic;
	unsigned device_count; /* 0: not made yet */
};

/* APICs, 8259 pair, 8254, RTC (a fixed date), serial port, fw_cfg, ACPI's event device and timer.
 * pc->b and the vCPUs are initialized. */
void bare_pc_add_chips(struct bare_pc *pc, struct vcpu *vcpus, unsigned cpu_count);
/* A sink for irq_connect(): ISA line or GSI of the struct bare_pc. */
void bare_pc_set_line(void *pc, int line, bool level);
void bare_pc_reset(struct bare_pc *pc);
