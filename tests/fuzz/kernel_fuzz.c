/* tests/fuzz/kernel_fuzz.c - kernel images: bzImage and ELF headers.
 * SPDX-License-Identifier: MIT */
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "firmware/boot.h"
#include "firmware/file.h"
#include "firmware/linux_x86.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct e820_entry map[] = { { 0, BOOT_EBDA, E820_RAM },
						 { BOOT_HIGH, 63 * MIB, E820_RAM } };
	static const struct file_map initrd = { (const uint8_t *)"initrd", 6, -1, "initrd" };
	const struct boot_env env = { .low_ram = 64 * MIB,
				      .e820 = map,
				      .e820_count = 2,
				      .rsdp = BOOT_ACPI,
				      .cmdline = "console=ttyS0",
				      .initrd = &initrd };
	const struct file_map kernel = { data, size, -1, "kernel" };
	struct boot_image img = { 0 };
	struct err err;

	linux_x86_load(&img, &kernel, &env, &err);
	boot_image_clear(&img);
	return 0;
}
