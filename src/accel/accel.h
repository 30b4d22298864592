/* accel/accel.h - the tables of all accelerators, one per folder.
 * SPDX-License-Identifier: MIT */
#pragma once

#include "cpu/accel.h"

/* For object_types_add(): the types of accel_list and their parent. */
extern const struct object_type *const accel_types[];

extern const struct accel_ops kvm_accel_ops, qtest_accel_ops, tcg_accel_ops, xen_accel_ops;
extern const struct object_type kvm_accel_type, qtest_accel_type, tcg_accel_type, xen_accel_type;
