/* The 16550A on the ISA bus, with a far end the test holds in its hand.
 * SPDX-License-Identifier: MIT */
#include "bare.h"

#include <string.h>

#include "chardev/chardev_impl.h"
#include "dev/isa/isa.h"

enum {
	P = 0x3f8,
	RBR = P,
	IER = P + 1,
	IIR = P + 2,
	FCR = P + 2,
	LCR = P + 3,
	MCR = P + 4,
	LSR = P + 5,
	MSR = P + 6,
	SCR = P + 7
};

/* ---- the far end ---- */

struct far_end {
	struct chardev chr;
	const struct chardev_user *user;
	void *opaque;
	struct lock *lock;
	size_t room; /* what it takes before it is "slow" */
	GString *out;
	unsigned accepts;
};

static struct far_end *far_end(struct chardev *c) { return container_of(c, struct far_end, chr); }

static bool far_attach(struct chardev *c, const struct chardev_user *user, void *opaque,
		       struct lock *lock, struct err *err)
{
	struct far_end *f = far_end(c);

	if (f->user)
		return err_set(err, 0, "chardev 'far' is in use");
	f->user = user;
	f->opaque = opaque;
	f->lock = lock;
	return true;
}

static void far_detach(struct chardev *c, void *opaque)
{
	g_assert_true(far_end(c)->opaque == opaque);
	far_end(c)->user = NULL;
}

static size_t far_write(struct chardev *c, const uint8_t *buf, size_t len)
{
	struct far_end *f = far_end(c);
	size_t n = len < f->room ? len : f->room;

	g_string_append_len(f->out, (const char *)buf, (gssize)n);
	f->room -= n;
	return n;
}

static void far_accept_input(struct chardev *c) { far_end(c)->accepts++; }

static const struct chardev_type far_type = {
	.base = { .name = "chardev-far",
		  .parent = &chardev_object_type,
		  .size = sizeof(struct far_end) },
	.ops = { .attach = far_attach,
		 .detach = far_detach,
		 .write = far_write,
		 .accept_input = far_accept_input },
};

static struct bare b;
static struct device *uart;
static struct far_end *end;

static void setup(void)
{
	static const struct object_type *const types[] = { &far_type.base, NULL };
	struct err err = { 0 };

	bare_init(&b);
	if (!object_type_find("chardev-far"))
		object_types_add(types);
	end = container_of(object_new(&far_type.base), struct far_end, chr.obj);
	end->room = SIZE_MAX;
	end->out = g_string_new("");
	uart = bare_new(&b, "isa-serial", NULL);
	if (!object_set_link(&uart->obj, "chardev", &end->chr.obj, &err))
		g_error("%s", err.text);
	bare_realize(&b, uart, 0);
}

static void teardown(void)
{
	bare_remove(uart);
	g_string_free(end->out, TRUE);
	object_put(&end->chr.obj);
	bare_fini(&b);
}

static uint8_t in(uint16_t port) { return bare_in(&b, port); }
static void out(uint16_t port, uint8_t v) { bare_out(&b, port, v); }
static bool irq(void) { return b.wires[0].level; }

/* The host has bytes: as much as fits, as a chardev does it. */
static size_t host_sends(const char *text)
{
	size_t n;

	lock_take(end->lock);
	n = end->user->room(end->opaque);
	if (n > strlen(text))
		n = strlen(text);
	if (n)
		end->user->receive(end->opaque, (const uint8_t *)text, n);
	lock_drop(end->lock);
	return n;
}

static void host_takes(size_t room)
{
	lock_take(end->lock);
	end->room = room;
	end->user->writable(end->opaque);
	lock_drop(end->lock);
}

static void test_reset_values(void)
{
	setup();
	g_assert_cmphex(in(IER), ==, 0);
	g_assert_cmphex(in(IIR), ==, 0x01);
	g_assert_cmphex(in(LCR), ==, 0);
	g_assert_cmphex(in(LSR), ==, 0x60);
	g_assert_cmphex(in(MSR), ==, 0xb0);
	out(SCR, 0xa5);
	g_assert_cmphex(in(SCR), ==, 0xa5);
	out(IER, 0xff);
	g_assert_cmphex(in(IER), ==, 0x0f);
	teardown();
}

static void test_divisor_latch(void)
{
	setup();
	out(LCR, 0x83);
	out(RBR, 0x34);
	out(IER, 0x12);
	g_assert_cmphex(in(RBR), ==, 0x34);
	g_assert_cmphex(in(IER), ==, 0x12);
	out(LCR, 0x03);
	g_assert_cmphex(in(IER), ==, 0);
	g_assert_cmpuint(end->out->len, ==, 0);
	teardown();
}

static void test_transmit_and_its_interrupt(void)
{
	setup();
	out(IER, 0x02);
	g_assert_true(irq()); /* THRE is set when enabled */
	g_assert_cmphex(in(IIR), ==, 0x02);
	g_assert_false(irq()); /* reading IIR clears it */
	out(RBR, 'h');
	g_assert_true(irq());
	out(RBR, 'i');
	g_assert_cmpstr(end->out->str, ==, "hi");
	teardown();
}

static void test_slow_host_holds_the_transmitter(void)
{
	setup();
	out(FCR, 0x01);
	out(IER, 0x02);
	in(IIR);
	end->room = 2;
	for (unsigned i = 0; i < 10; i++)
		out(RBR, (uint8_t)('0' + i));
	g_assert_cmpstr(end->out->str, ==, "01");
	g_assert_cmphex(in(LSR)&0x60, ==, 0); /* neither empty nor idle */
	g_assert_cmphex(in(IIR), ==, 0xc1);
	host_takes(3);
	g_assert_cmpstr(end->out->str, ==, "01234");
	g_assert_false(irq());
	host_takes(SIZE_MAX);
	g_assert_cmpstr(end->out->str, ==, "0123456789");
	g_assert_cmphex(in(LSR)&0x60, ==, 0x60);
	g_assert_cmphex(in(IIR), ==, 0xc2);
	/* more than the FIFO holds, without looking: the rest is lost, nothing breaks */
	end->room = 0;
	for (unsigned i = 0; i < 40; i++)
		out(RBR, 'x');
	host_takes(SIZE_MAX);
	g_assert_cmpuint(end->out->len, ==, 10 + 16);
	teardown();
}

static void test_receive_without_fifo(void)
{
	setup();
	out(IER, 0x01);
	g_assert_cmpuint(host_sends("ab"), ==, 1);
	g_assert_true(irq());
	g_assert_cmphex(in(IIR), ==, 0x04);
	g_assert_cmphex(in(LSR)&1, ==, 1);
	g_assert_cmpuint(host_sends("b"), ==, 0); /* no room: stays with the host */
	end->accepts = 0;
	g_assert_cmphex(in(RBR), ==, 'a');
	g_assert_cmpuint(end->accepts, ==, 1);
	g_assert_false(irq());
	g_assert_cmphex(in(RBR), ==, 'a'); /* nothing new */
	teardown();
}

static void test_trigger_level_and_timeout(void)
{
	setup();
	out(LCR, 0x03);
	out(FCR, 0x81); /* trigger at 8 */
	out(IER, 0x01);
	g_assert_cmpuint(host_sends("0123456"), ==, 7);
	g_assert_false(irq());
	host_sends("7");
	g_assert_cmphex(in(IIR), ==, 0xc4);
	g_assert_cmphex(in(RBR), ==, '0');
	g_assert_false(irq()); /* below the level */
	/* four characters of 10 bits at 9600 baud: 4.17 ms */
	bare_advance(&b, 4100000, 0);
	g_assert_false(irq());
	bare_advance(&b, 100000, 0);
	g_assert_cmphex(in(IIR), ==, 0xcc);
	g_assert_cmphex(in(RBR), ==, '1'); /* reading starts it anew */
	g_assert_false(irq());
	bare_advance(&b, 4200000, 0);
	g_assert_true(irq());
	for (char c = '2'; c < '8'; c++)
		g_assert_cmphex(in(RBR), ==, (unsigned)c);
	g_assert_cmphex(in(LSR)&1, ==, 0);
	bare_advance(&b, 10000000, 0);
	g_assert_false(irq());
	g_assert_cmpuint(host_sends("0123456789abcdefXYZ"), ==, 16);
	out(FCR, 0x83); /* cleared */
	g_assert_cmphex(in(LSR)&1, ==, 0);
	teardown();
}

static void test_loopback(void)
{
	setup();
	in(MSR);
	out(MCR, 0x10);
	g_assert_cmphex(in(MSR)&0xf0, ==, 0);
	out(MCR, 0x1a); /* RTS, OUT2 */
	g_assert_cmphex(in(MSR)&0xf0, ==, 0x90);
	out(MCR, 0x15);                            /* DTR, OUT1 */
	g_assert_cmphex(in(MSR), ==, 0x60 | 0x0b); /* no TERI on a rising RI */
	out(MCR, 0x11);
	g_assert_cmphex(in(MSR)&0x04, ==, 0x04); /* its trailing edge */
	out(RBR, 'L');
	g_assert_cmpuint(end->out->len, ==, 0);
	g_assert_cmphex(in(LSR)&1, ==, 1);
	g_assert_cmpuint(host_sends("x"), ==, 0); /* the line is cut off */
	out(RBR, 'M');                            /* overrun */
	g_assert_cmphex(in(LSR)&0x03, ==, 0x03);
	g_assert_cmphex(in(LSR)&0x02, ==, 0); /* reading cleared it */
	g_assert_cmphex(in(RBR), ==, 'M');
	out(LCR, 0x40); /* break, heard by ourselves */
	g_assert_cmphex(in(LSR)&0x11, ==, 0x11);
	out(LCR, 0);
	in(RBR);
	out(MCR, 0);
	g_assert_cmpuint(host_sends("x"), ==, 1);
	teardown();
}

static void test_modem_status_interrupt(void)
{
	setup();
	in(MSR);
	out(IER, 0x08);
	g_assert_false(irq());
	out(MCR, 0x10); /* CTS, DSR, DCD fall */
	g_assert_true(irq());
	g_assert_cmphex(in(IIR), ==, 0x00);
	g_assert_cmphex(in(MSR), ==, 0x0b);
	g_assert_false(irq());
	teardown();
}

static void test_break_from_the_host(void)
{
	setup();
	out(FCR, 0x01);
	out(IER, 0x05);
	host_sends("a");
	lock_take(end->lock);
	end->user->event(end->opaque, CHARDEV_BREAK);
	lock_drop(end->lock);
	g_assert_cmphex(in(LSR)&0x91, ==, 0x81); /* somewhere in the FIFO, not at its head */
	g_assert_cmphex(in(RBR), ==, 'a');
	g_assert_cmphex(in(IIR), ==, 0xc6);
	g_assert_cmphex(in(LSR)&0x11, ==, 0x11);
	g_assert_cmphex(in(IIR), ==, 0xc4);
	g_assert_cmphex(in(RBR), ==, 0);
	teardown();
}

static void test_properties_place_it(void)
{
	struct device *dev;
	struct err err;

	setup();
	dev = bare_add(&b, "isa-serial", 4, "index", "1", NULL);
	g_assert_cmphex(isa_from_device(dev)->ports[0], ==, 0x2f8);
	g_assert_cmpuint(isa_from_device(dev)->lines[0], ==, 3);
	out(0x2f8, 'x'); /* no chardev: goes nowhere */
	g_assert_cmphex(in(0x2fd), ==, 0x60);
	bare_remove(dev);
	dev = bare_add(&b, "isa-serial", 4, "iobase", "0x220", "irq", "9", NULL);
	g_assert_cmphex(isa_from_device(dev)->ports[0], ==, 0x220);
	g_assert_cmpuint(isa_from_device(dev)->lines[0], ==, 9);
	bare_remove(dev);
	dev = bare_new(&b, "isa-serial", NULL);
	g_assert_false(object_set(&dev->obj, b.root, "index", "4", &err));
	g_assert_true(object_set_link(&dev->obj, "chardev", &end->chr.obj, &err));
	g_assert_false(device_realize(dev, &b.env, &err)); /* the chardev has a user */
	g_assert_cmpstr(err.text, ==, "chardev 'far' is in use");
	device_put(dev);
	teardown();
}

static void test_garbage(void)
{
	setup();
	for (unsigned i = 0; i < 50000; i++) {
		uint32_t r = (uint32_t)g_test_rand_int();

		end->room = r >> 24 & 3;
		out((uint16_t)(P + (r & 7)), (uint8_t)(r >> 8));
		in((uint16_t)(P + (r >> 3 & 7)));
		if (r & 0x10000)
			host_sends("0123456789");
		if (r & 0x20000)
			host_takes(r >> 26);
	}
	teardown();
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/dev/serial/reset", test_reset_values);
	g_test_add_func("/dev/serial/divisor", test_divisor_latch);
	g_test_add_func("/dev/serial/transmit", test_transmit_and_its_interrupt);
	g_test_add_func("/dev/serial/slow-host", test_slow_host_holds_the_transmitter);
	g_test_add_func("/dev/serial/receive", test_receive_without_fifo);
	g_test_add_func("/dev/serial/trigger", test_trigger_level_and_timeout);
	g_test_add_func("/dev/serial/loopback", test_loopback);
	g_test_add_func("/dev/serial/modem", test_modem_status_interrupt);
	g_test_add_func("/dev/serial/break", test_break_from_the_host);
	g_test_add_func("/dev/serial/properties", test_properties_place_it);
	g_test_add_func("/dev/serial/garbage", test_garbage);
	return g_test_run();
}
