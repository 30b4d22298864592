/* dev/acpi/ged.h - ACPI's generic event device and the hardware-reduced sleep and reset registers,
 * device type "acpi-ged".
 *
 * Region 0: event select, 4 bytes (microvm: FEA00000h).  Region 1: sleep control, sleep status and
 * reset register, one byte each (microvm: FEA00200h).  Wire 0: an event waits (rising edge counts).
 * SPDX-License-Identifier: MIT */
#pragma once

struct device;

enum ged_register { GED_SLEEP_CONTROL = 0, GED_SLEEP_STATUS = 1, GED_RESET = 2, GED_REGS_SIZE = 3 };
enum { GED_EVENTS_SIZE = 4 };
enum { GED_RESET_VALUE = 0x42 }; /* FADT RESET_VALUE */
enum { GED_SLP_TYP_S5 = 5 };     /* \_S5's first element */

/* Bits of the event select register, as the DSDT's _EVT method tests them. */
enum ged_event { GED_EVENT_MEMORY = 1u << 0, GED_EVENT_POWER_BUTTON = 1u << 1 };

/* The user pressed the power button.  Context: any thread, no device lock held. */
void ged_press_power_button(struct device *ged);
