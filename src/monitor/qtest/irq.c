/* monitor/qtest/irq.c - commands that listen to a device's interrupt lines and drive them.
 *
 * One device can be listened to, for as long as the machine lives: its lines go on leading where
 * they led.
 * SPDX-License-Identifier: MIT */
#include <string.h>

#include "event/loop.h"
#include "machine/machine.h"
#include "monitor/qtest/qtest_impl.h"
#include "object/object.h"

/* ---- finding ---- */

static bool is_device(const struct object *o)
{
	return o && object_type_is(o->type, device_object_type.name);
}

/* Its lines go where the accelerator has such a chip. */
static bool is_elsewhere(struct qtest *q, const struct device *dev)
{
	if (!dev->region_count || !dev->regions[0]->guard)
		return false;
	qtest_fail(q, "the lines of '%s' are the accelerator's; use kernel-irqchip=off",
		   dev->type->base.name);
	return true;
}

/* By its path or id; or the only one of a type or of that name in the tree ("ioapic"). */
static struct device *find_any(struct qtest *q, const char *word)
{
	struct object *o = object_resolve(q->machine->root, word);
	struct device *found = NULL;

	if (is_device(o))
		return device_from_object(o);
	for (unsigned i = 0; i < q->machine->device_count; i++) {
		struct device *dev = q->machine->devices[i];

		if (strcmp(dev->type->base.name, word) && strcmp(dev->obj.name, word))
			continue;
		if (found) {
			qtest_fail(q, "Unknown device: '%s' could be several; give its path", word);
			return NULL;
		}
		found = dev;
	}
	if (!found)
		qtest_fail(q, "Unknown device");
	return found;
}

static struct device *find_device(struct qtest *q, const char *word)
{
	struct device *dev = find_any(q, word);

	return dev && !is_elsewhere(q, dev) ? dev : NULL;
}

/* ---- telling ---- */

static void tell(struct qtest *q, int line, bool level)
{
	if ((unsigned)line >= ARRAY_SIZE(q->levels) || q->levels[line] == level)
		return;
	q->levels[line] = level;
	qtest_send(q, "IRQ %s %d\n", level ? "raise" : "lower", line);
}

struct change {
	struct qtest *q;
	int line;
	bool level;
};

static void tell_later(void *opaque)
{
	struct change *c = opaque;

	if (c->q->tapped)
		tell(c->q, c->line, c->level);
	g_free(c);
}

/* Context: any thread, under the device's lock. */
static void on_line(void *opaque, int line, bool level)
{
	struct qtest *q = opaque;
	struct change *c;

	if (loop_is_current(q->machine->loop)) {
		tell(q, line, level);
		return;
	}
	c = g_new(struct change, 1);
	*c = (struct change){ q, line, level };
	loop_post(q->machine->loop, tell_later, c);
}

static void on_wire(void *opaque, int line, bool level)
{
	struct qtest_wire *w = opaque;

	irq_set(&w->was, level);
	on_line(w->q, line, level);
}

/* ---- tapping ---- */

/* False: the client was told. */
static bool may_tap(struct qtest *q, const struct device *dev, bool inputs)
{
	if (!q->tapped)
		return true;
	if (q->tapped != dev || q->taps_inputs != inputs)
		qtest_fail(q, "IRQ intercept already enabled");
	else
		qtest_send(q, "OK\n");
	return false;
}

static void set_tapped(struct qtest *q, struct device *dev, bool inputs)
{
	object_get(&dev->obj);
	q->tapped = dev;
	q->taps_inputs = inputs;
	memset(q->levels, 0, sizeof(q->levels));
}

void qtest_intercept_in(struct qtest *q, const struct qtest_command *cmd,
			const struct qtest_call *call)
{
	struct device *dev = find_device(q, call->args[0]);

	(void)cmd;
	if (!dev || !may_tap(q, dev, true))
		return;
	if (!dev->type->input_count) {
		qtest_fail(q, "a device of type '%s' has no input lines", dev->type->base.name);
		return;
	}
	set_tapped(q, dev, true);
	lock_take(&dev->lock);
	dev->tap = (struct device_tap){ on_line, q };
	lock_drop(&dev->lock);
	qtest_send(q, "OK\n");
}

void qtest_intercept_out(struct qtest *q, const struct qtest_command *cmd,
			 const struct qtest_call *call)
{
	struct device *dev = find_device(q, call->args[0]);

	(void)cmd;
	if (!dev || !may_tap(q, dev, false))
		return;
	if (call->count > 1) {
		qtest_fail(q, "a device of type '%s' has no lines called '%s'",
			   dev->type->base.name, call->args[1]);
		return;
	}
	if (!dev->irq_count) {
		qtest_fail(q, "a device of type '%s' has no output lines", dev->type->base.name);
		return;
	}
	set_tapped(q, dev, false);
	lock_take(&dev->lock);
	for (unsigned i = 0; i < dev->irq_count; i++) {
		q->wires[i] = (struct qtest_wire){ q, *dev->irqs[i] };
		irq_connect(dev->irqs[i], on_wire, &q->wires[i], (int)i);
	}
	lock_drop(&dev->lock);
	qtest_send(q, "OK\n");
}

void qtest_untap(struct qtest *q)
{
	struct device *dev = q->tapped;

	if (!dev)
		return;
	lock_take(&dev->lock);
	dev->tap = (struct device_tap){ 0 };
	for (unsigned i = 0; !q->taps_inputs && i < dev->irq_count; i++)
		*dev->irqs[i] = q->wires[i].was;
	lock_drop(&dev->lock);
	q->tapped = NULL;
	object_put(&dev->obj);
}

void qtest_set_irq_in(struct qtest *q, const struct qtest_command *cmd,
		      const struct qtest_call *call)
{
	struct device *dev = find_device(q, call->args[0]);
	uint64_t line, level;

	(void)cmd;
	if (!dev || !qtest_number(q, call, 2, UINT16_MAX, &line) ||
	    !qtest_number(q, call, 3, UINT64_MAX, &level))
		return;
	if (strcmp(call->args[1], "unnamed-gpio-in"))
		qtest_fail(q,
			   "a device of type '%s' has no lines called '%s'; 'unnamed-gpio-in' "
			   "are those without a name",
			   dev->type->base.name, call->args[1]);
	else if (line >= (uint64_t)dev->type->input_count)
		qtest_fail(q, "a device of type '%s' has %d input lines, no line %s",
			   dev->type->base.name, dev->type->input_count, call->args[2]);
	else {
		dev->type->set_input(dev, (int)line, level);
		qtest_send(q, "OK\n");
	}
}
