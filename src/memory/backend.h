/* memory/backend.h - guest RAM as an object of the user's: -object memory-backend-ram,id=X,size=1G,
 * given to a machine by -machine memory-backend=X.
 * SPDX-License-Identifier: MIT */
#pragma once

#include <stdint.h>

struct err;
struct object;
struct object_type;
struct ram_block;

/* "memory-backend" (abstract), "memory-backend-ram", -memfd and -file; NULL-terminated. */
extern const struct object_type *const memory_backend_types[];

/* How much it holds, and the block, which one user has at a time until he releases it.  NULL: it is
 * in use. */
uint64_t memory_backend_size(const struct object *o);
struct ram_block *memory_backend_take(struct object *o, struct err *err);
void memory_backend_release(struct object *o);
