/* machine/smp.c - CPU topology.
 * SPDX-License-Identifier: MIT */
#include "machine/smp.h"

#include "base/err.h"

static uint32_t smp_or_one(uint32_t n) { return n ? n : 1; }

bool smp_complete(struct smp_config *smp, const char *machine, uint32_t limit, struct err *err)
{
	uint64_t total, dies = smp_or_one(smp->dies), threads = smp_or_one(smp->threads);
	uint32_t wanted = smp->max_cpus ? smp->max_cpus : smp->cpus;

	if (!wanted && !smp->sockets && !smp->cores)
		wanted = (uint32_t)(dies * threads);
	if (!smp->cores) {
		uint64_t others = smp_or_one(smp->sockets) * dies * threads;

		smp->cores = wanted && others <= wanted ? (uint32_t)(wanted / others) : 1;
	}
	if (!smp->sockets) {
		uint64_t others = dies * smp->cores * threads;

		smp->sockets = wanted && others <= wanted ? (uint32_t)(wanted / others) : 1;
	}
	smp->dies = (uint32_t)dies;
	smp->threads = (uint32_t)threads;
	total = (uint64_t)smp->sockets * smp->dies;
	total = total > limit ? total : total * smp->cores;
	total = total > limit ? total : total * smp->threads;
	if (!smp->max_cpus)
		smp->max_cpus = smp->cpus > total || total > UINT32_MAX ? smp->cpus
									: (uint32_t)total;
	if (!smp->cpus)
		smp->cpus = smp->max_cpus;
	if (total > limit || smp->max_cpus > limit)
		return err_set(err, 0, "-smp: machine '%s' has at most %u CPUs, not %llu", machine,
			       limit,
			       (unsigned long long)(total > smp->max_cpus ? total : smp->max_cpus));
	if (total != smp->max_cpus)
		return err_set(err, 0,
			       "-smp: sockets (%u) * dies (%u) * cores (%u) * threads (%u) = %llu, "
			       "but maxcpus is %u; leave one of them out",
			       smp->sockets, smp->dies, smp->cores, smp->threads,
			       (unsigned long long)total, smp->max_cpus);
	if (smp->cpus > smp->max_cpus)
		return err_set(err, 0, "-smp: cpus (%u) is more than maxcpus (%u)", smp->cpus,
			       smp->max_cpus);
	return true;
}
