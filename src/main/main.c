/* main/main.c - the program.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <glib.h>

#include "accel/accel.h"
#include "base/err.h"
#include "base/log.h"
#include "chardev/chardev.h"
#include "dev/device.h"
#include "machine/machine.h"
#include "main/iothread_object.h"
#include "main/session.h"
#include "main/version.h"
#include "memory/backend.h"
#include "object/secret.h"

static void print_error(const struct session *s, const struct err *err)
{
	log_message(s->program, "%s", err->text);
}

/* The link's name picks the target: rhea-system-aarch64. */
static bool target_check(const char *program, struct err *err)
{
	const char *dash = strrchr(program, '-');

	if (strstr(program, "-system-") && strcmp(dash, "-x86_64"))
		return err_set(err, 0, "target '%s' is not built into this binary; it has x86_64",
			       dash + 1);
	return true;
}

/* Output that nobody can read is an error of its own (`rhea -h >/dev/full`). */
static int finish_output(const struct session *s)
{
	int code = fflush(stdout) ? errno : 0;

	/* An earlier part of it may have been lost already; why is not known any more. */
	if (!code && ferror(stdout))
		code = EIO;
	if (!code)
		return EXIT_SUCCESS;
	log_message(s->program, "cannot write to standard output: %s", strerror(code));
	return EXIT_FAILURE;
}

/* What only prints: true when that was all, with *code the exit status. */
static bool print_requested(struct session *s, int *code)
{
	struct err err;
	bool done = true;

	*code = EXIT_SUCCESS;
	if (s->opt.version) {
		printf("Rhea machine emulator version %s\n", RHEA_VERSION);
	} else if (s->opt.help) {
		options_help(stdout, s->program);
	} else if (!target_check(s->program, &err) || !help_requested(&s->opt, &done, &err)) {
		print_error(s, &err);
		*code = EXIT_FAILURE;
		return true;
	}
	if (done)
		*code = finish_output(s);
	return done;
}

/* Threads share one heap, which grows by more than a page: glibc's heaps of threads grow page by
 * page, with a system call each, and vCPU threads allocate for each block they translate. */
static void tune_heap(void)
{
#ifdef __GLIBC__
	(void)mallopt(M_ARENA_MAX, 1);
	(void)mallopt(M_TOP_PAD, 256 << 10);
#endif
}

/* rhea doctor: what this host has for guests, and what is chosen by that. */
static int doctor(struct session *s, int argc, char **argv)
{
	g_autofree char *why = NULL;
	const struct accel_ops *chosen;

	if (argc > 2) {
		log_message(s->program, "doctor: takes no arguments, not '%s'", argv[2]);
		return EXIT_FAILURE;
	}
	for (unsigned i = 0; accel_list[i]; i++) {
		const struct accel_ops *a = accel_list[i];
		g_autofree char *text = a->explain ? a->explain() : NULL;
		g_auto(GStrv) lines = g_strsplit(text ? text : "", "\n", 0);
		struct err err;

		if (!text)
			printf("%s: %s\n", a->name,
			       !a->available || a->available(&err) ? a->help : err.text);
		for (unsigned l = 0; lines[l]; l++)
			if (*lines[l])
				printf("%s: %s\n", a->name, lines[l]);
	}
	chosen = accel_default(accel_list, &why);
	printf("without -accel, guests run under %s\n", chosen->name);
	if (*why)
		printf("  %s", why);
	return finish_output(s);
}

static int run(struct session *s, int argc, char **argv)
{
	struct err err;
	bool is_understood;
	int code;

	signal(SIGPIPE, SIG_IGN);
	tune_heap();
	if (argc > 1 && !strcmp(argv[1], "doctor"))
		return doctor(s, argc, argv);
	is_understood = options_parse(&s->opt, argc, argv, &err);
	log_set_prefix(s->opt.msg_has_time, s->opt.msg_has_name ? s->opt.name : NULL);
	if (!is_understood) {
		print_error(s, &err);
		return EXIT_FAILURE;
	}
	machine_register_types();
	device_register_types();
	chardev_register_types();
	object_types_add(accel_types);
	object_types_add(memory_backend_types);
	object_types_add((const struct object_type *const[]){ &iothread_object_type,
							      &secret_object_type, NULL });
	if (print_requested(s, &code))
		return code;
	if (session_start(s, &err)) {
		session_run(s);
		code = s->exit_code;
	} else {
		code = EXIT_FAILURE;
	}
	session_end(s);
	if (code == EXIT_FAILURE && !s->is_running)
		print_error(s, &err);
	return code;
}

/* A descriptor 0, 1 or 2 that the caller closed must not become a file of ours. */
static void open_standard_files(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= 2);
	if (fd > 2)
		close(fd);
}

int main(int argc, char **argv)
{
	struct session s = { .program = argc ? argv[0] : "rhea", .daemon_fd = -1, .signal_fd = -1 };
	const char *slash = strrchr(s.program, '/');
	int code;

	open_standard_files();
	if (slash)
		s.program = slash + 1;
	code = run(&s, argc, argv);
	log_close();
	return code;
}
