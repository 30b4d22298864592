/* memory/backend.c - guest RAM as an object of the user's.
 *
 * The memory of -ram and -memfd is the same: a memfd, which a peer can be handed.  That of -file is
 * the file's own with share=on, else a copy that nobody sees.  Not modelled: NUMA policies, huge
 * pages other than by a hugetlbfs path, merge= and dump=.
 * SPDX-License-Identifier: MIT */
#include "memory/backend.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include <glib.h>

#include "base/err.h"
#include "memory/ram.h"
#include "object/object.h"

struct memory_backend {
	struct object obj;
	uint64_t size;
	bool is_shared, is_populated;
	char *path;              /* -file */
	struct ram_block *block; /* const after complete */
	bool is_in_use;          /* main thread */
};

static struct memory_backend *backend(const struct object *o)
{
	return container_of((struct object *)(uintptr_t)o, struct memory_backend, obj);
}

uint64_t memory_backend_size(const struct object *o) { return backend(o)->size; }

struct ram_block *memory_backend_take(struct object *o, struct err *err)
{
	struct memory_backend *b = backend(o);

	if (b->is_in_use) {
		err_set(err, EBUSY, "memory backend '%s' is in use", o->name);
		return NULL;
	}
	b->is_in_use = true;
	return b->block;
}

void memory_backend_release(struct object *o) { backend(o)->is_in_use = false; }

/* Every page has its memory now, or it is an error. */
static bool populate(struct memory_backend *b, struct err *err)
{
	if (madvise(b->block->host, b->block->size, MADV_POPULATE_WRITE) == 0)
		return true;
	if (errno != EINVAL) /* EINVAL: the kernel is older than 5.14 */
		return err_errno(err, errno, "prealloc: cannot have all of the memory");
	for (uint64_t at = 0; at < b->block->size; at += RAM_PAGE_SIZE) {
		volatile uint8_t *byte = b->block->host + at;

		*byte = *byte;
	}
	return true;
}

static bool backend_complete(struct object *o, struct err *err)
{
	struct memory_backend *b = backend(o);
	bool is_file = !strcmp(o->type->name, "memory-backend-file");

	if (!b->size)
		return err_set(err, EINVAL, "%s: needs a size=", o->type->name);
	if (is_file && !b->path)
		return err_set(err, EINVAL, "%s: needs a mem-path=", o->type->name);
	b->block = is_file ? ram_block_new_file("ram", b->path, b->size, b->is_shared, err)
			   : ram_block_new("ram", b->size, err);
	if (!b->block || (b->is_populated && !populate(b, err)))
		return err_prefix(err, "%s: ", o->type->name);
	o->is_complete = true;
	return true;
}

static void backend_fini(struct object *o) { ram_block_free(backend(o)->block); }

static const struct prop backend_props[] = {
	PROP_SIZE(struct memory_backend, size, "size", 0, .help = "bytes, a multiple of 4 KiB"),
	PROP_BOOL(struct memory_backend, is_populated, "prealloc", false,
		  .help = "take the host's memory at once"),
	{ 0 },
};

static const struct object_type backend_type = {
	.name = "memory-backend",
	.size = sizeof(struct memory_backend),
	.is_abstract = true,
	.props = backend_props,
	.fini = backend_fini,
};

static const struct prop share_props[] = {
	PROP_BOOL(struct memory_backend, is_shared, "share", false,
		  .help = "other processes may have it too"),
	{ 0 },
};

static const struct prop memfd_props[] = {
	PROP_BOOL(struct memory_backend, is_shared, "share", true,
		  .help = "other processes may have it too"),
	{ 0 },
};

static const struct prop file_props[] = {
	PROP_BOOL(struct memory_backend, is_shared, "share", false,
		  .help = "what the guest writes goes to the file"),
	PROP_STR(struct memory_backend, path, "mem-path",
		 .help = "the file, or a folder for a nameless one"),
	{ 0 },
};

#define BACKEND(id, suffix, table, text)               \
	static const struct object_type id##_type = {  \
		.name = "memory-backend-" suffix,      \
		.parent = &backend_type,               \
		.size = sizeof(struct memory_backend), \
		.props = table,                        \
		.help = text,                          \
		.complete = backend_complete,          \
	}
BACKEND(ram, "ram", share_props, "guest RAM");
BACKEND(memfd, "memfd", memfd_props, "guest RAM in a memfd");
BACKEND(file, "file", file_props, "guest RAM in a file");

const struct object_type *const memory_backend_types[] = { &backend_type, &ram_type, &memfd_type,
							   &file_type, NULL };
