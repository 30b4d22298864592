/* chardev/stdio.c - standard input and output; see terminal.c for what becomes of the terminal.
 * SPDX-License-Identifier: MIT */
#include <unistd.h>

#include "base/err.h"
#include "chardev/chardev_impl.h"

struct stdio_chardev {
	struct chardev chr;
	bool has_signals;
	bool has_terminal; /* const after open */
};

static bool stdio_open(struct chardev *c, struct err *err)
{
	struct stdio_chardev *s = container_of(c, struct stdio_chardev, chr);
	int in_fd, out_fd;

	if (!terminal_take(STDIN_FILENO, STDOUT_FILENO, s->has_signals, &in_fd, &out_fd,
			   &c->is_terminal, err))
		return false;
	s->has_terminal = true;
	if (!chardev_set_fds(c, in_fd, out_fd, err))
		return false;
	chardev_set_open(c, true);
	return true;
}

static void stdio_fini(struct object *o)
{
	struct stdio_chardev *s = container_of(o, struct stdio_chardev, chr.obj);

	if (s->has_terminal)
		terminal_release();
}

static const struct prop stdio_props[] = {
	PROP_BOOL(struct stdio_chardev, has_signals, "signal", true,
		  .help = "Ctrl-C and Ctrl-Z are for Rhea, not for the guest"),
	{ 0 },
};

const struct chardev_type chardev_stdio_type = {
	.base = { .name = "chardev-stdio",
		  .parent = &chardev_object_type,
		  .size = sizeof(struct stdio_chardev),
		  .props = stdio_props,
		  .fini = stdio_fini,
		  .help = "standard input and output" },
	.ops = { .open = stdio_open },
};
