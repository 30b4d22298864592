/* tests/unit/arch/show_test.c - what monitors show of a vCPU.
 * SPDX-License-Identifier: MIT */
#include "sys_fixture.h"

#include <string.h>

/* The mappings, a line each; at most `max`. */
struct list {
	GString *text;
	unsigned count, max;
};

static bool list_page(const struct arch_page *p, void *opaque)
{
	struct list *l = opaque;

	g_assert_cmpuint(strlen(p->bits), ==, 9);
	if (l->text)
		g_string_append_printf(l->text, "%llx:%llx %llx %s %s\n", (unsigned long long)p->va,
				       (unsigned long long)p->pa, (unsigned long long)p->size,
				       p->bits, p->rights);
	return ++l->count < l->max;
}

static void maps(struct rig *r, const char *expected)
{
	struct list l = { g_string_new(NULL), 0, 1000 };

	g_assert_cmpint(x86_pages(&r->v, list_page, &l), ==, ARCH_PAGES_ALL);
	g_assert_cmpstr(l.text->str, ==, expected);
	g_string_free(l.text, TRUE);
}

static void test_no_paging(void)
{
	struct rig *r = rig_new("max");
	struct list l = { NULL, 0, 1000 };

	rig_protected(r, 0);
	g_assert_cmpint(x86_pages(&r->v, list_page, &l), ==, ARCH_PAGES_OFF);
	g_assert_cmpuint(l.count, ==, 0);
	rig_free(r);
}

static void test_long_mode(void)
{
	struct rig *r = rig_new("max");

	rig_long(r, 0);
	memset(r->ram->host + 0x102000, 0, 4096);
	rig_poke(r, 0x102008, 8, 0x8000000000400085); /* 2 MiB, read-only by its last entry */
	rig_poke(r, 0x102010, 8, 0x103007);
	rig_poke(r, 0x103008, 8, 0x200163);
	rig_poke(r, 0x101010, 8, 0x40000087); /* 1 GiB */
	rig_poke(r, 0x100ff8, 8, 0x104003);   /* the upper half, not for users */
	rig_poke(r, 0x104ff8, 8, 0x800000c7);
	maps(r, "200000:400000 200000 X-P----U- ur-\n"
		"401000:200000 1000 -G-DA---W -rw\n"
		"80000000:40000000 40000000 --P----UW urw\n"
		"ffffffffc0000000:80000000 40000000 --PD---UW -rw\n");
	rig_free(r);
}

static void test_pae_and_32_bit(void)
{
	struct rig *r = rig_new("max");

	rig_protected(r, 0);
	r->c->cr0 |= CR0_PG;
	r->c->cr3 = 0x100020;
	r->c->cr4 = CR4_PAE;
	rig_poke(r, 0x100028, 8, 0x101001); /* the second GiB */
	rig_poke(r, 0x101000, 8, 0x200087);
	maps(r, "40000000:200000 200000 --P----UW urw\n");
	r->c->cr3 = 0x102000;
	r->c->cr4 = CR4_PSE;
	rig_poke(r, 0x102004, 4, 0x00c02087); /* 4 MiB, at 4 GiB and 12 MiB */
	rig_poke(r, 0x102ffc, 4, 0x103007);
	rig_poke(r, 0x103ffc, 4, 0xfffff005);
	maps(r, "400000:100c00000 400000 --P----UW urw\n"
		"fffff000:fffff000 1000 -------U- ur-\n");
	rig_free(r);
}

/* A table that is its own entry maps 2^36 pages. */
static void test_tables_without_end(void)
{
	struct rig *r = rig_new("max");
	struct list l = { NULL, 0, UINT32_MAX };

	rig_long(r, 0);
	for (unsigned i = 0; i < 512; i++)
		rig_poke(r, 0x100000 + 8 * i, 8, 0x100007);
	g_assert_cmpint(x86_pages(&r->v, list_page, &l), ==, ARCH_PAGES_CUT);
	g_assert_cmpuint(l.count, <=, 1 << 24);
	l = (struct list){ NULL, 0, 10 };
	g_assert_cmpint(x86_pages(&r->v, list_page, &l), ==, ARCH_PAGES_CUT);
	g_assert_cmpuint(l.count, ==, 10);
	/* Where nothing is, tables read as ones and nothing happens. */
	r->c->cr3 = 0xffffffff000;
	l = (struct list){ NULL, 0, 10 };
	g_assert_cmpint(x86_pages(&r->v, list_page, &l), ==, ARCH_PAGES_ALL);
	g_assert_cmpuint(l.count, ==, 0);
	rig_free(r);
}

static void test_registers_by_name(void)
{
	struct rig *r = rig_new("max");
	uint64_t v;

	rig_long(r, 0);
	for (unsigned i = 0; x86_reg_names[i]; i++)
		if (!x86_reg_get(&r->v, x86_reg_names[i], &v))
			g_error("%s is listed and not there", x86_reg_names[i]);
	r->c->gpr[RAX] = 0x123456789abcdef0;
	r->c->gpr[R10] = 10;
	r->c->seg[SEG_GS].base = 0xabc;
	g_assert_true(x86_reg_get(&r->v, "eax", &v) && v == 0x123456789abcdef0);
	g_assert_true(x86_reg_get(&r->v, "r10", &v) && v == 10);
	g_assert_true(x86_reg_get(&r->v, "gs.base", &v) && v == 0xabc);
	g_assert_true(x86_reg_get(&r->v, "cs", &v) && v == K_CODE);
	for (const char *const *n = (const char *const[]){ "", "r", "r1", "r16", "r10d", "dr4",
							   "dr9", "cs.", "xax", "eaxx", NULL };
	     *n; n++)
		g_assert_false(x86_reg_get(&r->v, *n, &v));
	rig_free(r);
}

static void test_the_dump_names_segments(void)
{
	struct rig *r = rig_new("max");
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	rig_long(r, 3);
	x86_show(&r->v, out);
	x86_show_vectors(&r->v, out);
	fclose(out);
	g_assert_nonnull(strstr(text, "\nCS =001b 0000000000000000 ffffffff 00"));
	g_assert_nonnull(strstr(text, " DPL=3 CS64 [-RA]\n"));
	g_assert_nonnull(strstr(text, " DPL=3 DS   [-WA]\n"));
	g_assert_nonnull(strstr(text, " DPL=0 TSS64-busy\n"));
	g_assert_nonnull(strstr(text, " XMM15="));
	free(text);
	rig_free(r);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/no_paging", test_no_paging);
	g_test_add_func("/long_mode", test_long_mode);
	g_test_add_func("/pae_and_32_bit", test_pae_and_32_bit);
	g_test_add_func("/tables_without_end", test_tables_without_end);
	g_test_add_func("/registers_by_name", test_registers_by_name);
	g_test_add_func("/the_dump_names_segments", test_the_dump_names_segments);
	return g_test_run();
}
