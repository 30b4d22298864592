/* object/secret.h - `-object secret`: a password or key that others name by its id.
 * SPDX-License-Identifier: MIT */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "object/object.h"

enum { SECRET_MAX_BYTES = 64 << 10 };

extern const struct object_type secret_object_type;

/* The bytes of a complete secret, which live as long as it does. */
const uint8_t *secret_bytes(const struct object *o, size_t *size);
