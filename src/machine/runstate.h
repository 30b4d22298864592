/* machine/runstate.h - what a machine is doing, what stops, resets and ends it, and who hears of
 * it.
 *
 * Everything here is for the main thread.  Chips ask through device_env.request, from any thread,
 * and are served in the main loop.
 * SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>

struct device;
struct err;
struct machine;

/* In the order of machine_state_name()'s words. */
enum machine_state {
	MACHINE_PRELAUNCH, /* not started yet, or reset while it stood */
	MACHINE_RUNNING,
	MACHINE_PAUSED,         /* by the user */
	MACHINE_SHUTDOWN,       /* powered off; a reset must come before it runs again */
	MACHINE_DEBUG,          /* by a debugger */
	MACHINE_PANICKED,       /* the guest says it crashed */
	MACHINE_INTERNAL_ERROR, /* the accelerator cannot go on; needs a reset */
	MACHINE_STATE_COUNT
};

/* Why a machine resets or ends; QMP's ShutdownCause. */
enum machine_cause {
	CAUSE_NONE,
	CAUSE_HOST_ERROR,
	CAUSE_QMP_QUIT,
	CAUSE_QMP_RESET,
	CAUSE_SIGNAL,
	CAUSE_UI, /* a key of the terminal */
	CAUSE_GUEST_SHUTDOWN,
	CAUSE_GUEST_RESET,
	CAUSE_GUEST_PANIC,
	MACHINE_CAUSE_COUNT
};

enum machine_event {
	MACHINE_EVENT_STOP,   /* does not run any more */
	MACHINE_EVENT_RESUME, /* runs */
	MACHINE_EVENT_RESET,  /* by cause */
	MACHINE_EVENT_SHUTDOWN,
	MACHINE_EVENT_POWERDOWN, /* the power button was pressed */
	MACHINE_EVENT_PANICKED,
	MACHINE_EVENT_DEVICE_DELETED,
	MACHINE_EVENT_RTC_CHANGE, /* the guest set its clock */
	MACHINE_EVENT_COUNT
};

/* -action and set-action: what happens when the guest does these. */
enum reboot_action { REBOOT_RESET, REBOOT_SHUTDOWN };
enum shutdown_action { SHUTDOWN_POWEROFF, SHUTDOWN_PAUSE };
enum panic_action { PANIC_SHUTDOWN, PANIC_PAUSE, PANIC_EXIT_FAILURE, PANIC_NONE };

struct machine_actions {
	enum reboot_action reboot;
	enum shutdown_action shutdown;
	enum panic_action panic;
};

struct machine_event_info {
	enum machine_event event;
	enum machine_cause cause;    /* RESET, SHUTDOWN */
	enum panic_action action;    /* PANICKED */
	const struct device *device; /* DEVICE_DELETED: still in the tree; RTC_CHANGE */
	int offset_s;                /* RTC_CHANGE: from what the user started it with */
};

/* Hears what happens, in the order of joining.  The listener's owner keeps it. */
struct machine_listener {
	void (*event)(struct machine_listener *l, const struct machine_event_info *info);
	struct machine_listener *next; /* internal */
};
void machine_listen(struct machine *m, struct machine_listener *l);
void machine_unlisten(struct machine *m, struct machine_listener *l);
void machine_notify(struct machine *m, const struct machine_event_info *info);

/* "running" and so on, as QMP's RunState writes them; "guest-reset" and so on, as ShutdownCause
 * does. */
const char *machine_state_name(enum machine_state s);
const char *machine_cause_name(enum machine_cause c);
/* The guest's own doing, not the host's. */
bool machine_cause_is_guest(enum machine_cause c);

/* Stand still in state `why`.  A machine that stands already only changes state from paused. */
void machine_stop(struct machine *m, enum machine_state why);
/* Run.  False: it is in a state that only a reset ends. */
bool machine_continue(struct machine *m, struct err *err);
/* As the reset button, or what -action reboot= says instead. */
void machine_system_reset(struct machine *m, enum machine_cause cause);
/* As the guest's power-off, or what -action shutdown= says instead. */
void machine_system_shutdown(struct machine *m, enum machine_cause cause);
/* Press the power button.  False: the board has none. */
bool machine_system_powerdown(struct machine *m, struct err *err);
/* End the program with this status. */
void machine_quit(struct machine *m, enum machine_cause cause, int code);
