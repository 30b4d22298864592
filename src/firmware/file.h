/* firmware/file.h - a file the user named, open and mapped.
 *
 * Only what is looked at becomes resident: kernels and initrds go from the page cache to guest
 * memory without a copy of our own.
 * SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

struct file_map {
	const uint8_t *data; /* read-only */
	size_t size;
	int fd; /* -1: data is the caller's own memory */
	const char *path;
};

/* Map path (a regular file of 1 to max bytes); `what` names it in errors: "kernel". */
bool file_open(struct file_map *f, const char *what, const char *path, uint64_t max,
	       struct err *err);
void file_close(struct file_map *f);
/* Close the map but not the descriptor, which is the caller's now. */
int file_take_fd(struct file_map *f);
