/* monitor/qmp.h - writing QMP commands and events: types, tables, and what a handler may use.
 *
 * A group of commands is one file, cmd_SUBJECT.c: types, handlers, and at the end a table
 * `const struct qmp_command qmp_SUBJECT_commands[]` that monitor/groups.def names.  From these
 * tables come the check of arguments, query-commands and query-qmp-schema.
 * SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <json-c/json.h>

#include "base/err.h"
#include "monitor/monitor.h"

struct qmp_session;
struct qmp_type;

/* ---- types (QEMU's docs/devel/qapi-code-gen, "Client JSON Protocol introspection") ---- */

enum qmp_meta { QMP_BUILTIN, QMP_ENUM, QMP_OBJECT, QMP_ARRAY, QMP_ALTERNATE };

struct qmp_member {
	const char *name; /* of an alternate: not shown */
	const struct qmp_type *type;
	bool is_optional;
};

/* Further members of an object whose tag has this value. */
struct qmp_variant {
	const char *value;
	const struct qmp_type *type;
};

struct qmp_type {
	enum qmp_meta meta;
	const char *name;                   /* builtin: "int"; others: for people only */
	const char *json_type;              /* builtin: what the schema says */
	const char *expected;               /* builtin: what the error says */
	bool is_unsigned;                   /* int: up to 2^64 - 1 */
	const char *const *values;          /* enum; NULL-terminated */
	const struct qmp_member *members;   /* object, alternate; ends with name NULL */
	const char *tag;                    /* object with variants: the member that chooses */
	const struct qmp_variant *variants; /* ends with value NULL; others have no more members */
	bool is_open;                       /* object: the handler checks what else there is */
	const struct qmp_type *element;     /* array */
};

extern const struct qmp_type qmp_str, qmp_int, qmp_uint, qmp_number, qmp_bool, qmp_null, qmp_any;
extern const struct qmp_type qmp_address; /* 64 bits: -4096 is 0xfffffffffffff000 */
extern const struct qmp_type qmp_str_list, qmp_empty;

/* clang-format off */
#define QMP_ENUM_TYPE(id, ...)                                                      \
	static const char *const id##_values[] = { __VA_ARGS__, NULL };             \
	static const struct qmp_type id = { .meta = QMP_ENUM, .name = #id, .values = id##_values }
#define QMP_LIST_TYPE(id, of) \
	static const struct qmp_type id = { .meta = QMP_ARRAY, .name = #id, .element = &(of) }
#define QMP_OBJECT_TYPE(id, ...)                                                    \
	static const struct qmp_member id##_members[] = { __VA_ARGS__, { 0 } };     \
	static const struct qmp_type id = { .meta = QMP_OBJECT, .name = #id, .members = id##_members }
#define REQUIRED(name, type) { name, &(type), false }
#define OPTIONAL(name, type) { name, &(type), true }
/* clang-format on */

/* ---- commands ---- */

/* Error classes that clients tell apart. */
enum qmp_class {
	QMP_GENERIC_ERROR,
	QMP_COMMAND_NOT_FOUND,
	QMP_DEVICE_NOT_ACTIVE,
	QMP_DEVICE_NOT_FOUND,
	QMP_KVM_MISSING_CAP,
};

/* One command being served. */
struct qmp_call {
	struct monitors *all;
	const struct monitor_config *env;
	struct qmp_session *session; /* NULL: called by another monitor */
	struct json_object *args;    /* an object, checked against the command's args */
	enum qmp_class error_class;
	struct err err;
};

struct qmp_command {
	const char *name;
	/* The result, which the caller puts; NULL: failed, call->err says why.  Context: main loop,
	 * no locks.  Does not wait for anything. */
	struct json_object *(*run)(struct qmp_call *call);
	const struct qmp_type *args;    /* object; NULL: none */
	const struct qmp_type *returns; /* NULL: an empty object */
	const char *const *features;    /* NULL-terminated; NULL: none */
	bool is_oob;                    /* may be called by exec-oob */
	bool is_negotiation;            /* answers before the mode is agreed, only then */
	const struct qmp_type *(*make_args)(void); /* instead of args: known at run time only */
};

/* All groups, by groups.def. */
const struct qmp_command *qmp_command_find(const char *name);
void qmp_commands_each(void (*fn)(const struct qmp_command *, void *), void *opaque);
const struct qmp_type *qmp_command_args(const struct qmp_command *c);

/* Run a command for another monitor (HMP): args (may be NULL) is checked as a client's.  The caller
 * keeps args and puts the result; NULL: err says why. */
struct json_object *qmp_run(struct monitors *m, const char *name, struct json_object *args,
			    struct err *err);

/* For handlers.  qmp_ok() is the empty result.  Both failures return NULL; qmp_fail_err() is for
 * call->err filled by somebody else. */
struct json_object *qmp_ok(void);
__attribute__((format(printf, 3, 4))) struct json_object *qmp_fail(struct qmp_call *call,
								   enum qmp_class class,
								   const char *fmt, ...);
static inline struct json_object *qmp_done(struct qmp_call *call, bool ok)
{
	(void)call;
	return ok ? qmp_ok() : NULL;
}
bool qmp_has(const struct qmp_call *call, const char *name);
/* NULL, `otherwise` if absent. */
const char *qmp_arg_str(const struct qmp_call *call, const char *name);
int64_t qmp_arg_int(const struct qmp_call *call, const char *name, int64_t otherwise);
/* Of a qmp_uint or qmp_address that is there. */
uint64_t qmp_arg_uint(const struct qmp_call *call, const char *name);
bool qmp_arg_bool(const struct qmp_call *call, const char *name, bool otherwise);
struct json_object *qmp_arg(const struct qmp_call *call, const char *name);

/* Building results. */
void json_put_str(struct json_object *o, const char *key, const char *text);
void json_put_int(struct json_object *o, const char *key, int64_t v);
void json_put_bool(struct json_object *o, const char *key, bool v);

/* True when value is of type t; else err is as QEMU words it.  name is the value's own (NULL: the
 * arguments as a whole). */
bool qmp_check(const struct qmp_type *t, struct json_object *value, const char *name,
	       struct err *err);

/* ---- events ---- */

struct qmp_event {
	const char *name;
	const struct qmp_type *data; /* NULL: none */
	int64_t interval_ns;         /* at most one in this time, the latest; 0: all */
};

enum qmp_event_id {
#define QMP_EVENT(id, name, data, interval_ms) QMP_EVENT_##id,
#include "monitor/events.def"
#undef QMP_EVENT
	QMP_EVENT_COUNT
};
extern const struct qmp_event qmp_events[QMP_EVENT_COUNT];

/* Tell every session that has agreed on the mode.  Takes data (NULL: none).  Context: main thread.
 */
void qmp_event_send(struct monitors *m, enum qmp_event_id id, struct json_object *data);

/* {"qemu": {...}, "package": ...}, as in the greeting. */
struct json_object *qmp_version(const struct monitor_config *env);
/* The answer of query-qmp-schema. */
struct json_object *qmp_schema(void);
