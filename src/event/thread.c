/* event/thread.c - start a helper thread.
 * SPDX-License-Identifier: MIT */
#include "event/thread.h"

#include <signal.h>
#include <stdio.h>

#include "base/err.h"

bool thread_start(pthread_t *thread, const char *name, void *(*fn)(void *), void *opaque,
		  struct err *err)
{
	static const int faults[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGABRT, SIGSYS };
	char short_name[16];
	sigset_t blocked, old;
	int error;

	sigfillset(&blocked);
	for (unsigned i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
		sigdelset(&blocked, faults[i]);
	pthread_sigmask(SIG_BLOCK, &blocked, &old);
	error = pthread_create(thread, NULL, fn, opaque);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (error)
		return err_errno(err, error, "cannot start thread '%s'", name);
	snprintf(short_name, sizeof(short_name), "%s", name);
	pthread_setname_np(*thread, short_name);
	return true;
}
