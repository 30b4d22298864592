/* tests/unit/main/options_test.c
 * SPDX-License-Identifier: MIT */
#include "main/options.h"

#include <glib.h>
#include <string.h>

#include "base/bits.h"
#include "base/err.h"
#include "object/object.h"

/* Words separated by single spaces. */
static bool parse(struct options *o, const char *line, struct err *err)
{
	char **words = g_strsplit(line, " ", 0);
	bool ok;

	*o = (struct options){ 0 };
	ok = options_parse(o, (int)g_strv_length(words), words, err);
	g_strfreev(words);
	return ok;
}

static void accepted(struct options *o, const char *line)
{
	struct err err = { 0 };

	if (!parse(o, line, &err))
		g_error("%s: %s", line, err.text);
}

static void refused(const char *line, const char *why)
{
	struct options o;
	struct err err = { 0 };

	g_assert_false(parse(&o, line, &err));
	g_assert_cmpstr(err.text, ==, why);
	options_clear(&o);
}

static void test_a_kernel_command_line(void)
{
	struct options o;

	accepted(&o, "rhea -M microvm,pit=off --machine rtc=off -m 1.5G -smp 4,sockets=2 -kernel k "
		     "-initrd i -append console=ttyS0 -nographic -no-reboot -accel kvm -accel tcg");
	g_assert_cmpstr(keyvals_get(&o.machine, "type"), ==, "microvm");
	g_assert_cmpstr(keyvals_get(&o.machine, "pit"), ==, "off");
	g_assert_cmpuint(o.ram_size, ==, 1536 * MIB);
	g_assert_cmpuint(o.smp.cpus, ==, 4);
	g_assert_cmpuint(o.smp.sockets, ==, 2);
	g_assert_cmpstr(o.kernel, ==, "k");
	g_assert_cmpstr(o.append, ==, "console=ttyS0");
	g_assert_true(o.nographic);
	g_assert_cmpint(o.actions.reboot, ==, REBOOT_SHUTDOWN);
	g_assert_cmpuint(o.accels.count, ==, 2);
	g_assert_cmpstr(keyvals_get(&o.accels.items[1], "accel"), ==, "tcg");
	options_clear(&o);
	accepted(&o, "rhea -M microvm -no-acpi");
	g_assert_cmpstr(keyvals_get(&o.machine, "acpi"), ==, "off");
	options_clear(&o);
}

static void test_memory_is_in_mib_without_a_suffix(void)
{
	struct options o;

	accepted(&o, "rhea -m 512");
	g_assert_cmpuint(o.ram_size, ==, 512 * MIB);
	options_clear(&o);
	accepted(&o, "rhea -m size=2G");
	g_assert_cmpuint(o.ram_size, ==, 2 * GIB);
	options_clear(&o);
}

static void test_every_key_of_smp(void)
{
	static const char *const keys[] = {
		"cpus", "maxcpus", "sockets", "dies", "cores", "threads"
	};
	static const char *const bad[][2] = {
		{ "0", ": must be a number from 1 to 65536" },
		{ "65537", ": must be a number from 1 to 65536" },
		{ "18446744073709551616", NULL },
		{ "-1", NULL },
		{ "1.5", NULL },
		{ "two", NULL },
		{ "", NULL },
	};
	struct options o;

	accepted(&o, "rhea -smp 3,maxcpus=65536,sockets=5,dies=6,clusters=1,cores=7,threads=0x8");
	g_assert_cmpuint(o.smp.cpus, ==, 3);
	g_assert_cmpuint(o.smp.max_cpus, ==, 65536);
	g_assert_cmpuint(o.smp.sockets, ==, 5);
	g_assert_cmpuint(o.smp.dies, ==, 6);
	g_assert_cmpuint(o.smp.cores, ==, 7);
	g_assert_cmpuint(o.smp.threads, ==, 8);
	options_clear(&o);
	accepted(&o, "rhea -smp 4,cpus=2 -smp cores=2"); /* the last one counts */
	g_assert_cmpuint(o.smp.cpus, ==, 2);
	g_assert_cmpuint(o.smp.cores, ==, 2);
	options_clear(&o);
	for (size_t i = 0; i < ARRAY_SIZE(keys) * ARRAY_SIZE(bad); i++) {
		const char *key = keys[i / ARRAY_SIZE(bad)];
		const char *const *row = bad[i % ARRAY_SIZE(bad)];
		char *line = g_strdup_printf("rhea -smp %s=%s", key, row[0]);
		struct err err = { 0 }, number = { 0 };
		uint64_t n;
		char *why;

		if (row[1])
			why = g_strdup_printf("-smp: %s=%s%s", key, row[0], row[1]);
		else if (!value_parse_u64(row[0], &n, &number))
			why = g_strdup_printf("-smp: %s: %s", key, number.text);
		else
			g_error("'%s' is a number", row[0]);
		g_assert_false(parse(&o, line, &err));
		g_assert_cmpstr(err.text, ==, why);
		options_clear(&o);
		g_free(line);
		g_free(why);
	}
}

static void test_device_in_json(void)
{
	struct options o;

	accepted(&o, "rhea -device {\"driver\":\"isa-debug-exit\",\"iobase\":1281}");
	g_assert_cmpstr(keyvals_get(&o.devices.items[0], "driver"), ==, "isa-debug-exit");
	g_assert_cmpstr(keyvals_get(&o.devices.items[0], "iobase"), ==, "1281");
	options_clear(&o);
}

static void test_both_forms_of_global(void)
{
	struct options o;

	accepted(&o, "rhea -global isa-serial.irq=5 -global driver=a,property=b,value=c");
	g_assert_cmpstr(keyvals_get(&o.globals.items[0], "driver"), ==, "isa-serial");
	g_assert_cmpstr(keyvals_get(&o.globals.items[0], "property"), ==, "irq");
	g_assert_cmpstr(keyvals_get(&o.globals.items[0], "value"), ==, "5");
	g_assert_cmpstr(keyvals_get(&o.globals.items[1], "value"), ==, "c");
	options_clear(&o);
}

static void test_uuid(void)
{
	struct options o;

	accepted(&o, "rhea -uuid 550e8400-e29b-41d4-a716-446655440000");
	g_assert_true(o.has_uuid);
	g_assert_cmphex(o.uuid[0], ==, 0x55);
	g_assert_cmphex(o.uuid[15], ==, 0x00);
	g_assert_cmphex(o.uuid[6], ==, 0x41);
	options_clear(&o);
	refused("rhea -uuid 550e8400", "-uuid: '550e8400' has 8 digits, not 32");
	refused("rhea -uuid x50e8400-e29b-41d4-a716-446655440000",
		"-uuid: 'x50e8400-e29b-41d4-a716-446655440000' is not of the form "
		"xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx");
}

static void test_actions(void)
{
	struct options o;

	accepted(&o, "rhea -action reboot=shutdown,shutdown=pause,panic=exit-failure");
	g_assert_cmpint(o.actions.reboot, ==, REBOOT_SHUTDOWN);
	g_assert_cmpint(o.actions.shutdown, ==, SHUTDOWN_PAUSE);
	g_assert_cmpint(o.actions.panic, ==, PANIC_EXIT_FAILURE);
	options_clear(&o);
	refused("rhea -action reboot=never", "-action: reboot: 'never' is none of reset, shutdown");
}

static void test_names(void)
{
	struct options o;

	accepted(&o, "rhea -name guest=web,process=rhea:web,debug-threads=on");
	g_assert_cmpstr(o.name, ==, "web");
	g_assert_cmpstr(o.process_name, ==, "rhea:web");
	options_clear(&o);
	accepted(&o, "rhea -name a,,b");
	g_assert_cmpstr(o.name, ==, "a,b");
	options_clear(&o);
	refused("rhea -name a,proces=b", "-name: unknown parameter 'proces' (did you mean "
					 "'process'?)");
	refused("rhea -name a,debug-threads=yep",
		"-name: debug-threads: 'yep' is neither 'on' nor 'off'");
}

static void test_message_prefixes(void)
{
	struct options o;

	accepted(&o, "rhea -msg timestamp=on");
	g_assert_true(o.msg_has_time);
	g_assert_false(o.msg_has_name);
	options_clear(&o);
	accepted(&o, "rhea -msg timestamp,guest-name -msg timestamp=off");
	g_assert_false(o.msg_has_time);
	g_assert_true(o.msg_has_name);
	options_clear(&o);
	refused("rhea -msg timestamps=on",
		"-msg: unknown parameter 'timestamps' (did you mean 'timestamp'?)");
	refused("rhea -msg guest-name=web", "-msg: guest-name: 'web' is neither 'on' nor 'off'");
	refused("rhea -msg timestamp=1", "-msg: timestamp: '1' is neither 'on' nor 'off'");
}

static void test_wrong_words_are_quoted_with_a_way_out(void)
{
	refused("rhea -kernl x", "unknown option '-kernl' (did you mean '-kernel'?)");
	refused("rhea disk.img",
		"'disk.img' is not an option; disk images as bare arguments are not "
		"supported yet");
	refused("rhea -m", "option '-m' needs an argument: [size=]SIZE");
	refused("rhea -m 0", "-m: a guest needs memory; '0' is none");
	refused("rhea -m 1G,slots=2",
		"-m: no machine here has memory hotplug; leave out slots and maxmem");
	refused("rhea -smp 4,corse=2", "-smp: unknown parameter 'corse' (did you mean 'cores'?)");
	refused("rhea -smp 0", "-smp: cpus=0: must be a number from 1 to 65536");
	refused("rhea -smp 4,clusters=2", "-smp: no machine here has clusters; leave it out");
	refused("rhea -name a,debug-threads=off",
		"-name: threads always carry names; leave out debug-threads");
	refused("rhea -display gtk",
		"-display gtk: there is no display yet; only 'none' is accepted");
	refused("rhea -rtc driftfix=slew", "-rtc: driftfix=slew is not built; only 'none' is");
	refused("rhea -global foo", "-global: 'foo' is not DRIVER.PROPERTY=VALUE");
}

static void test_every_option_with_an_argument_refuses_its_absence(void)
{
	for (const char *const *name = options_names(); *name; name++) {
		char *argv[] = { "rhea", (char *)*name, NULL };
		struct options o = { 0 };
		struct err err = { 0 };

		if (!options_parse(&o, 2, argv, &err))
			g_assert_nonnull(strstr(err.text, "needs an argument"));
		options_clear(&o);
	}
}

static void test_help_names_every_option(void)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	options_help(f, "rhea");
	fclose(f);
	for (const char *const *name = options_names(); *name; name++)
		if (strcmp(*name, "-help"))
			g_assert_nonnull(strstr(text, *name));
	for (char **line = g_strsplit(text, "\n", 0), **l = line; *l; l++)
		g_assert_cmpuint(strlen(*l), <=, 100);
	free(text);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/options/kernel-line", test_a_kernel_command_line);
	g_test_add_func("/options/memory", test_memory_is_in_mib_without_a_suffix);
	g_test_add_func("/options/smp", test_every_key_of_smp);
	g_test_add_func("/options/device-json", test_device_in_json);
	g_test_add_func("/options/global", test_both_forms_of_global);
	g_test_add_func("/options/uuid", test_uuid);
	g_test_add_func("/options/action", test_actions);
	g_test_add_func("/options/name", test_names);
	g_test_add_func("/options/msg", test_message_prefixes);
	g_test_add_func("/options/errors", test_wrong_words_are_quoted_with_a_way_out);
	g_test_add_func("/options/missing-argument",
			test_every_option_with_an_argument_refuses_its_absence);
	g_test_add_func("/options/help", test_help_names_every_option);
	return g_test_run();
}
