/* tests/unit/chardev/terminal_child.h - a child process on a terminal of its own.
 * SPDX-License-Identifier: MIT */
#pragma once

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <glib.h>

struct terminal_child {
	pid_t pid;
	int master;
};

/* fn runs in the child, session leader on a new terminal, standard streams on it. */
static inline void child_start(struct terminal_child *c, void (*fn)(void))
{
	static const int signals[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP };

	c->pid = forkpty(&c->master, NULL, NULL, NULL);
	g_assert_cmpint(c->pid, >=, 0);
	if (c->pid == 0) {
		/* Who runs tests in the background may have them ignored. */
		for (unsigned i = 0; i < G_N_ELEMENTS(signals); i++)
			signal(signals[i], SIG_DFL);
		fn();
		_exit(0);
	}
}

static inline bool child_is_raw(const struct terminal_child *c)
{
	struct termios t;

	g_assert_cmpint(tcgetattr(c->master, &t), ==, 0);
	return !(t.c_lflag & (ICANON | ECHO));
}

static inline void child_wait_raw(const struct terminal_child *c, bool is_raw)
{
	for (int ms = 0; child_is_raw(c) != is_raw; ms++) {
		g_assert_cmpint(ms, <, 5000);
		usleep(1000);
	}
}

/* Until text has come out. */
static inline void child_expect(const struct terminal_child *c, const char *text)
{
	GString *seen = g_string_new(NULL);

	while (!strstr(seen->str, text)) {
		struct pollfd p = { .fd = c->master, .events = POLLIN };
		char buf[256];
		ssize_t n = poll(&p, 1, 5000) == 1 ? read(c->master, buf, sizeof(buf)) : -1;

		if (n <= 0)
			g_error("'%s' did not come, but '%s'", text, seen->str);
		g_string_append_len(seen, buf, n);
	}
	g_string_free(seen, true);
}

static inline int child_end(struct terminal_child *c)
{
	int status;

	g_assert_cmpint(waitpid(c->pid, &status, 0), ==, c->pid);
	close(c->master);
	return status;
}
