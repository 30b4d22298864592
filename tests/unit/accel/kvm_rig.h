/* tests/unit/accel/kvm_rig.h - a vCPU under KVM with a little memory, for tests of its state.
 * SPDX-License-Identifier: MIT */
#pragma once

#include "../../lone.h"
#include "accel/kvm/kvm.h"

static struct lone rig;
static struct kvm_vcpu *rig_kv;

/* False: KVM cannot start, and err says why. */
static bool rig_begin(const char *accel, struct err *err)
{
	if (!lone_start(&rig, accel, err))
		return false;
	lone_add_cpu(&rig, "max", "", 0);
	rig_kv = kvm_vcpu_of(&rig.v);
	return true;
}

static void rig_end(void) { lone_end(&rig); }
