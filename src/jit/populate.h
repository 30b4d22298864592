/* jit/populate.h - memory is at hand before it is written to.
 *
 * The host clears a page when it is touched first, which takes as long as translating some
 * instructions, and several times as long when each page is a fault of its own.  So many pages are
 * asked for at once, and while those are written to a thread asks for the next.
 * SPDX-License-Identifier: MIT */
#pragma once

#include <stddef.h>

struct populator;

/* Its thread begins when it is first asked. */
struct populator *populator_new(void);
/* What it was asked for and has not done is not done.  NULL: nothing. */
void populator_free(struct populator *p);
/* Soon, perhaps: who is faster, or comes when too much was asked for, has a fault for each page.
 * The memory stays mapped until populator_free().  Context: any thread, no LOCK_LEAF held. */
void populator_ask(struct populator *p, void *memory, size_t size);
/* When this returns, if the host knows how. */
void populate_now(void *memory, size_t size);
