/* dev/timer/i8254.h - what a board needs of the 8254, device type "i8254".
 * SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct device;
struct i8254_image;

/* The state goes to an accelerator that has such a chip, and comes back (cpu/pc_chips.h); an edge
 * of OUT 0 after since_ns may not have been told.  Context: no lock of a device's or a
 * controller's. */
void i8254_lend(struct device *dev, struct i8254_image *image);
void i8254_return(struct device *dev, const struct i8254_image *image, int64_t since_ns,
		  bool goes_on);
