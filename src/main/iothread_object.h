/* main/iothread_object.h - the object type "iothread".
 * SPDX-License-Identifier: MIT */
#pragma once

#include "object/object.h"

extern const struct object_type iothread_object_type;
