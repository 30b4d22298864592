/* accel/tcg/debug.c - breakpoints, watchpoints and single steps of a debugger.
 *
 * A breakpoint: the translator puts a call before each instruction that lies where in a page a
 * breakpoint does, whatever page; the call asks whether it is the address.  So translations hold
 * for every mapping of their page, and one that was made since the first breakpoint there need not
 * be dropped when it is removed and inserted again, as gdb does around each stop.
 *
 * A watchpoint: pages with one are not in the soft TLB, so that each access comes to softmmu.c.
 * Host code gives an instruction with such an access to the interpreter, and the block is left
 * behind it.
 *
 * A step: the interpreter runs the instruction alone.
 * SPDX-License-Identifier: MIT */
#include <inttypes.h>

#include <glib.h>

#include "base/err.h"
#include "base/log.h"
#include "jit/ir.h"
#include "accel/tcg/tcg.h"

enum { PAGE = RAM_PAGE_SIZE, MAX_POINTS = 1024 };

/* ---- breakpoints ---- */

/* The one at the present instruction, or NULL. */
static const struct debug_point *find_break(const struct tcg_vcpu *tv)
{
	const struct tcg_debug *d = &tv->tcg->debug;
	gva_t pc = tv->guest->linear_pc(tv->v);

	for (unsigned i = 0; i < d->break_count; i++)
		if (d->breaks[i].addr == pc)
			return &d->breaks[i];
	return NULL;
}

static uint64_t debug_look(void *env, uint64_t unused1, uint64_t unused2, uint64_t unused3)
{
	struct jit_env *e = env;

	(void)unused1;
	(void)unused2;
	(void)unused3;
	if (unlikely(find_break(tcg_of(e))))
		e->fault = JIT_FAULT_DEBUG;
	return 0;
}

static const struct ir_helper look_helper = {
	.name = "debug_look",
	.fn = debug_look,
	.can_fault = true,
	.reads_pc = true,
};

const struct ir_helper *tcg_debug_before(struct tcg_vcpu *tv, gva_t addr)
{
	const struct tcg_debug *d = &tv->tcg->debug;
	unsigned at = addr % PAGE;

	return unlikely(d->has_marks) && d->marks[at / 64] >> at % 64 & 1 ? &look_helper : NULL;
}

bool tcg_debug_breaks(struct tcg_vcpu *tv)
{
	if (!tv->tcg->debug.break_count || !find_break(tv))
		return false;
	tv->env->fault = JIT_FAULT_DEBUG;
	return true;
}

/* ---- watchpoints ---- */

bool tcg_debug_watches_page(struct tcg_vcpu *tv, gva_t addr)
{
	const struct tcg_debug *d = &tv->tcg->debug;
	gva_t page = align_down(addr, PAGE);

	for (unsigned i = 0; i < d->watch_count; i++) {
		const struct debug_point *p = &d->watches[i];

		if (p->addr - page < PAGE || page - p->addr < p->len)
			return true;
	}
	return false;
}

/* The one that an access hits, or NULL. */
static const struct debug_point *find_watch(const struct tcg_debug *d, gva_t addr, unsigned size,
					    enum mmu_access access)
{
	enum debug_kind other = access == MMU_WRITE ? DEBUG_WATCH_READ : DEBUG_WATCH_WRITE;

	for (unsigned i = 0; i < d->watch_count; i++) {
		const struct debug_point *p = &d->watches[i];

		if (p->kind != other && (addr - p->addr < p->len || p->addr - addr < size))
			return p;
	}
	return NULL;
}

bool tcg_debug_watches(struct tcg_vcpu *tv, gva_t addr, unsigned size, enum mmu_access access)
{
	return find_watch(&tv->tcg->debug, addr, size, access);
}

void tcg_debug_accessed(struct tcg_vcpu *tv, gva_t addr, unsigned size, enum mmu_access access)
{
	const struct debug_point *p = find_watch(&tv->tcg->debug, addr, size, access);

	if (!p)
		return;
	/* The instruction is done, the block left, a string stopped at this element. */
	tv->env->code_stored = true;
	atomic_fetch_or(tv->v->exit_request, VCPU_EXIT_STOP);
	if (tv->has_hit)
		return;
	tv->has_hit = true;
	tv->hit = (struct debug_stop){ .why = DEBUG_AT_WATCH,
				       .point = *p,
				       .addr = addr < p->addr ? p->addr : addr };
}

/* ---- what the loop does ---- */

static void stop_here(struct tcg_vcpu *tv, const struct debug_stop *s)
{
	tv->has_hit = tv->is_stepped = false;
	vcpu_debug_stopped(tv->v, s);
}

/* One instruction without a translation that is kept.  Its exception waits in env->fault. */
static void step_insn(struct tcg_vcpu *tv, struct interp_run *run)
{
	bool is_step = tv->env->mode & tv->guest->step;
	gva_t pc = tv->guest->linear_pc(tv->v);
	bool is_ram = tcg_code_at(tv, pc, false);

	tv->env->code_stored = false;
	tv->env->origin = NULL;
	tlb_block_begins(tv->sets);
	if (is_ram || !tv->env->fault)
		tcg_run_alone(tv, run, is_ram);
	if (is_step && !tv->env->fault)
		tv->guest->after_step(tv->v);
}

/* An input that is taken even by a step without interrupts. */
static bool has_other_inputs(const struct vcpu *v)
{
	return atomic_load(&v->inputs) & (VCPU_INIT | VCPU_SIPI | VCPU_RESET);
}

/* False: it is halted, or has something else to look at first. */
static bool step(struct tcg_vcpu *tv, struct interp_run *run)
{
	struct vcpu *v = tv->v;
	uint64_t before = tv->env->pc;
	bool was_halted = tv->guest->is_halted(v);

	if (!tv->env->fault) {
		if (atomic_load(v->exit_request) & (uint16_t)~VCPU_EXIT_INPUT)
			return false;
		atomic_fetch_and(v->exit_request, (uint16_t)~VCPU_EXIT_INPUT);
		if (atomic_load(&v->inputs) &&
		    (was_halted || !(tv->step_how & DEBUG_STEP_NO_INTERRUPTS) ||
		     has_other_inputs(v)))
			tv->guest->take_inputs(v);
		v->is_halted = tv->guest->is_halted(v);
		if (v->is_halted)
			return false;
		if (!tv->env->fault && !was_halted && tv->env->pc == before)
			step_insn(tv, run);
	}
	while (tv->env->fault) {
		tv->env->fault = 0;
		tv->guest->deliver_fault(v);
	}
	return true;
}

bool tcg_debug_serve(struct tcg_vcpu *tv, struct interp_run *run)
{
	struct debug_stop s = { .why = DEBUG_STEPPED };

	if (tv->env->fault == JIT_FAULT_DEBUG) {
		const struct debug_point *p = find_break(tv);

		tv->env->fault = 0;
		if (!p)
			return true;
		s = (struct debug_stop){ .why = DEBUG_AT_BREAK, .point = *p };
	} else if (tv->has_hit) {
		s = tv->hit;
	} else if (!step(tv, run)) {
		return false;
	} else if (tv->has_hit) {
		s = tv->hit;
	} else if (tv->step_how & DEBUG_STEP_AND_GO) {
		tv->is_stepped = false;
		return true;
	}
	stop_here(tv, &s);
	return false;
}

/* ---- what the debugger asks for; every vCPU is parked ---- */

static struct tcg_accel *tcg_accel_of(struct accel *a)
{
	return container_of(a, struct tcg_accel, accel);
}

static bool is_break(const struct debug_point *p)
{
	return p->kind == DEBUG_BREAK || p->kind == DEBUG_BREAK_HW;
}

static bool is_same(const struct debug_point *a, const struct debug_point *b)
{
	return a->kind == b->kind && a->addr == b->addr && (is_break(a) || a->len == b->len);
}

static void list_of(struct tcg_debug *d, const struct debug_point *p, struct debug_point ***list,
		    unsigned **count)
{
	*list = is_break(p) ? &d->breaks : &d->watches;
	*count = is_break(p) ? &d->break_count : &d->watch_count;
}

static void mark(struct tcg_accel *t, gva_t addr)
{
	uint64_t only[RAM_PAGE_SIZE / 64] = { 0 };
	unsigned at = addr % PAGE;

	if (t->debug.marks[at / 64] >> at % 64 & 1)
		return;
	only[at / 64] = BIT(at % 64);
	t->debug.marks[at / 64] |= BIT(at % 64);
	t->debug.has_marks = true;
	tcg_cache_drop_places(t, only);
}

static void watch_work(struct vcpu *v, void *opaque)
{
	struct tcg_vcpu *tv = tcg_of_vcpu(v);

	(void)opaque;
	tv->env->has_watches = tv->tcg->debug.watch_count;
	tlb_flush_all(tv);
}

/* Pages that are watched leave the soft TLB; they come back by themselves. */
static void watches_changed(struct tcg_accel *t)
{
	g_autoptr(GPtrArray) vcpus = tcg_vcpus(t);

	for (unsigned i = 0; i < vcpus->len; i++)
		vcpu_run_sync(vcpus->pdata[i], watch_work, NULL);
}

static bool debug_insert(struct accel *a, const struct debug_point *p, struct err *err)
{
	struct tcg_accel *t = tcg_accel_of(a);
	struct debug_point **list;
	unsigned *count;

	list_of(&t->debug, p, &list, &count);
	for (unsigned i = 0; i < *count; i++)
		if (is_same(&(*list)[i], p))
			return true;
	if (*count == MAX_POINTS)
		return err_set(err, 0, "there are %u already, the most there can be", *count);
	if (!is_break(p) && (!p->len || p->addr + p->len - 1 < p->addr))
		return err_set(err, 0, "cannot watch %" PRIu64 " bytes there", p->len);
	*list = g_renew(struct debug_point, *list, *count + 1);
	(*list)[(*count)++] = *p;
	if (is_break(p))
		mark(t, p->addr);
	else
		watches_changed(t);
	return true;
}

static bool debug_remove(struct accel *a, const struct debug_point *p)
{
	struct tcg_accel *t = tcg_accel_of(a);
	struct debug_point **list;
	unsigned *count, i = 0;

	list_of(&t->debug, p, &list, &count);
	while (i < *count && !is_same(&(*list)[i], p))
		i++;
	if (i == *count)
		return false;
	(*list)[i] = (*list)[--*count];
	if (!is_break(p) && !*count)
		watches_changed(t);
	return true;
}

void tcg_debug_fini(struct tcg_debug *d)
{
	g_free(d->breaks);
	g_free(d->watches);
	*d = (struct tcg_debug){ 0 };
}

static void debug_clear(struct accel *a)
{
	struct tcg_accel *t = tcg_accel_of(a);
	bool had_watches = t->debug.watch_count;

	if (t->debug.has_marks)
		tcg_cache_drop_places(t, t->debug.marks);
	tcg_debug_fini(&t->debug);
	if (had_watches)
		watches_changed(t);
	lock_take(&t->vcpus_lock);
	for (struct tcg_vcpu *tv = t->vcpus; tv; tv = tv->next)
		tv->is_stepped = false;
	lock_drop(&t->vcpus_lock);
}

static void debug_step(struct vcpu *v, unsigned how)
{
	struct tcg_vcpu *tv = tcg_of_vcpu(v);

	tv->is_stepped = true;
	tv->step_how = how;
}

static bool debug_is_stepping(struct vcpu *v) { return tcg_of_vcpu(v)->is_stepped; }

const struct accel_debug_ops tcg_debug_ops = {
	.insert = debug_insert,
	.remove = debug_remove,
	.clear = debug_clear,
	.step = debug_step,
	.is_stepping = debug_is_stepping,
};
