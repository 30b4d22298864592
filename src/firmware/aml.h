/* firmware/aml.h - ACPI Machine Language, written term by term.
 *
 * Terms are appended to a GByteArray; those with a length are opened and closed in pairs.
 * Source: ACPI 6.4 chapter 20 (encoding), 6.4 (resources).
 * SPDX-License-Identifier: MIT */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* Where an open term began, for aml_close(). */
typedef guint aml_mark;

aml_mark aml_open_scope(GByteArray *a, const char *path);
aml_mark aml_open_device(GByteArray *a, const char *name);
/* args 0-7. */
aml_mark aml_open_method(GByteArray *a, const char *name, unsigned args, bool is_serialized);
/* Name(name, Package(count) {...}); elements follow. */
aml_mark aml_open_named_package(GByteArray *a, const char *name, uint8_t count);
/* If (local & mask) */
aml_mark aml_open_if_local_and(GByteArray *a, unsigned local, uint64_t mask);
void aml_close(GByteArray *a, aml_mark m);

void aml_integer(GByteArray *a, uint64_t v);
void aml_name_integer(GByteArray *a, const char *name, uint64_t v);
void aml_name_string(GByteArray *a, const char *name, const char *text);
/* Name(_HID, EisaId("PNP0501")). */
void aml_name_eisaid(GByteArray *a, const char *name, const char *id);
/* OperationRegion(name, SystemMemory, addr, len) and a Field of one DWord over it. */
void aml_memory_dword(GByteArray *a, const char *region, const char *field, uint64_t addr);
/* Store(name, LocalN) and Notify(path, value). */
void aml_store_name_to_local(GByteArray *a, const char *name, unsigned local);
void aml_notify(GByteArray *a, const char *path, uint8_t value);

/* Name(_CRS, ResourceTemplate() {...}): resources follow, aml_close_resources() ends it. */
aml_mark aml_open_resources(GByteArray *a);
void aml_close_resources(GByteArray *a, aml_mark m);
void aml_res_io(GByteArray *a, uint16_t port, uint8_t len);
void aml_res_isa_irq(GByteArray *a, unsigned line); /* edge, active high, exclusive */
void aml_res_interrupt(GByteArray *a, uint32_t gsi, bool is_edge);
