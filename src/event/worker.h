/* event/worker.h - a pool of threads for work that blocks; completions come back to a loop.
 * SPDX-License-Identifier: MIT */
#pragma once

struct err;
struct loop;
struct worker_pool;

struct worker_pool *worker_pool_new(unsigned max_threads, struct err *err);
/* Finishes what was submitted, then ends the threads. */
void worker_pool_free(struct worker_pool *p);
/* work() runs in some worker; then done() (may be NULL) in `loop`'s thread.  Context: any
 * thread. */
void worker_submit(struct worker_pool *p, struct loop *loop, void (*work)(void *),
		   void (*done)(void *), void *opaque);
