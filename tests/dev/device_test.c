/* The device framework: life cycle, locks, rollback.
 * SPDX-License-Identifier: MIT */
#include "bare.h"

struct toy {
	struct device dev;
	struct region regs;
	struct irq irq;
	struct timer timer;
	bool must_fail;
	unsigned resets, ticks, unrealized;
};

static struct toy *toy(struct device *dev) { return container_of(dev, struct toy, dev); }

static uint64_t toy_read(struct device *dev, uint64_t offset, unsigned size)
{
	(void)offset;
	(void)size;
	g_assert_true(lock_held(&dev->lock));
	return 0x5a;
}

static void toy_tick(void *dev)
{
	g_assert_true(lock_held(&((struct device *)dev)->lock));
	toy(dev)->ticks++;
}

static void toy_reset(struct device *dev)
{
	g_assert_true(lock_held(&dev->lock));
	toy(dev)->resets++;
}

static void toy_unrealize(struct device *dev) { toy(dev)->unrealized++; }

static const struct region_ops toy_ops = { .read = toy_read };

static bool toy_realize(struct device *dev, struct err *err)
{
	struct toy *t = toy(dev);

	region_init_io(&t->regs, dev, "toy", &toy_ops, 0x10);
	device_add_region(dev, &t->regs);
	device_add_irq(dev, &t->irq);
	device_init_timer(dev, &t->timer, toy_tick);
	timer_arm(&t->timer, 100);
	return !t->must_fail || err_set(err, 0, "the toy is broken");
}

static const struct prop toy_props[] = {
	PROP_BOOL(struct toy, must_fail, "must-fail", false),
	{ 0 },
};

static const struct device_type toy_type = {
	.base = {
		.name = "toy",
		.parent = &device_object_type,
		.size = sizeof(struct toy),
		.props = toy_props,
	},
	.bus = "system",
	.realize = toy_realize,
	.reset = toy_reset,
	.unrealize = toy_unrealize,
};

static void test_life(void)
{
	struct err err = { 0 };
	struct device *dev;
	struct bare b;

	bare_init(&b);
	dev = device_new(&toy_type, "t0");
	g_assert_cmpstr(dev->id, ==, "t0");
	bare_realize(&b, dev, 0);
	bare_map(&b, dev, 0, 0x100000);
	g_assert_cmpuint(toy(dev)->resets, ==, 1);
	g_assert_cmphex(bare_read32(&b, 0x100000) & 0xff, ==, 0x5a);
	bare_advance(&b, 100, 0);
	g_assert_cmpuint(toy(dev)->ticks, ==, 1);
	g_assert_false(object_set(&dev->obj, NULL, "must-fail", "on", &err)); /* frozen */
	timer_arm(&toy(dev)->timer, 200);
	device_unrealize(dev);
	g_assert_cmpuint(toy(dev)->unrealized, ==, 1);
	g_assert_cmphex(bare_read32(&b, 0x100000), ==, UINT32_MAX); /* unmapped */
	bare_advance(&b, 200, 0);
	g_assert_cmpuint(toy(dev)->ticks, ==, 1);
	device_put(dev);
	bare_fini(&b);
}

static void test_failed_realize_is_taken_back(void)
{
	struct err err = { 0 };
	struct device *dev;
	struct bare b;

	bare_init(&b);
	dev = device_new(&toy_type, NULL);
	g_assert_true(object_set(&dev->obj, NULL, "must-fail", "on", &err));
	g_assert_false(device_realize(dev, &b.env, &err));
	g_assert_cmpstr(err.text, ==, "the toy is broken");
	g_assert_cmpuint(dev->region_count + dev->irq_count + dev->timer_count, ==, 0);
	bare_advance(&b, 1000, 0);
	g_assert_cmpuint(toy(dev)->ticks, ==, 0);
	g_assert_true(object_set(&dev->obj, NULL, "must-fail", "off", &err));
	bare_realize(&b, dev, 0);
	bare_remove(dev);
	bare_fini(&b);
}

static void test_every_type_is_found_and_described(void)
{
	device_register_types();
	device_register_types(); /* twice is once */
	g_assert_nonnull(device_type_find("isa-serial"));
	g_assert_null(device_type_find("warp-core"));
	g_assert_true(object_type_is(object_type_find("lapic"), "device"));
	g_assert_nonnull(object_type_find("fw_cfg")->help);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/dev/device/life", test_life);
	g_test_add_func("/dev/device/rollback", test_failed_realize_is_taken_back);
	g_test_add_func("/dev/device/types", test_every_type_is_found_and_described);
	return g_test_run();
}
