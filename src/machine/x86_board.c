/* machine/x86_board.c - the parts every x86 board has, and how they are wired.
 *
 * ISA line n goes to the 8259 pair and to pin n of the I/O APIC; line 0 (the 8254) to pin 2, as on
 * every PC with an I/O APIC (MADT tells the guest).
 * SPDX-License-Identifier: MIT */
#include "machine/x86_board.h"

#include <glib.h>
#include <string.h>

#include "arch/x86/cpuid.h"
#include "base/err.h"
#include "cpu/vcpu.h"
#include "chardev/chardev.h"
#include "dev/intc/apic_bus.h"
#include "dev/intc/i8259.h"
#include "dev/intc/ioapic.h"
#include "dev/intc/lapic.h"
#include "dev/isa/isa.h"
#include "dev/nvram/fw_cfg.h"
#include "dev/timer/mc146818.h"
#include "firmware/file.h"
#include "firmware/linux_x86.h"
#include "memory/address_space.h"
#include "memory/ram.h"

enum { LINE_FERR = 13, ISA_BIOS_SIZE = 128 * 1024, ROM_MAX = 16 * 1024 * 1024 };

/* ---- wires ---- */

/* The 8259's INTR reaches LINT0 of every local APIC. */
static void x86_board_set_intr(void *opaque, int input, bool level)
{
	struct x86_board *b = opaque;

	(void)input;
	for (unsigned i = 0; i < b->machine.cpu_count; i++)
		lapic_set_lint(b->machine.cpus[i]->intc, 0, level);
}

/* The coprocessor error of CPUs that run with CR0.NE clear. */
static void x86_board_set_ferr(struct vcpu *v, bool level)
{
	x86_board_set_line(x86_board(v->board), LINE_FERR, level);
}

static bool x86_board_claim_ports(struct x86_board *b, const struct device *dev, uint32_t first,
				  uint64_t size, struct err *err)
{
	uint32_t last = first + (uint32_t)size - 1;

	for (unsigned i = 0; i < b->port_count; i++)
		if (first <= b->ports[i].last && last >= b->ports[i].first)
			return err_set(err, 0, "%s: I/O port 0x%x is already taken by %s",
				       dev->type->base.name, first, b->ports[i].owner);
	if (b->port_count == X86_BOARD_ISA_PORTS || last > UINT16_MAX)
		return err_set(err, 0, "%s: no I/O ports left at 0x%x", dev->type->base.name,
			       first);
	b->ports[b->port_count].first = (uint16_t)first;
	b->ports[b->port_count].last = (uint16_t)last;
	b->ports[b->port_count++].owner = dev->type->base.name;
	return true;
}

bool x86_board_plug_isa(struct x86_board *b, struct device *dev, struct err *err)
{
	struct isa_device *isa = isa_from_device(dev);

	for (unsigned i = 0; i < dev->region_count; i++)
		if (!x86_board_claim_ports(b, dev, isa->ports[i], dev->regions[i]->size, err))
			return false;
	for (unsigned i = 0; i < dev->region_count; i++)
		region_add(&b->machine.io_root, isa->ports[i], dev->regions[i]);
	for (unsigned i = 0; i < dev->irq_count; i++)
		if (isa->lines[i] != ISA_NO_LINE)
			irq_connect(dev->irqs[i], x86_board_set_line, b, isa->lines[i]);
	return true;
}

bool x86_board_prepare_isa(struct machine *m, struct device *dev, struct err *err)
{
	g_autofree char *index = NULL, *iobase = NULL;
	unsigned taken = 0;
	char text[12];

	if (strcmp(dev->type->base.name, "isa-serial"))
		return true;
	index = object_get_text(&dev->obj, "index", err);
	iobase = object_get_text(&dev->obj, "iobase", err);
	if (g_strcmp0(index, "-1") || g_strcmp0(iobase, "-1"))
		return true;
	for (unsigned i = 0; i < m->device_count; i++)
		taken += !strcmp(m->devices[i]->type->base.name, "isa-serial");
	if (taken >= MACHINE_MAX_SERIALS)
		return err_set(err, 0, "all COM ports are taken; give iobase= and irq=");
	snprintf(text, sizeof(text), "%u", taken);
	return object_set(&dev->obj, NULL, "index", text, err);
}

struct device *x86_board_add(struct x86_board *b, const char *type, struct err *err)
{
	struct device *dev = device_new(device_type_find(type), NULL);

	if (!machine_add_device(&b->machine, dev, NULL, err)) {
		device_put(dev);
		return NULL;
	}
	if (dev->type->bus && !strcmp(dev->type->bus, "isa") && !x86_board_plug_isa(b, dev, err))
		return NULL;
	return dev;
}

/* ---- building ---- */

/* APIC ids give each level of the topology its own bits (SDM 3A 9.9.1). */
uint32_t x86_board_number_cpu(const struct machine *m, unsigned index)
{
	const struct smp_config *s = &m->config.smp;

	return x86_apic_id(index, s->dies, s->cores, s->threads);
}

static void x86_board_place_cpus(struct machine *m)
{
	const struct smp_config *s = &m->config.smp;

	for (unsigned i = 0; i < m->cpu_count; i++) {
		m->cpus[i]->on_ferr = x86_board_set_ferr;
		x86_cpu_set_topology(m->cpus[i]->cpu, s->sockets, s->dies, s->cores, s->threads);
	}
}

static bool x86_board_build_apics(struct x86_board *b, struct err *err)
{
	struct machine *m = &b->machine;

	b->apic_bus = x86_board_add(b, "apic-bus", err);
	if (!b->apic_bus)
		return false;
	region_add_overlap(&m->memory_root, APIC_WINDOW_BASE, b->apic_bus->regions[0], 1);
	for (unsigned i = 0; i < m->cpu_count; i++) {
		struct device *lapic = device_new(device_type_find("lapic"), NULL);

		lapic_wire(lapic, b->apic_bus, m->cpus[i]);
		/* Firmware programs the 8259 pair before it lets interrupts through; a kernel
		 * started without it must find them masked. */
		if ((m->config.kernel &&
		     !object_set(&lapic->obj, NULL, "virtual-wire", "off", err)) ||
		    !machine_add_device(m, lapic, NULL, err)) {
			device_put(lapic);
			return false;
		}
	}
	b->ioapic = device_new(device_type_find("ioapic"), NULL);
	ioapic_wire(b->ioapic, b->apic_bus);
	if (!machine_add_device(m, b->ioapic, NULL, err)) {
		device_put(b->ioapic);
		return false;
	}
	region_add(&m->memory_root, X86_BOARD_IOAPIC, b->ioapic->regions[0]);
	return true;
}

static bool x86_board_build_rtc(struct x86_board *b, struct err *err)
{
	const struct machine_config *c = &b->machine.config;
	struct device *rtc = device_new(device_type_find("mc146818rtc"), NULL);
	uint64_t kib = b->machine.ram_low.size / KIB, ext = kib - 1024, above = ext - 15 * 1024;

	if ((c->rtc_base && !object_set(&rtc->obj, NULL, "base", c->rtc_base, err)) ||
	    (c->rtc_clock && !object_set(&rtc->obj, NULL, "clock", c->rtc_clock, err)) ||
	    !machine_add_device(&b->machine, rtc, NULL, err)) {
		device_put(rtc);
		return err_prefix(err, "-rtc: ");
	}
	/* Memory sizes where PC firmware looks: 30h 1-64 MiB in KiB, 34h above 16 MiB in 64 KiB. */
	ext = kib < 1024 ? 0 : ext > 0xffff ? 0xffff : ext;
	above = kib < 16 * 1024 ? 0 : above / 64 > 0xffff ? 0xffff : above / 64;
	for (unsigned i = 0; i < 2; i++) {
		mc146818_set_cmos(rtc, (uint8_t)(0x17 + i), (uint8_t)(ext >> 8 * i));
		mc146818_set_cmos(rtc, (uint8_t)(0x30 + i), (uint8_t)(ext >> 8 * i));
		mc146818_set_cmos(rtc, (uint8_t)(0x34 + i), (uint8_t)(above >> 8 * i));
	}
	mc146818_set_cmos(rtc, 0x5f, (uint8_t)(b->machine.cpu_count - 1));
	return x86_board_plug_isa(b, rtc, err);
}

static bool x86_board_build_serial(struct x86_board *b, unsigned index, struct err *err)
{
	struct device *dev = device_new(device_type_find("isa-serial"), NULL);
	char text[12];

	snprintf(text, sizeof(text), "%u", index);
	if (!object_set(&dev->obj, NULL, "index", text, err) ||
	    !object_set_link(&dev->obj, "chardev", chardev_object(b->machine.config.serials[index]),
			     err) ||
	    !machine_add_device(&b->machine, dev, NULL, err)) {
		device_put(dev);
		return err_prefix(err, "serial port %u: ", index);
	}
	return x86_board_plug_isa(b, dev, err);
}

bool x86_board_build(struct x86_board *b, struct err *err)
{
	struct machine *m = &b->machine;

	x86_board_place_cpus(m);
	if (!x86_board_build_apics(b, err))
		return false;
	if (b->has_pic) {
		b->pic = x86_board_add(b, "i8259", err);
		if (!b->pic)
			return false;
		irq_connect(b->pic->irqs[0], x86_board_set_intr, b, 0);
		apic_bus_set_extint(b->apic_bus, i8259_ack, b->pic);
	}
	if (b->has_pit) {
		b->pit = x86_board_add(b, "i8254", err);
		if (!b->pit)
			return false;
	}
	if (b->has_rtc && !x86_board_build_rtc(b, err))
		return false;
	b->machine.fw_cfg = x86_board_add(b, "fw_cfg", err);
	if (!b->machine.fw_cfg)
		return false;
	for (unsigned i = 0; b->has_serial && i < MACHINE_MAX_SERIALS; i++)
		if (m->config.serials[i] && !x86_board_build_serial(b, i, err))
			return false;
	return x86_board_connect_chips(b, err);
}

/* ---- what firmware and kernels are handed ---- */

static void x86_board_add_e820(struct x86_board *b, gpa_t addr, uint64_t size, uint32_t type)
{
	b->e820[b->e820_count++] = (struct e820_entry){ addr, size, type };
}

static void x86_board_map_memory(struct x86_board *b)
{
	const struct machine *m = &b->machine;
	uint64_t low = m->ram_low.size, high = m->ram_high.size;

	x86_board_add_e820(b, 0, low < BOOT_EBDA ? low : BOOT_EBDA, E820_RAM);
	x86_board_add_e820(b, BOOT_EBDA, BOOT_HIGH - BOOT_EBDA, E820_RESERVED);
	if (low > BOOT_HIGH)
		x86_board_add_e820(b, BOOT_HIGH, low - BOOT_HIGH, E820_RAM);
	if (high)
		x86_board_add_e820(b, 4 * GIB, high, E820_RAM);
}

/* The ISA devices that ACPI tells of, built in or by -device. */
static void x86_board_find_isa(struct x86_board *b)
{
	const struct machine *m = &b->machine;

	for (unsigned i = 0; i < m->device_count; i++) {
		const struct isa_device *isa = isa_from_device(m->devices[i]);
		const char *type = m->devices[i]->type->base.name;
		unsigned n = b->acpi.serial_count;

		if (!strcmp(type, "pvpanic"))
			b->acpi.pvpanic_port = isa->ports[0];
		if (strcmp(type, "isa-serial") || n == ACPI_MAX_SERIALS)
			continue;
		b->acpi.serials[n].port = isa->ports[0];
		b->acpi.serials[n].line = isa->lines[0];
		b->acpi.serial_count++;
	}
}

static bool x86_board_fill_fw_cfg(struct x86_board *b, struct err *err)
{
	const struct machine *m = &b->machine;
	uint8_t e820[E820_MAX * 20];
	unsigned n = 0;

	for (unsigned i = 0; i < b->e820_count; i++) {
		if (b->e820[i].type != E820_RAM || b->e820[i].addr == 0)
			continue; /* firmware makes its own map of the first MiB */
		st64_le(e820 + n * 20, b->e820[i].addr == BOOT_HIGH ? 0 : b->e820[i].addr);
		st64_le(e820 + n * 20 + 8,
			b->e820[i].addr == BOOT_HIGH ? m->ram_low.size : b->e820[i].size);
		st32_le(e820 + n * 20 + 16, E820_RAM);
		n++;
	}
	fw_cfg_add_u64(b->machine.fw_cfg, FW_CFG_RAM_SIZE, m->config.ram_size);
	fw_cfg_add_u16(b->machine.fw_cfg, FW_CFG_NB_CPUS, (uint16_t)m->cpu_count);
	fw_cfg_add_u16(b->machine.fw_cfg, FW_CFG_MAX_CPUS,
		       (uint16_t)(m->cpus[m->cpu_count - 1]->apic_id + 1));
	fw_cfg_add_u16(b->machine.fw_cfg, FW_CFG_NOGRAPHIC, 1);
	fw_cfg_add_u32(b->machine.fw_cfg, FW_CFG_IRQ0_OVERRIDE, 1);
	if (m->config.has_uuid)
		fw_cfg_add(b->machine.fw_cfg, FW_CFG_UUID, m->config.uuid, sizeof(m->config.uuid));
	return fw_cfg_add_file(b->machine.fw_cfg, "etc/e820", e820, n * 20, err);
}

static void x86_board_describe(struct x86_board *b, uint32_t *apic_ids)
{
	const struct machine *m = &b->machine;

	for (unsigned i = 0; i < m->cpu_count; i++)
		apic_ids[i] = m->cpus[i]->apic_id;
	b->acpi.apic_ids = apic_ids;
	b->acpi.cpu_count = m->cpu_count;
	b->acpi.lapic = APIC_WINDOW_BASE;
	b->acpi.ioapic = X86_BOARD_IOAPIC;
	b->acpi.has_pic = b->has_pic;
	b->acpi.has_rtc = b->has_rtc;
	b->acpi.pit_gsi = X86_BOARD_PIT_GSI;
	b->acpi.fw_cfg_port = 0x510;
	x86_board_find_isa(b);
}

static bool x86_board_load_kernel(struct x86_board *b, gpa_t rsdp, struct err *err)
{
	const struct machine_config *c = &b->machine.config;
	struct boot_env env = { .low_ram = b->machine.ram_low.size,
				.e820 = b->e820,
				.e820_count = b->e820_count,
				.rsdp = rsdp,
				.cmdline = c->append };
	struct file_map kernel, initrd = { .fd = -1 };
	bool ok = false;

	if (!file_open(&kernel, "kernel", c->kernel, 4 * GIB, err))
		return false;
	if (!c->initrd || file_open(&initrd, "initrd", c->initrd, 4 * GIB, err)) {
		env.initrd = c->initrd ? &initrd : NULL;
		ok = linux_x86_load(&b->boot, &kernel, &env, err);
	}
	boot_image_keep(&b->boot, &kernel);
	boot_image_keep(&b->boot, &initrd);
	return ok;
}

/* A firmware image ends at 4 GiB, where the reset vector is.  x86_board_load() copies its last
 * 128 KiB to below 1 MiB. */
static bool x86_board_load_bios(struct x86_board *b, struct err *err)
{
	const char *path = b->machine.config.bios;
	struct file_map f;

	if (!file_open(&f, "firmware", path, ROM_MAX, err))
		return false;
	if (f.size % RAM_PAGE_SIZE) {
		file_close(&f);
		return err_set(err, 0,
			       "firmware '%s' is not a ROM image: its size is no multiple of 4 KiB",
			       path);
	}
	b->rom_block = ram_block_new("rom", f.size, err);
	if (!b->rom_block) {
		file_close(&f);
		return false;
	}
	memcpy(b->rom_block->host, f.data, f.size);
	region_init_rom(&b->rom, "bios", b->rom_block, 0, f.size);
	region_add_overlap(&b->machine.memory_root, 4 * GIB - f.size, &b->rom, 1);
	file_close(&f);
	return true;
}

static bool x86_board_check_options(const struct x86_board *b, struct err *err)
{
	const struct machine_config *c = &b->machine.config;

	if (!b->has_serial && c->wants_serials)
		return err_set(err, 0, "-serial: there are no serial ports with isa-serial=off");
	if (!b->has_rtc && (c->rtc_base || c->rtc_clock))
		return err_set(err, 0, "-rtc: there is no real-time clock with rtc=off");
	if (c->bios && c->kernel)
		return err_set(err, 0,
			       "-bios and -kernel together: a kernel is started without firmware "
			       "here; leave one out");
	if (!c->kernel && (c->initrd || c->append))
		return err_set(err, 0, "%s needs a -kernel", c->initrd ? "-initrd" : "-append");
	return true;
}

bool x86_board_finish(struct x86_board *b, bool acpi, struct err *err)
{
	const struct machine_config *c = &b->machine.config;
	struct acpi_tables tables;
	uint32_t *apic_ids;
	bool ok;

	if (!x86_board_check_options(b, err))
		return false;
	x86_board_map_memory(b);
	ok = x86_board_fill_fw_cfg(b, err);
	if (ok && acpi) {
		apic_ids = g_new(uint32_t, b->machine.cpu_count);
		x86_board_describe(b, apic_ids);
		acpi_build(&tables, &b->acpi);
		ok = acpi_add_to_fw_cfg(&tables, b->machine.fw_cfg, err);
		if (c->kernel) {
			GByteArray *placed = acpi_place(&tables, BOOT_ACPI);

			boot_image_add(&b->boot, BOOT_ACPI, placed->data, placed->len);
			g_byte_array_unref(placed);
		}
		acpi_free(&tables);
		g_free(apic_ids);
	}
	if (ok && c->bios)
		ok = x86_board_load_bios(b, err);
	if (ok && c->kernel)
		ok = x86_board_load_kernel(b, acpi ? BOOT_ACPI : 0, err);
	return ok;
}

void x86_board_fini(struct object *o)
{
	struct x86_board *b = x86_board(container_of(o, struct machine, obj));

	boot_image_clear(&b->boot);
	if (b->rom_block)
		ram_block_free(b->rom_block);
}

static void show_rom(FILE *out, gpa_t addr, uint64_t size, const char *kind, const char *name)
{
	fprintf(out, "addr=%016llx size=0x%06llx mem=%s name=\"%s\"\n", (unsigned long long)addr,
		(unsigned long long)size, kind, name);
}

void x86_board_show_roms(struct machine *m, FILE *out)
{
	const struct x86_board *b = x86_board(m);

	if (b->rom_block)
		show_rom(out, 4 * GIB - b->rom.size, b->rom.size, "rom", m->config.bios);
	for (unsigned i = 0; i < b->boot.count; i++)
		show_rom(out, b->boot.pieces[i].addr, b->boot.pieces[i].size, "ram",
			 b->boot.pieces[i].fd < 0 ? "for the kernel" : "from a file");
}

/* A board without a chipset that would switch between ROM and the RAM under it starts with the copy
 * made: firmware keeps its variables there (SeaBIOS for microvm relies on it). */
static void x86_board_shadow_bios(struct x86_board *b)
{
	uint64_t size = b->rom_block->size, low = size < ISA_BIOS_SIZE ? size : ISA_BIOS_SIZE;

	dma_write(&b->machine.memory, BOOT_HIGH - low, b->rom_block->host + size - low, low);
}

bool x86_board_load(struct machine *m, struct err *err)
{
	struct x86_board *b = x86_board(m);

	if (b->rom_block)
		x86_board_shadow_bios(b);
	return !m->config.kernel || boot_image_apply(&b->boot, &m->memory, m->cpus[0]->cpu, err);
}
