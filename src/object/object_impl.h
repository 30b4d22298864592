/* object/object_impl.h - shared by the files of object/.
 * SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct err;
struct object;
struct object_type;
struct prop;

/* "512M": the largest suffix that loses nothing; g_free(). */
char *value_format_size(uint64_t bytes);
/* Defaults of all properties, and freeing what they own. */
void object_props_init(struct object *o);
void object_props_fini(struct object *o);
