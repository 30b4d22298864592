/* base/log.h - the log (-d, -D) and trace points (-trace).
 * SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct err;

/* What -d can switch on; names in log_items[]. */
enum log_item {
	LOG_GUEST_ERROR = 1u << 0, /* guest_errors: the guest did what it must not */
	LOG_INT = 1u << 1,         /* int: interrupts and exceptions */
	LOG_IN_ASM = 1u << 2,      /* in_asm: guest code of each translated block */
	LOG_OP = 1u << 3,          /* op: its IR */
	LOG_EXEC = 1u << 4,        /* exec: each block entered */
	LOG_CPU = 1u << 5,         /* cpu: registers before each block */
	LOG_MMU = 1u << 6,         /* mmu: page walks that fault */
	LOG_PCALL = 1u << 7,       /* pcall: far calls, gates, task switches */
	LOG_UNIMP = 1u << 8,       /* unimp: registers not modelled */
	LOG_CPU_RESET = 1u << 9,   /* cpu_reset */
	LOG_OUT_ASM = 1u << 10,    /* out_asm: host code of each translated block */
};

/* Monitors set it while vCPUs run; read without a lock on fast paths. */
extern uint32_t log_mask; /* atomic */

static inline bool log_on(uint32_t items)
{
	return __builtin_expect(__atomic_load_n(&log_mask, __ATOMIC_RELAXED) & items, 0);
}

/* "guest_errors,int" or "help" (the caller prints log_help()). */
bool log_parse_items(const char *list, uint32_t *mask, struct err *err);
void log_help(FILE *out);
void log_set_mask(uint32_t mask);
/* -D: all later lines go to path ("%d" is replaced by the process id). */
bool log_open(const char *path, struct err *err);
void log_close(void);

/* -msg: every line from now on, in the log and of log_message(), begins with the time in UTC and/or
 * with a name (NULL or empty: none).  Context: before threads run. */
void log_set_prefix(bool has_time, const char *name);

/* "who: text" to the user, on standard error wherever the log goes.  Context: any thread, but only
 * main/ and monitor/ speak to the user. */
__attribute__((format(printf, 2, 3))) void log_message(const char *who, const char *fmt, ...);

/* One line to the log, terminated here.  A failed write (full disk) is told
 * once on stderr and the log goes silent; it never stops the guest.  Context: any thread. */
__attribute__((format(printf, 1, 2))) void log_line(const char *fmt, ...);
/* The same under LOG_GUEST_ERROR, at most 100 lines per second. */
__attribute__((format(printf, 2, 3))) void log_guest_error(const char *who, const char *fmt, ...);

/* Trace points.  Each is one row in base/trace_points.def: TRACE_POINT(name, "format").
 * trace_NAME is its enum constant.  Disabled points cost one predictable branch. */
enum trace_id {
#define TRACE_POINT(name, help) TRACE_##name,
#include "base/trace_points.def"
#undef TRACE_POINT
	TRACE_COUNT
};
extern uint8_t trace_enabled[TRACE_COUNT]; /* atomic: as log_mask */

static inline bool trace_on(enum trace_id id)
{
	return __builtin_expect(__atomic_load_n(&trace_enabled[id], __ATOMIC_RELAXED), 0);
}

#define TRACE(name, ...)                                       \
	do {                                                   \
		if (trace_on(TRACE_##name))                    \
			trace_emit(TRACE_##name, __VA_ARGS__); \
	} while (0)
__attribute__((format(printf, 2, 3))) void trace_emit(enum trace_id id, const char *fmt, ...);
/* Enable (or disable, with a leading '-') every point that a glob pattern matches; error when none.
 */
bool trace_set_pattern(const char *pattern, bool on, struct err *err);
void trace_help(FILE *out);
const char *trace_name(enum trace_id id);
