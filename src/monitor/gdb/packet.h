/* monitor/gdb/packet.h - the framing of the GDB remote serial protocol: $data#checksum, escapes,
 * the bytes between packets (the gdb manual, "Remote Protocol", "Overview").
 * SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <glib.h>

enum {
	GDB_PACKET_MAX = 16384, /* bytes of data, as they are sent; what PacketSize says */
};

enum gdb_event {
	GDB_NOTHING,   /* all bytes are used up */
	GDB_PACKET,    /* data and len */
	GDB_BAD,       /* a packet whose checksum is wrong, or that is too long */
	GDB_ACK,       /* + */
	GDB_NACK,      /* - */
	GDB_INTERRUPT, /* 0x03 */
};

struct gdb_reader {
	enum { GDB_BETWEEN, GDB_DATA, GDB_SUM_1, GDB_SUM_2 } state;
	bool is_escaped, is_too_long;
	uint8_t sum, sent_sum;
	size_t len;
	char data[GDB_PACKET_MAX + 1]; /* escapes resolved; ends with 0 */
};

void gdb_reader_reset(struct gdb_reader *r);
/* What the next bytes are; *used of them were looked at.  A packet is in r until the next call. */
enum gdb_event gdb_read(struct gdb_reader *r, const uint8_t *buf, size_t len, size_t *used);
/* The packet that carries data. */
void gdb_packet_append(GString *out, const char *data, size_t len);

/* ---- what packets are made of ---- */

/* A number in hexadecimal digits at *p, which moves behind it.  False: there is none, or it is too
 * big. */
bool gdb_hex(const char **p, uint64_t *value);
/* One character at *p, which moves behind it if it is c. */
bool gdb_eat(const char **p, char c);
/* Pairs of digits into bytes, at most max; how many.  *p moves behind them. */
size_t gdb_hex_bytes(const char **p, uint8_t *out, size_t max);
void gdb_append_hex(GString *out, const uint8_t *bytes, size_t len);
/* Binary data with }, #, $ and * escaped. */
void gdb_append_binary(GString *out, const uint8_t *bytes, size_t len);

/* Which threads: a vCPU's number from 1 on, or one of these. */
enum { GDB_ANY = 0, GDB_ALL = -1 };
struct gdb_thread {
	int process, thread;
};
/* "p1.2", "2", "-1", "p1" (all of it). */
bool gdb_thread_id(const char **p, struct gdb_thread *t);
