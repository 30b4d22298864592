/* main/options.h - the command line, parsed: no side effects yet.
 * SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

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

enum reboot_action { REBOOT_RESET, REBOOT_SHUTDOWN };
enum shutdown_action { SHUTDOWN_POWEROFF, SHUTDOWN_PAUSE };
enum panic_action { PANIC_SHUTDOWN, PANIC_PAUSE, PANIC_EXIT_FAILURE, PANIC_NONE };

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
	struct keyvals_list devices, objects, globals, chardevs;
	struct strings serials, traces, fw_cfg;
	bool nographic, no_display, nodefaults, daemonize, stopped;
	enum reboot_action on_reboot;
	enum shutdown_action on_shutdown;
	enum panic_action on_panic;
	char *pidfile;
	char *log_items, *log_file;
};

/* False: err quotes the word that is wrong.  argv[0] is skipped. */
bool options_parse(struct options *o, int argc, char *const *argv, struct err *err);
void options_clear(struct options *o);
void options_help(FILE *out, const char *program);
/* Names of all options with their dash, NULL-terminated. */
const char *const *options_names(void);
