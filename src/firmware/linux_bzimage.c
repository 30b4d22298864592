/* firmware/linux_bzimage.c - bzImage by the 64- or 32-bit boot protocol.
 * Source: Linux Documentation/arch/x86/boot.rst, zero-page.rst.
 * SPDX-License-Identifier: MIT */
#include <glib.h>
#include <string.h>

#include "base/bits.h"
#include "base/err.h"
#include "firmware/boot.h"
#include "firmware/file.h"
#include "firmware/linux_x86.h"

/* Offsets of the setup header's fields, the same in the file and in boot_params. */
enum {
	HDR_SETUP_SECTS = 0x1f1,
	HDR_SYSSIZE = 0x1f4,
	HDR_BOOT_FLAG = 0x1fe,
	HDR_JUMP = 0x200,
	HDR_VERSION = 0x206,
	HDR_TYPE_OF_LOADER = 0x210,
	HDR_LOADFLAGS = 0x211,
	HDR_RAMDISK_IMAGE = 0x218,
	HDR_RAMDISK_SIZE = 0x21c,
	HDR_CMD_LINE_PTR = 0x228,
	HDR_INITRD_ADDR_MAX = 0x22c,
	HDR_KERNEL_ALIGNMENT = 0x230,
	HDR_XLOADFLAGS = 0x236,
	HDR_CMDLINE_SIZE = 0x238,
	HDR_PREF_ADDRESS = 0x258,
	HDR_INIT_SIZE = 0x260,
	HDR_END_MIN = 0x264, /* of protocol 2.10, the oldest taken here */
};
enum { PARAMS_RSDP = 0x070, PARAMS_E820_COUNT = 0x1e8, PARAMS_E820 = 0x2d0, PARAMS_SIZE = 4096 };
enum { LOADED_HIGH = 1u << 0, XLF_KERNEL_64 = 1u << 0, LOADER_UNDEFINED = 0xff };
enum { VERSION_2_10 = 0x20a, VERSION_2_12 = 0x20c };

struct bzimage {
	const uint8_t *file;
	size_t size, setup_size, code_size;
	uint64_t load_addr, init_size;
	bool has_64bit_entry;
};

static bool bzimage_check(struct bzimage *k, const char *path, struct err *err)
{
	unsigned sectors, version;
	uint64_t syssize;

	if (k->size < HDR_END_MIN)
		return err_set(err, 0, "kernel '%s' is truncated in its header (%zu bytes)", path,
			       k->size);
	version = ld16_le(k->file + HDR_VERSION);
	if (ld16_le(k->file + HDR_BOOT_FLAG) != 0xaa55)
		return err_set(err, 0, "kernel '%s' has no boot signature (55 AA at 510)", path);
	if (version < VERSION_2_10 || !(k->file[HDR_LOADFLAGS] & LOADED_HIGH))
		return err_set(
			err, 0,
			"kernel '%s' speaks boot protocol %u.%02u; 2.10 (Linux 2.6.31) or later "
			"is needed",
			path, version >> 8, version & 0xff);
	sectors = k->file[HDR_SETUP_SECTS] ? k->file[HDR_SETUP_SECTS] : 4;
	k->setup_size = (sectors + 1) * 512;
	syssize = (uint64_t)ld32_le(k->file + HDR_SYSSIZE) * 16;
	if (k->size <= k->setup_size || k->size - k->setup_size + 15 < syssize)
		return err_set(err, 0,
			       "kernel '%s' is truncated: its header speaks of %llu bytes, the "
			       "file has %zu",
			       path, (unsigned long long)(k->setup_size + syssize), k->size);
	k->code_size = k->size - k->setup_size;
	k->init_size = ld32_le(k->file + HDR_INIT_SIZE);
	if (k->init_size < k->code_size)
		k->init_size = k->code_size;
	k->has_64bit_entry = version >= VERSION_2_12 &&
			     (ld16_le(k->file + HDR_XLOADFLAGS) & XLF_KERNEL_64);
	return true;
}

/* The preferred address.  Lower would do no good: x86-64 kernels that were loaded below it still
 * unpack to it (arch/x86/boot/compressed/head_64.S, LOAD_PHYSICAL_ADDR), and need all of init_size
 * from there on.  Those that prefer none go as low as they may. */
static bool bzimage_place(struct bzimage *k, const char *path, const struct boot_env *env,
			  struct err *err)
{
	uint64_t align = ld32_le(k->file + HDR_KERNEL_ALIGNMENT);

	k->load_addr = ld64_le(k->file + HDR_PREF_ADDRESS);
	if (k->load_addr < BOOT_HIGH)
		k->load_addr = is_pow2(align) ? align_up(BOOT_HIGH, align) : BOOT_HIGH;
	if (k->load_addr >= 4 * GIB)
		return err_set(err, 0,
			       "kernel '%s' prefers to be at 0x%llx, outside the guest's memory",
			       path, (unsigned long long)k->load_addr);
	if (k->load_addr < env->low_ram && k->init_size <= env->low_ram - k->load_addr)
		return true;
	return err_set(
		err, 0,
		"kernel '%s' needs %llu MiB of memory, the guest has %llu MiB below 4 GiB; give "
		"it more with -m",
		path, (unsigned long long)((k->load_addr + k->init_size + MIB - 1) / MIB),
		(unsigned long long)(env->low_ram / MIB));
}

static void bzimage_put_params(struct boot_image *img, const struct bzimage *k,
			       const struct boot_env *env, uint64_t initrd)
{
	uint8_t *params = g_malloc0(PARAMS_SIZE);
	size_t end = HDR_JUMP + 2u + k->file[HDR_JUMP + 1];

	if (end < HDR_END_MIN || end > PARAMS_E820)
		end = HDR_END_MIN;
	memcpy(params + HDR_SETUP_SECTS, k->file + HDR_SETUP_SECTS,
	       (end <= k->size ? end : k->size) - HDR_SETUP_SECTS);
	params[HDR_TYPE_OF_LOADER] = LOADER_UNDEFINED;
	st32_le(params + HDR_RAMDISK_IMAGE, (uint32_t)initrd);
	st32_le(params + HDR_RAMDISK_SIZE, initrd ? (uint32_t)env->initrd->size : 0);
	st32_le(params + HDR_CMD_LINE_PTR, BOOT_CMDLINE);
	st64_le(params + PARAMS_RSDP, env->rsdp);
	params[PARAMS_E820_COUNT] = (uint8_t)env->e820_count;
	for (unsigned i = 0; i < env->e820_count; i++) {
		uint8_t *e = params + PARAMS_E820 + i * 20u;

		st64_le(e, env->e820[i].addr);
		st64_le(e + 8, env->e820[i].size);
		st32_le(e + 16, env->e820[i].type);
	}
	boot_image_take(img, BOOT_PARAMS, params, PARAMS_SIZE);
}

bool linux_load_bzimage(struct boot_image *img, const struct file_map *file,
			const struct boot_env *env, struct err *err)
{
	struct bzimage k = { .file = file->data, .size = file->size };
	uint64_t initrd, ceiling;

	if (!bzimage_check(&k, file->path, err) || !bzimage_place(&k, file->path, env, err))
		return false;
	ceiling = (uint64_t)ld32_le(file->data + HDR_INITRD_ADDR_MAX) + 1;
	if (!linux_place_cmdline(img, env, ld32_le(file->data + HDR_CMDLINE_SIZE), err) ||
	    !linux_place_initrd(img, env, k.load_addr + k.init_size, ceiling, &initrd, err))
		return false;
	boot_image_add_file(img, k.load_addr, file, k.setup_size, k.code_size);
	bzimage_put_params(img, &k, env, initrd);
	img->kind = k.has_64bit_entry ? BOOT_LINUX64 : BOOT_LINUX32;
	img->entry = k.load_addr + (k.has_64bit_entry ? 0x200 : 0);
	img->info = BOOT_PARAMS;
	return true;
}
