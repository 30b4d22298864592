/* arch/x86/tcg_guest.h - x86 for translating accelerators.
 * SPDX-License-Identifier: MIT */
#pragma once

struct guest_ops;
extern const struct guest_ops x86_guest_ops;
