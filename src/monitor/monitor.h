/* monitor/monitor.h - the monitors of a running program, as main/ uses them: QMP sessions on
 * chardevs, what they act on, and what they are told.
 * SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct accel;
struct chardev;
struct err;
struct json_object;
struct loop;
struct machine;
struct monitors;
struct object;

/* One option of the command line, for query-command-line-options. */
struct monitor_option {
	const char *name;
	const struct monitor_option_param {
		const char *name;
		const char *type; /* "string", "boolean", "number", "size"; NULL: not told */
		const char *help; /* may be NULL */
	} * params;               /* ends with name NULL; NULL: none */
};

/* What belongs to the layer above, which knows the command line. */
struct monitor_host {
	/* -device and -object later on: props are the arguments of device_add and object-add, of
	 * which the caller keeps the reference. */
	bool (*device_add)(void *opaque, struct json_object *props, struct err *err);
	bool (*object_add)(void *opaque, struct json_object *props, struct err *err);
	/* A line for the human monitor; what it prints, g_free().  NULL: err says why. */
	char *(*human_command)(void *opaque, const char *line, int cpu, struct err *err);
	const struct monitor_option *options; /* ends with name NULL */
	void *opaque;
};

struct monitor_config {
	struct loop *loop;   /* the main loop, which chardevs and the machine use too */
	struct object *root; /* composition tree */
	struct machine *machine;
	const char *target;     /* "x86_64" */
	const char *guest_name; /* NULL: none */
	const char *version;    /* Rhea's own */
	bool has_uuid;
	uint8_t uuid[16];
	struct monitor_host host;
};

/* Context of all functions: main thread.  The configuration's strings and objects outlive it. */
struct monitors *monitors_new(const struct monitor_config *config);
/* A control session (QMP) on c, which nobody else uses. */
bool monitors_add_qmp(struct monitors *m, struct chardev *c, bool is_pretty, struct err *err);
/* Push out what was told last (SHUTDOWN), end all sessions. */
void monitors_free(struct monitors *m);
