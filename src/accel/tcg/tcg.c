/* accel/tcg/tcg.c - the translating accelerator: its properties, start and stop, vCPUs coming and
 * going.
 * SPDX-License-Identifier: MIT */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <unistd.h>

#include <glib.h>

#include "base/err.h"
#include "base/log.h"
#include "jit/ir.h"
#include "cpu/arch.h"
#include "accel/accel.h"
#include "accel/tcg/tcg.h"

/* All host code reaches all other by 32-bit displacements. */
enum { MAX_TB_MIB = 1024 };

static const char *const thread_words[] = { "multi", "single", NULL };

/* clang-format off */
static const struct prop tcg_props[] = {
	PROP_NUM(struct tcg_accel, tier, "tier", 1, .min = 0, .max = 1, .help = "1: translate to host code where the host can have it; 0: interpret"),
	PROP_ENUM(struct tcg_accel, thread_mode, "thread", thread_words, TCG_THREAD_MULTI, .help = "multi: vCPUs run at the same time; single: one at a time, in turn"),
	PROP_NUM(struct tcg_accel, tb_size, "tb-size", 256, .min = 1, .max = 1 << 20, .help = "room for translated code, MiB; above 1024 counts as 1024"),
	PROP_BOOL(struct tcg_accel, stats, "stats", false, .help = "log at the end what was translated, how often code was left and why, and times"),
	PROP_BOOL(struct tcg_accel, perf, "perf", false, .help = "write a perf map file, /tmp/perf-PID.map: perf report names host code guest_ADDRESS"),
	PROP_BOOL(struct tcg_accel, check_on, "check", false, .help = "run each block by the interpreter too, stop at the first difference; means thread=single"),
	PROP_NUM(struct tcg_accel, chaos_seed, "chaos", 0, .min = 0, .max = UINT32_MAX, .help = "for tests: by this seed, drop translations and leave host code at random; 0: off"),
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

/* ---- start and stop ---- */

/* Something that was retired waits for readers, as vCPUs in host code are. */
static void push_readers(struct rcu_pusher *p)
{
	struct tcg_accel *t = container_of(p, struct tcg_accel, pusher);

	lock_take(&t->vcpus_lock);
	for (struct tcg_vcpu *tv = t->vcpus; tv; tv = tv->next)
		atomic_fetch_or(tv->v->exit_request, VCPU_EXIT_RCU);
	lock_drop(&t->vcpus_lock);
}

/* No host code: how it runs instead, and why, for the user to know. */
static void fall_back(struct tcg_accel *t, const struct err *err)
{
	g_free(t->accel.note);
	t->accel.note = g_strdup_printf(
		"tcg: guest code is interpreted, not translated to host code: %s", err->text);
}

/* Name and folder, which is everybody's, are where perf looks. */
static bool open_perf_map(struct tcg_accel *t, struct err *err)
{
	g_autofree char *path = g_strdup_printf("%s/perf-%d.map", P_tmpdir, (int)getpid());
	int fd;

	if (unlink(path) < 0 && errno != ENOENT)
		return err_errno(err, errno, "perf=on: cannot remove the old '%s'", path);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	t->perf_map = fd >= 0 ? fdopen(fd, "w") : NULL;
	if (!t->perf_map) {
		err_errno(err, errno, "perf=on: cannot create '%s'", path);
		if (fd >= 0)
			close(fd);
		return false;
	}
	setvbuf(t->perf_map, NULL, _IOLBF, 0); /* perf may look at any time */
	return true;
}

static void init_parts(struct tcg_accel *t)
{
	lock_init(&t->vcpus_lock, LOCK_LEAF, "tcg vcpus");
	tcg_exclusive_init(&t->exclusive);
	tcg_turn_init(&t->turn);
	tcg_cache_init(&t->cache, MIN(t->tb_size, (uint64_t)MAX_TB_MIB) * MIB);
	tcg_restless_init(&t->restless);
	t->mem_ops = tcg_mem_ops;
	if (t->stats)
		tcg_stats_wrap(&t->mem_ops);
	if (t->chaos_seed) /* slow accesses are not counted then */
		tcg_chaos_wrap(&t->mem_ops);
}

static void fini_parts(struct tcg_accel *t)
{
	tcg_cache_fini(t);
	tcg_native_stop(t);
	if (t->perf_map)
		fclose(t->perf_map);
	t->perf_map = NULL;
	tcg_debug_fini(&t->debug);
	tcg_turn_fini(&t->turn);
	tcg_exclusive_fini(&t->exclusive);
	lock_fini(&t->vcpus_lock);
}

static bool tcg_start(struct accel *a, struct err *err)
{
	struct tcg_accel *t = tcg_accel_of(a);
	struct err why;

	t->check = t->check_on ? TCG_CHECK_ON : TCG_CHECK_OFF;
	if (t->check != TCG_CHECK_OFF)
		t->thread_mode = TCG_THREAD_SINGLE;
	init_parts(t);
	if (t->tier && !tcg_native_start(t, t->cache.limit, &why))
		fall_back(t, &why);
	if ((t->native && log_on(LOG_OUT_ASM) && !tcg_disas_load(err)) ||
	    (t->native && t->perf && !open_perf_map(t, err)))
		goto fail;
	if (!t->native && t->perf) {
		err_set(err, 0, "perf=on: there is no host code to name%s%s",
			t->tier ? ": " : " with tier=0", t->tier ? why.text : "");
		goto fail;
	}
	if (!t->native && t->check != TCG_CHECK_OFF) {
		err_set(err, 0, "check=on: there is no host code to compare%s%s",
			t->tier ? ": " : " with tier=0", t->tier ? why.text : "");
		goto fail;
	}
	t->pusher.push = push_readers;
	t->has_pusher = t->native && rcu_pusher_add(&t->pusher, err);
	if (t->has_pusher || !t->native)
		return true;
fail:
	fini_parts(t);
	return false;
}

static void tcg_stop(struct accel *a)
{
	struct tcg_accel *t = tcg_accel_of(a);

	if (t->stats)
		tcg_stats_log(t);
	if (t->has_pusher)
		rcu_pusher_remove(&t->pusher);
	fini_parts(t);
}

/* ---- changes of the memory map ---- */

GPtrArray *tcg_vcpus(struct tcg_accel *t)
{
	GPtrArray *vcpus = g_ptr_array_new();

	lock_take(&t->vcpus_lock);
	for (struct tcg_vcpu *tv = t->vcpus; tv; tv = tv->next)
		g_ptr_array_add(vcpus, tv->v);
	lock_drop(&t->vcpus_lock);
	return vcpus;
}

static void flush_work(struct vcpu *v, void *opaque)
{
	(void)opaque;
	tlb_flush_all(tcg_of_vcpu(v));
}

/* Every vCPU drops what it cached of the old view; until then an access may still reach the old
 * place, as on a real bus. */
static void map_changed(struct memory_listener *l)
{
	g_autoptr(GPtrArray) vcpus = tcg_vcpus(container_of(l, struct tcg_accel, listener));

	for (unsigned i = 0; i < vcpus->len; i++)
		vcpu_post_work(vcpus->pdata[i], flush_work, NULL);
}

/* Pages that the soft TLBs hold for writable are to be told of again. */
static void log_after(struct memory_listener *l)
{
	g_autoptr(GPtrArray) vcpus = tcg_vcpus(container_of(l, struct tcg_accel, listener));

	for (unsigned i = 0; i < vcpus->len; i++)
		vcpu_run_sync(vcpus->pdata[i], flush_work, NULL);
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
	t->listener.log_after = log_after;
	address_space_listen(as, &t->listener);
}

/* ---- vCPUs ---- */

static bool tcg_vcpu_attach(struct accel *a, struct vcpu *v, struct err *err)
{
	struct tcg_accel *t = tcg_accel_of(a);
	struct tcg_vcpu *tv;
	struct err why;

	if (!v->arch->guest)
		return err_set(err, 0, "tcg cannot translate code of '%s' guests", v->arch->name);
	tv = g_new0(struct tcg_vcpu, 1);
	tv->v = v;
	tv->tcg = t;
	tv->guest = v->arch->guest;
	tv->env = tv->guest->env(v);
	tv->builder = ir_builder_new(tv->guest->desc);
	tv->lowerer = interp_lowerer_new(tv->guest->desc);
	tcg_tlb_init(tv);
	assert(v->exit_request == &tv->env->exit_request);
	tv->env->mem = &t->mem_ops;
	tv->env->accel = tv;
	if (t->native && !tcg_native_attach(tv, &why))
		fall_back(t, &why);
	if (t->check != TCG_CHECK_OFF && tv->compiler)
		tcg_check_attach(tv);
	tcg_chaos_begin(tv);
	t->is_helper = v->accel != a;
	if (!t->is_helper)
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
	struct tcg_vcpu *tv = tcg_of_vcpu(v), **at = &t->vcpus;

	if (!tv)
		return;
	lock_take(&t->vcpus_lock);
	while (*at != tv)
		at = &(*at)->next;
	*at = tv->next;
	lock_drop(&t->vcpus_lock);
	atomic_fetch_add(&t->insns, atomic_load(&tv->insns));
	tcg_stats_add(&t->counts, &tv->counts);
	tcg_check_detach(tv);
	if (tv->compiler)
		tcg_native_detach(tv);
	tcg_tlb_fini(tv);
	tv->env->accel = NULL;
	if (!t->is_helper)
		v->accel_data = NULL;
	g_free(tv->code_copy);
	ir_builder_free(tv->builder);
	interp_lowerer_free(tv->lowerer);
	g_free(tv);
	if (t->vcpus)
		return;
	tcg_cache_clear(t);
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
	.show = tcg_show,
	.stats = tcg_vcpu_stat_rows,
	.vcpu_stats = tcg_vcpu_stats,
	.vcpu_run_some = tcg_vcpu_run_some,
	.debug = &tcg_debug_ops,
};
