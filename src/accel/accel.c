/* accel/accel.c - the list of accelerators.  Those that this build lacks are in it too, so that
 * asking for one says why it is not there.
 * SPDX-License-Identifier: MIT */
#include "accel/accel.h"

#include "base/err.h"

#ifdef HAVE_KVM
#define kvm_ops  kvm_accel_ops
#define kvm_type kvm_accel_type
#else
static bool kvm_available(struct err *err)
{
	return err_set(err, 0,
		       "this build of rhea has no KVM support (which x86-64 Linux hosts have); use "
		       "-accel tcg");
}

static bool never_start(struct accel *a, struct err *err)
{
	(void)a;
	return err_set(err, 0, "not built in");
}

static const struct object_type kvm_type = {
	.name = "kvm-accel",
	.parent = &accel_type,
	.size = sizeof(struct accel),
	.help = "hardware virtualization of Linux (not in this build)",
};
static const struct accel_ops kvm_ops = {
	.name = "kvm",
	.help = "hardware virtualization of Linux (not in this build)",
	.type = &kvm_type,
	.available = kvm_available,
	.start = never_start,
};
#endif

const struct accel_ops *const accel_list[] = { &tcg_accel_ops, &kvm_ops, &xen_accel_ops,
					       &qtest_accel_ops, NULL };

const struct object_type *const accel_types[] = {
	&accel_type, &tcg_accel_type, &kvm_type, &xen_accel_type, &qtest_accel_type, NULL,
};
