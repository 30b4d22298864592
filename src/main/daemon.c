/* main/daemon.c - -daemonize and -pidfile.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "main/session.h"

/* The parent stays until the child is ready (one byte) or gone (end of file), so that the caller's
 * exit status tells whether the guest runs. */
static void daemon_parent(int fd, pid_t child)
{
	char byte;
	ssize_t n;
	int status;

	do
		n = read(fd, &byte, 1);
	while (n < 0 && errno == EINTR);
	if (n == 1)
		_exit(EXIT_SUCCESS);
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	_exit(WIFEXITED(status) && WEXITSTATUS(status) ? WEXITSTATUS(status) : EXIT_FAILURE);
}

bool daemon_fork(struct session *s, struct err *err)
{
	int fds[2];
	pid_t child;

	if (!s->opt.daemonize)
		return true;
	/* -nographic only means something here where it puts a default device on the terminal. */
	if (s->opt.nographic && !s->opt.nodefaults && !s->opt.serials.count)
		return err_set(err, 0,
			       "-nographic and -daemonize together: a daemon has no terminal; use "
			       "-display none");
	if (pipe2(fds, O_CLOEXEC) < 0)
		return err_errno(err, errno, "-daemonize: cannot make a pipe");
	child = fork();
	if (child < 0)
		return err_errno(err, errno, "-daemonize: cannot fork");
	if (child > 0) {
		close(fds[1]);
		daemon_parent(fds[0], child);
	}
	close(fds[0]);
	s->daemon_fd = fds[1];
	setsid();
	return true;
}

void daemon_ready(struct session *s)
{
	int null_fd;
	ssize_t n;

	if (s->daemon_fd < 0)
		return;
	null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null_fd >= 0) {
		for (int fd = 0; fd <= 2; fd++)
			dup2(null_fd, fd);
		if (null_fd > 2)
			close(null_fd);
	}
	if (chdir("/") < 0) {
		/* "/" always exists; nothing depends on it */
	}
	do
		n = write(s->daemon_fd, "", 1);
	while (n < 0 && errno == EINTR);
	close(s->daemon_fd);
	s->daemon_fd = -1;
}

bool pidfile_write(struct session *s, struct err *err)
{
	const char *path = s->opt.pidfile;
	char text[24];
	int fd, len;
	bool ok;

	if (!path)
		return true;
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	if (fd < 0)
		return err_errno(err, errno, "cannot write pid file '%s'", path);
	/* The lock is held as long as the process lives: two guests cannot share a file. */
	if (lockf(fd, F_TLOCK, 0) < 0) {
		err_set(err, errno, "pid file '%s' is in use by another running process", path);
		close(fd);
		return false;
	}
	len = snprintf(text, sizeof(text), "%ld\n", (long)getpid());
	ok = ftruncate(fd, 0) == 0 && write(fd, text, (size_t)len) == len;
	if (!ok) {
		err_errno(err, errno, "cannot write pid file '%s'", path);
		close(fd);
		return false;
	}
	/* A daemon changes its directory. */
	s->pidfile = realpath(path, NULL);
	return true;
}

void pidfile_remove(struct session *s)
{
	if (s->pidfile)
		unlink(s->pidfile);
	free(s->pidfile);
	s->pidfile = NULL;
}
