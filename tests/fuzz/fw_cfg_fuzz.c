/* tests/fuzz/fw_cfg_fuzz.c - what a guest can do to fw_cfg: ports and DMA descriptors.
 *
 * The input is a sequence of records: kind (1 byte), number (2), bytes (16).
 *   kind 0: select `number`; 1: read data (number & FFh) times; 2: put the bytes at address
 * `number` and start a DMA there; 3: write the first 8 bytes to a port of the device, any size.
 * SPDX-License-Identifier: MIT */
#include "bare.h"

#include <string.h>

#include "dev/nvram/fw_cfg.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { RECORD_BYTES = 19 };

static struct bare b;
static struct device *fw;

static void setup(void)
{
	static const char rom[600] = "bytes";
	struct err err;

	bare_init(&b);
	fw = bare_add(&b, "fw_cfg", 0, NULL);
	fw_cfg_add_u32(fw, FW_CFG_RAM_SIZE, BARE_RAM_SIZE);
	fw_cfg_add_file(fw, "etc/rom", rom, sizeof(rom), &err);
	fw_cfg_add_writable_file(fw, "etc/log", rom, 64, NULL, NULL, &err);
	fw_cfg_add_file(fw, "etc/empty", NULL, 0, &err);
}

static void dma_at(uint16_t at, const uint8_t *bytes)
{
	dma_write(&b.mem, at, bytes, 16);
	address_space_write(&b.io, 0x514, 4, 0);
	address_space_write(&b.io, 0x518, 4, __builtin_bswap32(at));
}

static void run_record(const uint8_t *r)
{
	uint16_t number = ld16_le(r + 1);

	switch (r[0] & 3) {
	case 0: address_space_write(&b.io, 0x510, 2, number); break;
	case 1:
		for (unsigned i = number & 0xff; i; i--)
			bare_in(&b, 0x511);
		break;
	case 2: dma_at(number, r + 3); break;
	default:
		address_space_write(&b.io, 0x510 + (number & 15), 1u << (number >> 4 & 3),
				    ld64_le(r + 3));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t back[64];

	if (!fw)
		setup();
	device_reset(fw);
	for (; size >= RECORD_BYTES; data += RECORD_BYTES, size -= RECORD_BYTES)
		run_record(data);
	/* what only the emulator may change is as it was */
	if (fw_cfg_read_file(fw, "etc/rom", 0, back, 6) != 600 || memcmp(back, "bytes", 6) != 0 ||
	    fw_cfg_read_file(fw, "etc/log", 0, back, sizeof(back)) != 64)
		__builtin_trap();
	return 0;
}
