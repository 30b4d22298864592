/* monitor/monitor.c - the monitors of a program: made, given sessions, ended.
 * SPDX-License-Identifier: MIT */
#include "monitor/impl.h"

#include <glib.h>

#include "base/fdset.h"

struct monitors *monitors_new(const struct monitor_config *config)
{
	struct monitors *m = g_new0(struct monitors, 1);

	m->config = *config;
	m->sessions = g_ptr_array_new();
	events_init(m);
	return m;
}

bool monitors_add_qmp(struct monitors *m, struct chardev *c, bool is_pretty, struct err *err)
{
	struct qmp_session *s = session_new(m, c, is_pretty, err);

	if (s)
		g_ptr_array_add(m->sessions, s);
	return s != NULL;
}

void monitors_client_gone(struct monitors *m)
{
	for (unsigned i = 0; i < m->sessions->len; i++)
		if (session_is_open(m->sessions->pdata[i]))
			return;
	fdset_clear();
}

void monitors_free(struct monitors *m)
{
	events_fini(m);
	for (unsigned i = 0; i < m->sessions->len; i++)
		session_free(m->sessions->pdata[i]);
	g_ptr_array_free(m->sessions, TRUE);
	fdset_clear();
	g_free(m);
}
