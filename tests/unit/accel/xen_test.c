/* tests/unit/accel/xen_test.c - what is said of a host that is not, or not quite, a Xen host.
 * SPDX-License-Identifier: MIT */
#include "accel/xen/xen.h"

#include <sys/stat.h>
#include <unistd.h>

#include <glib.h>
#include <glib/gstdio.h>

#include "base/err.h"

static char *folder;

static char *file(const char *name, const char *text)
{
	char *path = g_build_filename(folder, name, NULL);

	if (text)
		g_assert_true(g_file_set_contents(path, text, -1, NULL));
	return path;
}

static void refused(const char *type, const char *privcmd, const char *words)
{
	g_autofree char *t = file("type", type), *p = file("privcmd", privcmd);
	unsigned major, minor;
	struct err err;

	g_assert_false(xen_probe(&(struct xen_paths){ t, p }, &major, &minor, &err));
	if (!strstr(err.text, words))
		g_error("'%s' does not say '%s'", err.text, words);
	g_unlink(t);
	g_unlink(p);
}

static void test_says_what_is_missing(void)
{
	refused(NULL, NULL, "does not run on Xen: there is no ");
	refused("kvm\n", NULL, "says 'kvm'");
	refused("", NULL, "says ''");
	refused("xen\n", NULL, "only the control domain (dom0) has it");
	/* not the device: the library finds out, where it is there */
	refused("xen\n", "", "Xen");
}

int main(int argc, char **argv)
{
	int status;

	g_test_init(&argc, &argv, NULL);
	folder = g_dir_make_tmp("rhea-xen-XXXXXX", NULL);
	g_test_add_func("/accel/xen/missing", test_says_what_is_missing);
	status = g_test_run();
	g_rmdir(folder);
	g_free(folder);
	return status;
}
