/* monitor/hmp/hmp.c - running a line: find, check, call, and what handlers use.
 * SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/vcpu.h"
#include "machine/machine.h"
#include "monitor/hmp/impl.h"
#include "monitor/qmp.h"

struct hmp *hmp_new(struct monitors *monitors, const struct monitor_config *config)
{
	struct hmp *h = g_new0(struct hmp, 1);

	h->monitors = monitors;
	h->config = *config;
	h->sessions = g_ptr_array_new();
	return h;
}

void hmp_set_hooks(struct hmp *h, const struct hmp_hooks *hooks) { h->hooks = *hooks; }

bool hmp_add_session(struct hmp *h, struct chardev *c, struct err *err)
{
	struct hmp_session *s = hmp_session_new(h, c, err);

	if (s)
		g_ptr_array_add(h->sessions, s);
	return s != NULL;
}

void hmp_free(struct hmp *h)
{
	if (!h)
		return;
	for (unsigned i = 0; i < h->sessions->len; i++)
		hmp_session_free(h->sessions->pdata[i]);
	g_ptr_array_free(h->sessions, TRUE);
	g_free(h);
}

/* ---- one line ---- */

/* What fits, of what a command printed. */
static void take_output(GString *out, const char *text, size_t len)
{
	if (len <= HMP_OUT_BYTES) {
		g_string_append_len(out, text, (gssize)len);
		return;
	}
	g_string_append_len(out, text, HMP_OUT_BYTES);
	g_string_append_printf(out, "\n(the rest is left out: a command prints at most %d MiB)\n",
			       HMP_OUT_BYTES >> 20);
}

static bool is_info(const char *name)
{
	for (const struct hmp_command *c = hmp_info_commands; c->name; c++)
		if (!strcmp(c->name, name))
			return true;
	return false;
}

static void tell_unknown(struct hmp_call *call, const struct hmp_command *table, const char *prefix,
			 const char *name)
{
	GString *all = g_string_new(NULL);
	char **names;
	struct err err;

	for (const struct hmp_command *c = table; c->name; c++)
		g_string_append_printf(all, "%s%s", c == table ? "" : "|", c->name);
	names = g_strsplit(all->str, "|", 0);
	err_set(&err, 0, "unknown command: '%s%.200s'", prefix, name);
	if (*prefix || !is_info(name))
		err_suggest(&err, name, (const char *const *)names);
	else
		err_set(&err, 0, "unknown command: '%s' (did you mean 'info %s'?)", name, name);
	fprintf(call->out, "%s\n", err.text);
	g_strfreev(names);
	g_string_free(all, TRUE);
}

/* "info status" for the row of status. */
static const char *prefix_of(const struct hmp_command *c)
{
	for (const struct hmp_command *i = hmp_info_commands; i->name; i++)
		if (i == c)
			return "info ";
	return "";
}

static void run_command(struct hmp_call *call, const char *line)
{
	size_t first = strcspn(call->cmd->name, "|");
	struct err err;

	if (!hmp_parse_args(call, line, &err))
		fprintf(call->out, "%s: %s\nTry \"help %s%.*s\" for more information\n",
			call->cmd->name, err.text, prefix_of(call->cmd), (int)first,
			call->cmd->name);
	else if (call->cmd->needs_cpu && !hmp_cpu(call))
		fputs("No CPU available\n", call->out);
	else
		call->cmd->run(call);
	hmp_values_clear(call);
}

static void run_line(struct hmp_call *call, const char *line)
{
	const struct hmp_command *table = hmp_commands;
	const char *prefix = "";

	while (table) {
		g_autofree char *name = NULL;
		const struct hmp_command *c = hmp_find(table, &line, &name);

		if (!c && !*name && *prefix) { /* "info" alone */
			hmp_help(call, table, prefix, NULL);
			return;
		}
		if (!c) {
			tell_unknown(call, table, prefix, name);
			return;
		}
		call->cmd = c;
		table = c->sub;
		prefix = "info ";
	}
	run_command(call, line);
}

void hmp_execute(struct hmp *h, struct hmp_session *s, struct hmp_state *state, const char *line,
		 GString *out)
{
	struct hmp_call call = { .hmp = h, .env = &h->config, .session = s, .state = state };
	char *text = NULL;
	size_t len = 0;

	if (!line[strspn(line, " \t\r\n")])
		return;
	call.out = open_memstream(&text, &len);
	if (!call.out) {
		g_string_append(out, "Error: out of memory\n");
		return;
	}
	run_line(&call, line);
	fclose(call.out);
	take_output(out, text, len);
	free(text);
}

char *hmp_run(struct hmp *h, const char *line, int cpu, struct err *err)
{
	GString *out;
	unsigned count = h->config.machine->cpu_count;

	if (cpu < 0 || (cpu && (unsigned)cpu >= count)) {
		err_set(err, 0, "Parameter 'cpu-index' expects a CPU number");
		return NULL;
	}
	out = g_string_new(NULL);
	h->state.cpu = (unsigned)cpu;
	hmp_execute(h, NULL, &h->state, line, out);
	return g_string_free(out, FALSE);
}

/* ---- for handlers ---- */

bool hmp_has_room(struct hmp_call *call) { return ftello(call->out) <= HMP_OUT_BYTES; }

void hmp_error(struct hmp_call *call, const char *fmt, ...)
{
	va_list ap;

	fputs("Error: ", call->out);
	va_start(ap, fmt);
	vfprintf(call->out, fmt, ap);
	va_end(ap);
	fputc('\n', call->out);
}

struct vcpu *hmp_cpu(struct hmp_call *call)
{
	const struct machine *m = call->env->machine;

	return call->state->cpu < m->cpu_count ? m->cpus[call->state->cpu] : NULL;
}

void hmp_on_cpu(struct hmp_call *call, struct vcpu *v, void (*fn)(struct vcpu *, void *),
		void *opaque)
{
	(void)call;
	vcpu_run_sync(v, fn, opaque);
}

struct json_object *hmp_qmp(struct hmp_call *call, const char *name, struct json_object *args)
{
	struct err err;
	struct json_object *result = qmp_run(call->hmp->monitors, name, args, &err);

	json_object_put(args);
	if (!result)
		hmp_error(call, "%s", err.text);
	return result;
}

bool hmp_qmp_done(struct hmp_call *call, const char *name, struct json_object *args)
{
	struct json_object *result = hmp_qmp(call, name, args);

	json_object_put(result);
	return result != NULL;
}

void hmp_qmp_each(struct hmp_call *call, const char *name, struct json_object *args,
		  void (*show)(struct hmp_call *call, struct json_object *o))
{
	struct json_object *list = hmp_qmp(call, name, args);

	for (size_t i = 0; list && i < json_object_array_length(list); i++)
		show(call, json_object_array_get_idx(list, i));
	json_object_put(list);
}

const char *hmp_json_text(struct json_object *o, const char *key)
{
	struct json_object *v = json_object_object_get(o, key);

	return v ? json_object_get_string(v) : "";
}
