/* tests/fuzz/decoder_fuzz.c - any bytes as x86 code: the decoder and the disassembler.
 *
 * The input is decoded as 16-bit (with and without VEX), 32-bit and 64-bit code, instruction after
 * instruction; after a byte that starts none, decoding goes on with the next.
 * SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "arch/x86/decode.h"
#include "base/bits.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct bytes {
	struct x86_reader reader;
	const uint8_t *at, *end;
};

static int bytes_next(struct x86_reader *r)
{
	struct bytes *b = container_of(r, struct bytes, reader);

	return b->at < b->end ? *b->at++ : -1;
}

static void check(bool ok)
{
	if (!ok)
		abort();
}

/* What the translator and others take for granted. */
static void check_insn(const struct x86_insn *in, size_t read)
{
	char text[160], small[7];

	check(in->row && in->len && in->len <= X86_MAX_INSN && in->len == read);
	check(in->opsize == 2 || in->opsize == 4 || in->opsize == 8);
	check(in->asize == 2 || in->asize == 4 || in->asize == 8);
	check(in->reg < 16 && in->rm < 16 && in->vvvv < 16 && in->seg < 6);
	for (unsigned n = 0; n < 4; n++) {
		check(x86_operand(in, n)->place < PLACE_COUNT);
		check(x86_operand_size(in, n) <= 1024);
		x86_operand_is_mem(in, n);
	}
	memset(text, 'x', sizeof(text));
	x86_disasm(in, 0x1234567890, text, sizeof(text));
	check(memchr(text, 0, sizeof(text)) != NULL && text[0]);
	x86_disasm(in, UINT64_MAX, small, sizeof(small));
	check(memchr(small, 0, sizeof(small)) != NULL);
}

static void decode_all(const struct x86_decode_mode *m, const uint8_t *data, size_t size)
{
	const uint8_t *end = data + size;

	while (data < end) {
		struct bytes b = { { bytes_next }, data, end };
		struct x86_insn in;
		enum x86_decode r = x86_decode(&in, m, &b.reader);
		size_t read = (size_t)(b.at - data);

		check(read <= X86_MAX_INSN + 1);
		if (r == DECODE_OK)
			check_insn(&in, read);
		data += r == DECODE_OK ? in.len : 1;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct x86_decode_mode modes[] = {
		{ .features = UINT64_MAX, .no_vex = true },
		{ .features = UINT64_MAX },
		{ .features = UINT64_MAX, .code32 = true },
		{ .features = UINT64_MAX, .code64 = true },
		{ .features = 0, .code64 = true },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(modes); i++)
		decode_all(&modes[i], data, size < 4096 ? size : 4096);
	return 0;
}
