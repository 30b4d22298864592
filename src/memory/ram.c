/* memory/ram.c - blocks of guest RAM.
 *
 * A block is a memfd (or a user's file) mapped shared: other processes can be handed it
 * (vhost-user), and translated code can map it a second time.  Nothing is reserved: a page costs
 * memory once it is written.
 * SPDX-License-Identifier: MIT */
#include "memory/ram.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
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

/* Map b->fd, and make the flags of its pages. */
static bool block_map(struct ram_block *b, int flags, struct err *err)
{
	char text[32];
	void *p = mmap(NULL, b->size, PROT_READ | PROT_WRITE, flags | MAP_NORESERVE, b->fd, 0);

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

static bool block_open_memfd(struct ram_block *b, struct err *err)
{
	char fd_name[64], text[32];

	snprintf(fd_name, sizeof(fd_name), "rhea:%.48s", b->name);
	b->fd = memfd_create(fd_name, MFD_CLOEXEC);
	if (b->fd >= 0 && ftruncate(b->fd, (off_t)b->size) == 0)
		return true;
	return err_errno(err, errno, "cannot allocate %s of guest RAM", size_text(b->size, text));
}

static bool block_open_file(struct ram_block *b, const char *path, struct err *err)
{
	struct stat st;

	b->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (b->fd < 0 && errno == EISDIR)
		b->fd = open(path, O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
	if (b->fd < 0 || fstat(b->fd, &st) < 0)
		return err_errno(err, errno, "cannot open '%s'", path);
	if (!st.st_size && S_ISREG(st.st_mode) && ftruncate(b->fd, (off_t)b->size) < 0)
		return err_errno(err, errno, "cannot make '%s' large enough", path);
	if (S_ISREG(st.st_mode) && st.st_size && (uint64_t)st.st_size < b->size)
		return err_set(err, EINVAL, "'%s' has %lld bytes, fewer than the memory's %llu",
			       path, (long long)st.st_size, (unsigned long long)b->size);
	return true;
}

/* Not mapped yet. */
static struct ram_block *block_new(const char *name, uint64_t size, struct err *err)
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
	return b;
}

struct ram_block *ram_block_new(const char *name, uint64_t size, struct err *err)
{
	struct ram_block *b = block_new(name, size, err);

	if (b && block_open_memfd(b, err) && block_map(b, MAP_SHARED, err))
		return b;
	ram_block_free(b);
	return NULL;
}

struct ram_block *ram_block_new_file(const char *name, const char *path, uint64_t size,
				     bool is_shared, struct err *err)
{
	struct ram_block *b = block_new(name, size, err);

	if (!b || !block_open_file(b, path, err) ||
	    !block_map(b, is_shared ? MAP_SHARED : MAP_PRIVATE, err)) {
		ram_block_free(b);
		return NULL;
	}
	if (!is_shared) {
		close(b->fd);
		b->fd = -1;
	}
	return b;
}

void ram_block_dump(struct ram_block *b) { (void)madvise(b->host, b->size, MADV_DODUMP); }

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
	for (unsigned i = 0; i < ARRAY_SIZE(b->log); i++)
		free(b->log[i]);
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
