/* firmware/acpi.c - RSDP, XSDT, FADT, MADT, DSDT.
 * Source: ACPI 6.4 chapter 5 (tables), 4.1 (hardware-reduced), 5.6.9 (generic event device);
 * QEMU docs/specs/acpi_hw_reduced and the fw_cfg table loader's commands as facts.
 * SPDX-License-Identifier: MIT */
#include "firmware/acpi.h"

#include <string.h>

#include "base/err.h"
#include "dev/acpi/ged.h"
#include "dev/intc/ioapic.h"
#include "dev/nvram/fw_cfg.h"
#include "firmware/aml.h"

enum { TABLE_HEADER = 36, FADT_SIZE = 276 };
enum {
	FADT_DSDT = 40,
	FADT_PM_TIMER = 76,
	FADT_PM_TIMER_LEN = 91,
	FADT_BOOT_ARCH = 109,
	FADT_FLAGS = 112,
	FADT_RESET = 116,
	FADT_RESET_VALUE = 128,
	FADT_MINOR = 131,
	FADT_X_DSDT = 140,
	FADT_X_PM_TIMER = 208,
	FADT_SLEEP_CONTROL = 244,
	FADT_SLEEP_STATUS = 256
};
enum { FADT_RESET_SUPPORTED = 1u << 10, FADT_HW_REDUCED = 1u << 20 };
enum { BOOT_ARCH_NO_VGA = 1u << 2, BOOT_ARCH_NO_CMOS = 1u << 5 };
enum {
	MADT_LAPIC = 0,
	MADT_IOAPIC = 1,
	MADT_OVERRIDE = 2,
	MADT_LAPIC_NMI = 4,
	MADT_X2APIC = 9,
	MADT_X2APIC_NMI = 10
};

static void acpi_bytes(GByteArray *a, uint64_t v, unsigned count)
{
	uint8_t b[8];

	st64_le(b, v);
	g_byte_array_append(a, b, count);
}

static void acpi_zeros(GByteArray *a, unsigned count)
{
	guint at = a->len;

	g_byte_array_set_size(a, at + count);
	memset(a->data + at, 0, count);
}

/* Header with length and checksum left open; returns the table's offset.  5.2.6 */
static uint32_t acpi_table_open(struct acpi_tables *t, const char *signature, uint8_t revision)
{
	uint32_t at;

	while (t->bytes->len % 16)
		acpi_zeros(t->bytes, 1);
	at = t->bytes->len;
	g_byte_array_append(t->bytes, (const uint8_t *)signature, 4);
	acpi_bytes(t->bytes, 0, 4);
	acpi_bytes(t->bytes, revision, 1);
	acpi_bytes(t->bytes, 0, 1);
	g_byte_array_append(t->bytes, (const uint8_t *)"RHEA  RHEAVM  ", 14);
	acpi_bytes(t->bytes, 1, 4);
	g_byte_array_append(t->bytes, (const uint8_t *)"RHEA", 4);
	acpi_bytes(t->bytes, 1, 4);
	return at;
}

static void acpi_table_close(struct acpi_tables *t, uint32_t at)
{
	struct acpi_checksum sum = { at, t->bytes->len - at };

	st32_le(t->bytes->data + at + 4, sum.len);
	g_array_append_val(t->checksums, sum);
}

static void acpi_point(struct acpi_tables *t, uint32_t at, uint32_t size, uint32_t target)
{
	struct acpi_pointer p = { at, size };

	memcpy(t->bytes->data + at, &(uint64_t){ target }, size);
	g_array_append_val(t->pointers, p);
}

/* ---- DSDT ---- */

static void dsdt_ged(GByteArray *a, const struct acpi_board *b)
{
	aml_mark dev = aml_open_device(a, "GED"), crs, evt, test;

	aml_name_string(a, "_HID", "ACPI0013");
	aml_name_string(a, "_UID", "GED");
	crs = aml_open_resources(a);
	aml_res_interrupt(a, b->ged_gsi, true);
	aml_close_resources(a, crs);
	aml_memory_dword(a, "EREG", "ESEL", b->ged_events);
	evt = aml_open_method(a, "_EVT", 1, true);
	aml_store_name_to_local(a, "ESEL", 0);
	test = aml_open_if_local_and(a, 0, GED_EVENT_POWER_BUTTON);
	aml_notify(a, "\\_SB.PWRB", 0x80);
	aml_close(a, test);
	aml_close(a, evt);
	aml_close(a, dev);

	dev = aml_open_device(a, "PWRB");
	aml_name_eisaid(a, "_HID", "PNP0C0C");
	aml_name_integer(a, "_UID", 0);
	aml_close(a, dev);
}

static void dsdt_serials(GByteArray *a, const struct acpi_board *b)
{
	for (unsigned i = 0; i < b->serial_count; i++) {
		char name[5] = { 'C', 'O', 'M', (char)('1' + i), 0 };
		aml_mark dev = aml_open_device(a, name), crs;

		aml_name_eisaid(a, "_HID", "PNP0501");
		aml_name_integer(a, "_UID", i + 1);
		aml_name_integer(a, "_STA", 0xf);
		crs = aml_open_resources(a);
		aml_res_io(a, b->serials[i].port, 8);
		aml_res_isa_irq(a, b->serials[i].line);
		aml_close_resources(a, crs);
		aml_close(a, dev);
	}
}

/* A device that is an ACPI id, one range of ports, and perhaps an ISA line. */
struct dsdt_ports {
	const char *name, *hid;
	bool is_eisa, has_line;
	uint16_t port;
	uint8_t len, line;
};

static void dsdt_add_ports(GByteArray *a, const struct dsdt_ports *d)
{
	aml_mark dev = aml_open_device(a, d->name), crs;

	if (d->is_eisa)
		aml_name_eisaid(a, "_HID", d->hid);
	else
		aml_name_string(a, "_HID", d->hid);
	aml_name_integer(a, "_STA", 0xb); /* present, works, not shown to users */
	crs = aml_open_resources(a);
	aml_res_io(a, d->port, d->len);
	if (d->has_line)
		aml_res_isa_irq(a, d->line);
	aml_close_resources(a, crs);
	aml_close(a, dev);
}

static void dsdt_port_devices(GByteArray *a, const struct acpi_board *b)
{
	if (b->has_rtc)
		dsdt_add_ports(a, &(struct dsdt_ports){ "RTC", "PNP0B00", true, true, 0x70, 2, 8 });
	if (b->fw_cfg_port)
		dsdt_add_ports(a, &(struct dsdt_ports){ "FWCF", "QEMU0002", .port = b->fw_cfg_port,
							.len = 0xc });
	if (b->pvpanic_port)
		dsdt_add_ports(a, &(struct dsdt_ports){ "PEVT", "QEMU0001", .port = b->pvpanic_port,
							.len = 1 });
}

static uint32_t acpi_add_dsdt(struct acpi_tables *t, const struct acpi_board *b)
{
	uint32_t at = acpi_table_open(t, "DSDT", 2);
	aml_mark sb = aml_open_scope(t->bytes, "\\_SB"), s5;

	dsdt_serials(t->bytes, b);
	dsdt_port_devices(t->bytes, b);
	dsdt_ged(t->bytes, b);
	aml_close(t->bytes, sb);
	s5 = aml_open_named_package(t->bytes, "\\_S5", 4);
	aml_integer(t->bytes, GED_SLP_TYP_S5);
	for (int i = 0; i < 3; i++)
		aml_integer(t->bytes, 0);
	aml_close(t->bytes, s5);
	acpi_table_close(t, at);
	return at;
}

/* ---- FADT (5.2.9) ---- */

/* A generic address: one byte of system memory (5.2.3.2). */
static void fadt_byte_register(uint8_t *gas, gpa_t addr)
{
	gas[0] = 0; /* system memory */
	gas[1] = 8; /* bits */
	gas[2] = 0;
	gas[3] = 1; /* byte access */
	st64_le(gas + 4, addr);
}

static uint32_t acpi_add_fadt(struct acpi_tables *t, const struct acpi_board *b, uint32_t dsdt)
{
	uint32_t at = acpi_table_open(t, "FACP", 6);
	uint8_t *f;

	acpi_zeros(t->bytes, FADT_SIZE - TABLE_HEADER);
	f = t->bytes->data + at;
	st16_le(f + FADT_BOOT_ARCH,
		(uint16_t)(BOOT_ARCH_NO_VGA | (b->has_rtc ? 0 : BOOT_ARCH_NO_CMOS)));
	st32_le(f + FADT_FLAGS, FADT_RESET_SUPPORTED | FADT_HW_REDUCED);
	if (b->pm_timer_port) {
		st32_le(f + FADT_PM_TIMER, b->pm_timer_port);
		f[FADT_PM_TIMER_LEN] = 4;
		memcpy(f + FADT_X_PM_TIMER, (const uint8_t[4]){ 1, 32, 0, 3 }, 4); /* port, dword */
		st64_le(f + FADT_X_PM_TIMER + 4, b->pm_timer_port);
	}
	fadt_byte_register(f + FADT_RESET, b->ged_regs + GED_RESET);
	f[FADT_RESET_VALUE] = GED_RESET_VALUE;
	f[FADT_MINOR] = 4;
	fadt_byte_register(f + FADT_SLEEP_CONTROL, b->ged_regs + GED_SLEEP_CONTROL);
	fadt_byte_register(f + FADT_SLEEP_STATUS, b->ged_regs + GED_SLEEP_STATUS);
	acpi_point(t, at + FADT_DSDT, 4, dsdt);
	acpi_point(t, at + FADT_X_DSDT, 8, dsdt);
	acpi_table_close(t, at);
	return at;
}

/* ---- MADT (5.2.12) ---- */

static void madt_cpu(GByteArray *a, uint32_t uid, uint32_t apic_id)
{
	if (apic_id < 255) {
		acpi_bytes(a, MADT_LAPIC | 8 << 8, 2);
		acpi_bytes(a, uid, 1);
		acpi_bytes(a, apic_id, 1);
		acpi_bytes(a, 1, 4); /* enabled */
	} else {
		acpi_bytes(a, MADT_X2APIC | 16 << 8, 4);
		acpi_bytes(a, apic_id, 4);
		acpi_bytes(a, 1, 4);
		acpi_bytes(a, uid, 4);
	}
}

static uint32_t acpi_add_madt(struct acpi_tables *t, const struct acpi_board *b)
{
	uint32_t at = acpi_table_open(t, "APIC", 5);
	GByteArray *a = t->bytes;

	acpi_bytes(a, b->lapic, 4);
	acpi_bytes(a, b->has_pic ? 1 : 0, 4); /* PCAT_COMPAT */
	for (unsigned i = 0; i < b->cpu_count; i++)
		madt_cpu(a, i, b->apic_ids[i]);
	if (b->ioapic) {
		acpi_bytes(a, MADT_IOAPIC | 12 << 8, 2);
		acpi_bytes(a, 0, 2); /* id */
		acpi_bytes(a, b->ioapic, 4);
		acpi_bytes(a, 0, 4); /* first GSI */
		if (b->pit_gsi) {
			acpi_bytes(a, MADT_OVERRIDE | 10 << 8, 2);
			acpi_bytes(a, 0, 2); /* bus ISA, line 0 */
			acpi_bytes(a, b->pit_gsi, 4);
			acpi_bytes(a, 0, 2); /* conforms to the bus */
		}
	}
	acpi_bytes(a, MADT_LAPIC_NMI | 6 << 8, 2);
	acpi_bytes(a, 0xff, 1); /* every CPU */
	acpi_bytes(a, 0, 2);
	acpi_bytes(a, 1, 1); /* LINT1 */
	acpi_table_close(t, at);
	return at;
}

void acpi_build(struct acpi_tables *t, const struct acpi_board *board)
{
	uint32_t tables[2], dsdt;

	*t = (struct acpi_tables){
		.bytes = g_byte_array_new(),
		.pointers = g_array_new(FALSE, FALSE, sizeof(struct acpi_pointer)),
		.checksums = g_array_new(FALSE, FALSE, sizeof(struct acpi_checksum)),
	};
	dsdt = acpi_add_dsdt(t, board);
	tables[0] = acpi_add_fadt(t, board, dsdt);
	tables[1] = acpi_add_madt(t, board);
	t->xsdt = acpi_table_open(t, "XSDT", 1);
	acpi_zeros(t->bytes, 8 * ARRAY_SIZE(tables));
	for (uint32_t i = 0; i < ARRAY_SIZE(tables); i++)
		acpi_point(t, t->xsdt + TABLE_HEADER + i * 8, 8, tables[i]);
	acpi_table_close(t, t->xsdt);
}

void acpi_free(struct acpi_tables *t)
{
	g_byte_array_unref(t->bytes);
	g_array_unref(t->pointers);
	g_array_unref(t->checksums);
}

static uint8_t acpi_sum(const uint8_t *p, size_t len)
{
	uint8_t sum = 0;

	while (len--)
		sum = (uint8_t)(sum + *p++);
	return (uint8_t)-sum;
}

/* RSDP (5.2.5.3) with the XSDT's address or offset. */
static void acpi_fill_rsdp(uint8_t *r, uint64_t xsdt)
{
	memset(r, 0, ACPI_RSDP_SIZE);
	memcpy(r, "RSD PTR ", 8);
	memcpy(r + 9, "RHEA  ", 6);
	r[15] = 2;
	st32_le(r + 20, ACPI_RSDP_SIZE);
	st64_le(r + 24, xsdt);
}

GByteArray *acpi_place(const struct acpi_tables *t, gpa_t at)
{
	GByteArray *out = g_byte_array_new();
	uint32_t gap = (uint32_t)align_up(ACPI_RSDP_SIZE, 16);
	uint8_t *tables;

	acpi_zeros(out, gap);
	g_byte_array_append(out, t->bytes->data, t->bytes->len);
	tables = out->data + gap;
	for (guint i = 0; i < t->pointers->len; i++) {
		const struct acpi_pointer *p = &g_array_index(t->pointers, struct acpi_pointer, i);
		uint64_t v = 0;

		memcpy(&v, tables + p->at, p->size);
		v += at + gap;
		memcpy(tables + p->at, &v, p->size);
	}
	for (guint i = 0; i < t->checksums->len; i++) {
		const struct acpi_checksum *c = &g_array_index(t->checksums, struct acpi_checksum,
							       i);

		tables[c->table + 9] = acpi_sum(tables + c->table, c->len);
	}
	acpi_fill_rsdp(out->data, at + gap + t->xsdt);
	out->data[8] = acpi_sum(out->data, 20);
	out->data[32] = acpi_sum(out->data, ACPI_RSDP_SIZE);
	return out;
}

/* ---- the table loader: commands of 128 bytes that firmware follows ---- */

enum { LOADER_ALLOCATE = 1, LOADER_ADD_POINTER = 2, LOADER_ADD_CHECKSUM = 3 };
enum { LOADER_COMMAND = 128, LOADER_NAME = 56, ZONE_HIGH = 1, ZONE_FSEG = 2 };

static const char loader_tables[] = "etc/acpi/tables", loader_rsdp[] = "etc/acpi/rsdp";

static uint8_t *loader_command(GByteArray *a, uint32_t what)
{
	acpi_zeros(a, LOADER_COMMAND);
	st32_le(a->data + a->len - LOADER_COMMAND, what);
	return a->data + a->len - LOADER_COMMAND + 4;
}

static void loader_allocate(GByteArray *a, const char *file, uint32_t align, uint8_t zone)
{
	uint8_t *c = loader_command(a, LOADER_ALLOCATE);

	memcpy(c, file, strlen(file));
	st32_le(c + LOADER_NAME, align);
	c[LOADER_NAME + 4] = zone;
}

static void loader_pointer(GByteArray *a, const char *in, uint32_t at, uint8_t size)
{
	uint8_t *c = loader_command(a, LOADER_ADD_POINTER);

	memcpy(c, in, strlen(in));
	memcpy(c + LOADER_NAME, loader_tables, sizeof(loader_tables));
	st32_le(c + 2 * LOADER_NAME, at);
	c[2 * LOADER_NAME + 4] = size;
}

static void loader_checksum(GByteArray *a, const char *file, uint32_t at, uint32_t start,
			    uint32_t len)
{
	uint8_t *c = loader_command(a, LOADER_ADD_CHECKSUM);

	memcpy(c, file, strlen(file));
	st32_le(c + LOADER_NAME, at);
	st32_le(c + LOADER_NAME + 4, start);
	st32_le(c + LOADER_NAME + 8, len);
}

bool acpi_add_to_fw_cfg(const struct acpi_tables *t, struct device *fw, struct err *err)
{
	GByteArray *loader = g_byte_array_new();
	uint8_t rsdp[ACPI_RSDP_SIZE];
	bool ok;

	loader_allocate(loader, loader_rsdp, 16, ZONE_FSEG);
	loader_allocate(loader, loader_tables, 64, ZONE_HIGH);
	for (guint i = 0; i < t->pointers->len; i++) {
		const struct acpi_pointer *p = &g_array_index(t->pointers, struct acpi_pointer, i);

		loader_pointer(loader, loader_tables, p->at, (uint8_t)p->size);
	}
	for (guint i = 0; i < t->checksums->len; i++) {
		const struct acpi_checksum *c = &g_array_index(t->checksums, struct acpi_checksum,
							       i);

		loader_checksum(loader, loader_tables, c->table + 9, c->table, c->len);
	}
	acpi_fill_rsdp(rsdp, t->xsdt);
	loader_pointer(loader, loader_rsdp, 24, 8);
	loader_checksum(loader, loader_rsdp, 8, 0, 20);
	loader_checksum(loader, loader_rsdp, 32, 0, ACPI_RSDP_SIZE);
	ok = fw_cfg_add_file(fw, loader_tables, t->bytes->data, t->bytes->len, err) &&
	     fw_cfg_add_file(fw, loader_rsdp, rsdp, sizeof(rsdp), err) &&
	     fw_cfg_add_file(fw, "etc/table-loader", loader->data, loader->len, err);
	g_byte_array_unref(loader);
	return ok;
}
