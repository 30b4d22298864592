/* monitor/qtest/qtest_impl.h - inside of a qtest session.
 * SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <glib.h>

#include "dev/device.h"
#include "memory/address_space.h"
#include "monitor/stream.h"

struct machine;
struct qtest;

/* One of the tapped device's wires. */
struct qtest_wire {
	struct qtest *q;
	struct irq was; /* where it leads */
};

struct qtest {
	struct machine *machine;
	struct stream stream;
	FILE *log;        /* NULL: none */
	int64_t began_ns; /* host time when the client came */

	GString *in;      /* a line that is not complete */
	bool is_too_long; /* the rest of that line is dropped */

	struct device *tapped; /* one reference; NULL: none */
	bool taps_inputs;
	struct qtest_wire wires[DEVICE_MAX_IRQS];
	bool levels[256]; /* of its lines, as the client was told */
};

/* A command's words behind its name. */
struct qtest_call {
	char **args;
	unsigned count;
};

struct qtest_command {
	const char *name;
	const char *usage; /* of its arguments, for errors */
	uint8_t min, max;  /* how many */
	void (*run)(struct qtest *q, const struct qtest_command *cmd,
		    const struct qtest_call *call);
	uint8_t size; /* of one access */
};

/* An answer: a line, newline included. */
__attribute__((format(printf, 2, 3))) void qtest_send(struct qtest *q, const char *fmt, ...);
void qtest_send_text(struct qtest *q, const char *text, size_t len);
/* "FAIL " and the reason. */
__attribute__((format(printf, 2, 3))) void qtest_fail(struct qtest *q, const char *fmt, ...);
/* Argument n as a number of at most max; false: it failed and the client knows. */
bool qtest_number(struct qtest *q, const struct qtest_call *call, unsigned n, uint64_t max,
		  uint64_t *out);

/* ---- memory.c ---- */
void qtest_port_read(struct qtest *q, const struct qtest_command *cmd,
		     const struct qtest_call *call);
void qtest_port_write(struct qtest *q, const struct qtest_command *cmd,
		      const struct qtest_call *call);
void qtest_load(struct qtest *q, const struct qtest_command *cmd, const struct qtest_call *call);
void qtest_store(struct qtest *q, const struct qtest_command *cmd, const struct qtest_call *call);
void qtest_read(struct qtest *q, const struct qtest_command *cmd, const struct qtest_call *call);
void qtest_write(struct qtest *q, const struct qtest_command *cmd, const struct qtest_call *call);
void qtest_b64read(struct qtest *q, const struct qtest_command *cmd, const struct qtest_call *call);
void qtest_b64write(struct qtest *q, const struct qtest_command *cmd,
		    const struct qtest_call *call);
void qtest_memset(struct qtest *q, const struct qtest_command *cmd, const struct qtest_call *call);

/* ---- irq.c ---- */
void qtest_intercept_in(struct qtest *q, const struct qtest_command *cmd,
			const struct qtest_call *call);
void qtest_intercept_out(struct qtest *q, const struct qtest_command *cmd,
			 const struct qtest_call *call);
void qtest_set_irq_in(struct qtest *q, const struct qtest_command *cmd,
		      const struct qtest_call *call);
/* Let go of the tapped device. */
void qtest_untap(struct qtest *q);
