/* dev/intc/apic_bus.h - interrupt messages between I/O APICs, devices and local APICs.
 *
 * The device "apic-bus" stands for the system bus as interrupts see it: it knows every local APIC,
 * finds the ones a message is for, and answers the window FEE00000h-FEEFFFFFh (region 0, 1 MiB: the
 * board maps it there): each vCPU finds its own local APIC in it, writes elsewhere in it are MSIs.
 * SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct device;
struct vcpu;

enum { APIC_WINDOW_BASE = 0xfee00000u, APIC_WINDOW_SIZE = 0x100000 };

/* SDM 3A 11.6.1, 11.11: the delivery mode field of ICR, LVT, redirection entries and MSI data. */
enum apic_mode {
	APIC_FIXED = 0,
	APIC_LOWEST = 1,
	APIC_SMI = 2,
	APIC_NMI = 4,
	APIC_INIT = 5,
	APIC_STARTUP = 6,
	APIC_EXTINT = 7,
};

struct apic_msg {
	uint32_t dest; /* 8-bit xAPIC form; with is_x2apic the 32-bit form */
	bool is_logical;
	bool is_x2apic; /* dest is 32 bits wide (x2APIC ICR) */
	bool is_level;  /* trigger mode */
	bool is_assert; /* level INIT: false is the de-assert (arbitration sync) message */
	uint8_t mode;   /* enum apic_mode */
	uint8_t vector;
};

/* Needs: no local APIC's lock.  Context: any thread, also under a device's or I/O APIC's lock.
 * False: nobody accepted it (lowest priority with no APIC enabled, no such destination). */
bool apic_bus_send(struct device *bus, const struct apic_msg *msg);
/* A device's memory write to the window: SDM 3A 11.11. */
void apic_bus_send_msi(struct device *bus, uint64_t addr, uint32_t data);

/* Who answers the INTA cycle of an ExtINT (the 8259 pair): i8259_ack and its device.
 * Context: machine set-up. */
void apic_bus_set_extint(struct device *bus, int (*ack)(void *pic), void *pic);
/* Who hears EOI broadcasts of level interrupts: called without any APIC lock held. */
void apic_bus_add_eoi_listener(struct device *bus, void (*eoi)(void *opaque, uint8_t vector),
			       void *opaque);
/* Who hears that a local APIC was enabled or answers to other names, so that a message nobody
 * accepted may be sent again: called without any APIC lock held. */
void apic_bus_add_taker_listener(struct device *bus, void (*changed)(void *opaque), void *opaque);

/* While the local APICs' states are lent (cpu/pc_chips.h), messages go where they are.  hold() says
 * whether they are, and keeps it so until drop(). */
struct apic_gate {
	bool (*hold)(void *opaque);
	void (*drop)(void *opaque);
	bool (*send)(void *opaque, uint64_t addr, uint32_t data); /* false: nobody accepted it */
	/* Pin of the I/O APIC sends this with its trigger mode level; addr 0: no such thing. */
	void (*route)(void *opaque, unsigned pin, uint64_t addr, uint32_t data);
	bool is_split; /* the I/O APIC's state is not lent with theirs */
};
/* Context: machine set-up. */
void apic_bus_set_gate(struct device *bus, const struct apic_gate *gate, void *opaque);
/* For the I/O APIC; msg NULL: the pin sends no levels. */
void apic_bus_route(struct device *bus, unsigned pin, const struct apic_msg *msg);
