/* chardev/telnet.c - the telnet protocol of a byte stream.
 *
 * The peer is not trusted: nothing is stored of what it says but a few bits, and only a request
 * that changes something is answered, so that two ends never answer each other forever (RFC 854, p.
 * 2).
 * SPDX-License-Identifier: MIT */
#include "chardev/telnet.h"

enum {
	SE = 240,
	BRK = 243,
	SB = 250,
	WILL = 251,
	WONT = 252,
	DO = 253,
	DONT = 254,
	IAC = 255,
};

enum { OPT_BINARY = 0, OPT_ECHO = 1, OPT_SGA = 3 };

enum state { IN_DATA, AFTER_IAC, AFTER_COMMAND, IN_SUB, IN_SUB_IAC };

const uint8_t telnet_hello[TELNET_HELLO_BYTES] = {
	IAC, WILL, OPT_ECHO, IAC, WILL, OPT_SGA, IAC, WILL, OPT_BINARY, IAC, DO, OPT_BINARY,
};

static bool is_ours(uint8_t option)
{
	return option == OPT_BINARY || option == OPT_ECHO || option == OPT_SGA;
}

/* The peer said command option; true if that needs the answer `*answer option`. */
static bool negotiate(struct telnet *t, uint8_t command, uint8_t option, uint8_t *answer)
{
	bool was_refused;

	switch (command) {
	case DO: /* to ours: agreed, which we offered */ *answer = WONT; return !is_ours(option);
	case DONT:
		*answer = WONT;
		if (!is_ours(option))
			return false; /* we never did */
		was_refused = t->refused & 1u << option;
		t->refused |= (uint8_t)(1u << option);
		return !was_refused;
	case WILL:
		*answer = DONT;
		if (option == OPT_BINARY)
			t->is_binary = true;
		return option != OPT_BINARY;
	default: /* WONT */
		if (option == OPT_BINARY)
			t->is_binary = false;
		return false;
	}
}

/* A byte of data; false if it is no part of it: the NUL after CR (RFC 854, p. 11). */
static bool is_data(struct telnet *t, uint8_t byte)
{
	bool is_padding = t->has_seen_cr && byte == 0;

	t->has_seen_cr = byte == '\r' && !t->is_binary;
	return !is_padding;
}

/* The byte after IAC; true if it stands for a data byte 255. */
static bool after_iac(struct telnet *t, uint8_t byte, enum telnet_event *event)
{
	t->state = IN_DATA;
	if (byte == BRK)
		*event = TELNET_BREAK;
	else if (byte == SB)
		t->state = IN_SUB;
	else if (byte >= WILL && byte <= DONT)
		t->state = AFTER_COMMAND;
	t->command = byte;
	return byte == IAC;
}

size_t telnet_decode(struct telnet *t, const uint8_t *in, size_t len, uint8_t *out, size_t *out_len,
		     enum telnet_event *event, uint8_t reply[3])
{
	size_t used = 0, n = 0;

	*event = TELNET_DATA;
	while (used < len && *event == TELNET_DATA) {
		uint8_t byte = in[used++];

		switch ((enum state)t->state) {
		case IN_DATA:
			if (byte == IAC)
				t->state = AFTER_IAC;
			else if (is_data(t, byte))
				out[n++] = byte;
			break;
		case AFTER_IAC:
			if (after_iac(t, byte, event) && is_data(t, byte))
				out[n++] = byte;
			break;
		case AFTER_COMMAND:
			t->state = IN_DATA;
			if (negotiate(t, t->command, byte, &reply[1])) {
				reply[0] = IAC;
				reply[2] = byte;
				*event = TELNET_REPLY;
			}
			break;
		case IN_SUB:
			if (byte == IAC)
				t->state = IN_SUB_IAC;
			break;
		case IN_SUB_IAC: t->state = byte == SE ? IN_DATA : IN_SUB; break;
		}
	}
	*out_len = n;
	return used;
}
