/* machine/cpu_object.h - vCPUs as objects of the tree, one type per CPU model:
 * "Haswell-x86_64-cpu".
 * SPDX-License-Identifier: MIT */
#pragma once

struct arch_ops;
struct object;
struct vcpu;

/* Register "cpu" and what descends from it, for the architectures of all machine types. */
void cpu_object_register_types(void);
/* "/machine/unattached/cpu[N]"; model is -cpu's word. */
struct object *cpu_object_new(struct vcpu *v, const char *model);
/* "max-x86_64-cpu"; g_free(). */
char *cpu_object_type_name(const struct arch_ops *arch, const char *model);
