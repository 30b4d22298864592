/* machine/smp.h - CPU topology: -smp's numbers, completed and checked.
 * SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct err;

struct smp_config {
	uint32_t cpus, max_cpus;
	uint32_t sockets, dies, cores, threads; /* product: max_cpus */
};

/* Fill in what is 0: sockets are preferred last, so `-smp 4` is one socket of four cores.
 * False when the numbers contradict each other or exceed the machine's limit. */
bool smp_complete(struct smp_config *smp, const char *machine, uint32_t limit, struct err *err);
