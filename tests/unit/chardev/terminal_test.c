/* tests/unit/chardev/terminal_test.c - the terminal is raw while we run, and itself whenever we
 * end.
 * SPDX-License-Identifier: MIT */
#include <sys/ioctl.h>
#include <sys/resource.h>

#include "base/sanitizer.h"
#include "chardev/chardev_impl.h"
#include "fake_user.h"
#include "terminal_child.h"

static void take(bool has_signals)
{
	struct rlimit no_core = { 0, 0 };
	int in, out;
	bool is_terminal;

	setrlimit(RLIMIT_CORE, &no_core);
	if (!terminal_take(0, 1, has_signals, &in, &out, &is_terminal, &err) || !is_terminal)
		_exit(99);
}

static void wait_for_ever(void)
{
	for (;;)
		pause();
}

static void take_and_wait(void)
{
	take(false);
	wait_for_ever();
}

/* As under a script that opened the terminal for us, and made it nobody's. */
static void take_and_wait_uncontrolled(void)
{
	signal(SIGHUP, SIG_IGN);
	if (ioctl(0, TIOCNOTTY) != 0 || tcgetpgrp(0) >= 0)
		_exit(96);
	take_and_wait();
}

static void take_and_wait_with_signals(void)
{
	take(true);
	wait_for_ever();
}

static void take_and_exit(void)
{
	take(false);
	exit(3);
}

#if !HAS_ADDRESS_SANITIZER && !HAS_THREAD_SANITIZER
static void take_and_crash(void)
{
	take(false);
	signal(SIGUSR1, SIG_DFL);
	*(volatile int *)NULL = 1;
}
#endif

static void take_and_abort(void)
{
	take(false);
	abort();
}

static void take_and_release(void)
{
	take(false);
	terminal_release();
	take(false);
	terminal_release();
	wait_for_ever();
}

/* The master's view stays readable as long as it is open, but not once the last slave closed: hold
 * one open to look at the end. */
static int hold(const struct terminal_child *c)
{
	char path[64];
	int fd;

	g_assert_cmpint(ptsname_r(c->master, path, sizeof(path)), ==, 0);
	fd = open(path, O_RDWR | O_NOCTTY);
	g_assert_cmpint(fd, >=, 0);
	return fd;
}

static void expect_restored_after(void (*fn)(void), int sig, int expected_sig, int expected_exit)
{
	struct terminal_child c;
	int slave, status;

	child_start(&c, fn);
	slave = hold(&c);
	if (sig) {
		child_wait_raw(&c, true);
		kill(c.pid, sig);
	}
	g_assert_cmpint(waitpid(c.pid, &status, 0), ==, c.pid);
	if (expected_sig) {
		g_assert_true(WIFSIGNALED(status));
		g_assert_cmpint(WTERMSIG(status), ==, expected_sig);
	} else {
		g_assert_true(WIFEXITED(status));
		g_assert_cmpint(WEXITSTATUS(status), ==, expected_exit);
	}
	g_assert_false(child_is_raw(&c));
	close(slave);
	close(c.master);
}

static void test_restored_at_exit(void) { expect_restored_after(take_and_exit, 0, 0, 3); }
static void test_restored_at_abort(void) { expect_restored_after(take_and_abort, 0, SIGABRT, 0); }

static void test_restored_after_a_crash(void)
{
#if HAS_ADDRESS_SANITIZER || HAS_THREAD_SANITIZER
	g_test_skip("the sanitizer handles SIGSEGV");
#else
	expect_restored_after(take_and_crash, 0, SIGSEGV, 0);
#endif
}

static void test_restored_after_signals(void)
{
	expect_restored_after(take_and_wait, SIGTERM, SIGTERM, 0);
	expect_restored_after(take_and_wait, SIGHUP, SIGHUP, 0);
	expect_restored_after(take_and_wait, SIGQUIT, SIGQUIT, 0);
}

static void test_a_terminal_that_controls_nobody(void)
{
	expect_restored_after(take_and_wait_uncontrolled, SIGTERM, SIGTERM, 0);
}

static void test_ctrl_c_ends_us_where_asked(void)
{
	struct terminal_child c;
	int status;

	child_start(&c, take_and_wait_with_signals);
	child_wait_raw(&c, true);
	g_assert_cmpint(write(c.master, "\003", 1), ==, 1);
	status = child_end(&c);
	g_assert_true(WIFSIGNALED(status));
	g_assert_cmpint(WTERMSIG(status), ==, SIGINT);
}

static void test_ctrl_c_is_the_guests_otherwise(void)
{
	struct terminal_child c;
	struct termios t;

	child_start(&c, take_and_wait);
	child_wait_raw(&c, true);
	g_assert_cmpint(tcgetattr(c.master, &t), ==, 0);
	g_assert_false(t.c_lflag & ISIG);
	g_assert_false(t.c_iflag & (ICRNL | IXON));
	g_assert_true(t.c_oflag & OPOST); /* our own messages still get their \r */
	g_assert_cmpint(write(c.master, "\003\032", 2), ==, 2);
	usleep(20000);
	g_assert_cmpint(waitpid(c.pid, NULL, WNOHANG), ==, 0);
	kill(c.pid, SIGKILL);
	child_end(&c);
}

/* A shell's part: the child is a process group of its own, in front, stopped and continued. */
static void run_under_job_control(void)
{
	pid_t pid = fork();
	int status;

	signal(SIGTTOU, SIG_IGN);
	if (pid == 0) {
		setpgid(0, 0);
		tcsetpgrp(0, getpid());
		signal(SIGTTOU, SIG_DFL);
		take_and_wait_with_signals();
	}
	setpgid(pid, pid);
	for (int i = 0; i < 2; i++) {
		waitpid(pid, &status, WUNTRACED);
		if (!WIFSTOPPED(status) || WSTOPSIG(status) != SIGTSTP)
			_exit(98);
		tcsetpgrp(0, getpgrp());
		dprintf(1, "stopped\n");
		read(0, &status, 1); /* go on when the test says so */
		tcsetpgrp(0, pid);
		kill(pid, SIGCONT);
	}
	waitpid(pid, &status, 0);
	_exit(WIFSIGNALED(status) ? WTERMSIG(status) : 97);
}

static void test_stop_and_continue(void)
{
	struct terminal_child c;
	int status;

	child_start(&c, run_under_job_control);
	for (int i = 0; i < 2; i++) {
		child_wait_raw(&c, true);
		g_assert_cmpint(write(c.master, "\032", 1), ==, 1); /* Ctrl-Z */
		child_expect(&c, "stopped");
		g_assert_false(child_is_raw(&c));
		g_assert_cmpint(write(c.master, "\n", 1), ==, 1);
	}
	child_wait_raw(&c, true);
	g_assert_cmpint(write(c.master, "\003", 1), ==, 1);
	status = child_end(&c);
	g_assert_cmpint(WEXITSTATUS(status), ==, SIGINT);
}

static void test_can_be_released_and_taken_again(void)
{
	struct terminal_child c;

	child_start(&c, take_and_release);
	usleep(50000);
	child_wait_raw(&c, false);
	kill(c.pid, SIGKILL);
	child_end(&c);
}

static void test_shared_flags_stay_as_they_are(void)
{
	int pipes[2], in, out;
	bool is_terminal;

	g_assert_cmpint(pipe(pipes), ==, 0);
	g_assert_true(terminal_take(pipes[0], pipes[1], false, &in, &out, &is_terminal, &err));
	g_assert_false(is_terminal);
	g_assert_false(fcntl(pipes[0], F_GETFL) & O_NONBLOCK);
	g_assert_false(fcntl(pipes[1], F_GETFL) & O_NONBLOCK);
	g_assert_true(fcntl(in, F_GETFL) & O_NONBLOCK);
	g_assert_true(fcntl(out, F_GETFL) & O_NONBLOCK);
	g_assert_true(terminal_is_taken());
	terminal_release();
	close(in);
	close(out);
	g_assert_false(terminal_take(-1, pipes[1], false, &in, &out, &is_terminal, &err));
	g_assert_nonnull(strstr(err.text, "cannot use descriptor -1"));
	g_assert_false(terminal_is_taken());
}

static void test_a_file_keeps_its_position(void)
{
	int restore, own, fd;
	char *path;

	world_init();
	path = in_dir("f");
	fd = open(path, O_RDWR | O_CREAT, 0600);
	g_assert_cmpint(write(fd, "abc", 3), ==, 3);
	own = chardev_own_fd(fd, O_WRONLY, &restore, &err);
	g_assert_cmpint(write(own, "def", 3), ==, 3);
	expect_file(path, "abcdef");
	close(own);
	close(fd);
	g_free(path);
	world_fini();
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/chardev/terminal/exit", test_restored_at_exit);
	g_test_add_func("/chardev/terminal/abort", test_restored_at_abort);
	g_test_add_func("/chardev/terminal/crash", test_restored_after_a_crash);
	g_test_add_func("/chardev/terminal/signals", test_restored_after_signals);
	g_test_add_func("/chardev/terminal/uncontrolled", test_a_terminal_that_controls_nobody);
	g_test_add_func("/chardev/terminal/ctrl-c", test_ctrl_c_ends_us_where_asked);
	g_test_add_func("/chardev/terminal/raw", test_ctrl_c_is_the_guests_otherwise);
	g_test_add_func("/chardev/terminal/stop", test_stop_and_continue);
	g_test_add_func("/chardev/terminal/again", test_can_be_released_and_taken_again);
	g_test_add_func("/chardev/terminal/flags", test_shared_flags_stay_as_they_are);
	g_test_add_func("/chardev/terminal/position", test_a_file_keeps_its_position);
	return g_test_run();
}
