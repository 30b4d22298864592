/* monitor/hmp/info_cpu.c - info registers, cpus, mem, tlb, lapic.
 * SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <string.h>

#include "cpu/arch.h"
#include "cpu/vcpu.h"
#include "machine/machine.h"
#include "monitor/hmp/impl.h"

/* ---- registers ---- */

static void dump_in_vcpu(struct vcpu *v, void *out)
{
	v->arch->dump(v, out);
	if (v->arch->dump_vectors)
		v->arch->dump_vectors(v, out);
}

static void show_registers(struct hmp_call *call, struct vcpu *v)
{
	fprintf(call->out, "\nCPU#%u\n", v->id);
	hmp_on_cpu(call, v, dump_in_vcpu, call->out);
}

void hmp_info_registers(struct hmp_call *call)
{
	const struct machine *m = call->env->machine;
	int64_t index = call->values[1].number;

	if (call->values[0].is_given) {
		for (unsigned i = 0; i < m->cpu_count; i++)
			show_registers(call, m->cpus[i]);
	} else if (!call->values[1].is_given) {
		show_registers(call, hmp_cpu(call));
	} else if (index < 0 || index >= m->cpu_count) {
		fprintf(call->out, "CPU#%" PRId64 " not available\n", index);
	} else {
		show_registers(call, m->cpus[index]);
	}
}

static void show_cpu(struct hmp_call *call, struct json_object *o)
{
	int64_t index = json_object_get_int64(json_object_object_get(o, "cpu-index"));

	fprintf(call->out, "%c CPU #%" PRId64 ": thread_id=%s\n",
		index == call->state->cpu ? '*' : ' ', index, hmp_json_text(o, "thread-id"));
}

void hmp_info_cpus(struct hmp_call *call) { hmp_qmp_each(call, "query-cpus-fast", NULL, show_cpu); }

/* ---- page tables ---- */

struct mappings {
	struct hmp_call *call;
	bool (*fn)(const struct arch_page *, void *);
	enum arch_pages end;
	/* info mem: the run of pages of equal rights that goes on */
	gva_t start, next;
	char rights[4];
	bool has_run;
};

static void pages_in_vcpu(struct vcpu *v, void *opaque)
{
	struct mappings *m = opaque;

	m->end = v->arch->pages ? v->arch->pages(v, m->fn, m) : ARCH_PAGES_OFF;
}

static void walk_pages(struct hmp_call *call, struct mappings *m)
{
	m->call = call;
	hmp_on_cpu(call, hmp_cpu(call), pages_in_vcpu, m);
}

static void tell_end(const struct mappings *m)
{
	if (m->end == ARCH_PAGES_OFF)
		fputs("PG disabled\n", m->call->out);
	else if (m->end == ARCH_PAGES_CUT)
		fputs("(there is more: page tables that show themselves have no end)\n",
		      m->call->out);
}

static bool tell_page(const struct arch_page *p, void *opaque)
{
	struct mappings *m = opaque;

	fprintf(m->call->out, "%016" PRIx64 ": %016" PRIx64 " %s\n", p->va, p->pa, p->bits);
	return hmp_has_room(m->call);
}

void hmp_info_tlb(struct hmp_call *call)
{
	struct mappings m = { .fn = tell_page };

	walk_pages(call, &m);
	tell_end(&m);
}

static void end_run(struct mappings *m)
{
	if (m->has_run)
		fprintf(m->call->out, "%016" PRIx64 "-%016" PRIx64 " %016" PRIx64 " %s\n", m->start,
			m->next, m->next - m->start, m->rights);
	m->has_run = false;
}

static bool add_page(const struct arch_page *p, void *opaque)
{
	struct mappings *m = opaque;

	if (!m->has_run || p->va != m->next || strcmp(p->rights, m->rights)) {
		end_run(m);
		m->start = p->va;
		memcpy(m->rights, p->rights, sizeof(m->rights));
		m->has_run = true;
	}
	m->next = p->va + p->size;
	return hmp_has_room(m->call);
}

void hmp_info_mem(struct hmp_call *call)
{
	struct mappings m = { .fn = add_page };

	walk_pages(call, &m);
	end_run(&m);
	tell_end(&m);
}

/* ---- interrupt controller ---- */

static void show_intc(struct hmp_call *call, struct vcpu *v)
{
	if (!v->intc_ops || !v->intc_ops->show) {
		fputs("CPU has no local interrupt controller\n", call->out);
		return;
	}
	fprintf(call->out, "dumping local APIC state for CPU %u\n\n", v->apic_id);
	v->intc_ops->show(v->intc, call->out);
}

void hmp_info_lapic(struct hmp_call *call)
{
	struct machine *m = call->env->machine;

	machine_show_chips(m);
	if (!call->values[0].is_given) {
		show_intc(call, hmp_cpu(call));
		return;
	}
	for (unsigned i = 0; i < m->cpu_count; i++) {
		if (m->cpus[i]->apic_id == call->values[0].number) {
			show_intc(call, m->cpus[i]);
			return;
		}
	}
	fputs("No local APIC of this id\n", call->out);
}
