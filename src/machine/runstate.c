/* machine/runstate.c - a machine's run state: stopped, continued, reset, powered off, ended.
 * SPDX-License-Identifier: MIT */
#include "machine/runstate.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "machine/machine.h"

const char *machine_state_name(enum machine_state s)
{
	static const char *const names[MACHINE_STATE_COUNT] = {
		"prelaunch", "running",        "paused",         "shutdown",
		"debug",     "guest-panicked", "internal-error",
	};

	return names[s];
}

const char *machine_cause_name(enum machine_cause c)
{
	static const char *const names[MACHINE_CAUSE_COUNT] = {
		[CAUSE_NONE] = "none",
		[CAUSE_HOST_ERROR] = "host-error",
		[CAUSE_QMP_QUIT] = "host-qmp-quit",
		[CAUSE_QMP_RESET] = "host-qmp-system-reset",
		[CAUSE_SIGNAL] = "host-signal",
		[CAUSE_UI] = "host-ui",
		[CAUSE_GUEST_SHUTDOWN] = "guest-shutdown",
		[CAUSE_GUEST_RESET] = "guest-reset",
		[CAUSE_GUEST_PANIC] = "guest-panic",
	};

	return names[c];
}

bool machine_cause_is_guest(enum machine_cause c) { return c >= CAUSE_GUEST_SHUTDOWN; }

/* ---- listeners ---- */

void machine_listen(struct machine *m, struct machine_listener *l)
{
	struct machine_listener **at = &m->listeners;

	while (*at)
		at = &(*at)->next;
	l->next = NULL;
	*at = l;
}

void machine_unlisten(struct machine *m, struct machine_listener *l)
{
	for (struct machine_listener **at = &m->listeners; *at; at = &(*at)->next) {
		if (*at == l) {
			*at = l->next;
			return;
		}
	}
}

void machine_notify(struct machine *m, const struct machine_event_info *info)
{
	struct machine_listener *next;

	for (struct machine_listener *l = m->listeners; l; l = next) {
		next = l->next; /* it may leave */
		l->event(l, info);
	}
}

static void notify(struct machine *m, enum machine_event event, enum machine_cause cause)
{
	const struct machine_event_info info = { .event = event, .cause = cause };

	machine_notify(m, &info);
}

/* ---- stop and go ---- */

void machine_stop(struct machine *m, enum machine_state why)
{
	assert(why != MACHINE_RUNNING);
	if (m->state != MACHINE_RUNNING) {
		if (m->state == MACHINE_PAUSED)
			m->state = why;
		return;
	}
	machine_pause(m);
	m->state = why;
	notify(m, MACHINE_EVENT_STOP, CAUSE_NONE);
}

bool machine_continue(struct machine *m, struct err *err)
{
	if (m->state == MACHINE_SHUTDOWN || m->state == MACHINE_INTERNAL_ERROR)
		return err_set(err, 0, "Resetting the Virtual Machine is required");
	if (m->state == MACHINE_RUNNING)
		return true;
	/* Told first: what the guest does at once is told after it. */
	notify(m, MACHINE_EVENT_RESUME, CAUSE_NONE);
	machine_run(m);
	return true;
}

/* ---- the end ---- */

static void machine_end(struct machine *m, int code, const char *why)
{
	machine_pause(m);
	if (m->on_end)
		m->on_end(m->on_end_opaque, code, why);
}

void machine_quit(struct machine *m, enum machine_cause cause, int code)
{
	notify(m, MACHINE_EVENT_SHUTDOWN, cause);
	machine_end(m, code, NULL);
}

void machine_system_shutdown(struct machine *m, enum machine_cause cause)
{
	if (m->state == MACHINE_SHUTDOWN)
		return;
	if (m->actions.shutdown == SHUTDOWN_POWEROFF) {
		machine_quit(m, cause,
			     cause == CAUSE_GUEST_PANIC && m->actions.panic == PANIC_EXIT_FAILURE
				     ? EXIT_FAILURE
				     : EXIT_SUCCESS);
		return;
	}
	notify(m, MACHINE_EVENT_SHUTDOWN, cause);
	machine_stop(m, MACHINE_SHUTDOWN);
	m->state = MACHINE_SHUTDOWN;
}

/* ---- reset and buttons ---- */

void machine_system_reset(struct machine *m, enum machine_cause cause)
{
	bool was_running = m->state == MACHINE_RUNNING;
	struct err err;
	char text[600];

	if (m->actions.reboot == REBOOT_SHUTDOWN) {
		machine_system_shutdown(m, cause);
		return;
	}
	machine_pause(m);
	if (!machine_reset(m, &err)) {
		snprintf(text, sizeof(text), "cannot reboot: %s", err.text);
		notify(m, MACHINE_EVENT_SHUTDOWN, CAUSE_HOST_ERROR);
		machine_end(m, EXIT_FAILURE, text);
		return;
	}
	notify(m, MACHINE_EVENT_RESET, cause);
	if (was_running)
		machine_run(m);
	else
		m->state = MACHINE_PRELAUNCH;
}

bool machine_system_powerdown(struct machine *m, struct err *err)
{
	if (!m->type->powerdown)
		return err_set(err, 0, "machine '%s' has no power button", m->type->name);
	if (!m->type->powerdown(m, err))
		return false;
	notify(m, MACHINE_EVENT_POWERDOWN, CAUSE_NONE);
	return true;
}

/* ---- what chips ask for ---- */

static void machine_panicked(struct machine *m)
{
	const struct machine_event_info info = { .event = MACHINE_EVENT_PANICKED,
						 .action = m->actions.panic };

	machine_notify(m, &info);
	switch (m->actions.panic) {
	case PANIC_NONE: return;
	case PANIC_PAUSE: machine_stop(m, MACHINE_PANICKED); return;
	case PANIC_SHUTDOWN:
	case PANIC_EXIT_FAILURE:
		machine_stop(m, MACHINE_PANICKED);
		machine_system_shutdown(m, CAUSE_GUEST_PANIC);
		return;
	}
}

static void machine_rtc_changed(struct machine *m)
{
	struct machine_event_info info = { .event = MACHINE_EVENT_RTC_CHANGE,
					   .offset_s = atomic_load(&m->rtc_change_s) };

	for (unsigned i = 0; i < m->device_count && !info.device; i++)
		if (!strcmp(m->devices[i]->type->base.name, "mc146818rtc"))
			info.device = m->devices[i];
	if (info.device)
		machine_notify(m, &info);
}

void machine_handle_request(struct machine *m, enum device_request what, int code)
{
	switch (what) {
	case REQUEST_RESET: machine_system_reset(m, CAUSE_GUEST_RESET); return;
	case REQUEST_SHUTDOWN: machine_system_shutdown(m, CAUSE_GUEST_SHUTDOWN); return;
	case REQUEST_PANIC: machine_panicked(m); return;
	case REQUEST_RTC_CHANGE: machine_rtc_changed(m); return;
	case REQUEST_EXIT: machine_quit(m, CAUSE_GUEST_SHUTDOWN, code); return;
	}
}
