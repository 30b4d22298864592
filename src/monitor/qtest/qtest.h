/* monitor/qtest/qtest.h - the qtest protocol: lines of text by which a test drives the devices of a
 * machine whose CPUs do not run (-accel qtest).  The commands are QEMU's, docs/qtest.md lists them.
 * SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>

struct chardev;
struct err;
struct machine;
struct qtest;

/* Serve what comes by c.  log: a file that hears both sides, "none", or NULL for standard error.
 * Context: main thread; the machine is built. */
struct qtest *qtest_new(struct machine *m, struct chardev *c, const char *log, struct err *err);
/* Context: main thread, before the machine goes. */
void qtest_free(struct qtest *q);
