/* chardev/terminal.c - the terminal Rhea was started on: raw while it runs, as it was afterwards.
 *
 * There is one such terminal per process, and signal handlers must reach it: its state is static.
 * It is put back by chardev_restore_terminal(), at exit(), when a signal is about to end the
 * process (where nobody else handles that signal), and around a stop by job control (SIGTSTP,
 * SIGCONT).
 *
 * A descriptor must not block, but O_NONBLOCK belongs to the open file, which the shell and stderr
 * share.  So the terminal or pipe is opened once more through /proc/self/fd; only where that is
 * refused the flag is set on the shared one, and taken back in the end.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "base/bits.h"
#include "base/err.h"
#include "chardev/chardev_impl.h"

static struct {
	bool is_taken;
	bool has_exit_hook;
	volatile sig_atomic_t is_tty; /* saved and raw are valid */
	int fd;                       /* of the terminal */
	struct termios saved, raw;
	volatile sig_atomic_t flags_to_restore[2]; /* by descriptor 0 and 1; -1: none */
} terminal = { .fd = -1, .flags_to_restore = { -1, -1 } };

static const int deadly[] = { SIGHUP, SIGINT,  SIGQUIT, SIGTERM, SIGSEGV, SIGBUS,  SIGILL,
			      SIGFPE, SIGABRT, SIGTRAP, SIGSYS,  SIGXCPU, SIGXFSZ, SIGALRM };

/* tcsetattr() in the background would stop the process; on a terminal that is not the session's
 * controlling one (ENOTTY) nobody stops anybody. */
static bool is_foreground(void)
{
	pid_t group = tcgetpgrp(terminal.fd);

	return group < 0 ? errno == ENOTTY : group == getpgrp();
}

static void go_raw(void)
{
	if (terminal.is_tty && is_foreground())
		tcsetattr(terminal.fd, TCSANOW, &terminal.raw);
}

void chardev_restore_terminal(void)
{
	int saved = errno;

	if (terminal.is_tty && is_foreground())
		tcsetattr(terminal.fd, TCSANOW, &terminal.saved);
	for (int fd = 0; fd < 2; fd++)
		if (terminal.flags_to_restore[fd] >= 0)
			fcntl(fd, F_SETFL, terminal.flags_to_restore[fd]);
	errno = saved;
}

/* ---- signals --------------------------------------------------------------------------------- */

/* SA_NODEFER lets raise() take effect at once, so that we end with the right status. */
static void on_deadly(int sig)
{
	chardev_restore_terminal();
	signal(sig, SIG_DFL);
	raise(sig);
}

static void on_stop(int sig);

static void set_handler(int sig, void (*handler)(int), int flags)
{
	struct sigaction sa = { .sa_handler = handler,
				.sa_flags = flags | SA_RESTART | SA_ONSTACK };

	sigemptyset(&sa.sa_mask);
	sigaction(sig, &sa, NULL);
}

static bool is_default(int sig)
{
	struct sigaction sa;

	return sigaction(sig, NULL, &sa) == 0 && !(sa.sa_flags & SA_SIGINFO) &&
	       sa.sa_handler == SIG_DFL;
}

static void on_continue(int sig)
{
	int saved = errno;

	(void)sig;
	if (is_default(SIGTSTP))
		set_handler(SIGTSTP, on_stop, SA_RESETHAND | SA_NODEFER);
	go_raw();
	errno = saved;
}

/* Stops in raise(); the shell's `fg` sends SIGCONT. */
static void on_stop(int sig)
{
	chardev_restore_terminal();
	signal(sig, SIG_DFL);
	raise(sig);
}

static void catch_signals(void)
{
	for (unsigned i = 0; i < ARRAY_SIZE(deadly); i++)
		if (is_default(deadly[i]))
			set_handler(deadly[i], on_deadly, SA_RESETHAND | SA_NODEFER);
	if (is_default(SIGTSTP))
		set_handler(SIGTSTP, on_stop, SA_RESETHAND | SA_NODEFER);
	if (is_default(SIGCONT))
		set_handler(SIGCONT, on_continue, 0);
}

/* ---- taking it ------------------------------------------------------------------------------- */

/* Not one of the standard three, of which some may be closed. */
static int above_standard(int fd)
{
	int high;

	if (fd < 0 || fd > 2)
		return fd;
	high = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	close(fd);
	return high;
}

int chardev_own_fd(int fd, int access, int *restore_flags, struct err *err)
{
	char path[40];
	struct stat st;
	int own = -1, flags;

	*restore_flags = -1;
	if (fstat(fd, &st) != 0) {
		err_errno(err, errno, "cannot use descriptor %d", fd);
		return -1;
	}
	/* Sockets are used with MSG_DONTWAIT; regular files do not block, and must keep their
	 * position. */
	if (S_ISFIFO(st.st_mode) || S_ISCHR(st.st_mode)) {
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		own = above_standard(open(path, access | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
		if (own >= 0)
			return own;
		flags = fcntl(fd, F_GETFL);
		if (!(flags & O_NONBLOCK) && fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0)
			*restore_flags = flags;
	}
	own = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	if (own < 0)
		err_errno(err, errno, "cannot use descriptor %d", fd);
	return own;
}

bool terminal_is_taken(void) { return terminal.is_taken; }

static void prepare_raw(int fd, bool has_signals)
{
	if (tcgetattr(fd, &terminal.saved) != 0)
		return;
	terminal.raw = terminal.saved;
	cfmakeraw(&terminal.raw);
	/* Our own messages end in a bare newline. */
	terminal.raw.c_oflag |= OPOST;
	if (has_signals)
		terminal.raw.c_lflag |= ISIG;
	terminal.fd = fd;
	terminal.is_tty = true;
}

bool terminal_take(int in_fd, int out_fd, bool has_signals, int *own_in, int *own_out,
		   bool *is_terminal, struct err *err)
{
	int in_flags, out_flags;

	if (terminal.is_taken)
		return err_set(err, EBUSY,
			       "the terminal serves one 'stdio' character device only, and it is "
			       "in use");
	*own_in = chardev_own_fd(in_fd, O_RDONLY, &in_flags, err);
	if (*own_in < 0)
		return false;
	*own_out = chardev_own_fd(out_fd, O_WRONLY, &out_flags, err);
	if (*own_out < 0) {
		if (in_flags >= 0)
			fcntl(in_fd, F_SETFL, in_flags);
		close(*own_in);
		return false;
	}
	terminal.is_taken = true;
	terminal.flags_to_restore[0] = in_flags;
	terminal.flags_to_restore[1] = out_flags;
	*is_terminal = isatty(in_fd);
	if (*is_terminal) {
		prepare_raw(in_fd, has_signals);
		catch_signals();
		go_raw();
	}
	if (!terminal.has_exit_hook)
		atexit(chardev_restore_terminal);
	terminal.has_exit_hook = true;
	return true;
}

void terminal_release(void)
{
	chardev_restore_terminal();
	terminal.is_tty = false;
	terminal.fd = -1;
	terminal.flags_to_restore[0] = terminal.flags_to_restore[1] = -1;
	terminal.is_taken = false;
}
