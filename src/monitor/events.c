/* monitor/events.c - what clients are told unasked.
 * SPDX-License-Identifier: MIT */
#include "base/bits.h"
#include "dev/device.h"
#include "event/clock.h"
#include "machine/machine.h"
#include "monitor/impl.h"

enum { NS_PER_MS = 1000000, NS_PER_S = 1000000000 };

/* clang-format off */
QMP_ENUM_TYPE(shutdown_cause, "none", "host-error", "host-qmp-quit", "host-qmp-system-reset",
	      "host-signal", "host-ui", "guest-shutdown", "guest-reset", "guest-panic");
QMP_OBJECT_TYPE(cause_data, REQUIRED("guest", qmp_bool), REQUIRED("reason", shutdown_cause));
QMP_ENUM_TYPE(panic_act, "pause", "poweroff", "run");
QMP_OBJECT_TYPE(panicked_data, REQUIRED("action", panic_act));
QMP_OBJECT_TYPE(device_deleted_data, OPTIONAL("device", qmp_str), REQUIRED("path", qmp_str));
QMP_OBJECT_TYPE(rtc_change_data, REQUIRED("offset", qmp_int), REQUIRED("qom-path", qmp_str));
/* clang-format on */

const struct qmp_event qmp_events[QMP_EVENT_COUNT] = {
#define QMP_EVENT(id, name, data, interval_ms) \
	[QMP_EVENT_##id] = { name, data, (int64_t)(interval_ms)*NS_PER_MS },
#include "monitor/events.def"
#undef QMP_EVENT
};

/* ---- sending ---- */

static struct json_object *event_new(enum qmp_event_id id, struct json_object *data)
{
	struct json_object *o = json_object_new_object(), *time = json_object_new_object();
	int64_t now = clock_wall_ns();

	json_put_int(time, "seconds", now / NS_PER_S);
	json_put_int(time, "microseconds", now % NS_PER_S / 1000);
	json_object_object_add(o, "timestamp", time);
	json_put_str(o, "event", qmp_events[id].name);
	if (data)
		json_object_object_add(o, "data", data);
	return o;
}

static void send_to_all(struct monitors *m, struct json_object *event)
{
	for (unsigned i = 0; i < m->sessions->len; i++)
		session_send_event(m->sessions->pdata[i], event);
	json_object_put(event);
}

/* The interval is over: what came meanwhile, the latest of it, goes out now. */
static void on_interval(void *opaque)
{
	struct held_event *h = opaque;
	enum qmp_event_id id = (enum qmp_event_id)(h - h->all->held);
	struct json_object *event = h->data;

	h->data = NULL;
	h->is_waiting = event != NULL;
	if (!event)
		return;
	timer_arm(&h->timer, clock_host_ns() + qmp_events[id].interval_ns);
	send_to_all(h->all, event);
}

void qmp_event_send(struct monitors *m, enum qmp_event_id id, struct json_object *data)
{
	struct held_event *h = &m->held[id];
	struct json_object *event = event_new(id, data);

	if (!qmp_events[id].interval_ns) {
		send_to_all(m, event);
	} else if (h->is_waiting) {
		json_object_put(h->data);
		h->data = event;
	} else {
		h->is_waiting = true;
		timer_arm(&h->timer, clock_host_ns() + qmp_events[id].interval_ns);
		send_to_all(m, event);
	}
}

/* ---- the machine's ---- */

static struct json_object *cause_of(const struct machine_event_info *info)
{
	struct json_object *o = json_object_new_object();

	json_put_bool(o, "guest", machine_cause_is_guest(info->cause));
	json_put_str(o, "reason", machine_cause_name(info->cause));
	return o;
}

static struct json_object *panic_of(const struct machine_event_info *info)
{
	struct json_object *o = json_object_new_object();

	json_put_str(o, "action",
		     info->action == PANIC_NONE    ? "run"
		     : info->action == PANIC_PAUSE ? "pause"
						   : "poweroff");
	return o;
}

static struct json_object *device_of(const struct machine_event_info *info)
{
	struct json_object *o = json_object_new_object();
	char *path = object_path(&info->device->obj);

	if (info->device->id)
		json_put_str(o, "device", info->device->id);
	json_put_str(o, "path", path);
	g_free(path);
	return o;
}

static struct json_object *rtc_change_of(const struct machine_event_info *info)
{
	struct json_object *o = json_object_new_object();
	char *path = object_path(&info->device->obj);

	json_put_int(o, "offset", info->offset_s);
	json_put_str(o, "qom-path", path);
	g_free(path);
	return o;
}

static void on_machine_event(struct machine_listener *l, const struct machine_event_info *info)
{
	struct monitors *m = container_of(l, struct monitors, listener);
	static const struct {
		enum qmp_event_id id;
		struct json_object *(*data)(const struct machine_event_info *info);
	} rows[MACHINE_EVENT_COUNT] = {
		[MACHINE_EVENT_STOP] = { QMP_EVENT_STOP, NULL },
		[MACHINE_EVENT_RESUME] = { QMP_EVENT_RESUME, NULL },
		[MACHINE_EVENT_RESET] = { QMP_EVENT_RESET, cause_of },
		[MACHINE_EVENT_SHUTDOWN] = { QMP_EVENT_SHUTDOWN, cause_of },
		[MACHINE_EVENT_POWERDOWN] = { QMP_EVENT_POWERDOWN, NULL },
		[MACHINE_EVENT_PANICKED] = { QMP_EVENT_GUEST_PANICKED, panic_of },
		[MACHINE_EVENT_DEVICE_DELETED] = { QMP_EVENT_DEVICE_DELETED, device_of },
		[MACHINE_EVENT_RTC_CHANGE] = { QMP_EVENT_RTC_CHANGE, rtc_change_of },
	};

	qmp_event_send(m, rows[info->event].id,
		       rows[info->event].data ? rows[info->event].data(info) : NULL);
}

void events_init(struct monitors *m)
{
	for (unsigned i = 0; i < QMP_EVENT_COUNT; i++) {
		m->held[i].all = m;
		timer_init(&m->held[i].timer, m->config.loop, NULL, NULL, on_interval, &m->held[i]);
	}
	m->listener.event = on_machine_event;
	if (m->config.machine)
		machine_listen(m->config.machine, &m->listener);
}

void events_fini(struct monitors *m)
{
	if (m->config.machine)
		machine_unlisten(m->config.machine, &m->listener);
	for (unsigned i = 0; i < QMP_EVENT_COUNT; i++) {
		timer_fini(&m->held[i].timer);
		json_object_put(m->held[i].data);
	}
}
