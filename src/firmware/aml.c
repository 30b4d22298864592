/* firmware/aml.c - ACPI Machine Language encoding.
 * SPDX-License-Identifier: MIT */
#include "firmware/aml.h"

#include <assert.h>
#include <string.h>

#include "base/bits.h"

/* ACPI 6.4 20.2: opcodes and prefixes. */
enum {
	AML_ZERO = 0x00,
	AML_ONE = 0x01,
	AML_NAME = 0x08,
	AML_BYTE = 0x0a,
	AML_WORD = 0x0b,
	AML_DWORD = 0x0c,
	AML_STRING = 0x0d,
	AML_QWORD = 0x0e,
	AML_SCOPE = 0x10,
	AML_BUFFER = 0x11,
	AML_PACKAGE = 0x12,
	AML_METHOD = 0x14,
	AML_DUAL_NAME = 0x2e,
	AML_MULTI_NAME = 0x2f,
	AML_EXT = 0x5b,
	AML_EXT_OPREGION = 0x80,
	AML_EXT_FIELD = 0x81,
	AML_EXT_DEVICE = 0x82,
	AML_LOCAL0 = 0x60,
	AML_STORE = 0x70,
	AML_AND = 0x7b,
	AML_NOTIFY = 0x86,
	AML_IF = 0xa0,
};
enum { REGION_SYSTEM_MEMORY = 0, FIELD_DWORD_WRITE_AS_ZEROS = 0x43 };

static void aml_byte(GByteArray *a, unsigned v)
{
	uint8_t b = (uint8_t)v;

	g_byte_array_append(a, &b, 1);
}

static void aml_bytes(GByteArray *a, uint64_t v, unsigned count)
{
	uint8_t b[8];

	st64_le(b, v);
	g_byte_array_append(a, b, count);
}

/* A NameSeg is four characters, padded with '_'. */
static void aml_name_seg(GByteArray *a, const char *seg, size_t len)
{
	for (size_t i = 0; i < 4; i++)
		aml_byte(a, i < len ? (uint8_t)seg[i] : '_');
}

/* "\_SB.PWRB": a NameString (20.2.2). */
static void aml_path(GByteArray *a, const char *path)
{
	unsigned segs = 1;

	if (*path == '\\')
		aml_byte(a, (uint8_t)*path++);
	for (const char *p = path; *p; p++)
		segs += *p == '.';
	if (segs == 2) {
		aml_byte(a, AML_DUAL_NAME);
	} else if (segs > 2) {
		aml_byte(a, AML_MULTI_NAME);
		aml_byte(a, segs);
	}
	for (; segs; segs--) {
		size_t len = strcspn(path, ".");

		aml_name_seg(a, path, len);
		path += len + (path[len] == '.');
	}
}

/* Lengths are inserted when a term is closed. */
void aml_close(GByteArray *a, aml_mark m)
{
	uint32_t body = a->len - m, total;
	uint8_t bytes[4];
	unsigned count = 1;

	/* PkgLength counts its own bytes (20.2.4). */
	assert(body < (1u << 28) - sizeof(bytes));
	while (count < sizeof(bytes) &&
	       body + count >= (count == 1 ? 0x40u : 1u << (4 + 8 * (count - 1))))
		count++;
	total = body + count;
	if (count == 1) {
		bytes[0] = (uint8_t)total;
	} else {
		bytes[0] = (uint8_t)((count - 1) << 6 | (total & 0xf));
		for (unsigned i = 1; i < sizeof(bytes); i++)
			bytes[i] = (uint8_t)(total >> (4 + 8 * (i - 1)));
	}
	g_byte_array_append(a, bytes, count); /* make room, then shift the body */
	memmove(a->data + m + count, a->data + m, body);
	memcpy(a->data + m, bytes, count);
}

aml_mark aml_open_scope(GByteArray *a, const char *path)
{
	aml_mark m;

	aml_byte(a, AML_SCOPE);
	m = a->len;
	aml_path(a, path);
	return m;
}

aml_mark aml_open_device(GByteArray *a, const char *name)
{
	aml_mark m;

	aml_byte(a, AML_EXT);
	aml_byte(a, AML_EXT_DEVICE);
	m = a->len;
	aml_path(a, name);
	return m;
}

aml_mark aml_open_method(GByteArray *a, const char *name, unsigned args, bool is_serialized)
{
	aml_mark m;

	aml_byte(a, AML_METHOD);
	m = a->len;
	aml_path(a, name);
	aml_byte(a, args | (is_serialized ? 8u : 0u));
	return m;
}

aml_mark aml_open_named_package(GByteArray *a, const char *name, uint8_t count)
{
	aml_mark m;

	aml_byte(a, AML_NAME);
	aml_path(a, name);
	aml_byte(a, AML_PACKAGE);
	m = a->len;
	aml_byte(a, count);
	return m;
}

aml_mark aml_open_if_local_and(GByteArray *a, unsigned local, uint64_t mask)
{
	aml_mark m;

	aml_byte(a, AML_IF);
	m = a->len;
	aml_byte(a, AML_AND);
	aml_byte(a, AML_LOCAL0 + local);
	aml_integer(a, mask);
	aml_byte(a, AML_ZERO); /* no target */
	return m;
}

void aml_integer(GByteArray *a, uint64_t v)
{
	if (v <= 1) {
		aml_byte(a, v ? AML_ONE : AML_ZERO);
	} else if (v <= UINT8_MAX) {
		aml_byte(a, AML_BYTE);
		aml_bytes(a, v, 1);
	} else if (v <= UINT16_MAX) {
		aml_byte(a, AML_WORD);
		aml_bytes(a, v, 2);
	} else if (v <= UINT32_MAX) {
		aml_byte(a, AML_DWORD);
		aml_bytes(a, v, 4);
	} else {
		aml_byte(a, AML_QWORD);
		aml_bytes(a, v, 8);
	}
}

void aml_name_integer(GByteArray *a, const char *name, uint64_t v)
{
	aml_byte(a, AML_NAME);
	aml_path(a, name);
	aml_integer(a, v);
}

void aml_name_string(GByteArray *a, const char *name, const char *text)
{
	aml_byte(a, AML_NAME);
	aml_path(a, name);
	aml_byte(a, AML_STRING);
	g_byte_array_append(a, (const uint8_t *)text, (guint)strlen(text) + 1);
}

/* Three letters of 5 bits and four hexadecimal digits, big-endian (6.1.5, EISAID). */
void aml_name_eisaid(GByteArray *a, const char *name, const char *id)
{
	uint32_t v = 0;

	for (int i = 0; i < 3; i++)
		v = v << 5 | ((uint32_t)id[i] - 0x40);
	for (int i = 3; i < 7; i++)
		v = v << 4 | (uint32_t)g_ascii_xdigit_value(id[i]);
	aml_byte(a, AML_NAME);
	aml_path(a, name);
	aml_byte(a, AML_DWORD);
	aml_bytes(a, __builtin_bswap32(v), 4);
}

void aml_memory_dword(GByteArray *a, const char *region, const char *field, uint64_t addr)
{
	aml_mark m;

	aml_byte(a, AML_EXT);
	aml_byte(a, AML_EXT_OPREGION);
	aml_path(a, region);
	aml_byte(a, REGION_SYSTEM_MEMORY);
	aml_integer(a, addr);
	aml_integer(a, 4);
	aml_byte(a, AML_EXT);
	aml_byte(a, AML_EXT_FIELD);
	m = a->len;
	aml_path(a, region);
	aml_byte(a, FIELD_DWORD_WRITE_AS_ZEROS);
	aml_name_seg(a, field, strlen(field));
	aml_byte(a, 32); /* bits, as a one-byte PkgLength */
	aml_close(a, m);
}

void aml_store_name_to_local(GByteArray *a, const char *name, unsigned local)
{
	aml_byte(a, AML_STORE);
	aml_path(a, name);
	aml_byte(a, AML_LOCAL0 + local);
}

void aml_notify(GByteArray *a, const char *path, uint8_t value)
{
	aml_byte(a, AML_NOTIFY);
	aml_path(a, path);
	aml_integer(a, value);
}

/* ---- resources (6.4) ---- */

aml_mark aml_open_resources(GByteArray *a)
{
	aml_byte(a, AML_NAME);
	aml_path(a, "_CRS");
	return a->len;
}

void aml_close_resources(GByteArray *a, aml_mark m)
{
	GByteArray *head = g_byte_array_new();
	uint32_t body;
	aml_mark pkg;

	aml_byte(a, 0x79); /* end tag; a checksum of 0 is not checked */
	aml_byte(a, 0);
	body = a->len - m;
	aml_byte(head, AML_BUFFER);
	pkg = head->len;
	aml_integer(head, body);
	g_byte_array_append(head, a->data + m, body);
	aml_close(head, pkg);
	g_byte_array_set_size(a, m);
	g_byte_array_append(a, head->data, head->len);
	g_byte_array_free(head, TRUE);
}

void aml_res_io(GByteArray *a, uint16_t port, uint8_t len)
{
	aml_byte(a, 0x47); /* small item 8, 7 bytes: I/O port descriptor */
	aml_byte(a, 1);    /* decodes 16 bits */
	aml_bytes(a, port, 2);
	aml_bytes(a, port, 2);
	aml_byte(a, 1); /* alignment */
	aml_byte(a, len);
}

void aml_res_isa_irq(GByteArray *a, unsigned line)
{
	aml_byte(a, 0x22); /* small item 4, 2 bytes: IRQ, edge and high by default */
	aml_bytes(a, UINT64_C(1) << line, 2);
}

void aml_res_interrupt(GByteArray *a, uint32_t gsi, bool is_edge)
{
	aml_byte(a, 0x89); /* large item 9: extended interrupt */
	aml_bytes(a, 6, 2);
	aml_byte(a, 1u | (is_edge ? 2u : 0u)); /* consumer; active high, exclusive */
	aml_byte(a, 1);                        /* one interrupt */
	aml_bytes(a, gsi, 4);
}
