/* accel/tcg/tcg.c - the translating accelerator: its properties, start and stop, vCPUs coming and
 * going. SPDX-License-Identifier: MIT */
#include <inttypes.h>

#include <glib.h>

#include "base/err.h"
#include "base/log.h"
#include "jit/ir.h"
#include "cpu/arch.h"
#include "accel/accel.h"
#include "accel/tcg/tcg.h"

enum { THREAD_MULTI, THREAD_SINGLE };

static const char *const thread_words[] = { "multi", "single", NULL };

/* clang-format off */
static const struct prop tcg_props[] = {
	PROP_ENUM(struct tcg_accel, thread_mode, "thread", thread_words, THREAD_MULTI,
		  .help = "multi: a host thread for each vCPU"),
	PROP_NUM(struct tcg_accel, tb_size, "tb-size", 64, .min = 1, .max = 1 << 20, .help = "room for translated code, MiB"),
	PROP_BOOL(struct tcg_accel, stats, "stats", false, .help = "log counts of instructions and blocks at the end"),
	{ 0 },
};
/* clang-format on */

const struct object_type tcg_accel_type = {
	.name = "tcg-accel",
	.parent = &accel_type,
	.size = sizeof(struct tcg_accel),
	.props = tcg_props,
	.help = "translate guest code; works on every host",
};

static struct tcg_accel *tcg_accel_of(struct accel *a)
{
	return container_of(a, struct tcg_accel, accel);
}

static bool tcg_start(struct accel *a, struct err *err)
{
	struct tcg_accel *t = tcg_accel_of(a);

	if (t->thread_mode == THREAD_SINGLE)
		return err_set(err, 0,
			       "thread=single is not supported: each vCPU has a thread of its own");
	lock_init(&t->vcpus_lock, LOCK_LEAF, "tcg vcpus");
	tcg_exclusive_init(&t->exclusive);
	return tcg_cache_init(&t->cache, t->tb_size * MIB);
}

static void log_stats(struct tcg_accel *t)
{
	uint64_t insns = atomic_load(&t->insns);

	for (const struct tcg_vcpu *tv = t->vcpus; tv; tv = tv->next)
		insns += atomic_load(&tv->insns);
	log_line("tcg: %" PRIu64 " guest instructions, %" PRIu64 " blocks translated, %" PRIu64
		 " dropped, %" PRIu64 " KiB of blocks",
		 insns, t->cache.made, t->cache.dropped,
		 (t->cache.size + t->cache.cleared_size) / KIB);
}

static void tcg_stop(struct accel *a)
{
	struct tcg_accel *t = tcg_accel_of(a);

	if (t->stats)
		log_stats(t);
	tcg_cache_fini(&t->cache);
	tcg_exclusive_fini(&t->exclusive);
	lock_fini(&t->vcpus_lock);
}

/* ---- changes of the memory map ---- */

static void flush_work(struct vcpu *v, void *opaque)
{
	(void)opaque;
	tcg_tlb_flush_all(v->accel_data);
}

/* Every vCPU drops what it cached of the old view; until then an access may still reach the old
 * place, as on a real bus. */
static void map_changed(struct memory_listener *l)
{
	struct tcg_accel *t = container_of(l, struct tcg_accel, listener);
	g_autoptr(GPtrArray) vcpus = g_ptr_array_new();

	/* The vCPUs' locks rank below this one.  vCPUs go only with the machine, after this. */
	lock_take(&t->vcpus_lock);
	for (struct tcg_vcpu *tv = t->vcpus; tv; tv = tv->next)
		g_ptr_array_add(vcpus, tv->v);
	lock_drop(&t->vcpus_lock);
	for (unsigned i = 0; i < vcpus->len; i++)
		vcpu_post_work(vcpus->pdata[i], flush_work, NULL);
}

static void range_changed(struct memory_listener *l, const struct flat_range *r)
{
	(void)l;
	(void)r;
}

static void listen(struct tcg_accel *t, struct address_space *as)
{
	if (t->listened || !as)
		return;
	t->listened = as;
	t->listener.added = t->listener.removed = range_changed;
	t->listener.commit = map_changed;
	address_space_listen(as, &t->listener);
}

/* ---- vCPUs ---- */

static bool tcg_vcpu_attach(struct accel *a, struct vcpu *v, struct err *err)
{
	struct tcg_accel *t = tcg_accel_of(a);
	struct tcg_vcpu *tv;

	if (!v->arch->guest)
		return err_set(err, 0, "tcg cannot translate code of '%s' guests", v->arch->name);
	tv = g_new0(struct tcg_vcpu, 1);
	tv->v = v;
	tv->tcg = t;
	tv->guest = v->arch->guest;
	tv->env = tv->guest->env(v);
	tv->tlb = g_new0(struct tlb_view, TLB_VIEWS);
	tv->phys = g_malloc0(TLB_VIEWS * sizeof(*tv->phys));
	tv->builder = ir_builder_new(tv->guest->desc);
	tv->lowerer = interp_lowerer_new(tv->guest->desc);
	tcg_tlb_flush_all(tv);
	tv->env->exit_request = &v->exit_request;
	tv->env->mem = &tcg_mem_ops;
	tv->env->tlb = tv->tlb;
	tv->env->accel = tv;
	v->accel_data = tv;
	lock_take(&t->vcpus_lock);
	tv->next = t->vcpus;
	t->vcpus = tv;
	lock_drop(&t->vcpus_lock);
	listen(t, v->memory);
	return true;
}

static void tcg_vcpu_detach(struct accel *a, struct vcpu *v)
{
	struct tcg_accel *t = tcg_accel_of(a);
	struct tcg_vcpu *tv = v->accel_data, **at = &t->vcpus;

	if (!tv)
		return;
	lock_take(&t->vcpus_lock);
	while (*at != tv)
		at = &(*at)->next;
	*at = tv->next;
	lock_drop(&t->vcpus_lock);
	atomic_fetch_add(&t->insns, atomic_load(&tv->insns));
	tv->env->tlb = NULL;
	tv->env->accel = NULL;
	v->accel_data = NULL;
	ir_builder_free(tv->builder);
	interp_lowerer_free(tv->lowerer);
	g_free(tv->phys);
	g_free(tv->tlb);
	g_free(tv);
	if (t->vcpus)
		return;
	tcg_cache_clear(&t->cache);
	if (t->listened)
		address_space_unlisten(t->listened, &t->listener);
	t->listened = NULL;
}

const struct accel_ops tcg_accel_ops = {
	.name = "tcg",
	.help = "translator (works everywhere)",
	.type = &tcg_accel_type,
	.start = tcg_start,
	.stop = tcg_stop,
	.vcpu_attach = tcg_vcpu_attach,
	.vcpu_detach = tcg_vcpu_detach,
	.vcpu_run = tcg_vcpu_run,
};
