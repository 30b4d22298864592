/* base/err.h - why an operation failed, in words for the user.
 * SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>

/* Lives on the caller's stack; never NULL, never heap.  The return value says
 * whether a call failed; this only says why. */
struct err {
	int code; /* errno value, or 0 */
	char text[512];
};

/* All return false, so that a failing path reads "return err_set(...)".
 * err_errno() appends ": " and the system's words for errno value `code`;
 * err_prefix() puts text before what is already there. */
__attribute__((format(printf, 3, 4))) bool err_set(struct err *e, int code, const char *fmt, ...);
__attribute__((format(printf, 3, 4))) bool err_errno(struct err *e, int code, const char *fmt, ...);
__attribute__((format(printf, 2, 3))) bool err_prefix(struct err *e, const char *fmt, ...);

/* Append " (did you mean 'x'?)" when one of the NULL-terminated names is close
 * to the user's word.  Returns false. */
bool err_suggest(struct err *e, const char *word, const char *const *names);
