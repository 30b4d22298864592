/* firmware/boot.c - boot images: pieces of memory and the vCPU's entry state.
 * Sources: Linux Documentation/arch/x86/boot.rst; Xen docs/misc/pvh.
 * SPDX-License-Identifier: MIT */
#include "firmware/boot.h"

#include <errno.h>
#include <unistd.h>

#include <glib.h>

#include "arch/x86/state.h"
#include "arch/x86/x86.h"
#include "base/err.h"
#include "firmware/file.h"
#include "memory/address_space.h"

enum { SEL_CODE = 0x10, SEL_DATA = 0x18, SEL_TSS = 0x20, SEL_CODE64 = 0x28 };

enum {
	ATTR_CODE32 = 0xc09b, /* present, code, readable, accessed, D, G */
	ATTR_CODE64 = 0xa09b, /* the same with L instead of D */
	ATTR_DATA = 0xc093,   /* present, data, writable, accessed, B, G */
	ATTR_TSS = 0x008b,    /* present, busy 32-bit TSS */
};

void boot_image_take(struct boot_image *img, gpa_t addr, uint8_t *data, size_t size)
{
	img->pieces = g_realloc_n(img->pieces, img->count + 1, sizeof(*img->pieces));
	img->pieces[img->count++] = (struct boot_piece){ addr, data, size, -1, 0 };
}

void boot_image_add_file(struct boot_image *img, gpa_t addr, const struct file_map *f,
			 uint64_t offset, size_t size)
{
	if (f->fd < 0) {
		boot_image_add(img, addr, f->data + offset, size);
		return;
	}
	boot_image_take(img, addr, NULL, size);
	img->pieces[img->count - 1].fd = f->fd;
	img->pieces[img->count - 1].offset = offset;
}

void boot_image_keep(struct boot_image *img, struct file_map *f)
{
	int fd = file_take_fd(f);

	if (fd >= 0)
		img->fds[img->fd_count++] = fd;
}

void boot_image_add(struct boot_image *img, gpa_t addr, const void *data, size_t size)
{
	boot_image_take(img, addr, g_memdup2(data, size), size);
}

void boot_image_clear(struct boot_image *img)
{
	for (unsigned i = 0; i < img->count; i++)
		g_free(img->pieces[i].data);
	for (unsigned i = 0; i < img->fd_count; i++)
		close(img->fds[i]);
	g_free(img->pieces);
	*img = (struct boot_image){ 0 };
}

/* A flat 4 GiB segment's descriptor (SDM 3A 3.4.5) from the attributes in struct x86_seg. */
static uint64_t boot_descriptor(uint32_t attr, uint32_t limit)
{
	return (uint64_t)(limit & 0xffff) | (uint64_t)(limit >> 16 & 0xf) << 48 |
	       (uint64_t)(attr & 0xf0ff) << 40;
}

static void boot_write_gdt(struct address_space *as, struct x86_cpu *c)
{
	uint64_t gdt[6] = { 0 };

	gdt[SEL_CODE / 8] = boot_descriptor(ATTR_CODE32, 0xfffff);
	gdt[SEL_DATA / 8] = boot_descriptor(ATTR_DATA, 0xfffff);
	gdt[SEL_TSS / 8] = boot_descriptor(ATTR_TSS, 0x67);
	gdt[SEL_CODE64 / 8] = boot_descriptor(ATTR_CODE64, 0xfffff);
	dma_write(as, BOOT_GDT, gdt, sizeof(gdt));
	c->gdtr = (struct x86_table){ BOOT_GDT, sizeof(gdt) - 1 };
	c->idtr = (struct x86_table){ 0, 0 };
}

/* 4 GiB one to one in 2 MiB pages: present, writable. */
static void boot_write_page_tables(struct address_space *as)
{
	uint64_t table[512] = { 0 };
	gpa_t pml4 = BOOT_PAGE_TABLES, pdpt = pml4 + 0x1000, pd = pdpt + 0x1000;

	table[0] = pdpt | 3;
	dma_write(as, pml4, table, sizeof(table));
	for (unsigned i = 0; i < 4; i++)
		table[i] = (pd + i * 0x1000) | 3;
	dma_write(as, pdpt, table, sizeof(table));
	for (unsigned i = 0; i < 4; i++) {
		for (unsigned j = 0; j < 512; j++)
			table[j] = (i * GIB + j * 2 * MIB) | 0x83;
		dma_write(as, pd + i * 0x1000, table, sizeof(table));
	}
}

static void boot_set_flat_segments(struct x86_cpu *c, bool is_64bit)
{
	uint16_t sel = is_64bit ? SEL_CODE64 : SEL_CODE;
	uint16_t attr = is_64bit ? ATTR_CODE64 : ATTR_CODE32;

	for (int i = SEG_ES; i <= SEG_GS; i++)
		c->seg[i] = (struct x86_seg){ SEL_DATA, ATTR_DATA, UINT32_MAX, 0 };
	c->seg[SEG_CS] = (struct x86_seg){ sel, attr, UINT32_MAX, 0 };
	c->seg[SEG_TR] = (struct x86_seg){ SEL_TSS, ATTR_TSS, 0x67, 0 };
}

static bool boot_piece_read(const struct boot_piece *p, struct address_space *as, struct err *err)
{
	uint64_t done = 0;

	while (done < p->size) {
		uint64_t room = p->size - done;
		uint8_t *to = dma_map(as, p->addr + done, &room, true);
		ssize_t n;

		if (!to)
			return err_set(err, 0, "no memory at 0x%llx for the boot files",
				       (unsigned long long)(p->addr + done));
		n = pread(p->fd, to, room, (off_t)(p->offset + done));
		dma_unmap(as, p->addr + done, n > 0 ? (uint64_t)n : 0, true);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_errno(err, errno, "cannot read the boot files again");
		if (n == 0)
			return err_set(err, 0, "a boot file has become shorter since the start");
		done += (uint64_t)n;
	}
	return true;
}

static bool boot_image_write(const struct boot_image *img, struct address_space *as,
			     struct err *err)
{
	for (unsigned i = 0; i < img->count; i++) {
		const struct boot_piece *p = &img->pieces[i];

		if (p->data)
			dma_write(as, p->addr, p->data, p->size);
		else if (p->fd < 0)
			dma_set(as, p->addr, 0, p->size);
		else if (!boot_piece_read(p, as, err))
			return false;
	}
	return true;
}

bool boot_image_apply(const struct boot_image *img, struct address_space *as, struct x86_cpu *c,
		      struct err *err)
{
	if (!boot_image_write(img, as, err))
		return false;
	boot_write_gdt(as, c);
	boot_set_flat_segments(c, img->kind == BOOT_LINUX64);
	c->cr0 = CR0_PE | CR0_ET | CR0_NE;
	c->rflags = FL_ONE;
	c->env.pc = img->entry;
	if (img->kind == BOOT_PVH)
		c->gpr[RBX] = img->info;
	else
		c->gpr[RSI] = img->info;
	if (img->kind == BOOT_LINUX64) {
		boot_write_page_tables(as);
		c->cr3 = BOOT_PAGE_TABLES;
		c->cr4 |= CR4_PAE;
		c->efer |= EFER_LME | EFER_LMA;
		c->cr0 |= CR0_PG;
	}
	x86_tlb_flush(c, false);
	x86_mode_update(c);
	return true;
}
