/* monitor/gdb/gdb.h - the gdb stub: a debugger looks at a machine and stops it, by the GDB remote
 * serial protocol.  docs/gdb.md says what it offers.
 * SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct chardev;
struct err;
struct gdb;
struct machine;

/* Serve who comes by c; who connects stops the machine.  One for a machine.  Context, of all here:
 * main thread; the machine is built. */
struct gdb *gdb_new(struct machine *m, struct chardev *c, struct err *err);
/* A client that is there hears that the program ended with this status, or -1: it does not. */
void gdb_free(struct gdb *g, int exit_code);

/* What gdb's `monitor COMMAND` runs: it gives its text to print(out, ...). */
typedef void gdb_print_fn(void *out, const char *text, size_t len);
typedef void gdb_console_fn(void *opaque, const char *command, gdb_print_fn *print, void *out);
void gdb_set_console(struct gdb *g, gdb_console_fn *run, void *opaque);
