/* accel/kvm/debug.c - breakpoints, watchpoints and single steps of a debugger.
 *
 * A breakpoint is an instruction of the guest's memory that is replaced by one that breaks, or, as
 * a watchpoint is, an entry of the processor's debug registers.  What these cannot have (code that
 * is not mapped yet, a fifth register) the translator does: it then runs all vCPUs, slowly, but
 * nothing is missed.  So it does where KVM interprets guest code, as such kernels see few of the
 * points.  Each point is told to the translator too, which meets them when it assists.
 *
 * Steps are the translator's: they end where they should, whatever the guest does with its flags,
 * and no interrupt comes between.  With assist=off KVM makes them.
 *
 * The translator must not see breakpoint instructions: while it runs they are not in memory
 * (rounds.c), and no vCPU is in KVM.
 * SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <string.h>

#include <glib.h>

#include "accel/kvm/kvm.h"
#include "base/err.h"
#include "base/log.h"
#include "cpu/arch.h"
#include "cpu/guest.h"

enum { MAX_POINTS = 1024, MAX_WATCH = KVM_DEBUG_REGS * 8, KVM_DEBUG_KEPT = 2 };

static struct kvm_accel *kvm_of(struct accel *a)
{
	return container_of(a, struct kvm_accel, accel);
}

static const struct accel_debug_ops *helper_ops(const struct kvm_accel *k)
{
	return k->helper ? k->helper->ops->debug : NULL;
}

static bool is_break(const struct debug_point *p)
{
	return p->kind == DEBUG_BREAK || p->kind == DEBUG_BREAK_HW;
}

static bool is_same(const struct debug_point *a, const struct debug_point *b)
{
	return a->kind == b->kind && a->addr == b->addr && (is_break(a) || a->len == b->len);
}

/* ---- debug registers ---- */

/* The longest piece at addr that one register takes: SDM 3B 17.2.5. */
static unsigned piece(gva_t addr, uint64_t len)
{
	unsigned n = 8;

	while (addr % n || n > len)
		n /= 2;
	return n;
}

/* How many registers it needs; more than there are if not even that many would do. */
static unsigned regs_of(const struct debug_point *p)
{
	unsigned count = 0;

	if (is_break(p))
		return 1;
	if (p->len > MAX_WATCH)
		return KVM_DEBUG_REGS + 1;
	for (uint64_t done = 0; done < p->len; count++)
		done += piece(p->addr + done, p->len - done);
	return count;
}

unsigned kvm_debug_regs(const struct kvm_debug *d, struct kvm_debug_reg regs[KVM_DEBUG_REGS])
{
	unsigned n = 0;

	for (unsigned i = 0; i < d->count; i++) {
		const struct kvm_point *at = &d->points[i];
		uint64_t len = is_break(&at->p) ? 1 : at->p.len;

		if (at->by != KVM_POINT_REGS)
			continue;
		for (uint64_t done = 0; done < len && n < KVM_DEBUG_REGS; n++) {
			regs[n] = (struct kvm_debug_reg){ .point = at,
							  .addr = at->p.addr + done,
							  .len = piece(at->p.addr + done,
								       len - done) };
			done += regs[n].len;
		}
	}
	return n;
}

/* ---- breakpoints in memory ---- */

static void patch(struct kvm_accel *k, struct kvm_point *at, bool in)
{
	uint8_t now[KVM_BREAK_BYTES];
	size_t n = kvm_host.break_bytes;

	if (at->by != KVM_POINT_PATCH || at->is_in == in)
		return;
	if (in) {
		at->is_in = dma_read(k->debug.memory, at->gpa, at->was, n) &&
			    dma_write_rom(k->debug.memory, at->gpa, kvm_host.break_insn, n);
		return;
	}
	/* The guest may have put other code there. */
	if (dma_read(k->debug.memory, at->gpa, now, n) && !memcmp(now, kvm_host.break_insn, n))
		dma_write_rom(k->debug.memory, at->gpa, at->was, n);
	at->is_in = false;
}

void kvm_debug_patch(struct kvm_accel *k, bool in)
{
	for (unsigned i = 0; i < k->debug.count; i++)
		patch(k, &k->debug.points[i], in);
}

const struct kvm_point *kvm_debug_patch_at(const struct kvm_debug *d, gva_t addr)
{
	for (unsigned i = 0; i < d->count; i++)
		if (d->points[i].by == KVM_POINT_PATCH && d->points[i].p.addr == addr)
			return &d->points[i];
	return NULL;
}

bool kvm_debug_is_patched(const struct kvm_debug *d, gpa_t gpa)
{
	for (unsigned i = 0; i < d->count; i++)
		if (d->points[i].by == KVM_POINT_PATCH && d->points[i].gpa == gpa)
			return true;
	return false;
}

struct place {
	gva_t addr;
	gpa_t gpa;
	bool is_found;
};

static void find_work(struct vcpu *v, void *opaque)
{
	struct place *place = opaque;
	struct mmu_result r = { 0 };
	uint8_t byte;

	place->is_found = v->arch->walk(v, place->addr, MMU_READ, v->arch->debug_view, false, &r) &&
			  dma_read(v->memory, r.gpa, &byte, 1);
	place->gpa = r.gpa;
}

/* Where a linear address leads to: for the vCPU that stopped last, else for the first. */
static bool find_place(struct kvm_accel *k, gva_t addr, gpa_t *gpa)
{
	struct place place = { .addr = addr };
	struct kvm_vcpu *kv = k->debug.last;

	for (struct kvm_vcpu *o = k->rounds.vcpus; o && !k->debug.last; o = o->next)
		if (!kv || o->v->id < kv->v->id)
			kv = o;
	if (!kv)
		return false;
	vcpu_run_sync(kv->v, find_work, &place);
	k->debug.memory = kv->v->memory;
	*gpa = place.gpa;
	return place.is_found;
}

/* ---- what the debugger asks for; every vCPU is parked ---- */

/* Registers are better for breakpoints too: they need no memory there, and nothing overwrites them.
 * Some stay for those that can have nothing else.  False: only the translator could. */
static bool choose(struct kvm_accel *k, struct kvm_point *at)
{
	bool is_soft = at->p.kind == DEBUG_BREAK;
	unsigned limit = is_soft ? KVM_DEBUG_REGS - KVM_DEBUG_KEPT : KVM_DEBUG_REGS;

	at->by = KVM_POINT_REGS;
	at->regs = regs_of(&at->p);
	if (k->debug.regs + at->regs <= limit)
		return true;
	if (is_soft && find_place(k, at->p.addr, &at->gpa)) {
		at->by = KVM_POINT_PATCH;
		return true;
	}
	return is_soft && k->debug.regs < KVM_DEBUG_REGS;
}

/* Would a KVM that interprets miss it? */
static bool is_blind(const struct kvm_accel *k, const struct debug_point *p)
{
	return k->is_slow && k->helper && (!k->interpreted || !is_break(p));
}

static bool insert_own(struct kvm_accel *k, const struct debug_point *p, struct err *err)
{
	struct kvm_debug *d = &k->debug;
	struct kvm_point at = { .p = *p };

	if (k->is_slow && !k->helper && !is_break(p))
		return err_set(err, 0,
			       "KVM of this host interprets guest code and sees no watchpoints; "
			       "assist=on would");
	if (is_blind(k, p) || !choose(k, &at)) {
		if (!k->helper)
			return err_set(err, 0,
				       "the processor watches and breaks at %u places, %u are "
				       "taken; assist=on could do more",
				       KVM_DEBUG_REGS, d->regs);
		at.by = KVM_POINT_HELPER;
	}
	d->points = g_renew(struct kvm_point, d->points, d->count + 1);
	lock_take(&k->rounds.lock);
	patch(k, &at, true);
	d->points[d->count++] = at;
	lock_drop(&k->rounds.lock);
	d->helper_count += at.by == KVM_POINT_HELPER;
	d->patch_count += at.by == KVM_POINT_PATCH;
	d->regs += at.by == KVM_POINT_REGS ? at.regs : 0;
	return true;
}

static unsigned find(const struct kvm_debug *d, const struct debug_point *p)
{
	unsigned i = 0;

	while (i < d->count && !is_same(&d->points[i].p, p))
		i++;
	return i;
}

static bool debug_insert(struct accel *a, const struct debug_point *p, struct err *err)
{
	struct kvm_accel *k = kvm_of(a);
	const struct accel_debug_ops *ops = helper_ops(k);

	if (!kvm_host.debug_exit)
		return err_set(err, 0, "KVM has no breakpoints on this kind of host yet");
	if (find(&k->debug, p) < k->debug.count)
		return true;
	if (k->debug.count == MAX_POINTS)
		return err_set(err, 0, "there are %u already, the most there can be", MAX_POINTS);
	if (!is_break(p) && (!p->len || p->addr + p->len - 1 < p->addr))
		return err_set(err, 0, "cannot watch %" PRIu64 " bytes there", p->len);
	k->debug.is_active = true;
	if (ops && !ops->insert(k->helper, p, err))
		return false;
	if (insert_own(k, p, err))
		return true;
	if (ops)
		ops->remove(k->helper, p);
	return false;
}

static bool debug_remove(struct accel *a, const struct debug_point *p)
{
	struct kvm_accel *k = kvm_of(a);
	struct kvm_debug *d = &k->debug;
	unsigned i = find(d, p);

	if (i == d->count)
		return false;
	if (helper_ops(k))
		helper_ops(k)->remove(k->helper, p);
	lock_take(&k->rounds.lock);
	patch(k, &d->points[i], false);
	lock_drop(&k->rounds.lock);
	d->helper_count -= d->points[i].by == KVM_POINT_HELPER;
	d->patch_count -= d->points[i].by == KVM_POINT_PATCH;
	d->regs -= d->points[i].by == KVM_POINT_REGS ? d->points[i].regs : 0;
	d->points[i] = d->points[--d->count];
	return true;
}

void kvm_debug_fini(struct kvm_debug *d)
{
	g_free(d->points);
	*d = (struct kvm_debug){ 0 };
}

static void debug_clear(struct accel *a)
{
	struct kvm_accel *k = kvm_of(a);

	if (helper_ops(k))
		helper_ops(k)->clear(k->helper);
	lock_take(&k->rounds.lock);
	kvm_debug_patch(k, false);
	for (struct kvm_vcpu *kv = k->rounds.vcpus; kv; kv = kv->next)
		kv->is_stepped = false;
	kvm_debug_fini(&k->debug);
	lock_drop(&k->rounds.lock);
}

/* Without a translator the vCPU's own instruction must be in memory. */
static void debug_step(struct vcpu *v, unsigned how)
{
	struct kvm_vcpu *kv = kvm_vcpu_of(v);
	struct kvm_accel *k = kv->kvm;
	gva_t pc = v->arch->guest->linear_pc(v);

	k->debug.is_active = true;
	if (helper_ops(k)) {
		helper_ops(k)->step(v, how);
		return;
	}
	kv->is_stepped = true;
	kv->step_how = how;
	kv->step_from = pc;
	lock_take(&k->rounds.lock);
	for (unsigned i = 0; i < k->debug.count; i++)
		if (k->debug.points[i].p.addr == pc)
			patch(k, &k->debug.points[i], false);
	lock_drop(&k->rounds.lock);
}

static bool debug_is_stepping(struct vcpu *v)
{
	struct kvm_vcpu *kv = kvm_vcpu_of(v);
	const struct accel_debug_ops *ops = helper_ops(kv->kvm);

	return ops ? ops->is_stepping(v) : kv->is_stepped;
}

const struct accel_debug_ops kvm_debug_ops = {
	.insert = debug_insert,
	.remove = debug_remove,
	.clear = debug_clear,
	.step = debug_step,
	.is_stepping = debug_is_stepping,
};

/* ---- what the loop does ---- */

bool kvm_debug_is_helpers(const struct kvm_vcpu *kv)
{
	const struct kvm_debug *d = &kv->kvm->debug;
	const struct accel_debug_ops *ops = helper_ops(kv->kvm);

	return unlikely(d->is_active) && ops && (d->helper_count || ops->is_stepping(kv->v));
}

void kvm_debug_tell(struct kvm_vcpu *kv, const struct kvm_guest_debug *what)
{
	int r = kvm_ioctl(kv->fd, KVM_SET_GUEST_DEBUG, what);

	if (r < 0 && memcmp(what, &kv->told_debug, sizeof(*what)))
		log_line("kvm: vcpu %u: the kernel refuses the debugger's points or step: %s",
			 kv->v->id, strerror(-r));
	kv->told_debug = *what;
}

static void step_is_over(struct kvm_vcpu *kv)
{
	kv->is_stepped = false;
	lock_take(&kv->kvm->rounds.lock);
	kvm_debug_patch(kv->kvm, true);
	lock_drop(&kv->kvm->rounds.lock);
}

bool kvm_debug_stop(struct kvm_vcpu *kv, const struct debug_stop *s)
{
	if (kv->is_stepped)
		step_is_over(kv);
	lock_take(&kv->kvm->rounds.lock);
	kv->kvm->debug.last = kv;
	lock_drop(&kv->kvm->rounds.lock);
	vcpu_debug_stopped(kv->v, s);
	return false;
}

bool kvm_debug_stop_at(struct kvm_vcpu *kv, const struct kvm_point *p, gva_t addr)
{
	struct debug_stop s = { .why = is_break(&p->p) ? DEBUG_AT_BREAK : DEBUG_AT_WATCH,
				.point = p->p,
				.addr = addr };

	return kvm_debug_stop(kv, &s);
}

bool kvm_debug_stepped(struct kvm_vcpu *kv)
{
	struct debug_stop s = { .why = DEBUG_STEPPED };

	if (!(kv->step_how & DEBUG_STEP_AND_GO))
		return kvm_debug_stop(kv, &s);
	step_is_over(kv);
	return true;
}
