/* machine/microvm.c - the smallest PC: no PCI, no firmware needed, power through ACPI's
 * hardware-reduced registers.
 *
 * FEC00000h I/O APIC, FEE00000h local APICs, FEA00000h generic event device (events, GSI 9),
 * FEA00200h its sleep and reset registers, ports 510h fw_cfg, 608h power
 * management timer (a clock to calibrate others by), 3F8h serial (switches of -machine).
 * SPDX-License-Identifier: MIT */
#include "arch/x86/x86_arch.h"
#include "base/err.h"
#include "dev/acpi/ged.h"
#include "machine/x86_board.h"

enum {
	MICROVM_GED_EVENTS = 0xfea00000,
	MICROVM_GED_REGS = 0xfea00200,
	MICROVM_GED_GSI = 9,
	MICROVM_PM_TIMER = 0x608
};

struct microvm {
	struct x86_board board; /* first */
	bool has_acpi;
	struct device *ged;
};

static struct microvm *microvm(struct machine *m)
{
	return container_of(m, struct microvm, board.machine);
}

static bool microvm_build(struct machine *m, struct err *err)
{
	struct microvm *u = microvm(m);
	struct x86_board *b = &u->board;

	if (!x86_board_build(b, err))
		return false;
	if (!u->has_acpi)
		return true;
	u->ged = x86_board_add(b, "acpi-ged", err);
	if (!u->ged)
		return false;
	if (!x86_board_add(b, "acpi-pm-timer", err))
		return false;
	region_add(&m->memory_root, MICROVM_GED_EVENTS, u->ged->regions[0]);
	region_add(&m->memory_root, MICROVM_GED_REGS, u->ged->regions[1]);
	irq_connect(u->ged->irqs[0], x86_board_set_line, b, MICROVM_GED_GSI);
	b->acpi.ged_events = MICROVM_GED_EVENTS;
	b->acpi.ged_regs = MICROVM_GED_REGS;
	b->acpi.ged_gsi = MICROVM_GED_GSI;
	b->acpi.pm_timer_port = MICROVM_PM_TIMER;
	return true;
}

static bool microvm_plug(struct machine *m, struct device *dev, struct err *err)
{
	return x86_board_plug_isa(x86_board(m), dev, err);
}

static bool microvm_finish(struct machine *m, struct err *err)
{
	return x86_board_finish(x86_board(m), microvm(m)->has_acpi, err);
}

static bool microvm_powerdown(struct machine *m, struct err *err)
{
	if (!microvm(m)->ged)
		return err_set(err, 0, "machine 'microvm' has no power button with acpi=off");
	ged_press_power_button(microvm(m)->ged);
	return true;
}

static const struct prop microvm_props[] = {
	PROP_BOOL(struct microvm, has_acpi, "acpi", true,
		  .help = "ACPI tables and power registers"),
	PROP_BOOL(struct microvm, board.has_pic, "pic", true, .help = "8259 interrupt controllers"),
	PROP_BOOL(struct microvm, board.has_pit, "pit", true, .help = "8254 timer"),
	PROP_BOOL(struct microvm, board.has_rtc, "rtc", true, .help = "MC146818 real-time clock"),
	PROP_BOOL(struct microvm, board.has_serial, "isa-serial", true,
		  .help = "16550A serial ports"),
	{ 0 },
};

const struct machine_type microvm_machine_type = {
	.base = { .name = "microvm-machine",
		  .parent = &machine_object_type,
		  .size = sizeof(struct microvm),
		  .props = microvm_props,
		  .fini = x86_board_fini,
		  .help = "minimal x86-64 machine" },
	.name = "microvm",
	.desc = "minimal x86-64 machine that starts a kernel directly",
	.arch = &x86_arch_ops,
	.max_cpus = 255,
	.default_ram = 128 * MIB,
	.max_ram = 4096 * GIB,
	.cpu_apic_id = x86_board_number_cpu,
	.build = microvm_build,
	.prepare = x86_board_prepare_isa,
	.plug = microvm_plug,
	.finish = microvm_finish,
	.load = x86_board_load,
	.powerdown = microvm_powerdown,
	.show_roms = x86_board_show_roms,
};
