/* Region trees rendered to flat views, compared with a model that asks byte by byte; listeners;
 * readers during commits.
 * SPDX-License-Identifier: MIT */
#include "memory/region.h"

#include <glib.h>
#include <pthread.h>
#include <stdatomic.h>

#include "base/err.h"
#include "memory/address_space.h"
#include "memory/ram.h"
#include "memory/rcu.h"

enum { SPACE = 256, REGIONS = 24 };

static const struct region_ops no_ops;

/* Who answers byte `at` of region r?  The definition, without any cleverness. */
static struct region *model(struct region *r, uint64_t at, uint64_t *offset)
{
	struct region *found;

	if (!r->is_enabled || (r->size && at >= r->size))
		return NULL;
	if (r->kind == REGION_ALIAS)
		return model(r->alias_of, at + r->alias_offset, offset);
	if (r->kind != REGION_CONTAINER) {
		*offset = at;
		return r;
	}
	for (struct region *c = r->children; c; c = c->next) {
		found = at >= c->addr ? model(c, at - c->addr, offset) : NULL;
		if (found)
			return found;
	}
	return NULL;
}

static void check(struct address_space *as, uint64_t limit)
{
	const struct flat_view *v;

	rcu_enter();
	v = rcu_fetch(as->view);
	for (uint32_t i = 0; i < v->count; i++) {
		g_assert_cmphex(v->ranges[i].start, <=, v->ranges[i].last);
		if (i)
			g_assert_cmphex(v->ranges[i - 1].last, <, v->ranges[i].start);
	}
	for (uint64_t at = 0; at < limit; at++) {
		uint64_t offset = 0;
		struct region *want = model(as->root, at, &offset);
		const struct flat_range *got = address_space_find(as, at);

		g_assert_true((want == NULL) == (got == NULL));
		if (want) {
			g_assert_true(got->region == want);
			g_assert_cmphex(got->offset + (at - got->start), ==, offset);
		}
	}
	rcu_leave();
}

static uint32_t rnd(uint32_t below) { return (uint32_t)g_test_rand_int_range(0, (gint32)below); }

/* Region i of a random tree; containers and aliases only know lower i, so nothing loops. */
static void random_region(struct region *r, unsigned i)
{
	uint64_t size = 1 + rnd(SPACE);

	switch (i < 4 ? 0 : rnd(3)) {
	case 0: region_init_io(&r[i], NULL, "io", &no_ops, size); break;
	case 1: region_init_container(&r[i], "container", size); break;
	default: region_init_alias(&r[i], "alias", &r[rnd(i)], rnd(SPACE), size);
	}
}

static bool random_change(struct region *r, unsigned n)
{
	struct region *x = &r[rnd(n)];

	switch (rnd(3)) {
	case 0: region_set_enabled(x, rnd(2)); break;
	case 1: region_set_addr(x, rnd(SPACE)); break;
	default:
		if (!x->container)
			return false;
		region_remove(x);
	}
	return true;
}

static void test_random_topologies_match_the_model(void)
{
	for (unsigned round = 0; round < 300; round++) {
		struct region root, r[REGIONS];
		struct address_space as;

		region_init_container(&root, "root", rnd(2) ? 0 : SPACE);
		address_space_init(&as, "test", &root);
		memory_begin();
		for (unsigned i = 0; i < REGIONS; i++) {
			random_region(r, i);
			region_add_overlap(&root, rnd(SPACE), &r[i], (int)rnd(4) - 2);
		}
		/* move some into containers of higher index */
		for (unsigned i = 0; i < REGIONS; i++) {
			unsigned k = i + 1 + rnd(REGIONS);

			if (k >= REGIONS || r[k].kind != REGION_CONTAINER)
				continue;
			region_remove(&r[i]);
			region_add_overlap(&r[k], rnd(SPACE), &r[i], (int)rnd(4) - 2);
		}
		memory_commit();
		check(&as, 3 * SPACE);
		for (unsigned k = 0; k < 10; k++)
			if (random_change(r, REGIONS))
				check(&as, 3 * SPACE);
		address_space_fini(&as);
	}
	rcu_drain();
}

static void test_whole_space_and_high_addresses(void)
{
	struct region root, all, top, alias;
	struct address_space as;
	const struct flat_range *r;

	region_init_container(&root, "root", 0);
	region_init_container(&all, "all", 0);
	region_init_io(&top, NULL, "top", &no_ops, 0x1000);
	region_init_alias(&alias, "alias", &all, UINT64_MAX - 0xfff, 0x1000);
	region_add(&all, UINT64_MAX - 0xfff, &top);
	region_add(&root, 0x2000, &alias);
	address_space_init(&as, "test", &root);
	rcu_enter();
	r = address_space_find(&as, 0x2fff);
	g_assert_nonnull(r);
	g_assert_true(r->region == &top);
	g_assert_cmphex(r->start, ==, 0x2000);
	g_assert_cmphex(r->last, ==, 0x2fff);
	g_assert_null(address_space_find(&as, 0x3000));
	g_assert_null(address_space_find(&as, UINT64_MAX));
	rcu_leave();
	region_add(&root, 0, &all);
	rcu_enter();
	r = address_space_find(&as, UINT64_MAX);
	g_assert_nonnull(r);
	g_assert_cmphex(r->last, ==, UINT64_MAX);
	rcu_leave();
	address_space_fini(&as);
}

static void test_later_added_wins_at_equal_priority(void)
{
	struct region root, a, b, low;
	struct address_space as;

	region_init_container(&root, "root", 0);
	region_init_io(&a, NULL, "a", &no_ops, 16);
	region_init_io(&b, NULL, "b", &no_ops, 16);
	region_init_io(&low, NULL, "low", &no_ops, 16);
	address_space_init(&as, "test", &root);
	region_add(&root, 0, &a);
	region_add(&root, 8, &b);
	region_add_overlap(&root, 0, &low, -1);
	rcu_enter();
	g_assert_true(address_space_find(&as, 7)->region == &a);
	g_assert_true(address_space_find(&as, 8)->region == &b);
	rcu_leave();
	address_space_fini(&as);
}

struct recorder {
	struct memory_listener l;
	GString *text;
};

static void on_removed(struct memory_listener *l, const struct flat_range *r)
{
	g_string_append_printf(container_of(l, struct recorder, l)->text,
			       "-%s@%" G_GINT64_MODIFIER "x ", r->region->name, r->start);
}

static void on_added(struct memory_listener *l, const struct flat_range *r)
{
	g_string_append_printf(container_of(l, struct recorder, l)->text,
			       "+%s@%" G_GINT64_MODIFIER "x ", r->region->name, r->start);
}

static void on_commit(struct memory_listener *l)
{
	g_string_append(container_of(l, struct recorder, l)->text, ". ");
}

static void test_listener_hears_removals_then_additions(void)
{
	struct recorder rec = { { on_removed, on_added, on_commit, NULL }, g_string_new("") };
	struct region root, a, b;
	struct address_space as;

	region_init_container(&root, "root", 0);
	region_init_io(&a, NULL, "a", &no_ops, 16);
	region_init_io(&b, NULL, "b", &no_ops, 4);
	region_add(&root, 0x10, &a);
	address_space_init(&as, "test", &root);
	address_space_listen(&as, &rec.l);
	g_assert_cmpstr(rec.text->str, ==, "+a@10 . ");
	g_string_truncate(rec.text, 0);
	memory_begin();
	region_add_overlap(&root, 0x14, &b, 1);
	region_set_enabled(&a, false);
	region_set_enabled(&a, true);
	g_assert_cmpstr(rec.text->str, ==, "");
	memory_commit();
	g_assert_cmpstr(rec.text->str, ==, "-a@10 +a@10 +b@14 +a@18 . ");
	g_string_truncate(rec.text, 0);
	region_set_addr(&a, 0x10); /* no change, nothing heard */
	g_assert_cmpstr(rec.text->str, ==, "");
	region_remove(&a);
	g_assert_cmpstr(rec.text->str, ==, "-a@10 -a@18 . ");
	g_string_truncate(rec.text, 0);
	address_space_unlisten(&as, &rec.l);
	g_assert_cmpstr(rec.text->str, ==, "-b@14 . ");
	address_space_fini(&as);
	g_string_free(rec.text, TRUE);
}

struct reader {
	struct address_space *as;
	_Atomic bool end;
	uint64_t reads;
};

/* The two halves are always swapped together: a reader sees one state or the other, never none. */
static void *read_all_the_time(void *opaque)
{
	struct reader *t = opaque;

	do {
		uint64_t low = 0;
		const struct flat_range *r;

		g_assert_true(address_space_read(t->as, 0, 4, &low));
		g_assert_true(low == 0x11111111 || low == 0x22222222);
		rcu_enter();
		r = address_space_find(t->as, 0x1000);
		g_assert_nonnull(r);
		g_assert_cmphex(r->last, ==, 0x1fff);
		rcu_leave();
		t->reads++;
	} while (!atomic_load(&t->end));
	return NULL;
}

static void test_readers_during_commits(void)
{
	struct err err;
	struct ram_block *b = ram_block_new("ram", 0x2000, &err);
	struct region root, x, y;
	struct address_space as;
	struct reader t = { .as = &as };
	pthread_t thread;

	memset(b->host, 0x11, 0x1000);
	memset(b->host + 0x1000, 0x22, 0x1000);
	region_init_container(&root, "root", 0);
	region_init_ram(&x, "x", b, 0, 0x1000);
	region_init_ram(&y, "y", b, 0x1000, 0x1000);
	region_add(&root, 0, &x);
	region_add(&root, 0x1000, &y);
	address_space_init(&as, "test", &root);
	pthread_create(&thread, NULL, read_all_the_time, &t);
	for (unsigned i = 0; i < 5000; i++) {
		memory_begin();
		region_set_addr(&x, i & 1 ? 0 : 0x1000);
		region_set_addr(&y, i & 1 ? 0x1000 : 0);
		memory_commit();
	}
	atomic_store(&t.end, true);
	pthread_join(thread, NULL);
	g_assert_cmpuint(t.reads, >, 0);
	address_space_fini(&as);
	rcu_drain();
	ram_block_free(b);
}

static void test_mtree_text(void)
{
	struct region root, a, alias;
	struct address_space as;
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	region_init_container(&root, "system", 0);
	region_init_io(&a, NULL, "chip", &no_ops, 0x10);
	region_init_alias(&alias, "window", &a, 8, 8);
	region_add(&root, 0x100, &a);
	region_add_overlap(&root, 0x200, &alias, 1);
	address_space_init(&as, "memory", &root);
	address_space_print(&as, f, false, NULL);
	region_set_enabled(&a, false);
	address_space_print(&as, f, true, NULL);
	region_set_enabled(&a, true);
	address_space_print(&as, f, true, NULL);
	fclose(f);
	g_assert_cmpstr(text, ==,
			"address-space: memory\n"
			"  0000000000000000-ffffffffffffffff (prio 0, container): system\n"
			"    0000000000000200-0000000000000207 (prio 1, alias): window @chip "
			"0000000000000008-000000000000000f\n"
			"    0000000000000100-000000000000010f (prio 0, i/o): chip\n"
			"address-space: memory\n"
			"address-space: memory\n"
			"  0000000000000100-000000000000010f (i/o): chip\n"
			"  0000000000000200-0000000000000207 (i/o): chip @0000000000000008\n");
	free(text);
	address_space_fini(&as);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/memory/view/random", test_random_topologies_match_the_model);
	g_test_add_func("/memory/view/high", test_whole_space_and_high_addresses);
	g_test_add_func("/memory/view/order", test_later_added_wins_at_equal_priority);
	g_test_add_func("/memory/view/listener", test_listener_hears_removals_then_additions);
	g_test_add_func("/memory/view/readers", test_readers_during_commits);
	g_test_add_func("/memory/view/print", test_mtree_text);
	return g_test_run();
}
