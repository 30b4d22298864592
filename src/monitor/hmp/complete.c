/* monitor/hmp/complete.c - what the word before the cursor may become.
 * SPDX-License-Identifier: MIT */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "dev/device.h"
#include "monitor/hmp/impl.h"
#include "object/object.h"

enum { FOUND_MAX = 1000 };

struct finder {
	const char *typed; /* the word's beginning */
	size_t len;
	GPtrArray *found; /* char * */
};

static void offer(struct finder *f, const char *word)
{
	if (f->found->len < FOUND_MAX && !strncmp(word, f->typed, f->len))
		g_ptr_array_add(f->found, g_strdup(word));
}

/* ---- kinds of words ---- */

static void offer_commands(struct finder *f, const struct hmp_command *table)
{
	for (const struct hmp_command *c = table; c->name; c++) {
		char **names = g_strsplit(c->name, "|", 0);

		for (char **n = names; *n; n++)
			offer(f, *n);
		g_strfreev(names);
	}
}

static void offer_object(struct object *o, void *opaque)
{
	if (o->name)
		offer(opaque, o->name);
}

static void offer_children(struct finder *f, struct hmp *h, const char *path)
{
	struct object *o = object_resolve(h->config.root, path);

	if (o)
		object_each_child(o, offer_object, f);
}

static void offer_device_type(const struct object_type *t, void *opaque)
{
	const struct device_type *d = device_type_find(t->name);

	if (d && d->is_user_creatable)
		offer(opaque, t->name);
}

static void offer_object_type(const struct object_type *t, void *opaque)
{
	if (t->complete && !t->is_abstract)
		offer(opaque, t->name);
}

static void count_child(struct object *o, void *count)
{
	(void)o;
	++*(unsigned *)count;
}

/* With a slash where more lies below. */
static void offer_path(struct object *o, void *opaque)
{
	g_autofree char *path = object_path(o), *folder = g_strconcat(path, "/", NULL);
	unsigned count = 0;

	object_each_child(o, count_child, &count);
	offer(opaque, count ? folder : path);
}

/* What lies in the directory that is typed. */
static void offer_paths(struct finder *f, struct hmp *h)
{
	const char *slash = strrchr(f->typed, '/');
	g_autofree char *parent = slash ? g_strndup(f->typed, (gsize)(slash - f->typed)) : NULL;
	struct object *o = object_resolve(h->config.root, parent && *parent ? parent : "/");

	if (o)
		object_each_child(o, offer_path, f);
}

static void offer_trace_points(struct finder *f)
{
#define TRACE_POINT(name, help) offer(f, #name);
#include "base/trace_points.def"
#undef TRACE_POINT
}

/* The first word of each line of the help. */
static void offer_log_items(struct finder *f)
{
	char *text = NULL, **lines;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	if (!out)
		return;
	log_help(out);
	fclose(out);
	lines = g_strsplit(text, "\n", 0);
	for (char **l = lines + 1; *lines && *l; l++) {
		(*l)[strcspn(*l, " ")] = '\0';
		if (**l)
			offer(f, *l);
	}
	offer(f, "none");
	g_strfreev(lines);
	free(text);
}

static void offer_words(struct finder *f, struct hmp *h, enum hmp_words words)
{
	switch (words) {
	case HMP_NO_WORDS: break;
	case HMP_COMMANDS: offer_commands(f, hmp_commands); break;
	case HMP_INFOS: offer_commands(f, hmp_info_commands); break;
	case HMP_DEVICES: offer_children(f, h, "/machine/peripheral"); break;
	case HMP_DEVICE_TYPES: object_types_each("device", offer_device_type, f); break;
	case HMP_OBJECTS: offer_children(f, h, "/objects"); break;
	case HMP_OBJECT_TYPES: object_types_each(NULL, offer_object_type, f); break;
	case HMP_CHARDEVS: offer_children(f, h, "/chardevs"); break;
	case HMP_QOM_PATHS: offer_paths(f, h); break;
	case HMP_TRACE_POINTS: offer_trace_points(f); break;
	case HMP_LOG_ITEMS: offer_log_items(f); break;
	case HMP_ON_OFF_WORDS:
		offer(f, "on");
		offer(f, "off");
		break;
	}
}

/* ---- which it is ---- */

/* Of the command's arguments, the one that word `index` behind its name is; flags come first and
 * are no words. */
static enum hmp_words words_of(const struct hmp_command *c, unsigned index)
{
	for (unsigned i = 0; i < HMP_ARGS_MAX && c->args[i].type; i++) {
		if (c->args[i].type == HMP_FLAG)
			continue;
		if (!index--)
			return c->args[i].words;
	}
	return HMP_NO_WORDS;
}

static unsigned count_words(const char *p, const char *end)
{
	unsigned n = 0;

	while (p < end) {
		while (p < end && isspace((uint8_t)*p))
			p++;
		if (p < end && *p != '-' && *p != '/')
			n++;
		while (p < end && !isspace((uint8_t)*p))
			p++;
	}
	return n;
}

char **hmp_complete(struct hmp *h, const char *before, size_t *start)
{
	const struct hmp_command *table = hmp_commands, *c = NULL;
	const char *p = before, *word = before + strlen(before);
	struct finder f = { .found = g_ptr_array_new() };

	while (word > before && !isspace((uint8_t)word[-1]))
		word--;
	f.typed = word;
	f.len = strlen(word);
	while (isspace((uint8_t)*p))
		p++;
	/* Whole words before this one name the command. */
	while (table && p < word) {
		g_autofree char *name = NULL;

		c = hmp_find(table, &p, &name);
		table = c ? c->sub : NULL;
		while (isspace((uint8_t)*p))
			p++;
	}
	if (table)
		offer_commands(&f, table);
	else if (c && !strncmp(c->name, "help|", 5) && g_str_has_prefix(p, "info "))
		offer_commands(&f, hmp_info_commands);
	else if (c)
		offer_words(&f, h, words_of(c, count_words(p, word)));
	*start = (size_t)(word - before);
	g_ptr_array_add(f.found, NULL);
	return (char **)g_ptr_array_free(f.found, FALSE);
}
