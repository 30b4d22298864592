/* tests/unit/child.h - run a piece of a test in a child process that may die.
 *
 * A plain fork, where GLib's g_test_trap_subprocess() would run the program a second time: under an
 * emulator of another host that cannot be done.
 * SPDX-License-Identifier: MIT */
#pragma once

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <glib.h>

/* What body() writes to stderr, which is a pipe with these additional status flags (O_NONBLOCK),
 * and how the child ended (waitpid). */
static inline GString *child_stderr(void (*body)(void), int flags, int *status)
{
	GString *text = g_string_new(NULL);
	char buf[4096];
	int fds[2];
	ssize_t n;
	pid_t pid;

	g_assert_cmpint(pipe(fds), ==, 0);
	pid = fork();
	g_assert_cmpint(pid, >=, 0);
	if (pid == 0) {
		setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
		dup2(fds[1], STDERR_FILENO);
		close(fds[0]);
		close(fds[1]);
		fcntl(STDERR_FILENO, F_SETFL, O_WRONLY | flags);
		body();
		_exit(0);
	}
	close(fds[1]);
	while ((n = read(fds[0], buf, sizeof(buf))) > 0)
		g_string_append_len(text, buf, n);
	close(fds[0]);
	g_assert_cmpint(waitpid(pid, status, 0), ==, pid);
	return text;
}

/* body() ends well and says on stderr what pattern (with * and ?) matches. */
static inline void child_passes(void (*body)(void), const char *pattern)
{
	int status;
	GString *text = child_stderr(body, 0, &status);

	if (status != 0 || !g_pattern_match_simple(pattern, text->str))
		g_error("child ended with status %#x, said '%s', expected '%s'", status, text->str,
			pattern);
	g_string_free(text, TRUE);
}
