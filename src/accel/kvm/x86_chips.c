/* accel/kvm/x86_chips.c - interrupt chips in the kernel (kernel-irqchip=on and split).
 *
 * The board makes its chips as ever, and they are what resets, monitors and the translator know.
 * Before a vCPU goes into KVM they lend the kernel's their states; before the translator runs, when
 * the machine stops or is reset, the states come back (cpu/pc_chips.h).  That all vCPUs are in KVM
 * or none (rounds.c) is what makes it possible.
 *
 * on: local APICs, I/O APIC, 8259s and, but where much is assisted, the 8254.  The kernel's 8254
 * never stops: while it is not lent, what it raises is lost with the rest of the kernel's state,
 * and it is set only if the guest has touched ours, so that its period stays what it was. split:
 * the local APICs.  The I/O APIC sends messages, and hears of ends of interrupts (EOI) that its
 * routes say are its own.
 *
 * Accesses to the board's chips that do not come by the kernel's find the states here, and no vCPU
 * in KVM meanwhile (kvm_still_begin()).
 *
 * Two locks: `moving` for whoever moves states, `lock` for whoever has an interrupt to deliver.  A
 * vCPU that is halted in the kernel sleeps there; while the states are not lent it sleeps here, and
 * is sent in again when they are; with interrupts from eventfds, which only the kernel's chips
 * hear, it goes in by itself as soon as no vCPU is in the translator.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include <glib.h>

#include "accel/kvm/kvm.h"
#include "arch/x86/sys.h"
#include "base/err.h"
#include "base/log.h"
#include "event/clock.h"

enum { PIT_LINE = 0, PIT_PIN = 2, CASCADE_LINE = 2, PIC_LINES = 16 };
enum { X2APIC_WIDE = KVM_X2APIC_API_USE_32BIT_IDS | KVM_X2APIC_API_DISABLE_BROADCAST_QUIRK };

bool x86_kvm_has_lapics(const struct kvm_vcpu *kv) { return kv->kvm->chips.set != PC_CHIPS_NONE; }

static bool is_lent(const struct kvm_accel *k) { return atomic_load(&k->chips.is_lent); }

static struct kvm_accel *kvm_of(struct accel *a)
{
	return container_of(a, struct kvm_accel, accel);
}

/* ---- making them ---- */

static bool lacks(struct err *err, const char *word, const char *what)
{
	return err_set(err, 0, "kernel-irqchip=%s: this kernel's KVM lacks %s; use off", word,
		       what);
}

static bool make_all(struct kvm_accel *k, struct err *err)
{
	const struct kvm_caps *c = &k->sys.caps;
	int r;

	if (!c->irqchip || !c->mp_state || !c->signal_msi || !c->irq_routes)
		return lacks(err, "on",
			     "KVM_CAP_IRQCHIP, MP_STATE, SIGNAL_MSI or IRQ_ROUTING (Linux 3.5)");
	r = kvm_ioctl(k->vm.fd, KVM_CREATE_IRQCHIP, NULL);
	return r >= 0 || err_errno(err, -r, "kernel-irqchip=on: cannot make the chips");
}

static bool make_lapics(struct kvm_accel *k, struct err *err)
{
	const struct kvm_caps *c = &k->sys.caps;

	if (!c->split_irqchip || !c->mp_state || !c->signal_msi || !c->irq_routes)
		return lacks(err, "split", "KVM_CAP_SPLIT_IRQCHIP (Linux 4.4)");
	if (!kvm_vm_enable(&k->vm, KVM_CAP_SPLIT_IRQCHIP, PC_IOAPIC_PINS))
		return err_set(err, 0, "kernel-irqchip=split: cannot make the local APICs");
	k->vm.routes.first_free = PC_IOAPIC_PINS;
	return true;
}

static bool make(struct kvm_accel *k, int word, struct err *err)
{
	struct kvm_chips *c = &k->chips;

	if (!(word == KVM_IRQCHIP_ON ? make_all(k, err) : make_lapics(k, err)))
		return false;
	c->set = word == KVM_IRQCHIP_ON ? PC_CHIPS_ALL : PC_CHIPS_LAPICS;
	atomic_store(&c->is_lent, true); /* until there is a board */
	c->has_wide_ids = (k->sys.caps.x2apic_api & X2APIC_WIDE) == X2APIC_WIDE &&
			  kvm_vm_enable(&k->vm, KVM_CAP_X2APIC_API, X2APIC_WIDE);
	return x86_kvm_filter_msrs(&k->vm, true) ||
	       err_set(err, 0, "cannot leave IA32_TSC_DEADLINE to the kernel");
}

bool x86_kvm_chips_start(struct kvm_accel *k, struct err *err)
{
	struct kvm_chips *c = &k->chips;
	int word = k->irqchip;

	/* Without hardware the translator does much of the work, and states would move all the
	 * time. */
	if (word == KVM_IRQCHIP_AUTO)
		word = k->is_slow || !k->sys.caps.irqchip || !k->sys.caps.pit_state2
			       ? KVM_IRQCHIP_OFF
			       : KVM_IRQCHIP_ON;
	c->set = PC_CHIPS_NONE;
	if (word != KVM_IRQCHIP_OFF && !make(k, word, err))
		return false;
	lock_init(&c->moving, LOCK_DEVICE - 1, "kvm chips moving");
	/* A line comes before the controllers, a message after the I/O APIC. */
	lock_init(&c->lock, word == KVM_IRQCHIP_SPLIT ? LOCK_INTC + 1 : LOCK_INTC - 2, "kvm chips");
	return true;
}

void x86_kvm_chips_stop(struct kvm_accel *k)
{
	g_clear_pointer(&k->chips.vcpus, g_free);
	lock_fini(&k->chips.lock);
	lock_fini(&k->chips.moving);
}

/* ---- the board ---- */

static void route_all(struct kvm_accel *k, bool has_pic)
{
	for (uint32_t n = 0; n < PC_LINES; n++) {
		if (n == CASCADE_LINE) /* pin 2 is the 8254's, line 0 */
			continue;
		if (n < PIC_LINES && has_pic)
			kvm_route_chip(&k->vm, n,
				       n < 8 ? KVM_IRQCHIP_PIC_MASTER : KVM_IRQCHIP_PIC_SLAVE,
				       n & 7);
		kvm_route_chip(&k->vm, n, KVM_IRQCHIP_IOAPIC, n == PIT_LINE ? PIT_PIN : n);
	}
}

static bool make_pit(struct kvm_accel *k, struct err *err)
{
	struct kvm_pit_config config = { .flags = KVM_PIT_SPEAKER_DUMMY };
	/* Its edges are merged while nobody serves them, as ours are. */
	struct kvm_reinject_control reinject = { .pit_reinject = 0 };
	int r;

	if (!k->sys.caps.pit2 || !k->sys.caps.pit_state2)
		return lacks(err, "on", "KVM_CAP_PIT_STATE2 (Linux 2.6.32)");
	r = kvm_ioctl(k->vm.fd, KVM_CREATE_PIT2, &config);
	if (r < 0)
		return err_errno(err, -r, "kernel-irqchip=on: cannot make the 8254");
	if (k->sys.caps.reinject_control)
		kvm_ioctl(k->vm.fd, KVM_REINJECT_CONTROL, &reinject);
	return true;
}

static void find_vcpus(struct kvm_accel *k)
{
	struct kvm_chips *c = &k->chips;

	g_free(c->vcpus);
	c->vcpus = g_new0(struct kvm_vcpu *, k->vcpu_count);
	c->vcpu_count = 0;
	lock_take(&k->rounds.lock);
	for (struct kvm_vcpu *kv = k->rounds.vcpus; kv && c->vcpu_count < k->vcpu_count;
	     kv = kv->next)
		c->vcpus[c->vcpu_count++] = kv;
	lock_drop(&k->rounds.lock);
}

static enum pc_chips_set chips_set(const struct accel *a)
{
	return container_of(a, const struct kvm_accel, accel)->chips.set;
}

static bool connect(struct accel *a, const struct pc_chips_board *board, void *opaque,
		    struct err *err)
{
	struct kvm_accel *k = kvm_of(a);
	struct kvm_chips *c = &k->chips;

	if (c->set == PC_CHIPS_ALL) {
		/* Its edges come late, by a thread of the kernel's, and may be lost with the state:
		 * not where states move all the time. */
		c->has_pit = board->has_pit && !(k->is_slow && k->helper);
		route_all(k, board->has_pic);
		if (!kvm_routes_commit(&k->vm, err) || (c->has_pit && !make_pit(k, err)))
			return false;
	}
	find_vcpus(k);
	c->board = board;
	c->board_opaque = opaque;
	atomic_store(&c->is_lent, false);
	return true;
}

/* ---- whoever has an interrupt to deliver ---- */

static bool hold(struct accel *a)
{
	struct kvm_accel *k = kvm_of(a);

	lock_take(&k->chips.lock);
	return is_lent(k);
}

static void drop(struct accel *a) { lock_drop(&kvm_of(a)->chips.lock); }

/* Needs the lock. */
static void tell_line(struct kvm_accel *k, unsigned line)
{
	struct kvm_chips *c = &k->chips;
	struct kvm_irq_level l = { .irq = line, .level = c->levels >> line & 1 };

	c->told = (c->told & ~(1u << line)) | (c->levels & 1u << line);
	if (kvm_ioctl(k->vm.fd, KVM_IRQ_LINE, &l) < 0 && log_on(LOG_INT))
		log_line("kvm: the kernel refuses line %u", line);
}

static void set_line(struct accel *a, unsigned line, bool level)
{
	struct kvm_accel *k = kvm_of(a);
	struct kvm_chips *c = &k->chips;

	if (line >= PC_LINES)
		return;
	c->levels = level ? c->levels | 1u << line : c->levels & ~(1u << line);
	if (is_lent(k) && (c->levels ^ c->told) >> line & 1)
		tell_line(k, line);
}

static bool send_message(struct accel *a, uint64_t addr, uint32_t data)
{
	return kvm_msi_signal(&kvm_of(a)->vm, addr, data) > 0;
}

static void route(struct accel *a, unsigned pin, uint64_t addr, uint32_t data)
{
	struct kvm_accel *k = kvm_of(a);

	if (!addr)
		kvm_route_remove(&k->vm, (int)pin);
	else if (kvm_route_set_msi(&k->vm, (int)pin, addr, data) < 0)
		log_line("kvm: the kernel refuses a route for pin %u of the I/O APIC", pin);
}

void x86_kvm_chips_eoi(struct kvm_vcpu *kv, uint8_t vector)
{
	const struct kvm_chips *c = &kv->kvm->chips;

	if (c->board)
		c->board->eoi(c->board_opaque, vector);
}

/* ---- states go ---- */

/* The kernel refused a state, and said so in the log: half of it is here, half there. */
static void give_up(struct kvm_accel *k)
{
	struct vcpu *v = k->chips.vcpus[0]->v;

	if (v->on_failure)
		v->on_failure(v, "the kernel refuses the state of an interrupt chip");
}

/* INIT and start-up messages that a vCPU has not seen to go along, as messages. */
static void lend_events(struct kvm_vcpu *kv)
{
	uint64_t addr = 0xfee00000 | (uint64_t)(kv->v->apic_id & 0xff) << 12 |
			(uint64_t)(kv->v->apic_id >> 8) << 40;

	if (vcpu_take_input(kv->v, VCPU_INIT))
		kvm_msi_signal(&kv->kvm->vm, addr, 5u << 8);
	if (vcpu_take_input(kv->v, VCPU_SIPI))
		kvm_msi_signal(&kv->kvm->vm, addr, 6u << 8 | atomic_load(&kv->v->sipi_vector));
}

static bool lend_lapic(struct kvm_vcpu *kv)
{
	const struct vcpu_intc_ops *ops = kv->v->intc_ops;
	struct lapic_image image;

	if (!ops || !ops->lend)
		return true;
	ops->lend(kv->v->intc, &image);
	return x86_kvm_lapic_set(kv, &image);
}

/* Needs both locks.  The I/O APIC sends edges that stand high again when it gets its state; the
 * local APICs' states, which come after it, do not have them. */
static bool lend_controllers(struct kvm_accel *k)
{
	struct kvm_chips *c = &k->chips;
	bool ok = true;

	if (c->set == PC_CHIPS_ALL) {
		struct i8259_image pic[2];
		struct ioapic_image ioapic;

		for (unsigned n = 0; n < PC_LINES; n++)
			if ((c->levels ^ c->told) >> n & 1)
				tell_line(k, n);
		if (c->board->has_pic) {
			c->board->lend_i8259(c->board_opaque, pic);
			ok = x86_kvm_i8259_set(k, pic);
		}
		c->board->lend_ioapic(c->board_opaque, &ioapic);
		ok = x86_kvm_ioapic_set(k, &ioapic) && ok;
	}
	for (unsigned i = 0; i < c->vcpu_count; i++)
		ok = lend_lapic(c->vcpus[i]) && ok;
	for (unsigned i = 0; i < c->vcpu_count; i++)
		lend_events(c->vcpus[i]);
	return ok;
}

/* But for the time, which is the kernel's. */
static bool is_same_pit(const struct i8254_image *a, const struct i8254_image *b)
{
	struct i8254_image x = *a, y = *b;

	for (unsigned i = 0; i < 3; i++)
		x.ch[i].elapsed_ns = y.ch[i].elapsed_ns = 0;
	return !memcmp(&x, &y, sizeof(x));
}

/* Needs `moving` only: the chip's own lock comes before the other. */
static bool lend_pit(struct kvm_accel *k)
{
	struct kvm_chips *c = &k->chips;
	struct i8254_image image;

	memset(&image, 0, sizeof(image));
	c->board->lend_i8254(c->board_opaque, &image);
	if (c->has_seen_pit && is_same_pit(&image, &c->pit_seen))
		return true;
	c->has_seen_pit = false;
	return x86_kvm_i8254_set(k, &image);
}

/* It slept here. */
static void go_in(struct vcpu *v, void *opaque)
{
	struct kvm_accel *k = kvm_vcpu_of(v)->kvm;
	struct x86_cpu *cpu = v->cpu;

	(void)opaque;
	if ((is_lent(k) || atomic_load(&k->chips.has_irqfds)) && !cpu->is_shut_down)
		v->is_halted = false;
}

void x86_kvm_chips_lend(struct kvm_vcpu *kv)
{
	struct kvm_accel *k = kv->kvm;
	struct kvm_chips *c = &k->chips;
	bool ok;

	if (!c->board || likely(is_lent(k)))
		return;
	lock_take(&c->moving);
	if (!is_lent(k)) {
		lock_take(&c->lock);
		ok = lend_controllers(k);
		atomic_store(&c->is_lent, true);
		lock_drop(&c->lock);
		kvm_irqfds_go_live(&k->vm);
		if (c->has_pit)
			ok = lend_pit(k) && ok;
		if (!ok)
			give_up(k);
		for (unsigned i = 0; i < c->vcpu_count; i++)
			if (c->vcpus[i] != kv)
				vcpu_post_work(c->vcpus[i]->v, go_in, NULL);
	}
	lock_drop(&c->moving);
}

/* ---- states come back ---- */

static bool return_lapic(struct kvm_vcpu *kv, enum pc_chip_return how)
{
	const struct vcpu_intc_ops *ops = kv->v->intc_ops;
	struct lapic_image image;

	if (!ops || !ops->take_back)
		return true;
	if (!x86_kvm_lapic_get(kv, &image))
		return false;
	ops->take_back(kv->v->intc, &image, how);
	return true;
}

/* Lines are as devices have them: what the kernel remembers of them may be older. */
static bool return_shared(struct kvm_accel *k, enum pc_chip_return how)
{
	struct kvm_chips *c = &k->chips;
	struct i8259_image pic[2];
	struct ioapic_image ioapic;

	if (c->set != PC_CHIPS_ALL)
		return true;
	if (!x86_kvm_ioapic_get(k, &ioapic))
		return false;
	ioapic.lines = c->levels & ~(1u << PIT_LINE);
	if (c->levels >> PIT_LINE & 1)
		ioapic.lines |= 1u << PIT_PIN;
	c->board->return_ioapic(c->board_opaque, &ioapic, how);
	if (!c->board->has_pic)
		return true;
	if (!x86_kvm_i8259_get(k, pic))
		return false;
	pic[0].lines = (uint8_t)c->levels;
	pic[1].lines = (uint8_t)(c->levels >> 8);
	c->board->return_i8259(c->board_opaque, pic, how);
	return true;
}

static bool return_pit(struct kvm_accel *k, int64_t since_ns, enum pc_chip_return how)
{
	struct kvm_chips *c = &k->chips;
	struct i8254_image image;

	memset(&image, 0, sizeof(image));
	if (!x86_kvm_i8254_get(k, &image))
		return false;
	c->board->return_i8254(c->board_opaque, &image, since_ns, how);
	if (how != PC_CHIP_SHOW) {
		c->pit_seen = image;
		c->has_seen_pit = true;
	}
	return true;
}

void x86_kvm_chips_recall(struct kvm_accel *k)
{
	struct kvm_chips *c = &k->chips;
	bool ok = true;
	int64_t now;

	if (!c->board || !is_lent(k))
		return;
	lock_take(&c->moving);
	if (is_lent(k)) {
		now = vclock_now(c->vcpus[0]->v->clock);
		kvm_irqfds_wait(&k->vm);
		lock_take(&c->lock);
		for (unsigned i = 0; i < c->vcpu_count; i++)
			ok = return_lapic(c->vcpus[i], PC_CHIP_GO_ON) && ok;
		ok = return_shared(k, PC_CHIP_GO_ON) && ok;
		atomic_store(&c->is_lent, false);
		lock_drop(&c->lock);
		if (c->has_pit)
			ok = return_pit(k, now, PC_CHIP_GO_ON) && ok;
		if (!ok)
			give_up(k);
	}
	lock_drop(&c->moving);
}

/* One that was on its way in, and found that it must wait, sleeps here: nobody else may wake it. */
static void go_in_for_irqfds(struct kvm_accel *k)
{
	for (unsigned i = 0; atomic_load(&k->chips.has_irqfds) && i < k->chips.vcpu_count; i++)
		vcpu_post_work(k->chips.vcpus[i]->v, go_in, NULL);
}

static bool has_pit(const struct accel *a)
{
	return container_of(a, const struct kvm_accel, accel)->chips.has_pit;
}

/* In a round of the translator's they are here, and stay. */
static bool is_in_round(const struct kvm_accel *k)
{
	const struct vcpu *v = vcpu_current();
	const struct kvm_vcpu *kv = v && v->accel == &k->accel ? v->accel_data : NULL;

	return kv && kv->is_assisted;
}

static void begin_access(struct accel *a)
{
	struct kvm_accel *k = kvm_of(a);

	if (is_in_round(k))
		return;
	kvm_still_begin(k);
	x86_kvm_chips_recall(k);
}

static void end_access(struct accel *a)
{
	struct kvm_accel *k = kvm_of(a);

	if (is_in_round(k))
		return;
	kvm_still_end(k);
	go_in_for_irqfds(k);
}

static void recall(struct accel *a)
{
	struct kvm_accel *k = kvm_of(a);

	x86_kvm_chips_recall(k);
	go_in_for_irqfds(k);
}

/* ---- eventfds that raise interrupts ---- */

bool x86_kvm_irqfd_add(struct kvm_accel *k, struct kvm_irq_source *s, struct err *err)
{
	struct kvm_chips *c = &k->chips;
	bool ok;

	if (c->set == PC_CHIPS_NONE)
		return err_set(err, 0,
			       "an eventfd raises interrupts with kernel-irqchip=on or split only");
	/* There the states may stay here for as long as the guest runs. */
	if (k->is_slow && k->helper && !k->interpreted)
		return err_set(err, 0,
			       "an eventfd cannot raise interrupts where the translator runs what "
			       "KVM would interpret; use assist=off");
	if (s->resample_fd >= 0 && c->set != PC_CHIPS_ALL)
		return err_set(err, 0,
			       "an eventfd raises a line that the guest ends with "
			       "kernel-irqchip=on only");
	lock_take(&c->moving);
	ok = kvm_irqfd_add(&k->vm, s, is_lent(k), err);
	atomic_store(&c->has_irqfds, k->vm.irq_sources != NULL);
	lock_drop(&c->moving);
	/* Those that sleep here would not hear of it. */
	for (unsigned i = 0; i < c->vcpu_count; i++)
		vcpu_post_work(c->vcpus[i]->v, go_in, NULL);
	return ok;
}

void x86_kvm_irqfd_remove(struct kvm_accel *k, struct kvm_irq_source *s)
{
	lock_take(&k->chips.moving);
	kvm_irqfd_remove(&k->vm, s);
	atomic_store(&k->chips.has_irqfds, k->vm.irq_sources != NULL);
	lock_drop(&k->chips.moving);
}

/* ---- for people ---- */

static void show_lapic(struct vcpu *v, void *opaque)
{
	struct kvm_vcpu *kv = kvm_vcpu_of(v);
	struct kvm_chips *c = &kv->kvm->chips;

	(void)opaque;
	lock_take(&c->moving);
	if (is_lent(kv->kvm))
		return_lapic(kv, PC_CHIP_SHOW);
	lock_drop(&c->moving);
}

static void show(struct accel *a)
{
	struct kvm_accel *k = kvm_of(a);
	struct kvm_chips *c = &k->chips;

	if (!c->board)
		return;
	/* One that runs has to come out. */
	for (unsigned i = 0; i < c->vcpu_count; i++)
		vcpu_run_sync(c->vcpus[i]->v, show_lapic, NULL);
	lock_take(&c->moving);
	if (is_lent(k)) {
		lock_take(&c->lock);
		return_shared(k, PC_CHIP_SHOW);
		lock_drop(&c->lock);
	}
	lock_drop(&c->moving);
}

const struct pc_chips_ops x86_kvm_chips = {
	.set = chips_set,
	.connect = connect,
	.has_pit = has_pit,
	.hold = hold,
	.drop = drop,
	.set_line = set_line,
	.send = send_message,
	.route = route,
	.recall = recall,
	.begin_access = begin_access,
	.end_access = end_access,
	.show = show,
};
