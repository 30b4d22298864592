/* monitor/hmp/hmp.h - the human monitor: commands typed by people and by scripts that imitate them.
 * Commands are views of QMP's wherever QMP has one.
 * SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>

#include <glib.h>

struct chardev;
struct err;
struct hmp;
struct monitor_config;
struct monitors;

/* What other parts of the program do for it; members may be NULL. */
struct hmp_hooks {
	/* The command gdbserver: listen on device ("none": stop).  What to tell the user goes to
	 * out. */
	bool (*gdbserver)(void *opaque, const char *device, GString *out, struct err *err);
	void *opaque;
};

/* Context of all functions: main thread, no locks.  config, whose machine is built, and monitors
 * outlive it. */
struct hmp *hmp_new(struct monitors *monitors, const struct monitor_config *config);
void hmp_set_hooks(struct hmp *h, const struct hmp_hooks *hooks);
/* A monitor on c, with a prompt and editing. */
bool hmp_add_session(struct hmp *h, struct chardev *c, struct err *err);
/* Run one line for somebody who has no session (human-monitor-command, a debugger).  cpu: index of
 * the CPU that commands are about.  What it prints, g_free(); NULL: err says why. */
char *hmp_run(struct hmp *h, const char *line, int cpu, struct err *err);
/* Ends all sessions. */
void hmp_free(struct hmp *h);
