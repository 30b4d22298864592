/* arch/x86/x86_arch.c - x86 as the rest of the program sees it.
 * SPDX-License-Identifier: MIT */
#include "arch/x86/x86_arch.h"

#include <glib.h>

#include "cpu/accel.h"
#include "arch/x86/sys.h"
#include "arch/x86/tcg_guest.h"

/* What cpu_new() had to leave out.  Process-wide because machines are made before anyone could be
 * told; equal lines (every vCPU of -smp says the same) are kept once. */
static GMutex warnings_mutex;
static char *warnings_text;

void x86_cpu_add_warnings(char *text)
{
	if (!text)
		return;
	g_mutex_lock(&warnings_mutex);
	if (!warnings_text || !strstr(warnings_text, text)) {
		char *both = g_strconcat(warnings_text ? warnings_text : "", text, NULL);

		g_free(warnings_text);
		warnings_text = both;
	}
	g_mutex_unlock(&warnings_mutex);
	g_free(text);
}

char *x86_cpu_take_warnings(void)
{
	char *text;

	g_mutex_lock(&warnings_mutex);
	text = g_steal_pointer(&warnings_text);
	g_mutex_unlock(&warnings_mutex);
	return text;
}

/* ---- life ---- */

static void arch_cpu_free(void *cpu)
{
	struct x86_cpu *c = cpu;

	if (!c)
		return;
	g_free(c->feat);
	free(c);
}

static void *arch_cpu_new(struct vcpu *v, const char *model, struct err *err)
{
	struct x86_cpu *c = aligned_alloc(64, align_up(sizeof(*c), 64));
	char *warnings;

	if (!c)
		g_error("out of memory for a vCPU");
	memset(c, 0, sizeof(*c));
	c->vcpu = v;
	v->exit_request = &c->env.exit_request;
	if (!x86_cpu_check_host(model, v->accel, err) ||
	    !x86_cpuid_init(c, model, &warnings, err)) {
		arch_cpu_free(c);
		return NULL;
	}
	x86_cpu_add_warnings(warnings);
	if (!v->accel || !v->accel->ops->has_host_cpu)
		x86_cpu_add_warnings(x86_cpuid_no_kvm(c));
	v->cpu = c;
	x86_reset(c);
	return c;
}

static void arch_cpu_reset(struct vcpu *v) { x86_reset(v->cpu); }

static uint64_t arch_get_pc(struct vcpu *v) { return ((struct x86_cpu *)v->cpu)->env.pc; }
static void arch_set_pc(struct vcpu *v, uint64_t pc) { ((struct x86_cpu *)v->cpu)->env.pc = pc; }

const struct arch_ops x86_arch_ops = {
	.name = "x86_64",
	.cpu_models = x86_model_names,
	.default_model = "max", /* its CPUID tells the TSC's frequency: no calibration at boot */
	.cpu_new = arch_cpu_new,
	.cpu_free = arch_cpu_free,
	.cpu_reset = arch_cpu_reset,
	.cpu_help = x86_cpu_help,
	.cpu_expand = x86_cpu_expand,
	.cpu_missing = x86_cpu_missing,
	.walk = x86_walk,
	.has_work = x86_has_work,
	.dump = x86_show,
	.dump_vectors = x86_show_vectors,
	.reg_get = x86_reg_get,
	.reg_names = x86_reg_names,
	.pages = x86_pages,
	.debug_view = VIEW_KERNEL_AC,
	.debug = &x86_arch_debug,
	.get_pc = arch_get_pc,
	.set_pc = arch_set_pc,
	.guest = &x86_guest_ops,
};
