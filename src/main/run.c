/* main/run.c - the main loop's events: signals, and what the guest asks of its machine.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/bits.h"
#include "base/err.h"
#include "base/log.h"
#include "chardev/chardev.h"
#include "cpu/accel.h"
#include "event/loop.h"
#include "machine/machine.h"
#include "main/session.h"
#include "monitor/hmp/hmp.h"
#include "monitor/monitor.h"
#include "monitor/qtest/qtest.h"

void session_ended(void *session, int code, const char *why)
{
	struct session *s = session;

	if (why)
		log_message(s->program, "%s", why);
	s->exit_code = code;
	loop_quit(s->loop);
}

/* ---- signals ---- */

static void session_signal(void *opaque, unsigned events)
{
	struct session *s = opaque;
	struct signalfd_siginfo info;

	(void)events;
	if (read(s->signal_fd, &info, sizeof(info)) != sizeof(info))
		return;
	if (info.ssi_pid)
		log_message(s->program, "terminating on signal %u from pid %u", info.ssi_signo,
			    info.ssi_pid);
	else
		log_message(s->program, "terminating on signal %u", info.ssi_signo);
	if (s->machine)
		machine_quit(s->machine, CAUSE_SIGNAL, EXIT_SUCCESS);
	else
		session_ended(s, EXIT_SUCCESS, NULL);
}

/* The signals that end the guest in order arrive through the loop.  Context: before threads start,
 * which inherit the mask. */
bool signals_watch(struct session *s, struct err *err)
{
	static const int ending[] = { SIGTERM, SIGINT, SIGHUP };
	struct sigaction sa;
	sigset_t set;

	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&set);
	/* What the caller ignores (nohup; a script's jobs in the background) stays so: a blocked
	 * signal would be received nevertheless. */
	for (size_t i = 0; i < ARRAY_SIZE(ending); i++)
		if (sigaction(ending[i], NULL, &sa) < 0 || sa.sa_handler != SIG_IGN)
			sigaddset(&set, ending[i]);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	s->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (s->signal_fd < 0)
		return err_errno(err, errno, "cannot receive signals");
	s->signal_watch = loop_watch(s->loop, s->signal_fd, LOOP_READ, session_signal, s);
	return s->signal_watch || err_errno(err, errno, "cannot receive signals");
}

void session_run(struct session *s)
{
	s->is_running = true;
	loop_run(s->loop);
}

void session_end(struct session *s)
{
	if (s->machine)
		machine_pause(s->machine);
	for (unsigned i = 0; i < sizeof(s->serials) / sizeof(s->serials[0]); i++)
		if (s->serials[i])
			chardev_flush(s->serials[i], 200);
	hmp_free(s->hmp);
	if (s->monitors)
		monitors_free(s->monitors);
	gdb_close(s, s->exit_code);
	chardev_restore_terminal();
	qtest_free(s->qtest);
	if (s->machine)
		machine_free(s->machine);
	accel_stop(s->accel);
	if (s->signal_watch)
		loop_unwatch(s->signal_watch);
	if (s->root)
		object_put(s->root);
	if (s->loop)
		loop_free(s->loop);
	if (s->signal_fd >= 0)
		close(s->signal_fd);
	pidfile_remove(s);
	options_clear(&s->opt);
}
