/* dev/timer/mc146818.h - what a board needs of the real-time clock, device type "mc146818rtc".
 *
 * An isa_device: region 0 at port 70h; wire 0: ISA line 8; wire 1: NMI is masked (port 70h bit 7).
 * Properties "base" (utc, localtime, 2006-06-17T16:01:21, 2006-06-17) and "clock" (host, vm) are
 * -rtc's keys.
 * SPDX-License-Identifier: MIT */
#pragma once

#include <stdint.h>

struct device;

/* Battery-backed bytes 0Eh-7Fh that the board fills for firmware.  Context: before the guest runs.
 */
void mc146818_set_cmos(struct device *rtc, uint8_t index, uint8_t value);
uint8_t mc146818_get_cmos(struct device *rtc, uint8_t index);
