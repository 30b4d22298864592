/* dev/nvram/fw_cfg.h - what firmware/ and machine/ put into fw_cfg, device type "fw_cfg".
 *
 * An isa_device: region 0 at port 510h (selector, data), region 1 at 514h (DMA address).
 * Items are added at machine set-up, before the guest runs; data is copied unless said otherwise.
 * SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct device;
struct err;

/* Fixed selectors (QEMU docs/specs/fw_cfg). */
enum fw_cfg_key {
	FW_CFG_SIGNATURE = 0x00,
	FW_CFG_ID = 0x01,
	FW_CFG_UUID = 0x02,
	FW_CFG_RAM_SIZE = 0x03,
	FW_CFG_NOGRAPHIC = 0x04,
	FW_CFG_NB_CPUS = 0x05,
	FW_CFG_MACHINE_ID = 0x06,
	FW_CFG_KERNEL_ADDR = 0x07,
	FW_CFG_KERNEL_SIZE = 0x08,
	FW_CFG_KERNEL_CMDLINE = 0x09,
	FW_CFG_INITRD_ADDR = 0x0a,
	FW_CFG_INITRD_SIZE = 0x0b,
	FW_CFG_BOOT_DEVICE = 0x0c,
	FW_CFG_NUMA = 0x0d,
	FW_CFG_BOOT_MENU = 0x0e,
	FW_CFG_MAX_CPUS = 0x0f,
	FW_CFG_KERNEL_ENTRY = 0x10,
	FW_CFG_KERNEL_DATA = 0x11,
	FW_CFG_INITRD_DATA = 0x12,
	FW_CFG_CMDLINE_ADDR = 0x13,
	FW_CFG_CMDLINE_SIZE = 0x14,
	FW_CFG_CMDLINE_DATA = 0x15,
	FW_CFG_SETUP_ADDR = 0x16,
	FW_CFG_SETUP_SIZE = 0x17,
	FW_CFG_SETUP_DATA = 0x18,
	FW_CFG_FILE_DIR = 0x19,
	FW_CFG_FILE_FIRST = 0x20,
	FW_CFG_ARCH_LOCAL = 0x8000,
	FW_CFG_ACPI_TABLES = FW_CFG_ARCH_LOCAL + 0,
	FW_CFG_SMBIOS_ENTRIES = FW_CFG_ARCH_LOCAL + 1,
	FW_CFG_IRQ0_OVERRIDE = FW_CFG_ARCH_LOCAL + 2,
	FW_CFG_E820_TABLE = FW_CFG_ARCH_LOCAL + 3,
};

enum { FW_CFG_FILE_MAX = 256, FW_CFG_NAME_BYTES = 56 };

/* By selector; a key that is there already is replaced. */
void fw_cfg_add(struct device *fw, uint16_t key, const void *data, size_t len);
void fw_cfg_add_u16(struct device *fw, uint16_t key, uint16_t value);
void fw_cfg_add_u32(struct device *fw, uint16_t key, uint32_t value);
void fw_cfg_add_u64(struct device *fw, uint16_t key, uint64_t value);
void fw_cfg_add_string(struct device *fw, uint16_t key, const char *text); /* with its NUL */

/* By name ("etc/e820"), in the directory.  False: name taken or too long, or too many files. */
bool fw_cfg_add_file(struct device *fw, const char *name, const void *data, size_t len,
		     struct err *err);
/* The guest may write it by DMA.  written() (may be NULL) is called under the device's lock after
 * each write; read back with fw_cfg_read_file(). */
bool fw_cfg_add_writable_file(struct device *fw, const char *name, const void *data, size_t len,
			      void (*written)(void *opaque, size_t offset, size_t len),
			      void *opaque, struct err *err);
/* Calls refresh() (under the device's lock) when the guest selects the file: it may replace the
 * contents with fw_cfg_replace_locked(). */
bool fw_cfg_add_dynamic_file(struct device *fw, const char *name, const void *data, size_t len,
			     void (*refresh)(struct device *fw, void *opaque), void *opaque,
			     struct err *err);
bool fw_cfg_replace_locked(struct device *fw, const char *name, const void *data, size_t len);
/* Contents now, copied out; how long they are, or -1 if there is no such file. */
int64_t fw_cfg_read_file(struct device *fw, const char *name, size_t offset, void *buf, size_t len);

/* The argument of -fw_cfg: "[name=]NAME,file=PATH" or "[name=]NAME,string=TEXT" (",," is a comma).
 * File contents are read now. */
bool fw_cfg_add_option(struct device *fw, const char *option, struct err *err);
