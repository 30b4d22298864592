/* memory/dirty.h - which pages of guest RAM were written, kept for each who asks.
 *
 * Whoever stores says so: ram_stored() for the translator and devices, the listeners' log for
 * accelerators that store unseen.
 * SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct err;
struct ram_block;

enum dirty_client { DIRTY_DISPLAY, DIRTY_MIGRATION, DIRTY_CLIENTS };

/* Context of all: main thread, no lock held.  May block. */

/* From now on it is kept for the client which pages of the block are written; false: err. */
bool dirty_log_start(struct ram_block *b, enum dirty_client who, struct err *err);
void dirty_log_stop(struct ram_block *b, enum dirty_client who);
/* Of `count` pages from the number `first` on: those that were written since they were last taken,
 * a bit each from bit 0 of pages[0] on.  Returns how many.  What is read from memory after it has
 * these stores; later ones will be told next time. */
uint64_t dirty_log_take(struct ram_block *b, enum dirty_client who, uint64_t first, uint64_t count,
			uint64_t *pages);
