/* main/option_keys.c - the keys of options.
 * SPDX-License-Identifier: MIT */
#include "main/option_keys.h"

#include <assert.h>
#include <string.h>

#include "base/bits.h"
#include "main/keyval.h"

#define KEYS(id) static const struct monitor_option_param id##_keys[]
/* Known, so that the parser can say why there is none. */
#define REFUSED(name)            \
	{                        \
		name, NULL, NULL \
	}

/* clang-format off */
KEYS(accel) = { { "accel", "string" }, { 0 } };
KEYS(action) = {
	{ "reboot", "string", "reset or shutdown" },
	{ "shutdown", "string", "poweroff or pause" },
	{ "panic", "string", "pause, shutdown, exit-failure or none" },
	REFUSED("watchdog"), { 0 }
};
KEYS(add_fd) = { { "fd", "number" }, { "set", "number" }, { "opaque", "string" }, { 0 } };
KEYS(audiodev) = { { "driver", "string" }, { "id", "string" }, { 0 } };
KEYS(boot) = {
	{ "strict", "boolean" }, REFUSED("order"), REFUSED("once"), REFUSED("menu"),
	REFUSED("splash"), REFUSED("splash-time"), REFUSED("reboot-timeout"), { 0 }
};
KEYS(chardev) = {
	{ "backend", "string" }, { "id", "string" }, { "mux", "boolean" },
	{ "logfile", "string" }, { "logappend", "boolean" }, { 0 }
};
KEYS(device) = { { "driver", "string" }, { "id", "string" }, { 0 } };
KEYS(fw_cfg) = { { "name", "string" }, { "file", "string" }, { "string", "string" }, { 0 } };
KEYS(global) = {
	{ "driver", "string" }, { "property", "string" }, { "value", "string" }, { 0 }
};
KEYS(machine) = {
	{ "type", "string", "the board" },
	{ "accel", "string", "accelerators to try, A:B" },
	{ "kernel-irqchip", "string", "as -accel kvm,kernel-irqchip=" },
	{ "memory-backend", "string", "id of the object that the memory is of" }, { 0 }
};
KEYS(memory) = { { "size", "size" }, REFUSED("slots"), REFUSED("maxmem"), { 0 } };
KEYS(mon) = {
	{ "chardev", "string" }, { "mode", "string" }, { "pretty", "boolean" }, { "id", "string" },
	{ 0 }
};
KEYS(msg) = { { "timestamp", "boolean" }, { "guest-name", "boolean" }, { 0 } };
KEYS(name) = {
	{ "guest", "string", "name of the guest" },
	{ "process", "string", "name of the process" },
	{ "debug-threads", "boolean", "threads always carry names" }, { 0 }
};
KEYS(object) = { { "qom-type", "string" }, { "id", "string" }, { 0 } };
KEYS(overcommit) = { { "mem-lock", "boolean" }, REFUSED("cpu-pm"), { 0 } };
KEYS(rtc) = { { "base", "string" }, { "clock", "string" }, { "driftfix", "string" }, { 0 } };
KEYS(smp) = {
	{ "cpus", "number" }, { "maxcpus", "number" }, { "sockets", "number" },
	{ "dies", "number" }, { "clusters", "number" }, { "cores", "number" },
	{ "threads", "number" }, { 0 }
};
KEYS(trace) = { { "enable", "string" }, { 0 } };

const struct monitor_option option_keys[] = {
	{ "accel", accel_keys }, { "action", action_keys }, { "add-fd", add_fd_keys },
	{ "audiodev", audiodev_keys }, { "boot-opts", boot_keys }, { "chardev", chardev_keys },
	{ "device", device_keys }, { "fw_cfg", fw_cfg_keys }, { "global", global_keys },
	{ "machine", machine_keys }, { "memory", memory_keys }, { "mon", mon_keys },
	{ "msg", msg_keys }, { "name", name_keys }, { "object", object_keys },
	{ "overcommit", overcommit_keys },
	{ "rtc", rtc_keys }, { "smp-opts", smp_keys }, { "trace", trace_keys }, { 0 },
};
/* clang-format on */

bool option_keys_check(const struct keyvals *kv, const char *option, const char *group,
		       struct err *err)
{
	const char *names[16] = { NULL };
	const struct monitor_option *o = option_keys;

	while (strcmp(o->name, group))
		o++;
	for (unsigned i = 0; o->params[i].name; i++) {
		assert(i < ARRAY_SIZE(names) - 1);
		names[i] = o->params[i].name;
	}
	return keyvals_check(kv, option, names, err);
}
