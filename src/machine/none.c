/* machine/none.c - nothing: for asking the binary what it can do.
 * SPDX-License-Identifier: MIT */
#include "machine/machine.h"

const struct machine_type none_machine_type = {
	.base = { .name = "none-machine",
		  .parent = &machine_object_type,
		  .size = sizeof(struct machine),
		  .help = "empty machine" },
	.name = "none",
	.desc = "empty machine: no CPU, no memory, no devices",
	.max_cpus = 1,
	.max_ram = 1024 * GIB,
};
