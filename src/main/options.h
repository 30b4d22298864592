/* main/options.h - the command line, parsed: no side effects yet.
 * SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "machine/runstate.h"
#include "machine/smp.h"
#include "main/keyval.h"

struct err;

struct keyvals_list {
	struct keyvals *items;
	unsigned count;
};

struct strings {
	char **items;
	unsigned count;
};

struct options {
	bool help, version;
	struct keyvals machine;     /* type= and properties, -M merged in order */
	struct keyvals_list accels; /* accel=, properties */
	char *cpu;
	struct smp_config smp;
	uint64_t ram_size;
	char *name, *process_name;
	bool msg_has_time, msg_has_name;
	bool has_uuid;
	uint8_t uuid[16];
	char *rtc_base, *rtc_clock;
	char *kernel, *initrd, *append, *bios;
	struct keyvals_list devices, objects, globals, chardevs, fds;
	/* -mon's keys; of -qmp and -qmp-pretty spec= instead of chardev= */
	struct keyvals_list monitors;
	bool has_monitor; /* -monitor was given */
	struct strings serials, traces, fw_cfg;
	bool is_memory_locked;
	bool nographic, no_display, nodefaults, daemonize, stopped;
	struct machine_actions actions;
	char *pidfile;
	char *log_items, *log_file;
	char *qtest, *qtest_log;
	char *gdb;
};

/* False: err quotes the word that is wrong.  argv[0] is skipped. */
bool options_parse(struct options *o, int argc, char *const *argv, struct err *err);
void options_clear(struct options *o);
void options_help(FILE *out, const char *program);
/* Names of all options with their dash, NULL-terminated. */
const char *const *options_names(void);
