/* accel/xen/xen.c - Xen as an accelerator: finds out whether the host is one, and says what is not
 * there.
 *
 * Guests are not run on Xen yet: that a host is found ends in an error that says so.
 * Specification: Linux Documentation/ABI/stable/sysfs-hypervisor-xen; Xen's xenctrl.h.
 * SPDX-License-Identifier: MIT */
#include "accel/xen/xen.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <glib.h>

#ifdef XEN_LIBRARY
#include <dlfcn.h>
#include <xenctrl.h>
#endif

#include "accel/accel.h"
#include "base/err.h"

const struct object_type xen_accel_type = {
	.name = "xen-accel",
	.parent = &accel_type,
	.size = sizeof(struct accel),
	.help = "Xen's hypervisor (a Xen host is recognized, guests are not run yet)",
};

static bool check_type(const char *path, struct err *err)
{
	char type[32];
	ssize_t n;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 && errno == ENOENT)
		return err_set(err, ENOENT, "this host does not run on Xen: there is no %s", path);
	n = fd < 0 ? -1 : read(fd, type, sizeof(type) - 1);
	if (n < 0)
		err_errno(err, errno, "cannot read '%s'", path);
	if (fd >= 0)
		close(fd);
	if (n < 0)
		return false;
	type[n] = '\0';
	type[strcspn(type, "\n")] = '\0';
	return !strcmp(type, "xen") ||
	       err_set(err, 0, "this host does not run on Xen: %s says '%s'", path, type);
}

static bool check_privcmd(const char *path, struct err *err)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);

	if (fd >= 0) {
		close(fd);
		return true;
	}
	if (errno == ENOENT)
		return err_set(err, ENOENT,
			       "no %s: only the control domain (dom0) has it, with the kernel "
			       "module xen-privcmd loaded",
			       path);
	if (errno == EACCES || errno == EPERM)
		return err_set(err, errno, "no permission to open '%s': run as root", path);
	return err_errno(err, errno, "cannot open '%s'", path);
}

#ifdef XEN_LIBRARY
struct library {
	void *handle;
	__typeof__(&xc_interface_open) open;
	__typeof__(&xc_interface_close) close;
	__typeof__(&xc_version) version;
};

static bool library_load(struct library *l, struct err *err)
{
	l->handle = dlopen(XEN_LIBRARY, RTLD_NOW | RTLD_LOCAL);
	if (!l->handle)
		return err_set(err, 0, "Xen's library cannot be loaded: %s", dlerror());
	*(void **)&l->open = dlsym(l->handle, "xc_interface_open");
	*(void **)&l->close = dlsym(l->handle, "xc_interface_close");
	*(void **)&l->version = dlsym(l->handle, "xc_version");
	if (l->open && l->close && l->version)
		return true;
	dlclose(l->handle);
	return err_set(err, 0, XEN_LIBRARY " is not Xen's library as we know it");
}

static bool ask_version(unsigned *major, unsigned *minor, struct err *err)
{
	struct library l = { 0 };
	xc_interface *xc;
	int version;

	if (!library_load(&l, err))
		return false;
	xc = l.open(NULL, NULL, 0);
	version = xc ? l.version(xc, XENVER_version, NULL) : -1;
	if (version < 0)
		err_errno(err, errno, "Xen does not answer");
	if (xc)
		l.close(xc);
	dlclose(l.handle);
	*major = (unsigned)version >> 16;
	*minor = (unsigned)version & 0xffff;
	return version >= 0;
}

static bool xen_available(struct err *err)
{
	(void)err;
	return true;
}
#else
static bool ask_version(unsigned *major, unsigned *minor, struct err *err)
{
	*major = *minor = 0;
	return err_set(err, 0, "this build of rhea has no Xen support");
}

static bool xen_available(struct err *err)
{
	return err_set(err, 0,
		       "this build of rhea has no Xen support (libxen's development files were not "
		       "there); use -accel tcg");
}
#endif

bool xen_probe(const struct xen_paths *paths, unsigned *major, unsigned *minor, struct err *err)
{
	return check_type(paths->type ? paths->type : "/sys/hypervisor/type", err) &&
	       check_privcmd(paths->privcmd ? paths->privcmd : "/dev/xen/privcmd", err) &&
	       ask_version(major, minor, err);
}

static bool xen_start(struct accel *a, struct err *err)
{
	unsigned major, minor;

	(void)a;
	if (!xen_probe(&(struct xen_paths){ 0 }, &major, &minor, err))
		return false;
	return err_set(err, 0,
		       "Xen %u.%u is here, but this version of rhea cannot run guests on it; use "
		       "-accel tcg",
		       major, minor);
}

static char *xen_explain(void)
{
	unsigned major, minor;
	struct err err;

	if (!xen_available(&err) || !xen_probe(&(struct xen_paths){ 0 }, &major, &minor, &err))
		return g_strdup_printf("not usable: %s", err.text);
	return g_strdup_printf("not usable: Xen %u.%u is here, but guests are not run on it yet",
			       major, minor);
}

const struct accel_ops xen_accel_ops = {
	.name = "xen",
	.help = "Xen's hypervisor (a Xen host is recognized, guests are not run yet)",
	.type = &xen_accel_type,
	.available = xen_available,
	.start = xen_start,
	.explain = xen_explain,
};
