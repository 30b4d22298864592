/* Stores that tick an eventfd, and who hears of them.
 * SPDX-License-Identifier: MIT */
#include <sys/eventfd.h>
#include <unistd.h>

#include <glib.h>

#include "base/err.h"
#include "memory/address_space.h"
#include "memory/rcu.h"
#include "memory/region.h"

static struct region root, io, window, over;
static struct address_space as;
static unsigned stores;
static GString *heard;
static int fd;

static void io_write(struct device *dev, uint64_t offset, uint64_t value, unsigned size)
{
	(void)dev;
	(void)offset;
	(void)value;
	(void)size;
	stores++;
}

static const struct region_ops ops = { .write = io_write, .max = 8 };

static void removed(struct memory_listener *l, const struct flat_eventfd *e)
{
	(void)l;
	g_string_append_printf(heard, "-%x/%u ", (unsigned)e->addr, e->size);
}

static void added(struct memory_listener *l, const struct flat_eventfd *e)
{
	(void)l;
	g_string_append_printf(heard, "+%x/%u ", (unsigned)e->addr, e->size);
}

static struct memory_listener listener = { .eventfd_removed = removed, .eventfd_added = added };

static void setup(void)
{
	stores = 0;
	heard = g_string_new("");
	fd = eventfd(0, EFD_NONBLOCK);
	region_init_container(&root, "root", 0);
	region_init_io(&io, NULL, "io", &ops, 0x100);
	region_init_io(&over, NULL, "over", &ops, 0x10);
	region_add(&root, 0x1000, &io);
	address_space_init(&as, "test", &root);
}

static void teardown(void)
{
	address_space_fini(&as);
	rcu_drain();
	close(fd);
	g_string_free(heard, TRUE);
}

static uint64_t ticks(void)
{
	uint64_t n = 0;

	if (read(fd, &n, sizeof(n)) < 0)
		return 0;
	return n;
}

static void expect_heard(const char *text)
{
	g_assert_cmpstr(heard->str, ==, text);
	g_string_truncate(heard, 0);
}

static void test_a_store_ticks_and_reaches_no_callback(void)
{
	struct region_eventfd any = { .offset = 8 };
	struct region_eventfd exact = {
		.offset = 0x20, .size = 2, .has_data = true, .data = 0xbeef
	};

	setup();
	any.fd = exact.fd = fd;
	region_add_eventfd(&io, &any);
	region_add_eventfd(&io, &exact);
	address_space_write(&as, 0x1008, 1, 5);
	address_space_write(&as, 0x1008, 4, 6);
	g_assert_cmpuint(ticks(), ==, 2);
	address_space_write(&as, 0x1020, 2, 0xdeadbeef); /* what is above is not stored */
	g_assert_cmpuint(ticks(), ==, 1);
	g_assert_cmpuint(stores, ==, 0);
	address_space_write(&as, 0x1020, 2, 0xbeee);
	address_space_write(&as, 0x1020, 4, 0xbeef);
	address_space_write(&as, 0x1009, 1, 5);
	g_assert_cmpuint(ticks(), ==, 0);
	g_assert_cmpuint(stores, ==, 3);
	region_remove_eventfd(&io, &exact);
	address_space_write(&as, 0x1020, 2, 0xbeef);
	g_assert_cmpuint(stores, ==, 4);
	region_remove_eventfd(&io, &any);
	address_space_write(&as, 0x1008, 1, 5);
	g_assert_cmpuint(stores, ==, 5);
	g_assert_cmpuint(ticks(), ==, 0);
	teardown();
}

static void test_listeners_hear_of_what_can_be_seen(void)
{
	struct region_eventfd low = { .offset = 8, .size = 4 },
			      high = { .offset = 0x40, .size = 2 };

	setup();
	low.fd = high.fd = fd;
	region_add_eventfd(&io, &low);
	address_space_listen(&as, &listener);
	expect_heard("+1008/4 ");
	region_add_eventfd(&io, &high);
	expect_heard("+1040/2 ");
	region_add_overlap(&root, 0x1004, &over, 1); /* over the first */
	expect_heard("-1008/4 ");
	region_set_addr(&over, 0x100a); /* over half of it */
	expect_heard("");
	region_remove(&over);
	expect_heard("+1008/4 ");
	region_init_alias(&window, "window", &io, 0x40, 0x10);
	region_add(&root, 0x5000, &window);
	expect_heard("+5000/2 ");
	memory_begin();
	region_set_addr(&io, 0x2000);
	region_remove_eventfd(&io, &low);
	expect_heard("");
	memory_commit();
	expect_heard("-1008/4 -1040/2 +2040/2 ");
	address_space_unlisten(&as, &listener);
	expect_heard("-2040/2 -5000/2 ");
	region_remove_eventfd(&io, &high);
	expect_heard("");
	teardown();
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/memory/eventfd/store", test_a_store_ticks_and_reaches_no_callback);
	g_test_add_func("/memory/eventfd/listeners", test_listeners_hear_of_what_can_be_seen);
	return g_test_run();
}
