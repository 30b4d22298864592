/* tests/unit/chardev/stdio_test.c
 * SPDX-License-Identifier: MIT */
#include "fake_user.h"
#include "terminal_child.h"
#include "../child.h"

/* Sends back what it gets, until 'q'. */
static void echo(void)
{
	struct fake_user user;
	struct chardev *c;

	world_init();
	c = must_new("stdio", "s", "signal=off");
	fake_attach(&user, c, 1000);
	put(c, "ready\n");
	SERVE_UNTIL(strchr(user.got->str, 'q'));
	put(c, user.got->str);
	put(c, "done");
	chardev_flush(c, 1000);
	chardev_detach(c, &user);
	fake_fini(&user);
	world_fini();
	_exit(7);
}

static void test_on_a_terminal(void)
{
	struct terminal_child c;

	child_start(&c, echo);
	child_expect(&c, "ready");
	child_wait_raw(&c, true);
	g_assert_cmpint(write(c.master, "a\003\rq", 4), ==, 4);
	child_expect(&c, "a\003\rqdone");
	g_assert_cmpint(WEXITSTATUS(child_end(&c)), ==, 7);
}

static void try_two(void)
{
	struct chardev *c;

	world_init();
	c = must_new("stdio", "a", "");
	g_assert_null(try_new("stdio", "b", ""));
	g_assert_cmpstr(err.text, ==,
			"character device 'b': the terminal serves one 'stdio' character device "
			"only, and it is in use");
	object_unparent(chardev_object(c)); /* and then it is free again */
	must_new("stdio", "b", "");
	world_fini();
}

static void test_only_one_at_a_time(void) { child_passes(try_two, ""); }

/* Standard streams of a child: input from `in`, output to a pipe whose end is returned. */
static pid_t run_piped(int in, int *out, void (*fn)(void))
{
	int pipes[2];
	pid_t pid;

	g_assert_cmpint(pipe(pipes), ==, 0);
	pid = fork();
	if (pid == 0) {
		dup2(in, 0);
		dup2(pipes[1], 1);
		close(pipes[0]);
		close(pipes[1]);
		fn();
		_exit(0);
	}
	close(pipes[1]);
	*out = pipes[0];
	return pid;
}

static void until_end_of_file(void)
{
	struct fake_user user;
	struct chardev *c;

	world_init();
	c = must_new("stdio", "s", "");
	fake_attach(&user, c, 1000);
	SERVE_UNTIL(user.got->len == 5);
	serve_all();
	if (loop_poll(loop, 1000000)) /* the end was seen: nothing spins */
		_exit(1);
	put(c, user.got->str);
	chardev_flush(c, 1000);
	_exit(strcmp(user.got->str, "input") == 0 ? 0 : 2);
}

static void expect_input_from(int in)
{
	char buf[16] = "";
	int out, status;
	pid_t pid = run_piped(in, &out, until_end_of_file);

	close(in);
	g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
	g_assert_cmpint(status, ==, 0);
	g_assert_cmpint(read(out, buf, sizeof(buf)), ==, 5);
	g_assert_cmpstr(buf, ==, "input");
	close(out);
}

static void test_input_from_a_pipe_and_a_file(void)
{
	int pipes[2], fd;
	char *path;

	g_assert_cmpint(pipe(pipes), ==, 0);
	g_assert_cmpint(write(pipes[1], "input", 5), ==, 5);
	close(pipes[1]);
	expect_input_from(pipes[0]);

	fd = g_file_open_tmp("stdio-XXXXXX", &path, NULL);
	g_assert_cmpint(write(fd, "input", 5), ==, 5);
	lseek(fd, 0, SEEK_SET);
	expect_input_from(fd);
	unlink(path);
	g_free(path);
}

static void write_to_nobody(void)
{
	struct chardev *c;
	char byte;

	world_init();
	c = must_new("stdio", "s", "");
	read(0, &byte, 1); /* until the reader is gone */
	close(2);
	for (int i = 0; i < 3; i++)
		if (put(c, "text") != 4)
			_exit(1);
	serve_all();
	_exit(5);
}

static void test_closed_output_is_survived(void)
{
	int pipes[2], out, status;
	pid_t pid;

	g_assert_cmpint(pipe(pipes), ==, 0);
	pid = run_piped(pipes[0], &out, write_to_nobody);
	close(out);
	g_assert_cmpint(write(pipes[1], "x", 1), ==, 1);
	g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
	g_assert_cmpint(WEXITSTATUS(status), ==, 5);
	close(pipes[0]);
	close(pipes[1]);
}

static void closed_before(void)
{
	world_init();
	close(1);
	_exit(try_new("stdio", "s", "") || !strstr(err.text, "cannot use descriptor 1") ? 1 : 6);
}

static void test_no_output_at_all_is_an_error(void)
{
	int out, status;
	pid_t pid = run_piped(0, &out, closed_before);

	close(out);
	g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
	g_assert_cmpint(WEXITSTATUS(status), ==, 6);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/chardev/stdio/terminal", test_on_a_terminal);
	g_test_add_func("/chardev/stdio/one", test_only_one_at_a_time);
	g_test_add_func("/chardev/stdio/input", test_input_from_a_pipe_and_a_file);
	g_test_add_func("/chardev/stdio/closed-output", test_closed_output_is_survived);
	g_test_add_func("/chardev/stdio/no-output", test_no_output_at_all_is_an_error);
	return g_test_run();
}
