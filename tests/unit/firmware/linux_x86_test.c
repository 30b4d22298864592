/* tests/unit/firmware/linux_x86_test.c
 * SPDX-License-Identifier: MIT */
#include "firmware/linux_x86.h"

#include <elf.h>
#include <glib.h>
#include <string.h>

#include "base/bits.h"
#include "base/err.h"
#include "firmware/boot.h"
#include "firmware/file.h"

static const struct e820_entry map[] = { { 0, BOOT_EBDA, E820_RAM },
					 { BOOT_HIGH, 255 * MIB, E820_RAM } };
static const struct boot_env env_256m = { .low_ram = 256 * MIB,
					  .e820 = map,
					  .e820_count = 2,
					  .rsdp = BOOT_ACPI,
					  .cmdline = "console=ttyS0" };

static const struct file_map small_initrd = { (const uint8_t *)"initrd", 6, -1, "i" };

/* A bzImage of 4 + 1 setup sectors and 8 KiB of code. */
enum { SETUP = 5 * 512, CODE = 8192 };
static uint8_t *new_bzimage(void)
{
	uint8_t *k = g_malloc0(SETUP + CODE);

	k[0x1f1] = 4;
	st32_le(k + 0x1f4, CODE / 16);
	st16_le(k + 0x1fe, 0xaa55);
	k[0x201] = 0x66;
	memcpy(k + 0x202, "HdrS", 4);
	st16_le(k + 0x206, 0x20f);
	k[0x211] = 1;                   /* loaded high */
	st32_le(k + 0x22c, 0x7fffffff); /* initrd_addr_max */
	st32_le(k + 0x230, 2 * MIB);    /* alignment */
	k[0x234] = 1;                   /* relocatable */
	st16_le(k + 0x236, 1);          /* has a 64-bit entry */
	st32_le(k + 0x238, 2047);       /* command line */
	st64_le(k + 0x258, 16 * MIB);   /* preferred address */
	st32_le(k + 0x260, 32 * MIB);   /* memory while it starts */
	memset(k + SETUP, 0x90, CODE);
	return k;
}

static const struct boot_piece *piece_at(const struct boot_image *img, gpa_t addr)
{
	for (unsigned i = 0; i < img->count; i++)
		if (img->pieces[i].addr == addr)
			return &img->pieces[i];
	return NULL;
}

static void refused(const uint8_t *file, size_t size, const struct boot_env *env, const char *why)
{
	struct boot_image img = { 0 };
	struct err err = { 0 };

	g_assert_false(linux_x86_load(&img, &(struct file_map){ file, size, -1, "k" }, env, &err));
	g_assert_cmpstr(err.text, ==, why);
	boot_image_clear(&img);
}

static void test_bzimage_is_laid_out(void)
{
	g_autofree uint8_t *k = new_bzimage();
	struct boot_env env = env_256m;
	struct boot_image img = { 0 };
	struct err err = { 0 };
	const struct boot_piece *params;

	env.initrd = &small_initrd;
	g_assert_true(
		linux_x86_load(&img, &(struct file_map){ k, SETUP + CODE, -1, "k" }, &env, &err));
	g_assert_cmpint(img.kind, ==, BOOT_LINUX64);
	g_assert_cmphex(img.entry, ==, 16 * MIB + 0x200);
	g_assert_cmphex(img.info, ==, BOOT_PARAMS);
	g_assert_cmpuint(piece_at(&img, 16 * MIB)->size, ==, CODE);
	g_assert_cmpstr((char *)piece_at(&img, BOOT_CMDLINE)->data, ==, "console=ttyS0");
	g_assert_nonnull(piece_at(&img, BOOT_RESET));
	params = piece_at(&img, BOOT_PARAMS);
	g_assert_cmphex(ld32_le(params->data + 0x218), ==, 256 * MIB - 4096);
	g_assert_cmpuint(ld32_le(params->data + 0x21c), ==, 6);
	g_assert_cmphex(ld64_le(params->data + 0x70), ==, BOOT_ACPI);
	g_assert_cmpuint(params->data[0x1e8], ==, 2);
	g_assert_cmphex(ld64_le(params->data + 0x2d0 + 20), ==, BOOT_HIGH);
	g_assert_nonnull(piece_at(&img, 256 * MIB - 4096));
	boot_image_clear(&img);
}

static void test_memory_must_hold_the_kernel_where_it_prefers_to_be(void)
{
	g_autofree uint8_t *k = new_bzimage();
	struct boot_env env = env_256m;
	struct boot_image img = { 0 };
	struct err err = { 0 };

	env.low_ram = 48 * MIB;
	g_assert_true(
		linux_x86_load(&img, &(struct file_map){ k, SETUP + CODE, -1, "k" }, &env, &err));
	g_assert_cmphex(img.entry, ==, 16 * MIB + 0x200);
	boot_image_clear(&img);
	env.low_ram = 47 * MIB;
	refused(k, SETUP + CODE, &env,
		"kernel 'k' needs 48 MiB of memory, the guest has 47 MiB below 4 GiB; give it more "
		"with -m");
	env.low_ram = 8 * MIB;
	refused(k, SETUP + CODE, &env,
		"kernel 'k' needs 48 MiB of memory, the guest has 8 MiB below 4 GiB; give it more "
		"with -m");
	st64_le(k + 0x258, 0);
	env.low_ram = 34 * MIB;
	g_assert_true(
		linux_x86_load(&img, &(struct file_map){ k, SETUP + CODE, -1, "k" }, &env, &err));
	g_assert_cmphex(img.entry, ==, 2 * MIB + 0x200);
	boot_image_clear(&img);
	st64_le(k + 0x258, UINT64_MAX);
	refused(k, SETUP + CODE, &env,
		"kernel 'k' prefers to be at 0xffffffffffffffff, outside the guest's memory");
}

static void test_old_and_32_bit_kernels(void)
{
	g_autofree uint8_t *k = new_bzimage();
	struct boot_image img = { 0 };
	struct err err = { 0 };

	st16_le(k + 0x236, 0);
	g_assert_true(linux_x86_load(&img, &(struct file_map){ k, SETUP + CODE, -1, "k" },
				     &env_256m, &err));
	g_assert_cmpint(img.kind, ==, BOOT_LINUX32);
	g_assert_cmphex(img.entry, ==, 16 * MIB);
	boot_image_clear(&img);
	st16_le(k + 0x206, 0x204);
	refused(k, SETUP + CODE, &env_256m,
		"kernel 'k' speaks boot protocol 2.04; 2.10 (Linux 2.6.31) or later is needed");
}

static void test_damaged_and_foreign_files_are_told_apart(void)
{
	g_autofree uint8_t *k = new_bzimage();
	uint8_t other[0x300] = { 0 };

	refused(k, SETUP + CODE - 100, &env_256m,
		"kernel 'k' is truncated: its header speaks of 10752 bytes, the file has 10652");
	refused(k, 0x210, &env_256m, "kernel 'k' is truncated in its header (528 bytes)");
	refused(k, 100, &env_256m, "kernel 'k' is truncated: 100 bytes hold no kernel header");
	refused(other, sizeof(other), &env_256m,
		"'k' is no x86 Linux kernel: neither a bzImage header nor ELF");
	memcpy(other + 0x38, "ARM\x64", 4);
	refused(other, sizeof(other), &env_256m,
		"kernel 'k' is for AArch64; this machine is x86-64");
	memcpy(other, "\x1f\x8b", 2);
	memset(other + 0x38, 0, 4);
	refused(other, sizeof(other), &env_256m, "kernel 'k' is gzip-compressed; unpack it first");
}

static void test_initrd_and_command_line_that_do_not_fit(void)
{
	g_autofree uint8_t *k = new_bzimage();
	g_autofree char *line = g_strnfill(2048, 'x');
	struct boot_env env = env_256m;

	env.cmdline = line;
	refused(k, SETUP + CODE, &env,
		"-append: the kernel takes at most 2047 characters, not 2048");
	env = env_256m;
	env.initrd = &(struct file_map){ k, 240 * MIB, -1, "i" };
	refused(k, SETUP + CODE, &env,
		"initrd 'i' (245760 KiB) does not fit in memory beside the kernel; give the guest "
		"more "
		"with -m");
}

/* ELF: header, two program headers (load, note), 16 bytes of code, the note. */
enum { ELF_SIZE = 64 + 2 * 56 + 16 + 20 };
static uint8_t *new_elf(void)
{
	uint8_t *k = g_malloc0(ELF_SIZE);
	Elf64_Ehdr eh = { .e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, 1 },
			  .e_type = ET_EXEC,
			  .e_machine = EM_X86_64,
			  .e_phoff = 64,
			  .e_phentsize = 56,
			  .e_phnum = 2 };
	Elf64_Phdr load = { .p_type = PT_LOAD,
			    .p_offset = 176,
			    .p_paddr = 2 * MIB,
			    .p_filesz = 16,
			    .p_memsz = 4096 };
	Elf64_Phdr note = { .p_type = PT_NOTE, .p_offset = 192, .p_filesz = 20 };

	memcpy(k, &eh, sizeof(eh));
	memcpy(k + 64, &load, sizeof(load));
	memcpy(k + 120, &note, sizeof(note));
	st32_le(k + 192, 4);
	st32_le(k + 196, 4);
	st32_le(k + 200, 18);
	memcpy(k + 204, "Xen", 4);
	st32_le(k + 208, 2 * MIB + 8);
	return k;
}

static void test_elf_with_a_pvh_note(void)
{
	g_autofree uint8_t *k = new_elf();
	struct boot_env env = env_256m;
	struct boot_image img = { 0 };
	struct err err = { 0 };
	const struct boot_piece *info;

	env.initrd = &small_initrd;
	g_assert_true(linux_x86_load(&img, &(struct file_map){ k, ELF_SIZE, -1, "k" }, &env, &err));
	g_assert_cmpint(img.kind, ==, BOOT_PVH);
	g_assert_cmphex(img.entry, ==, 2 * MIB + 8);
	g_assert_cmpuint(piece_at(&img, 2 * MIB)->size, ==, 16);
	g_assert_null(piece_at(&img, 2 * MIB + 16)->data);
	g_assert_cmpuint(piece_at(&img, 2 * MIB + 16)->size, ==, 4080);
	info = piece_at(&img, BOOT_PVH_INFO);
	g_assert_cmphex(ld32_le(info->data), ==, 0x336ec578);
	g_assert_cmpuint(ld32_le(info->data + 12), ==, 1);
	g_assert_cmphex(ld64_le(info->data + 64), ==, 256 * MIB - 4096);
	g_assert_cmpuint(ld32_le(info->data + 48), ==, 2);
	boot_image_clear(&img);
}

static void test_bad_elf_files(void)
{
	g_autofree uint8_t *k = new_elf();

	k[208 - 4] = 'Y';
	refused(k, ELF_SIZE, &env_256m,
		"ELF kernel 'k' has no PVH entry note; build it with CONFIG_PVH=y or use the "
		"bzImage");
	refused(k, 100, &env_256m,
		"kernel 'k' is truncated: its program headers lie outside the file");
	refused(k, 185, &env_256m, "kernel 'k' is truncated: segment 0 ends beyond the file");
	st64_le(k + 64 + offsetof(Elf64_Phdr, p_memsz), UINT64_MAX);
	refused(k, ELF_SIZE, &env_256m,
		"kernel 'k' needs memory up to 0x1fffff, the guest has 256 MiB below 4 GiB; give "
		"it more "
		"with -m");
	st64_le(k + 64 + offsetof(Elf64_Phdr, p_paddr), 0x8000);
	refused(k, ELF_SIZE, &env_256m,
		"kernel 'k' wants to be loaded at 0x8000, below 1 MiB, where boot data is");
	st16_le(k + offsetof(Elf64_Ehdr, e_machine), EM_AARCH64);
	refused(k, ELF_SIZE, &env_256m,
		"kernel 'k' is ELF for another architecture (machine 183), not x86");
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/linux/bzimage", test_bzimage_is_laid_out);
	g_test_add_func("/linux/bzimage/small-memory",
			test_memory_must_hold_the_kernel_where_it_prefers_to_be);
	g_test_add_func("/linux/bzimage/old", test_old_and_32_bit_kernels);
	g_test_add_func("/linux/foreign", test_damaged_and_foreign_files_are_told_apart);
	g_test_add_func("/linux/too-large", test_initrd_and_command_line_that_do_not_fit);
	g_test_add_func("/linux/elf", test_elf_with_a_pvh_note);
	g_test_add_func("/linux/elf/bad", test_bad_elf_files);
	return g_test_run();
}
