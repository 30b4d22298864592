/* firmware/linux_elf.c - ELF kernels with a PVH entry note.
 * Sources: System V ABI (ELF); Xen docs/misc/pvh.pandoc, public/arch-x86/hvm/start_info.h as facts.
 * SPDX-License-Identifier: MIT */
#include <elf.h>
#include <glib.h>
#include <string.h>

#include "base/bits.h"
#include "base/err.h"
#include "firmware/boot.h"
#include "firmware/file.h"
#include "firmware/linux_x86.h"

enum { XEN_ELFNOTE_PHYS32_ENTRY = 18, PVH_MAGIC = 0x336ec578 };
enum { PVH_INFO_SIZE = 56, PVH_MODULE = 64, PVH_MODULE_SIZE = 32, PVH_MEMMAP = 128 };

struct elf_kernel {
	const struct file_map *map;
	const uint8_t *file;
	size_t size;
	const char *path;
	unsigned ph_count, ph_size;
	uint64_t ph_off;
	uint64_t end, total; /* highest loaded address; bytes of all segments */
	bool is_64bit, has_entry;
	uint32_t entry;
};

/* One program header in the 64-bit form, whichever the file's class is. */
static Elf64_Phdr elf_phdr(const struct elf_kernel *k, unsigned i)
{
	const uint8_t *p = k->file + k->ph_off + (uint64_t)i * k->ph_size;
	Elf64_Phdr ph;
	Elf32_Phdr small;

	if (k->is_64bit) {
		memcpy(&ph, p, sizeof(ph));
		return ph;
	}
	memcpy(&small, p, sizeof(small));
	return (Elf64_Phdr){ .p_type = small.p_type,
			     .p_offset = small.p_offset,
			     .p_paddr = small.p_paddr,
			     .p_filesz = small.p_filesz,
			     .p_memsz = small.p_memsz,
			     .p_align = small.p_align };
}

static bool elf_check(struct elf_kernel *k, struct err *err)
{
	uint16_t machine;

	if (k->size < sizeof(Elf64_Ehdr))
		return err_set(err, 0, "kernel '%s' is truncated in its ELF header", k->path);
	machine = ld16_le(k->file + offsetof(Elf64_Ehdr, e_machine));
	if (k->file[EI_DATA] != ELFDATA2LSB || (machine != EM_X86_64 && machine != EM_386))
		return err_set(err, 0,
			       "kernel '%s' is ELF for another architecture (machine %u), not x86",
			       k->path, machine);
	k->is_64bit = k->file[EI_CLASS] == ELFCLASS64;
	if (k->is_64bit) {
		k->ph_off = ld64_le(k->file + offsetof(Elf64_Ehdr, e_phoff));
		k->ph_count = ld16_le(k->file + offsetof(Elf64_Ehdr, e_phnum));
		k->ph_size = ld16_le(k->file + offsetof(Elf64_Ehdr, e_phentsize));
	} else {
		k->ph_off = ld32_le(k->file + offsetof(Elf32_Ehdr, e_phoff));
		k->ph_count = ld16_le(k->file + offsetof(Elf32_Ehdr, e_phnum));
		k->ph_size = ld16_le(k->file + offsetof(Elf32_Ehdr, e_phentsize));
	}
	if (k->ph_size < (k->is_64bit ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr)) ||
	    k->ph_off > k->size || (uint64_t)k->ph_count * k->ph_size > k->size - k->ph_off)
		return err_set(err, 0,
			       "kernel '%s' is truncated: its program headers lie outside the file",
			       k->path);
	return true;
}

/* Look through one PT_NOTE segment for Xen's 32-bit entry point. */
static void elf_find_entry(struct elf_kernel *k, const uint8_t *note, uint64_t left)
{
	while (left >= 12) {
		uint64_t name = ld32_le(note), desc = ld32_le(note + 4);
		uint32_t type = ld32_le(note + 8);
		uint64_t body = 12 + align_up(name, 4), next = body + align_up(desc, 4);

		if (body > left || desc > left - body)
			return;
		if (type == XEN_ELFNOTE_PHYS32_ENTRY && name == 4 && !memcmp(note + 12, "Xen", 4) &&
		    desc >= 4) {
			k->entry = ld32_le(note + body);
			k->has_entry = true;
			return;
		}
		if (next > left)
			return;
		note += next;
		left -= next;
	}
}

static bool elf_load_segment(struct boot_image *img, struct elf_kernel *k, const Elf64_Phdr *ph,
			     const struct boot_env *env, struct err *err)
{
	if (ph->p_paddr < BOOT_HIGH)
		return err_set(
			err, 0,
			"kernel '%s' wants to be loaded at 0x%llx, below 1 MiB, where boot data is",
			k->path, (unsigned long long)ph->p_paddr);
	if (ph->p_paddr > env->low_ram || ph->p_memsz > env->low_ram - ph->p_paddr ||
	    ph->p_filesz > ph->p_memsz || ph->p_memsz > env->low_ram - k->total)
		return err_set(err, 0,
			       "kernel '%s' needs memory up to 0x%llx, the guest has %llu MiB "
			       "below 4 GiB; "
			       "give it more with -m",
			       k->path, (unsigned long long)(ph->p_paddr + ph->p_memsz),
			       (unsigned long long)(env->low_ram / MIB));
	boot_image_add_file(img, ph->p_paddr, k->map, ph->p_offset, ph->p_filesz);
	boot_image_take(img, ph->p_paddr + ph->p_filesz, NULL, ph->p_memsz - ph->p_filesz);
	k->total += ph->p_memsz;
	if (ph->p_paddr + ph->p_memsz > k->end)
		k->end = ph->p_paddr + ph->p_memsz;
	return true;
}

static bool elf_load_segments(struct boot_image *img, struct elf_kernel *k,
			      const struct boot_env *env, struct err *err)
{
	for (unsigned i = 0; i < k->ph_count; i++) {
		Elf64_Phdr ph = elf_phdr(k, i);

		if (ph.p_type != PT_LOAD && ph.p_type != PT_NOTE)
			continue;
		if (ph.p_offset > k->size || ph.p_filesz > k->size - ph.p_offset)
			return err_set(err, 0,
				       "kernel '%s' is truncated: segment %u ends beyond the file",
				       k->path, i);
		if (ph.p_type == PT_NOTE)
			elf_find_entry(k, k->file + ph.p_offset, ph.p_filesz);
		else if (ph.p_memsz && !elf_load_segment(img, k, &ph, env, err))
			return false;
	}
	if (!k->end)
		return err_set(err, 0, "kernel '%s' has nothing to load", k->path);
	if (!k->has_entry)
		return err_set(
			err, 0,
			"ELF kernel '%s' has no PVH entry note; build it with CONFIG_PVH=y or use "
			"the bzImage",
			k->path);
	return true;
}

/* hvm_start_info, its one module and its memory map, in one page. */
static void pvh_put_info(struct boot_image *img, const struct boot_env *env, uint64_t initrd)
{
	size_t size = PVH_MEMMAP + env->e820_count * 24u;
	uint8_t *info = g_malloc0(size);

	st32_le(info, PVH_MAGIC);
	st32_le(info + 4, 1); /* version: has the memory map */
	st32_le(info + 12, initrd ? 1 : 0);
	st64_le(info + 16, BOOT_PVH_INFO + PVH_MODULE);
	st64_le(info + 24, BOOT_CMDLINE);
	st64_le(info + 32, env->rsdp);
	st64_le(info + 40, BOOT_PVH_INFO + PVH_MEMMAP);
	st32_le(info + 48, env->e820_count);
	st64_le(info + PVH_MODULE, initrd);
	st64_le(info + PVH_MODULE + 8, initrd ? env->initrd->size : 0);
	for (unsigned i = 0; i < env->e820_count; i++) {
		uint8_t *e = info + PVH_MEMMAP + i * 24u;

		st64_le(e, env->e820[i].addr);
		st64_le(e + 8, env->e820[i].size);
		st32_le(e + 16, env->e820[i].type);
	}
	boot_image_take(img, BOOT_PVH_INFO, info, size);
}
BUILD_ASSERT(PVH_INFO_SIZE <= PVH_MODULE && PVH_MODULE + PVH_MODULE_SIZE <= PVH_MEMMAP);
BUILD_ASSERT(PVH_MEMMAP + E820_MAX * 24 <= BOOT_PARAMS - BOOT_PVH_INFO);

bool linux_load_elf(struct boot_image *img, const struct file_map *file, const struct boot_env *env,
		    struct err *err)
{
	struct elf_kernel k = {
		.map = file, .file = file->data, .size = file->size, .path = file->path
	};
	uint64_t initrd;

	if (!elf_check(&k, err) || !elf_load_segments(img, &k, env, err))
		return false;
	if (!linux_place_cmdline(img, env, 2048, err) ||
	    !linux_place_initrd(img, env, align_up(k.end, 4096), UINT64_C(1) << 32, &initrd, err))
		return false;
	pvh_put_info(img, env, initrd);
	img->kind = BOOT_PVH;
	img->entry = k.entry;
	img->info = BOOT_PVH_INFO;
	return true;
}
