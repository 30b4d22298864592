/* monitor/dispatch.c - from a message to its answer: the envelope, the command's table, the call.
 * SPDX-License-Identifier: MIT */
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/bits.h"
#include "monitor/impl.h"

#define QMP_GROUP(name) extern const struct qmp_command name[];
#include "monitor/groups.def"
#undef QMP_GROUP

static const struct qmp_command *const groups[] = {
#define QMP_GROUP(name) name,
#include "monitor/groups.def"
#undef QMP_GROUP
};

void qmp_commands_each(void (*fn)(const struct qmp_command *, void *), void *opaque)
{
	for (unsigned i = 0; i < ARRAY_SIZE(groups); i++)
		for (const struct qmp_command *c = groups[i]; c->name; c++)
			fn(c, opaque);
}

static void index_add(const struct qmp_command *c, void *table)
{
	bool is_new = g_hash_table_insert(table, (gpointer)c->name, (gpointer)c);

	assert(is_new); /* two commands of one name */
	(void)is_new;
}

/* What commands exist is a fact of the binary: made at the first use, in the main thread. */
const struct qmp_command *qmp_command_find(const char *name)
{
	static GHashTable *table;

	if (!table) {
		table = g_hash_table_new(g_str_hash, g_str_equal);
		qmp_commands_each(index_add, table);
	}
	return g_hash_table_lookup(table, name);
}

const struct qmp_type *qmp_command_args(const struct qmp_command *c)
{
	if (c->make_args)
		return c->make_args();
	return c->args ? c->args : &qmp_empty;
}

/* ---- answers ---- */

struct json_object *qmp_error(enum qmp_class class, const char *text)
{
	static const char *const names[] = { "GenericError", "CommandNotFound", "DeviceNotActive",
					     "DeviceNotFound", "KVMMissingCap" };
	struct json_object *error = json_object_new_object(), *o = json_object_new_object();

	json_put_str(error, "class", names[class]);
	json_put_str(error, "desc", text);
	json_object_object_add(o, "error", error);
	return o;
}

static struct json_object *answer_of(struct qmp_call *call, struct json_object *result)
{
	struct json_object *o;

	if (!result)
		return qmp_error(call->error_class, call->err.text);
	o = json_object_new_object();
	json_object_object_add(o, "return", result);
	return o;
}

/* ---- the call ---- */

static struct json_object *call_run(struct qmp_call *call, const struct qmp_command *c,
				    struct json_object *args)
{
	struct json_object *none = NULL, *result = NULL;

	if (!args)
		args = none = json_object_new_object();
	call->args = args;
	if (qmp_check(qmp_command_args(c), args, NULL, &call->err))
		result = c->run(call);
	json_object_put(none);
	return result;
}

struct json_object *qmp_run(struct monitors *m, const char *name, struct json_object *args,
			    struct err *err)
{
	const struct qmp_command *c = qmp_command_find(name);
	struct qmp_call call = { .all = m, .env = &m->config };
	struct json_object *result;

	if (!c) {
		err_set(err, 0, "The command %s has not been found", name);
		return NULL;
	}
	result = call_run(&call, c, args);
	*err = call.err;
	return result;
}

/* ---- the envelope ---- */

/* The command's name, or NULL with call->err. */
static const char *check_envelope(struct qmp_call *call, struct json_object *message, bool *is_oob)
{
	static const char *const words[] = { "execute", "exec-oob", "arguments", "id" };
	struct json_object *name = NULL, *args;

	if (json_object_get_type(message) != json_type_object)
		return (char *)qmp_fail(call, QMP_GENERIC_ERROR, "QMP input must be a JSON object");
	json_object_object_foreach(message, key, value)
	{
		bool is_known = false;

		(void)value;
		for (unsigned i = 0; i < ARRAY_SIZE(words); i++)
			is_known |= !strcmp(key, words[i]);
		if (!is_known)
			return (char *)qmp_fail(call, QMP_GENERIC_ERROR,
						"QMP input member '%.200s' is unexpected", key);
	}
	*is_oob = json_object_object_get_ex(message, "exec-oob", NULL);
	if (*is_oob && json_object_object_get_ex(message, "execute", NULL))
		return (char *)qmp_fail(call, QMP_GENERIC_ERROR,
					"QMP input member 'execute' clashes with 'exec-oob'");
	if (!json_object_object_get_ex(message, *is_oob ? "exec-oob" : "execute", &name))
		return (char *)qmp_fail(call, QMP_GENERIC_ERROR,
					"QMP input lacks member 'execute'");
	if (json_object_get_type(name) != json_type_string)
		return (char *)qmp_fail(call, QMP_GENERIC_ERROR,
					"QMP input member '%s' must be a string",
					*is_oob ? "exec-oob" : "execute");
	if (json_object_object_get_ex(message, "arguments", &args) &&
	    json_object_get_type(args) != json_type_object)
		return (char *)qmp_fail(call, QMP_GENERIC_ERROR,
					"QMP input member 'arguments' must be an object");
	return json_object_get_string(name);
}

/* What may be called now, or NULL with call->err. */
static const struct qmp_command *find_allowed(struct qmp_call *call, const struct qmp_mode *mode,
					      const char *name, bool is_oob)
{
	const struct qmp_command *c = qmp_command_find(name);

	if (!mode->is_negotiated && (!c || !c->is_negotiation || is_oob)) {
		qmp_fail(call, QMP_COMMAND_NOT_FOUND,
			 "Expecting capabilities negotiation with 'qmp_capabilities'");
		return NULL;
	}
	if (mode->is_negotiated && c && c->is_negotiation) {
		qmp_fail(call, QMP_COMMAND_NOT_FOUND,
			 "Capabilities negotiation is already complete, command ignored");
		return NULL;
	}
	if (!c) {
		qmp_fail(call, QMP_COMMAND_NOT_FOUND, "The command %.200s has not been found",
			 name);
		return NULL;
	}
	if (is_oob && !mode->has_oob) {
		qmp_fail(call, QMP_GENERIC_ERROR, "QMP input member 'exec-oob' is unexpected");
		return NULL;
	}
	if (is_oob && !c->is_oob) {
		qmp_fail(call, QMP_GENERIC_ERROR, "The command %s does not support OOB", name);
		return NULL;
	}
	return c;
}

bool qmp_is_oob(struct json_object *message, const struct qmp_mode *mode)
{
	return mode->has_oob && json_object_get_type(message) == json_type_object &&
	       json_object_object_get_ex(message, "exec-oob", NULL);
}

struct json_object *qmp_dispatch(struct monitors *m, struct qmp_session *s,
				 const struct qmp_mode *mode, struct json_object *message)
{
	struct qmp_call call = { .all = m, .env = &m->config, .session = s };
	const struct qmp_command *c = NULL;
	struct json_object *result = NULL, *answer, *id;
	bool is_oob = false;
	const char *name = check_envelope(&call, message, &is_oob);

	if (name)
		c = find_allowed(&call, mode, name, is_oob);
	if (c)
		result = call_run(&call, c, json_object_object_get(message, "arguments"));
	answer = answer_of(&call, result);
	if (json_object_get_type(message) == json_type_object &&
	    json_object_object_get_ex(message, "id", &id))
		json_object_object_add(answer, "id", json_object_get(id));
	return answer;
}

/* ---- for handlers ---- */

struct json_object *qmp_ok(void) { return json_object_new_object(); }

struct json_object *qmp_fail(struct qmp_call *call, enum qmp_class class, const char *fmt, ...)
{
	va_list ap;

	call->error_class = class;
	call->err.code = 0;
	va_start(ap, fmt);
	vsnprintf(call->err.text, sizeof(call->err.text), fmt, ap);
	va_end(ap);
	return NULL;
}

struct json_object *qmp_arg(const struct qmp_call *call, const char *name)
{
	return json_object_object_get(call->args, name);
}

bool qmp_has(const struct qmp_call *call, const char *name)
{
	return json_object_object_get_ex(call->args, name, NULL);
}

const char *qmp_arg_str(const struct qmp_call *call, const char *name)
{
	struct json_object *v = qmp_arg(call, name);

	return v ? json_object_get_string(v) : NULL;
}

int64_t qmp_arg_int(const struct qmp_call *call, const char *name, int64_t otherwise)
{
	struct json_object *v = qmp_arg(call, name);

	return v ? json_object_get_int64(v) : otherwise;
}

uint64_t qmp_arg_uint(const struct qmp_call *call, const char *name)
{
	struct json_object *v = qmp_arg(call, name);
	int64_t i = json_object_get_int64(v);

	return i < 0 ? (uint64_t)i : json_object_get_uint64(v);
}

bool qmp_arg_bool(const struct qmp_call *call, const char *name, bool otherwise)
{
	struct json_object *v = qmp_arg(call, name);

	return v ? json_object_get_boolean(v) : otherwise;
}

void json_put_str(struct json_object *o, const char *key, const char *text)
{
	json_object_object_add(o, key, json_object_new_string(text));
}

void json_put_int(struct json_object *o, const char *key, int64_t v)
{
	json_object_object_add(o, key, json_object_new_int64(v));
}

void json_put_bool(struct json_object *o, const char *key, bool v)
{
	json_object_object_add(o, key, json_object_new_boolean(v));
}
