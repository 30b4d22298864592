/* memory/dirty.c - the log of written pages: flags of the block, collected into a bitmap per
 * client.
 *
 * A page whose RAM_PAGE_DIRTY flag is cleared is written again without a word by whoever still
 * holds it for writable (a soft TLB), until it was told (log_after).  Nothing is lost: the client
 * looks at memory after that.
 * SPDX-License-Identifier: MIT */
#include "memory/dirty.h"

#include <assert.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "memory/address_space.h"
#include "memory/ram.h"
#include "memory/topology.h"

BUILD_ASSERT(ARRAY_SIZE(((struct ram_block *)0)->log) == DIRTY_CLIENTS);

static uint64_t page_count(const struct ram_block *b) { return b->size >> RAM_PAGE_BITS; }
static uint64_t word_count(uint64_t pages) { return (pages + 63) / 64; }

static bool is_logged(const struct ram_block *b)
{
	for (unsigned i = 0; i < DIRTY_CLIENTS; i++)
		if (b->log[i])
			return true;
	return false;
}

static void each(const struct ram_block *b, enum memory_log what)
{
	address_spaces_log(MEMORY_LOG_BEFORE, b);
	topology_lock();
	address_spaces_log(what, b);
	topology_unlock();
}

/* What was written since the last time, for all clients; the pages are clean then. */
static void collect(struct ram_block *b)
{
	each(b, MEMORY_LOG_SYNC);
	for (uint64_t i = 0; i < page_count(b); i++) {
		_Atomic uint8_t *flags = &b->page_flags[i];

		if (!(atomic_load_explicit(flags, memory_order_relaxed) & RAM_PAGE_DIRTY))
			continue;
		atomic_fetch_and(flags, (uint8_t)~RAM_PAGE_DIRTY);
		for (unsigned c = 0; c < DIRTY_CLIENTS; c++)
			if (b->log[c])
				b->log[c][i / 64] |= BIT(i % 64);
	}
	address_spaces_log(MEMORY_LOG_AFTER, b);
}

bool dirty_log_start(struct ram_block *b, enum dirty_client who, struct err *err)
{
	bool was_logged = is_logged(b);

	if (b->log[who])
		return true;
	if (was_logged)
		collect(b); /* that is the others' */
	b->log[who] = calloc(word_count(page_count(b)), sizeof(uint64_t));
	if (!b->log[who])
		return err_errno(err, ENOMEM, "cannot keep a log of what is written to '%s'",
				 b->name);
	if (was_logged)
		return true;
	for (uint64_t i = 0; i < page_count(b); i++) {
		atomic_fetch_and(&b->page_flags[i], (uint8_t)~RAM_PAGE_DIRTY);
		atomic_fetch_or(&b->page_flags[i], RAM_PAGE_LOGGED);
	}
	each(b, MEMORY_LOG_START);
	address_spaces_log(MEMORY_LOG_AFTER, b);
	return true;
}

void dirty_log_stop(struct ram_block *b, enum dirty_client who)
{
	if (!b->log[who])
		return;
	free(b->log[who]);
	b->log[who] = NULL;
	if (is_logged(b))
		return;
	each(b, MEMORY_LOG_STOP);
	for (uint64_t i = 0; i < page_count(b); i++)
		atomic_fetch_and(&b->page_flags[i], (uint8_t) ~(RAM_PAGE_DIRTY | RAM_PAGE_LOGGED));
}

uint64_t dirty_log_take(struct ram_block *b, enum dirty_client who, uint64_t first, uint64_t count,
			uint64_t *pages)
{
	uint64_t *log = b->log[who], found = 0;

	assert(log && first <= page_count(b) && count <= page_count(b) - first);
	collect(b);
	memset(pages, 0, word_count(count) * sizeof(*pages));
	for (uint64_t i = 0; i < count; i++) {
		uint64_t at = first + i;

		if (!(log[at / 64] >> at % 64 & 1))
			continue;
		log[at / 64] &= ~BIT(at % 64);
		pages[i / 64] |= BIT(i % 64);
		found++;
	}
	return found;
}
