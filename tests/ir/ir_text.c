/* tests/ir/ir_text.c - run one .ir file: text IR, what the passes must make of it, what running it
 * does.
 *
 *     <IR, see src/jit/ir_print.c>
 *     ==== after
 *     <the same as printed after the passes>
 *     ==== run r0=5 flags=0x1 mem[0x100]=7
 *     r2=0x6 pc=0x10 mem[0x108]=5
 *     ==== error
 *     <the parser's or the verifier's words>
 *
 * Any number of "run" sections: registers, flags (all 32 bits), pc and 8-byte words of memory
 * before, and those that must be so after.  Memory is tests/unit/jit/machine.h's.
 * SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <glib.h>

#include "jit/interp.h"
#include "machine.h"

static uint64_t helper_add(void *env, uint64_t a, uint64_t b, uint64_t c)
{
	(void)env;
	return a + b + c;
}

static uint64_t helper_set_flags(void *env, uint64_t a, uint64_t b, uint64_t c)
{
	(void)c;
	((struct test_cpu *)env)->flags = (uint32_t)a;
	return b;
}

static const struct ir_helper add = { .name = "add3", .fn = helper_add, .is_pure = true };
static const struct ir_helper set_flags = {
	.name = "set_flags", .fn = helper_set_flags, .reads_flags = true, .writes_flags = true
};
static const struct ir_helper *const helpers[] = { &add, &set_flags, NULL };

struct context {
	const char *file;
	struct ir_builder *b;
	const struct ir_block *blk;
	struct interp_block code;
};

static struct interp_block *no_next(struct jit_env *env, struct interp_block *from, unsigned n)
{
	(void)env;
	(void)from;
	(void)n;
	return NULL;
}

/* "r3", "flags", "pc", "mem[0x10]": where it is in c. */
static void *place(struct test_cpu *c, const char *name, unsigned *size)
{
	unsigned long n;

	*size = 8;
	if (!strcmp(name, "pc"))
		return &c->env.pc;
	if (name[0] == 'r' && name[1] >= '0' && name[1] < '0' + TEST_REGS && !name[2])
		return &c->r[name[1] - '0'];
	if (!strcmp(name, "flags")) {
		*size = 4;
		return &c->flags;
	}
	if (!strncmp(name, "mem[", 4)) {
		n = strtoul(name + 4, NULL, 0);
		return n + 8 <= TEST_MEM ? c->mem + n : NULL;
	}
	return NULL;
}

/* Apply or compare "name=value ...".  False: something differs. */
static bool each_value(struct context *x, struct test_cpu *c, const char *list, bool compare)
{
	g_auto(GStrv) words = g_strsplit_set(list, " \n", -1);
	bool ok = true;

	for (char **w = words; *w; w++) {
		char *eq = strchr(*w, '=');
		uint64_t value, now = 0;
		unsigned size;
		void *p;

		if (!**w)
			continue;
		p = eq ? (*eq = 0, place(c, *w, &size)) : NULL;
		if (!p) {
			fprintf(stderr, "%s: what is '%s'?\n", x->file, *w);
			return false;
		}
		value = strtoull(eq + 1, NULL, 0);
		if (!compare) {
			memcpy(p, &value, size);
			continue;
		}
		memcpy(&now, p, size);
		if (now != value) {
			fprintf(stderr, "%s: %s is 0x%" PRIx64 ", not 0x%" PRIx64 "\n", x->file, *w,
				now, value);
			ok = false;
		}
	}
	return ok;
}

static bool check_run(struct context *x, const char *before, const char *after)
{
	static struct tlb_view tlb[TLB_VIEWS];
	static uint8_t mem[TEST_MEM];
	struct interp_run run = { .next = no_next, .budget = 1000 };
	struct test_cpu c;

	memset(mem, 0, sizeof(mem));
	test_cpu_init(&c, tlb, mem);
	if (!each_value(x, &c, before, false))
		return false;
	interp_run(&c.env, &x->code, &test_desc, &run);
	return each_value(x, &c, after, true);
}

static bool check_after(struct context *x, const char *expected)
{
	g_autofree char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);
	bool ok;

	ir_print(x->blk, &test_desc, f);
	fclose(f);
	ok = !strcmp(g_strstrip(text), g_strstrip((char *)(uintptr_t)expected));
	if (!ok)
		fprintf(stderr, "%s: after the passes:\n%s\n", x->file, text);
	return ok;
}

static bool check_section(struct context *x, char *section)
{
	char *body = strchr(section, '\n');

	if (!body)
		return false;
	*body++ = 0;
	if (g_str_has_prefix(section, "after"))
		return check_after(x, body);
	if (g_str_has_prefix(section, "run"))
		return check_run(x, section + 3, body);
	fprintf(stderr, "%s: unknown section '%s'\n", x->file, section);
	return false;
}

/* The text is wrong on purpose. */
static bool check_error(struct context *x, const char *got, const char *section)
{
	g_autofree char *wanted = g_strdup(strchr(section, '\n') ? strchr(section, '\n') + 1 : "");

	if (!strcmp(g_strstrip(wanted), got))
		return true;
	fprintf(stderr, "%s: error '%s', wanted '%s'\n", x->file, got, wanted);
	return false;
}

static bool check_file(struct context *x, const char *text)
{
	g_auto(GStrv) sections = g_strsplit(text, "\n==== ", -1);
	struct interp_lowerer *l = interp_lowerer_new(&test_desc);
	char error[160] = "";
	bool ok = ir_parse(x->b, sections[0], helpers, error, sizeof(error));

	if (ok) {
		x->blk = ir_end(x->b);
		ok = ir_verify(x->blk, error, sizeof(error));
	}
	if (!ok) {
		interp_lowerer_free(l);
		return check_error(x, error, sections[1] ? sections[1] : "");
	}
	ok = sections[1] && interp_lower(l, &x->code, x->blk);
	for (char **s = sections + 1; ok && *s; s++)
		ok &= check_section(x, *s);
	interp_block_fini(&x->code);
	interp_lowerer_free(l);
	return ok;
}

int main(int argc, char **argv)
{
	int failed = 0;

	for (int i = 1; i < argc; i++) {
		struct context x = { .file = argv[i] };
		g_autofree char *text = NULL;

		x.b = ir_builder_new(&test_desc);
		if (!g_file_get_contents(argv[i], &text, NULL, NULL) || !check_file(&x, text)) {
			fprintf(stderr, "failed: %s\n", argv[i]);
			failed++;
		}
		ir_builder_free(x.b);
	}
	return failed != 0;
}
