/* firmware/file.h - a file the user named, whole in memory.
 * SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

struct file_bytes {
	uint8_t *data; /* g_malloc */
	size_t size;
};

/* Read path (a regular file of at most max bytes); `what` names it in errors: "kernel". */
bool file_read(struct file_bytes *f, const char *what, const char *path, uint64_t max,
	       struct err *err);
void file_free(struct file_bytes *f);
