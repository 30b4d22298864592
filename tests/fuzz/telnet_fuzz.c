/* tests/fuzz/telnet_fuzz.c - a telnet peer that says anything.
 *
 * The first byte says in how large pieces the rest comes.  What comes out must not depend on that,
 * must never be more than went in, and the decoder must always get on.
 * SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "chardev/telnet.h"

enum { MAX_INPUT = 4096 };

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size);

struct outcome {
	uint8_t data[MAX_INPUT];
	size_t data_len, breaks, replies;
};

static void decode(const uint8_t *in, size_t len, size_t step, struct outcome *o)
{
	struct telnet t = { 0 };
	uint8_t buf[MAX_INPUT], reply[3];
	enum telnet_event event;
	size_t at = 0;

	memset(o, 0, sizeof(*o));
	while (at < len) {
		size_t chunk = len - at < step ? len - at : step, n, used;

		memcpy(buf, in + at, chunk);
		used = telnet_decode(&t, buf, chunk, buf, &n, &event, reply);
		if (used == 0 || used > chunk || n > used)
			abort();
		memcpy(o->data + o->data_len, buf, n);
		o->data_len += n;
		o->breaks += event == TELNET_BREAK;
		o->replies += event == TELNET_REPLY;
		if (event == TELNET_REPLY && (reply[0] != 255 || reply[1] < 251))
			abort();
		at += used;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
	static struct outcome whole, pieces;

	if (size < 2 || size > MAX_INPUT)
		return 0;
	decode(input + 1, size - 1, size - 1, &whole);
	decode(input + 1, size - 1, input[0] % 16 + 1u, &pieces);
	if (memcmp(&whole, &pieces, sizeof(whole)) != 0)
		abort();
	return 0;
}
