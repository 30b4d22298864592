/* monitor/qtest/memory.c - commands that access ports and memory, as a CPU of the machine would.
 * SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/bits.h"
#include "machine/machine.h"
#include "memory/ram.h"
#include "monitor/qtest/qtest_impl.h"

enum { MAX_DATA = 16 << 20, MAX_SET = 256 << 20, MAX_PORT = 0xffff, PAGE = RAM_PAGE_SIZE };

static uint64_t size_mask(unsigned size) { return ~UINT64_C(0) >> (64 - 8 * size); }

/* ---- one access ---- */

void qtest_port_read(struct qtest *q, const struct qtest_command *cmd,
		     const struct qtest_call *call)
{
	uint64_t addr, value;

	if (!qtest_number(q, call, 0, MAX_PORT, &addr))
		return;
	address_space_read(&q->machine->io, addr, cmd->size, &value);
	qtest_send(q, "OK 0x%04x\n", (unsigned)value);
}

/* What is too wide is cut, as a register's upper bytes are. */
void qtest_port_write(struct qtest *q, const struct qtest_command *cmd,
		      const struct qtest_call *call)
{
	uint64_t addr, value;

	if (!qtest_number(q, call, 0, MAX_PORT, &addr) ||
	    !qtest_number(q, call, 1, UINT64_MAX, &value))
		return;
	address_space_write(&q->machine->io, addr, cmd->size, value & size_mask(cmd->size));
	qtest_send(q, "OK\n");
}

void qtest_load(struct qtest *q, const struct qtest_command *cmd, const struct qtest_call *call)
{
	uint64_t addr, value;

	if (!qtest_number(q, call, 0, UINT64_MAX, &addr))
		return;
	address_space_read(&q->machine->memory, addr, cmd->size, &value);
	qtest_send(q, "OK 0x%016llx\n", (unsigned long long)value);
}

void qtest_store(struct qtest *q, const struct qtest_command *cmd, const struct qtest_call *call)
{
	uint64_t addr, value;

	if (!qtest_number(q, call, 0, UINT64_MAX, &addr) ||
	    !qtest_number(q, call, 1, UINT64_MAX, &value))
		return;
	address_space_write(&q->machine->memory, addr, cmd->size, value & size_mask(cmd->size));
	qtest_send(q, "OK\n");
}

/* ---- many bytes ---- */

/* The largest aligned access that is no more than len bytes. */
static unsigned access_size(gpa_t addr, uint64_t len)
{
	unsigned size = 8;

	while (size > 1 && (size > len || addr % size))
		size /= 2;
	return size;
}

static void move_device(struct address_space *as, gpa_t addr, uint8_t *buf, uint64_t len,
			bool is_write)
{
	unsigned size;

	for (; len; addr += size, buf += size, len -= size) {
		uint64_t value = 0;

		size = access_size(addr, len);
		if (is_write) {
			memcpy(&value, buf, size);
			address_space_write(as, addr, size, le64toh(value));
		} else {
			address_space_read(as, addr, size, &value);
			value = htole64(value);
			memcpy(buf, &value, size);
		}
	}
}

/* RAM a page at a time, the rest as single accesses. */
static void move(struct qtest *q, gpa_t addr, uint8_t *buf, uint64_t len, bool is_write)
{
	struct address_space *as = &q->machine->memory;
	uint64_t part;

	for (; len; addr += part, buf += part, len -= part) {
		part = MIN(len, PAGE - addr % PAGE);
		if (is_write ? !dma_write(as, addr, buf, part) : !dma_read(as, addr, buf, part))
			move_device(as, addr, buf, part, is_write);
	}
}

/* Arguments 0 and 1: an address, and how many bytes: one at least. */
static bool span(struct qtest *q, const struct qtest_call *call, uint64_t max, uint64_t *addr,
		 uint64_t *len)
{
	if (!qtest_number(q, call, 0, UINT64_MAX, addr) || !qtest_number(q, call, 1, max, len))
		return false;
	if (*len && *addr + (*len - 1) >= *addr)
		return true;
	qtest_fail(q, *len ? "%s bytes from %s on go beyond the last address" : "size is %s",
		   call->args[1], call->args[0]);
	return false;
}

void qtest_read(struct qtest *q, const struct qtest_command *cmd, const struct qtest_call *call)
{
	static const char digits[] = "0123456789abcdef";
	g_autofree uint8_t *data = NULL;
	g_autoptr(GString) text = NULL;
	uint64_t addr, len;

	(void)cmd;
	if (!span(q, call, MAX_DATA, &addr, &len))
		return;
	data = g_malloc(len);
	move(q, addr, data, len, false);
	text = g_string_sized_new(2 * len + 8);
	g_string_append(text, "OK 0x");
	for (uint64_t i = 0; i < len; i++) {
		g_string_append_c(text, digits[data[i] >> 4]);
		g_string_append_c(text, digits[data[i] & 15]);
	}
	g_string_append_c(text, '\n');
	qtest_send_text(q, text->str, text->len);
}

/* Digits that are not there are zeros. */
static bool parse_hex(const char *text, uint8_t *data, uint64_t len)
{
	size_t digits = strlen(text);

	memset(data, 0, len);
	if (digits < 2 || text[0] != '0' || text[1] != 'x' || digits % 2)
		return false;
	for (size_t i = 2; i < digits; i++) {
		int digit = g_ascii_xdigit_value(text[i]);

		if (digit < 0)
			return false;
		if (i / 2 - 1 < len)
			data[i / 2 - 1] |= (uint8_t)(i % 2 ? digit : digit << 4);
	}
	return true;
}

void qtest_write(struct qtest *q, const struct qtest_command *cmd, const struct qtest_call *call)
{
	g_autofree uint8_t *data = NULL;
	uint64_t addr, len;

	(void)cmd;
	if (!span(q, call, MAX_DATA, &addr, &len))
		return;
	data = g_malloc(len);
	if (!parse_hex(call->args[2], data, len)) {
		qtest_fail(q, "data is not 0x and pairs of hexadecimal digits");
		return;
	}
	move(q, addr, data, len, true);
	qtest_send(q, "OK\n");
}

void qtest_b64read(struct qtest *q, const struct qtest_command *cmd, const struct qtest_call *call)
{
	g_autofree uint8_t *data = NULL;
	g_autofree char *text = NULL, *line = NULL;
	uint64_t addr, len;

	(void)cmd;
	if (!span(q, call, MAX_DATA, &addr, &len))
		return;
	data = g_malloc(len);
	move(q, addr, data, len, false);
	text = g_base64_encode(data, len);
	line = g_strdup_printf("OK %s\n", text);
	qtest_send_text(q, line, strlen(line));
}

void qtest_b64write(struct qtest *q, const struct qtest_command *cmd, const struct qtest_call *call)
{
	g_autofree uint8_t *data = NULL;
	uint64_t addr, len;
	gsize found;

	(void)cmd;
	if (!span(q, call, MAX_DATA, &addr, &len))
		return;
	data = g_base64_decode(call->args[2], &found);
	if (found != len) {
		qtest_fail(q, "data is %zu bytes, not %s", found, call->args[1]);
		return;
	}
	move(q, addr, data, len, true);
	qtest_send(q, "OK\n");
}

void qtest_memset(struct qtest *q, const struct qtest_command *cmd, const struct qtest_call *call)
{
	uint64_t addr, len, byte, part;
	uint8_t data[PAGE];

	(void)cmd;
	if (!qtest_number(q, call, 1, MAX_SET, &len) || !qtest_number(q, call, 2, 0xff, &byte) ||
	    (len && !span(q, call, MAX_SET, &addr, &len)))
		return;
	memset(data, (int)byte, sizeof(data));
	for (; len; addr += part, len -= part) {
		part = MIN(len, sizeof(data));
		move(q, addr, data, part, true);
	}
	qtest_send(q, "OK\n");
}
