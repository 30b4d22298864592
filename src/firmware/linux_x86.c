/* firmware/linux_x86.c - tell kernels from other files; what bzImage and ELF loading share.
 * SPDX-License-Identifier: MIT */
#include "firmware/linux_x86.h"

#include <string.h>

#include "base/bits.h"
#include "base/err.h"
#include "firmware/boot.h"
#include "firmware/file.h"

bool linux_place_cmdline(struct boot_image *img, const struct boot_env *env, uint64_t max,
			 struct err *err)
{
	const char *text = env->cmdline ? env->cmdline : "";
	size_t len = strlen(text);

	if (max > BOOT_CMDLINE_MAX - 1)
		max = BOOT_CMDLINE_MAX - 1;
	if (len > max)
		return err_set(err, 0, "-append: the kernel takes at most %llu characters, not %zu",
			       (unsigned long long)max, len);
	boot_image_add(img, BOOT_CMDLINE, text, len + 1);
	return true;
}

bool linux_place_initrd(struct boot_image *img, const struct boot_env *env, uint64_t floor,
			uint64_t ceiling, uint64_t *addr, struct err *err)
{
	*addr = 0;
	if (!env->initrd)
		return true;
	if (ceiling > env->low_ram)
		ceiling = env->low_ram;
	if (floor > ceiling || env->initrd->size > ceiling - floor ||
	    align_down(ceiling - env->initrd->size, 4096) < floor)
		return err_set(
			err, 0,
			"initrd '%s' (%zu KiB) does not fit in memory beside the kernel; give the "
			"guest more with -m",
			env->initrd->path, env->initrd->size / 1024);
	*addr = align_down(ceiling - env->initrd->size, 4096);
	boot_image_add_file(img, *addr, env->initrd, 0, env->initrd->size);
	return true;
}

static bool linux_starts_with(const struct file_map *f, size_t at, const char *magic)
{
	return f->size >= at + strlen(magic) && !memcmp(f->data + at, magic, strlen(magic));
}

/* What a kernel finds at F000:FFF0, where it jumps in real mode to reboot "through the BIOS": Linux
 * does so on hardware-reduced ACPI, as it trusts only UEFI to reset such machines.  Without an IDT
 * an interrupt shuts the CPU down, and that resets the board. */
static const uint8_t reset_code[] = {
	0x2e, 0x0f, 0x01, 0x1e, 0xf8, 0xff, /* fff0: lidt cs:[fff8h] */
	0xcc,                               /* fff6: int3 */
	0xf4,                               /* fff7: hlt */
	0,    0,    0,    0,    0,    0,    /* fff8: limit and base */
};

bool linux_x86_load(struct boot_image *img, const struct file_map *file, const struct boot_env *env,
		    struct err *err)
{
	boot_image_add(img, BOOT_RESET, reset_code, sizeof(reset_code));
	if (linux_starts_with(file, 0, "\177ELF"))
		return linux_load_elf(img, file, env, err);
	if (linux_starts_with(file, 0x202, "HdrS"))
		return linux_load_bzimage(img, file, env, err);
	if (linux_starts_with(file, 0x38, "ARM\x64"))
		return err_set(err, 0, "kernel '%s' is for AArch64; this machine is x86-64",
			       file->path);
	if (linux_starts_with(file, 0, "\x1f\x8b"))
		return err_set(err, 0, "kernel '%s' is gzip-compressed; unpack it first",
			       file->path);
	if (file->size < 0x206)
		return err_set(err, 0, "kernel '%s' is truncated: %zu bytes hold no kernel header",
			       file->path, file->size);
	return err_set(err, 0, "'%s' is no x86 Linux kernel: neither a bzImage header nor ELF",
		       file->path);
}
