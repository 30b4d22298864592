/* tests/boot/ring0/guest.h - what the little guests share.  Loaded and entered in real mode at
 * 0000:8000.  Exit: a word to port 501h, 0 = passed, else the line of the check that failed.
 * SPDX-License-Identifier: MIT */
#define EXIT_PORT 0x501
#define INPUT_PORT 0x510 /* byte: see ring0.c */

/* Go on if the condition holds, else report this line. */
#define CHECK(jcc)          \
	jcc 98f;            \
	movw $__LINE__, %ax; \
	jmp fail;           \
	98:
#define FAIL_AND_PASS        \
	pass:                \
	xorw %ax, %ax;       \
	fail:                \
	movw $EXIT_PORT, %dx; \
	outw %ax, %dx;       \
	cli;                 \
	97:                  \
	hlt;                 \
	jmp 97b
