/* arch/x86/x86_arch.h - x86 as the rest of the program sees it.
 * SPDX-License-Identifier: MIT */
#pragma once

struct arch_ops;
extern const struct arch_ops x86_arch_ops;
