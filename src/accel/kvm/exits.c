/* accel/kvm/exits.c - why a vCPU came back from the kernel, and what is done about it: a row each
 * (api.rst 5, "The kvm_run structure").
 * SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "accel/kvm/kvm.h"
#include "base/log.h"

static bool exit_io(struct kvm_vcpu *kv)
{
	struct kvm_run *run = kv->run;
	struct address_space *as = kv->v->io;
	uint8_t *data = (uint8_t *)run + run->io.data_offset;
	unsigned size = run->io.size;

	kv->count.io++;
	kv->is_unfinished = true;
	for (uint32_t i = 0; i < run->io.count; i++, data += size) {
		uint64_t v = ~UINT64_C(0);

		if (run->io.direction == KVM_EXIT_IO_OUT) {
			v = 0;
			memcpy(&v, data, size);
			if (as)
				address_space_write(as, run->io.port, size, v);
			continue;
		}
		if (as)
			address_space_read(as, run->io.port, size, &v);
		memcpy(data, &v, size);
	}
	return true;
}

/* The largest piece of an access that a bus has. */
static unsigned piece(unsigned left) { return left >= 8 ? 8 : left >= 4 ? 4 : left >= 2 ? 2 : 1; }

static bool exit_mmio(struct kvm_vcpu *kv)
{
	struct kvm_run *run = kv->run;
	unsigned len = run->mmio.len <= 8 ? run->mmio.len : 8;

	kv->count.mmio++;
	kv->is_unfinished = true;
	for (unsigned done = 0, n; done < len; done += n) {
		uint64_t v = 0, addr = run->mmio.phys_addr + done;

		n = piece(len - done);
		if (run->mmio.is_write) {
			memcpy(&v, run->mmio.data + done, n);
			address_space_write(kv->v->memory, addr, n, v);
		} else {
			address_space_read(kv->v->memory, addr, n, &v);
			memcpy(run->mmio.data + done, &v, n);
		}
	}
	return true;
}

/* A signal, a kick. */
static bool exit_nothing(struct kvm_vcpu *kv)
{
	kv->count.others++;
	return true;
}

static bool exit_debug(struct kvm_vcpu *kv)
{
	kv->count.others++;
	return !kvm_host.debug_exit || kvm_host.debug_exit(kv);
}

/* ---- what stops the guest, if nobody else can run it ---- */

static bool fail(struct kvm_vcpu *kv, const char *text)
{
	kvm_vcpu_fail(kv, text);
	return false;
}

static bool exit_fail_entry(struct kvm_vcpu *kv)
{
	char text[128];

	if (kvm_assist(kv))
		return true;
	snprintf(text, sizeof(text),
		 "the processor refuses to enter the guest (hardware reason 0x%" PRIx64 ")",
		 (uint64_t)kv->run->fail_entry.hardware_entry_failure_reason);
	return fail(kv, text);
}

static bool exit_internal_error(struct kvm_vcpu *kv)
{
	uint32_t sub = kv->run->internal.suberror;
	char text[128];

	if (sub == KVM_INTERNAL_ERROR_EMULATION && kvm_host.debug_at_patch &&
	    kvm_host.debug_at_patch(kv))
		return false;
	if ((sub == KVM_INTERNAL_ERROR_EMULATION || sub == KVM_INTERNAL_ERROR_DELIVERY_EV) &&
	    kvm_assist(kv))
		return true;
	if (sub == KVM_INTERNAL_ERROR_EMULATION)
		snprintf(text, sizeof(text), "KVM cannot emulate the instruction%s",
			 kv->kvm->helper ? "" : "; assist=on would");
	else
		snprintf(text, sizeof(text), "KVM stopped with internal error %u", sub);
	return fail(kv, text);
}

static bool exit_unknown(struct kvm_vcpu *kv)
{
	char text[128];

	if (kvm_assist(kv))
		return true;
	snprintf(text, sizeof(text), "KVM came back for an unknown reason, 0x%" PRIx64,
		 (uint64_t)kv->run->hw.hardware_exit_reason);
	return fail(kv, text);
}

/* ---- the table ---- */

static const struct kvm_exit_row rows[] = {
	{ KVM_EXIT_IO, exit_io },
	{ KVM_EXIT_MMIO, exit_mmio },
	{ KVM_EXIT_INTR, exit_nothing },
	{ KVM_EXIT_DEBUG, exit_debug },
	{ KVM_EXIT_DIRTY_RING_FULL, kvm_ring_full },
	{ KVM_EXIT_FAIL_ENTRY, exit_fail_entry },
	{ KVM_EXIT_INTERNAL_ERROR, exit_internal_error },
	{ KVM_EXIT_UNKNOWN, exit_unknown },
};

bool kvm_exit(struct kvm_vcpu *kv)
{
	char text[64];

	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++)
		if (rows[i].reason == kv->run->exit_reason)
			return rows[i].run(kv);
	for (const struct kvm_exit_row *r = kvm_host_exits; r->reason; r++)
		if (r->reason == kv->run->exit_reason)
			return r->run(kv);
	snprintf(text, sizeof(text), "KVM came back with reason %u, which nobody asked for",
		 kv->run->exit_reason);
	return fail(kv, text);
}
