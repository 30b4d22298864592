/* chardev/telnet.h - the telnet protocol of a byte stream (RFC 854, 855, 856, 857, 858).
 * SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* All zero at the start of a connection. */
struct telnet {
	uint8_t state, command;
	bool is_binary;   /* the peer sends 8 bits as they are */
	bool has_seen_cr; /* the last data byte, when not binary */
	uint8_t refused;  /* bit per option of ours the peer does not want */
};

enum telnet_event {
	TELNET_DATA,  /* all input is used up */
	TELNET_BREAK, /* IAC BRK, after the data so far */
	TELNET_REPLY, /* send reply[3] to the peer */
};

enum { TELNET_HELLO_BYTES = 12 };
/* What we say first: characters one by one, we echo, 8 bits both ways. */
extern const uint8_t telnet_hello[TELNET_HELLO_BYTES];

/* Decode in[0 .. len) up to its end or an event.  out gets at most as many bytes as are used and
 * may be `in` itself.  Returns how many bytes were used, at least one. */
size_t telnet_decode(struct telnet *t, const uint8_t *in, size_t len, uint8_t *out, size_t *out_len,
		     enum telnet_event *event, uint8_t reply[3]);
