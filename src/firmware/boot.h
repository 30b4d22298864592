/* firmware/boot.h - what stands in guest memory and in the boot vCPU when a kernel is started
 * without firmware.
 *
 * A loader (linux_x86.h) checks the user's files once and fills a boot image; at every reset
 * boot_image_apply() puts it in place anew.
 * SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bits.h"

struct address_space;
struct err;
struct file_map;
struct x86_cpu;

enum e820_type { E820_RAM = 1, E820_RESERVED = 2, E820_ACPI = 3 };
enum { E820_MAX = 32 };

struct e820_entry {
	uint64_t addr, size;
	uint32_t type; /* enum e820_type */
};

struct boot_piece {
	gpa_t addr;
	uint8_t *data; /* g_malloc; NULL: zeroes, or from fd */
	size_t size;
	int fd; /* -1, or the file whose bytes from offset on belong here */
	uint64_t offset;
};

enum boot_entry {
	BOOT_LINUX64, /* Linux x86 boot protocol, 64-bit entry: RSI = boot_params */
	BOOT_LINUX32, /* 32-bit entry: ESI = boot_params */
	BOOT_PVH,     /* PVH direct boot: EBX = hvm_start_info */
};

struct boot_image {
	struct boot_piece *pieces;
	unsigned count;
	int fds[2]; /* kernel, initrd: kept open */
	unsigned fd_count;
	enum boot_entry kind;
	uint64_t entry; /* linear address of the first instruction */
	uint64_t info;  /* physical address for RSI, ESI or EBX */
};

/* What the machine offers to the kernel. */
struct boot_env {
	uint64_t low_ram;              /* bytes of RAM from address 0 on */
	const struct e820_entry *e820; /* map for the kernel */
	unsigned e820_count;
	gpa_t rsdp;                    /* 0: no ACPI */
	const char *cmdline;           /* may be NULL */
	const struct file_map *initrd; /* may be NULL */
};

/* Where the loaders put things below 1 MiB. */
enum {
	BOOT_GDT = 0x5000,
	BOOT_PVH_INFO = 0x6000,
	BOOT_PARAMS = 0x7000,
	BOOT_PAGE_TABLES = 0x9000, /* six pages: 4 GiB mapped one to one */
	BOOT_CMDLINE = 0x20000,
	BOOT_CMDLINE_MAX = 0x10000,
	BOOT_EBDA = 0x9fc00,  /* end of conventional memory in the map */
	BOOT_ACPI = 0xe0000,  /* the machine's tables */
	BOOT_RESET = 0xffff0, /* real-mode code that resets the machine */
	BOOT_HIGH = 0x100000, /* kernels and initrd from here on */
};

/* A copy of data that apply() will write at addr. */
void boot_image_add(struct boot_image *img, gpa_t addr, const void *data, size_t size);
/* Bytes [offset, offset + size) of a file, read at each apply(): its owner then gives the open file
 * to boot_image_keep(). */
void boot_image_add_file(struct boot_image *img, gpa_t addr, const struct file_map *f,
			 uint64_t offset, size_t size);
void boot_image_keep(struct boot_image *img, struct file_map *f);
/* The same as boot_image_add(), taking over data (g_malloc; NULL: zeroes). */
void boot_image_take(struct boot_image *img, gpa_t addr, uint8_t *data, size_t size);
void boot_image_clear(struct boot_image *img);
/* Write all pieces and set the registers of the (reset) boot vCPU.  False: a file could not be read
 * again. */
bool boot_image_apply(const struct boot_image *img, struct address_space *as, struct x86_cpu *cpu,
		      struct err *err);
