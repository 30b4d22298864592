/* accel/accel.c - the list of accelerators.  Those that this build lacks are in it too, so that
 * asking for one says why it is not there. SPDX-License-Identifier: MIT */
#include "accel/accel.h"

#include "base/err.h"

static bool kvm_available(struct err *err)
{
	return err_set(err, 0, "this build of rhea has no KVM support; use -accel tcg");
}

static bool never_start(struct accel *a, struct err *err)
{
	(void)a;
	return err_set(err, 0, "not built in");
}

#define ABSENT(id, text)                              \
	static const struct object_type id##_type = { \
		.name = #id "-accel",                 \
		.parent = &accel_type,                \
		.size = sizeof(struct accel),         \
		.help = text,                         \
	};                                            \
	static const struct accel_ops id##_ops = {    \
		.name = #id,                          \
		.help = text,                         \
		.type = &id##_type,                   \
		.available = id##_available,          \
		.start = never_start,                 \
	}
ABSENT(kvm, "hardware virtualization of Linux (not in this build)");

const struct accel_ops *const accel_list[] = { &tcg_accel_ops, &kvm_ops, &xen_accel_ops,
					       &qtest_accel_ops, NULL };

const struct object_type *const accel_types[] = {
	&accel_type, &tcg_accel_type, &kvm_type, &xen_accel_type, &qtest_accel_type, NULL,
};
