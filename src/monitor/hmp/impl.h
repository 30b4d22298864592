/* monitor/hmp/impl.h - inside the human monitor: the table of commands, a call, a session.
 *
 * A command is a row of a table (commands.c, info.c) and a handler.  From the row come the check of
 * what was typed, help and completion.
 * SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <glib.h>
#include <json-c/json.h>

#include "base/bits.h"
#include "base/err.h"
#include "monitor/hmp/hmp.h"
#include "monitor/monitor.h"

struct hmp_call;
struct hmp_session;
struct vcpu;

enum {
	HMP_ARGS_MAX = 4,
	HMP_OUT_BYTES = 4 << 20, /* what one command prints; more is cut */
};

/* ---- arguments ---- */

enum hmp_arg_type {
	HMP_ARG_END,
	HMP_WORD,   /* up to a blank, or in double quotes with \n \r \\ \' \" */
	HMP_REST,   /* the rest of the line */
	HMP_INT,    /* an expression that fits 32 bits */
	HMP_LONG,   /* an expression */
	HMP_FORMAT, /* "/10xw" */
	HMP_ON_OFF,
	HMP_FLAG, /* "-a": name is its letter */
};

/* What a word can be, for completion. */
enum hmp_words {
	HMP_NO_WORDS,
	HMP_COMMANDS,
	HMP_INFOS,
	HMP_DEVICES, /* ids of -device */
	HMP_DEVICE_TYPES,
	HMP_OBJECTS, /* ids of -object */
	HMP_OBJECT_TYPES,
	HMP_CHARDEVS,
	HMP_QOM_PATHS,
	HMP_TRACE_POINTS,
	HMP_LOG_ITEMS,
	HMP_ON_OFF_WORDS,
};

struct hmp_arg {
	const char *name;
	enum hmp_arg_type type;
	bool is_optional;
	enum hmp_words words;
};

struct hmp_format {
	int64_t count;
	char format;   /* x d u o c i s */
	unsigned size; /* bytes of one */
};

struct hmp_value {
	bool is_given;
	int64_t number;
	char *text;
	struct hmp_format format;
};

struct hmp_command {
	const char *name; /* "stop|s": and its other names */
	struct hmp_arg args[HMP_ARGS_MAX];
	const char *params, *help; /* as help prints them */
	void (*run)(struct hmp_call *call);
	const struct hmp_command *sub; /* commands that the first word names; ends with name NULL */
	bool needs_cpu;
};

extern const struct hmp_command hmp_commands[], hmp_info_commands[];

/* ---- a call ---- */

/* What lasts from command to command. */
struct hmp_state {
	unsigned cpu;             /* index */
	struct hmp_format format; /* of the last x, xp or print */
};

struct hmp {
	struct monitors *monitors;
	struct monitor_config config;
	struct hmp_hooks hooks;
	struct hmp_state state; /* of those without a session */
	GPtrArray *sessions;
};

struct hmp_call {
	struct hmp *hmp;
	const struct monitor_config *env;
	struct hmp_state *state;
	struct hmp_session *session; /* NULL: none */
	const struct hmp_command *cmd;
	struct hmp_value values[HMP_ARGS_MAX];
	FILE *out;
};

/* hmp.c: run a line; what it prints is added to out. */
void hmp_execute(struct hmp *h, struct hmp_session *s, struct hmp_state *state, const char *line,
		 GString *out);
/* False: so much was printed that nothing more is kept; loops end then. */
bool hmp_has_room(struct hmp_call *call);
/* "Error: ..." */
__attribute__((format(printf, 2, 3))) void hmp_error(struct hmp_call *call, const char *fmt, ...);
/* The CPU that commands are about; NULL: none there is. */
struct vcpu *hmp_cpu(struct hmp_call *call);
/* Run fn in the CPU's thread, for its state to be true. */
void hmp_on_cpu(struct hmp_call *call, struct vcpu *v, void (*fn)(struct vcpu *, void *),
		void *opaque);
/* A QMP command; takes args.  NULL: failed, and the user was told. */
struct json_object *hmp_qmp(struct hmp_call *call, const char *name, struct json_object *args);
/* The same where no result is shown. */
bool hmp_qmp_done(struct hmp_call *call, const char *name, struct json_object *args);
/* The same where it is a list, of which each is shown. */
void hmp_qmp_each(struct hmp_call *call, const char *name, struct json_object *args,
		  void (*show)(struct hmp_call *call, struct json_object *o));
const char *hmp_json_text(struct json_object *o, const char *key); /* "" if absent */

/* args.c: is `name` one of "stop|s"? */
bool hmp_name_is(const char *names, const char *name, size_t len);
/* Which command a line calls; *line moves to its arguments.  NULL: none, *name is what was typed.
 */
const struct hmp_command *hmp_find(const struct hmp_command *table, const char **line, char **name);
/* Fill call->values from line.  False: err. */
bool hmp_parse_args(struct hmp_call *call, const char *line, struct err *err);
void hmp_values_clear(struct hmp_call *call);
/* "a,b=c" as -device takes it: pairs of text, the first word without '=' called `implied`. */
bool hmp_parse_options(const char *text, const char *implied, GPtrArray *keys, GPtrArray *values,
		       struct err *err);
bool hmp_reg(void *call, const char *name, uint64_t *value); /* expr_reg */

/* complete.c */
char **hmp_complete(struct hmp *h, const char *before, size_t *start);

/* session.c */
struct hmp_session *hmp_session_new(struct hmp *h, struct chardev *c, struct err *err);
void hmp_session_free(struct hmp_session *s);
const char *hmp_session_history(const struct hmp_session *s, unsigned n);

/* ---- handlers ---- */

/* commands.c */
void hmp_help(struct hmp_call *call, const struct hmp_command *table, const char *prefix,
	      const char *name);
/* memory.c */
void hmp_x(struct hmp_call *call);
void hmp_xp(struct hmp_call *call);
void hmp_print(struct hmp_call *call);
void hmp_port_in(struct hmp_call *call);
void hmp_port_out(struct hmp_call *call);
void hmp_sum(struct hmp_call *call);
void hmp_memsave(struct hmp_call *call);
void hmp_pmemsave(struct hmp_call *call);
void hmp_gva2gpa(struct hmp_call *call);
/* objects.c */
void hmp_device_add(struct hmp_call *call);
void hmp_device_del(struct hmp_call *call);
void hmp_object_add(struct hmp_call *call);
void hmp_object_del(struct hmp_call *call);
void hmp_qom_list(struct hmp_call *call);
void hmp_qom_get(struct hmp_call *call);
void hmp_qom_set(struct hmp_call *call);
void hmp_chardev_add(struct hmp_call *call);
void hmp_chardev_change(struct hmp_call *call);
void hmp_chardev_remove(struct hmp_call *call);
void hmp_chardev_send_break(struct hmp_call *call);
/* logging.c */
void hmp_log(struct hmp_call *call);
void hmp_logfile(struct hmp_call *call);
void hmp_trace_event(struct hmp_call *call);
void hmp_info_trace_events(struct hmp_call *call);
/* info_cpu.c */
void hmp_info_registers(struct hmp_call *call);
void hmp_info_cpus(struct hmp_call *call);
void hmp_info_mem(struct hmp_call *call);
void hmp_info_tlb(struct hmp_call *call);
void hmp_info_lapic(struct hmp_call *call);
/* info_devices.c */
void hmp_info_mtree(struct hmp_call *call);
void hmp_info_qtree(struct hmp_call *call);
void hmp_info_qom_tree(struct hmp_call *call);
void hmp_info_qdm(struct hmp_call *call);
void hmp_info_pic(struct hmp_call *call);
void hmp_info_irq(struct hmp_call *call);
void hmp_info_roms(struct hmp_call *call);
