/* tests/unit/accel/kvm_refusal_test.c - a kernel that does not tell or take a vCPU's state any
 * more: the board hears of it once, and the vCPU stays where it is.  Skips where /dev/kvm does not
 * open. SPDX-License-Identifier: MIT */
#include "kvm_refusing.h"
#include "kvm_rig.h"

/* ---- the kernel ---- */

static unsigned long refused; /* this call, always */

static int refuse(unsigned long what) { return what == refused ? -EIO : 0; }

/* ---- tests ---- */

static unsigned failures;
static char reason[128];

static void on_failure(struct vcpu *v, const char *text)
{
	(void)v;
	failures++;
	g_strlcpy(reason, text, sizeof(reason));
}

static void begin(unsigned long what)
{
	failures = 0;
	rig.v.on_failure = on_failure;
	rig_kv->has_failed = false;
	refused = what;
}

static void test_state_that_is_not_told(void)
{
	begin(KVM_GET_REGS);
	rig_kv->is_ours = false;
	kvm_vcpu_pull(&rig.v);
	g_assert_cmpuint(failures, ==, 1);
	g_assert_cmpstr(reason, ==, "cannot get the vCPU's registers: Input/output error");
	g_assert_true(rig_kv->has_failed);
	kvm_vcpu_pull(&rig.v);
	kvm_vcpu_fail(rig_kv, "again");
	g_assert_cmpuint(failures, ==, 1);
}

static void test_failure_whose_state_is_not_told(void)
{
	begin(KVM_GET_REGS);
	rig_kv->is_ours = false;
	kvm_vcpu_fail(rig_kv, "the first reason");
	g_assert_cmpuint(failures, ==, 1);
	g_assert_true(rig_kv->has_failed);
}

static void test_state_that_is_not_taken(void)
{
	struct err err;

	begin(KVM_SET_REGS);
	rig_kv->is_ours = true;
	rig.cpu->gpr[RBX] ^= 1;
	g_assert_false(kvm_host.put(rig_kv, &err));
	g_assert_cmpstr(err.text, ==, "cannot set the vCPU's registers: Input/output error");
	begin(0);
	g_assert_true(kvm_host.put(rig_kv, &err));
}

int main(int argc, char **argv)
{
	struct err err = { 0 };
	int status;

	g_test_init(&argc, &argv, NULL);
	kvm_refusal = refuse;
	if (!rig_begin("kvm,assist=off", &err)) {
		g_print("1..0 # SKIP %s\n", err.text);
		return 0;
	}
	g_test_add_func("/accel/kvm/refusal/get", test_state_that_is_not_told);
	g_test_add_func("/accel/kvm/refusal/fail", test_failure_whose_state_is_not_told);
	g_test_add_func("/accel/kvm/refusal/put", test_state_that_is_not_taken);
	status = g_test_run();
	refused = 0;
	rig_end();
	return status;
}
