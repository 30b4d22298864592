/* tests/boot/ring0_rows.c - which rows of the encodings table a guest reaches.
 * SPDX-License-Identifier: MIT */
#include "ring0_rows.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>

#include <glib.h>

#include "arch/x86/decode.h"
#include "arch/x86/sys.h"
#include "arch/x86/x86_arch.h"
#include "base/err.h"
#include "cpu/arch.h"
#include "cpu/guest.h"

enum { ROWS_MAX = 8192 };

/* One guest per process. */
static _Atomic bool is_reached[ROWS_MAX];

struct code_reader {
	struct x86_reader r;
	uint8_t bytes[X86_MAX_INSN];
	unsigned len, pos;
};

static int next_byte(struct x86_reader *r)
{
	struct code_reader *b = container_of(r, struct code_reader, r);

	return b->pos < b->len ? b->bytes[b->pos++] : -1;
}

static bool translate_one(struct vcpu *v, struct ir_builder *b, struct guest_fetch *f,
			  unsigned max_insns, uint32_t *guest_len)
{
	const struct x86_cpu *c = v->cpu;
	struct x86_decode_mode m = {
		.code64 = c->env.mode & MODE_CODE64,
		.code32 = c->env.mode & MODE_CODE32,
		.no_vex = x86_is_real(c) || x86_is_vm86(c),
		.features = UINT64_MAX,
	};
	struct code_reader reader = { .r.next = next_byte };
	struct x86_insn in;

	(void)max_insns;
	if (!x86_arch_ops.guest->translate(v, b, f, 1, guest_len))
		return false;
	reader.len = f->bytes(f, x86_linear_pc(c), reader.bytes, MIN(*guest_len, X86_MAX_INSN));
	if (x86_decode(&in, &m, &reader.r) == DECODE_OK)
		atomic_store(&is_reached[in.row - x86_rows], true);
	return true;
}

const struct arch_ops *ring0_rows_arch(void)
{
	static struct guest_ops guest;
	static struct arch_ops arch;

	g_assert_cmpuint(x86_row_count, <=, ROWS_MAX);
	guest = *x86_arch_ops.guest;
	guest.translate = translate_one;
	arch = x86_arch_ops;
	arch.guest = &guest;
	return &arch;
}

bool ring0_rows_write(const char *path, struct err *err)
{
	FILE *out = fopen(path, "w");

	if (!out)
		return err_errno(err, errno, "cannot write '%s'", path);
	for (unsigned i = 0; i < x86_row_count; i++)
		if (x86_rows[i].attrs & ROW_NONNATIVE)
			fprintf(out, "%u %d %s opcode %u:%02x allow %08x\n", i,
				atomic_load(&is_reached[i]), x86_rows[i].name, x86_rows[i].map,
				x86_rows[i].opcode, x86_rows[i].allow);
	return fclose(out) == 0 || err_errno(err, errno, "cannot write '%s'", path);
}
