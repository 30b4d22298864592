/* accel/qtest/qtest.c - the accelerator that runs nothing: a test drives the devices from outside
 * (monitor/qtest.h), and time is in its hands.
 * SPDX-License-Identifier: MIT */
#include "accel/accel.h"
#include "cpu/vcpu.h"

const struct object_type qtest_accel_type = {
	.name = "qtest-accel",
	.parent = &accel_type,
	.size = sizeof(struct accel),
	.help = "runs no guest code: a test drives the devices (-qtest)",
};

static bool qtest_start(struct accel *a, struct err *err)
{
	(void)a;
	(void)err;
	return true;
}

static bool qtest_vcpu_attach(struct accel *a, struct vcpu *v, struct err *err)
{
	(void)a;
	(void)v;
	(void)err;
	return true;
}

static void qtest_vcpu_detach(struct accel *a, struct vcpu *v)
{
	(void)a;
	(void)v;
}

/* It is halted for ever; what would wake it is taken and forgotten. */
static void qtest_vcpu_run(struct vcpu *v)
{
	do {
		v->is_halted = true;
		atomic_store(&v->inputs, 0);
	} while (vcpu_wait_event(v));
}

static void qtest_vcpu_kick(struct vcpu *v) { (void)v; }

const struct accel_ops qtest_accel_ops = {
	.name = "qtest",
	.help = "no guest code runs, a test drives the devices",
	.type = &qtest_accel_type,
	.is_by_hand = true,
	.start = qtest_start,
	.vcpu_attach = qtest_vcpu_attach,
	.vcpu_detach = qtest_vcpu_detach,
	.vcpu_run = qtest_vcpu_run,
	.vcpu_kick = qtest_vcpu_kick,
};
