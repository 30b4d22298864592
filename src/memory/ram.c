/* memory/ram.c - blocks of guest RAM.
 *
 * A block is a memfd mapped shared: other processes can be handed it (vhost-user), and translated
 * code can map it a second time.  Nothing is reserved: a page costs memory once it is written.
 * SPDX-License-Identifier: MIT */
#include "memory/ram.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/err.h"

/* "512 MiB", "1.5 GiB"; exact for what users write. */
static const char *size_text(uint64_t size, char buf[32])
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	unsigned unit = 0;
	double v = (double)size;

	while (v >= 1024 && unit + 1 < ARRAY_SIZE(units)) {
		v /= 1024;
		unit++;
	}
	snprintf(buf, 32, "%.6g %s", v, units[unit]);
	return buf;
}

static bool block_map(struct ram_block *b, struct err *err)
{
	char fd_name[64], text[32];
	void *p;

	snprintf(fd_name, sizeof(fd_name), "rhea:%.48s", b->name);
	b->fd = memfd_create(fd_name, MFD_CLOEXEC);
	if (b->fd < 0 || ftruncate(b->fd, (off_t)b->size) < 0)
		goto fail;
	p = mmap(NULL, b->size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, b->fd, 0);
	if (p == MAP_FAILED)
		goto fail;
	b->host = p;
	/* Hints: a host that can't follow them runs on. */
	(void)madvise(p, b->size, MADV_HUGEPAGE);
	(void)madvise(p, b->size, MADV_DONTDUMP);
	p = mmap(NULL, b->size >> RAM_PAGE_BITS, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p == MAP_FAILED)
		goto fail;
	b->page_flags = p;
	return true;
fail:
	return err_errno(err, errno, "cannot allocate %s of guest RAM", size_text(b->size, text));
}

struct ram_block *ram_block_new(const char *name, uint64_t size, struct err *err)
{
	struct ram_block *b;
	char text[32];

	if (!size || size & (RAM_PAGE_SIZE - 1)) {
		err_set(err, EINVAL, "guest RAM of %" PRIu64 " bytes: not a multiple of 4 KiB",
			size);
		return NULL;
	}
	if (size > (uint64_t)INT64_MAX) {
		err_errno(err, ENOMEM, "cannot allocate %s of guest RAM", size_text(size, text));
		return NULL;
	}
	b = calloc(1, sizeof(*b));
	if (b) {
		b->fd = -1;
		b->size = size;
		b->name = strdup(name);
	}
	if (!b || !b->name) {
		err_errno(err, ENOMEM, "cannot allocate %s of guest RAM", size_text(size, text));
		free(b);
		return NULL;
	}
	if (!block_map(b, err)) {
		ram_block_free(b);
		return NULL;
	}
	return b;
}

void ram_block_free(struct ram_block *b)
{
	if (!b)
		return;
	if (b->host)
		munmap(b->host, b->size);
	if (b->page_flags)
		munmap((void *)b->page_flags, b->size >> RAM_PAGE_BITS);
	if (b->fd >= 0)
		close(b->fd);
	free(b->name);
	free(b);
}

void ram_page_set_flags(struct ram_block *b, uint64_t offset, uint8_t flags)
{
	assert(offset < b->size);
	atomic_fetch_or(&b->page_flags[offset >> RAM_PAGE_BITS], flags);
}

void ram_page_clear_flags(struct ram_block *b, uint64_t offset, uint8_t flags)
{
	assert(offset < b->size);
	atomic_fetch_and(&b->page_flags[offset >> RAM_PAGE_BITS], (uint8_t)~flags);
}

void ram_stored(struct ram_block *b, uint64_t offset, uint64_t len)
{
	uint64_t end = offset + len;

	assert(len <= b->size && offset <= b->size - len);
	/* The store before the look at the flags, as whoever sets CODE sets it before reading the
	 * page: one of the two sees the other. */
	atomic_thread_fence(memory_order_seq_cst);
	while (offset < end) {
		_Atomic uint8_t *flags = &b->page_flags[offset >> RAM_PAGE_BITS];
		uint8_t f = atomic_load_explicit(flags, memory_order_acquire);
		uint64_t next = align_down(offset, RAM_PAGE_SIZE) + RAM_PAGE_SIZE;

		if (next > end)
			next = end;
		if ((f & (RAM_PAGE_LOGGED | RAM_PAGE_DIRTY)) == RAM_PAGE_LOGGED)
			atomic_fetch_or(flags, RAM_PAGE_DIRTY);
		if (f & RAM_PAGE_CODE && b->code_written)
			b->code_written(b->code_opaque, b, offset, next - offset);
		offset = next;
	}
}
