/* event/iothread.h - a loop with a thread of its own.
 * SPDX-License-Identifier: MIT */
#pragma once

struct err;
struct loop;
struct iothread;

struct iothread *iothread_new(const char *name, struct err *err);
void iothread_free(struct iothread *t);
struct loop *iothread_loop(struct iothread *t);
/* The kernel's id of its thread. */
int iothread_tid(struct iothread *t);
