/* machine/types.c - the boards this binary knows, in the order of -machine help.
 * SPDX-License-Identifier: MIT */
#include "machine/machine.h"

#define MACHINE(type) extern const struct machine_type type;
#include "machine/machines.def"
#undef MACHINE

const struct machine_type *const machine_types[] = {
#define MACHINE(type) &type,
#include "machine/machines.def"
#undef MACHINE
	NULL
};
