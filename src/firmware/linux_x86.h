/* firmware/linux_x86.h - Linux kernels for x86: bzImage and ELF.
 * SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct boot_env;
struct boot_image;
struct err;
struct file_map;

/* Check a kernel file's bytes and lay it out with its initrd, command line and boot information.
 * False: err says why this is no kernel that can boot here.  In both cases give the file to
 * boot_image_keep() then. */
bool linux_x86_load(struct boot_image *img, const struct file_map *file, const struct boot_env *env,
		    struct err *err);

/* The two kinds, for linux_x86_load(). */
bool linux_load_bzimage(struct boot_image *img, const struct file_map *file,
			const struct boot_env *env, struct err *err);
bool linux_load_elf(struct boot_image *img, const struct file_map *file, const struct boot_env *env,
		    struct err *err);
/* Put the initrd as high as it may be, at or above `floor`, ending at or below `ceiling`; 0 when
 * there is none. */
bool linux_place_initrd(struct boot_image *img, const struct boot_env *env, uint64_t floor,
			uint64_t ceiling, uint64_t *addr, struct err *err);
/* Put the command line (at most max bytes without its NUL) at BOOT_CMDLINE. */
bool linux_place_cmdline(struct boot_image *img, const struct boot_env *env, uint64_t max,
			 struct err *err);
