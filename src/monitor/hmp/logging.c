/* monitor/hmp/logging.c - the log and trace points: log, logfile, trace-event, info trace-events.
 * SPDX-License-Identifier: MIT */
#include <fnmatch.h>
#include <string.h>

#include "base/log.h"
#include "monitor/hmp/impl.h"

void hmp_log(struct hmp_call *call)
{
	const char *items = call->values[0].text;
	uint32_t mask = 0;
	struct err err;

	if (!strcmp(items, "help")) {
		log_help(call->out);
	} else if (strcmp(items, "none") && !log_parse_items(items, &mask, &err)) {
		hmp_error(call, "%s", err.text);
	} else {
		log_set_mask(mask);
	}
}

void hmp_logfile(struct hmp_call *call)
{
	struct err err;

	if (!log_open(call->values[0].text, &err))
		hmp_error(call, "%s", err.text);
}

void hmp_trace_event(struct hmp_call *call)
{
	struct err err;

	if (!trace_set_pattern(call->values[0].text, call->values[1].number, &err))
		hmp_error(call, "%s", err.text);
}

void hmp_info_trace_events(struct hmp_call *call)
{
	static const char *const names[TRACE_COUNT] = {
#define TRACE_POINT(name, help) #name,
#include "base/trace_points.def"
#undef TRACE_POINT
	};
	const char *pattern = call->values[0].text;
	bool is_any = false;

	for (unsigned i = 0; i < TRACE_COUNT; i++) {
		if (pattern && fnmatch(pattern, names[i], 0))
			continue;
		is_any = true;
		fprintf(call->out, "%s : state %u\n", names[i], trace_on((enum trace_id)i));
	}
	if (!is_any)
		hmp_error(call, "no trace point matches '%s'", pattern);
}
