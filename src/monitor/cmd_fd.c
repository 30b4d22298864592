/* monitor/cmd_fd.c - QMP: descriptors that a client hands over.
 * SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <unistd.h>

#include "base/fdset.h"
#include "monitor/impl.h"

/* clang-format off */
QMP_OBJECT_TYPE(fdname_args, REQUIRED("fdname", qmp_str));
QMP_OBJECT_TYPE(add_fd_args, OPTIONAL("fdset-id", qmp_int), OPTIONAL("opaque", qmp_str));
QMP_OBJECT_TYPE(add_fd_info, REQUIRED("fdset-id", qmp_int), REQUIRED("fd", qmp_int));
QMP_OBJECT_TYPE(remove_fd_args, REQUIRED("fdset-id", qmp_int), OPTIONAL("fd", qmp_int));
QMP_OBJECT_TYPE(fdset_fd, REQUIRED("fd", qmp_int), OPTIONAL("opaque", qmp_str));
QMP_LIST_TYPE(fdset_fd_list, fdset_fd);
QMP_OBJECT_TYPE(fdset_info, REQUIRED("fdset-id", qmp_int), REQUIRED("fds", fdset_fd_list));
QMP_LIST_TYPE(fdset_info_list, fdset_info);
/* clang-format on */

enum { MAX_NAMES = 1024 };

/* The descriptor that came with the command, or -1 with call->err. */
static int take_fd(struct qmp_call *call)
{
	int fd = call->session ? session_take_fd(call->session) : -1;

	if (fd < 0)
		qmp_fail(call, QMP_GENERIC_ERROR, "No file descriptor supplied via SCM_RIGHTS");
	return fd;
}

static struct json_object *run_getfd(struct qmp_call *call)
{
	const char *name = qmp_arg_str(call, "fdname");
	GHashTable *fds;
	int fd = take_fd(call);

	if (fd < 0)
		return NULL;
	fds = session_fds(call->session);
	if (g_ascii_isdigit(*name)) {
		close(fd);
		return qmp_fail(call, QMP_GENERIC_ERROR,
				"Parameter 'fdname' expects a name not starting with a digit");
	}
	if (g_hash_table_size(fds) >= MAX_NAMES && !g_hash_table_contains(fds, name)) {
		close(fd);
		return qmp_fail(call, QMP_GENERIC_ERROR, "%d descriptors have names already",
				MAX_NAMES);
	}
	/* An older one of the name is closed. */
	g_hash_table_replace(fds, g_strdup(name), GINT_TO_POINTER(fd));
	return qmp_ok();
}

static struct json_object *run_closefd(struct qmp_call *call)
{
	const char *name = qmp_arg_str(call, "fdname");

	if (!call->session || !g_hash_table_remove(session_fds(call->session), name))
		return qmp_fail(call, QMP_GENERIC_ERROR, "File descriptor named '%.200s' not found",
				name);
	return qmp_ok();
}

static struct json_object *run_add_fd(struct qmp_call *call)
{
	struct json_object *o;
	int64_t id = qmp_arg_int(call, "fdset-id", -1);
	int fd = take_fd(call);

	if (fd < 0)
		return NULL;
	if (qmp_has(call, "fdset-id") && id < 0) {
		close(fd);
		return qmp_fail(call, QMP_GENERIC_ERROR,
				"Parameter 'fdset-id' expects a non-negative value");
	}
	id = fdset_add(id, fd, qmp_arg_str(call, "opaque"), &call->err);
	if (id < 0)
		return NULL;
	o = json_object_new_object();
	json_put_int(o, "fdset-id", id);
	json_put_int(o, "fd", fd);
	return o;
}

static struct json_object *run_remove_fd(struct qmp_call *call)
{
	int64_t fd = qmp_arg_int(call, "fd", -1), id = qmp_arg_int(call, "fdset-id", 0);

	if (qmp_has(call, "fd") && (fd < 0 || fd > INT32_MAX))
		return qmp_fail(call, QMP_GENERIC_ERROR,
				"File descriptor named 'fdset-id:%" PRId64 ", fd:%" PRId64
				"' not found",
				id, fd);
	return qmp_done(call, fdset_remove(id, (int)fd, &call->err));
}

struct fdset_list {
	struct json_object *sets, *fds;
	int64_t id;
};

static void list_fd(int64_t id, int fd, const char *note, void *opaque)
{
	struct fdset_list *l = opaque;
	struct json_object *o;

	if (!l->fds || l->id != id) {
		o = json_object_new_object();
		l->fds = json_object_new_array();
		l->id = id;
		json_put_int(o, "fdset-id", id);
		json_object_object_add(o, "fds", l->fds);
		json_object_array_add(l->sets, o);
	}
	o = json_object_new_object();
	json_put_int(o, "fd", fd);
	if (note)
		json_put_str(o, "opaque", note);
	json_object_array_add(l->fds, o);
}

static struct json_object *run_query_fdsets(struct qmp_call *call)
{
	struct fdset_list l = { .sets = json_object_new_array() };

	(void)call;
	fdset_each(list_fd, &l);
	return l.sets;
}

const struct qmp_command qmp_fd_commands[] = {
	{ "getfd", run_getfd, .args = &fdname_args },
	{ "closefd", run_closefd, .args = &fdname_args },
	{ "add-fd", run_add_fd, .args = &add_fd_args, .returns = &add_fd_info },
	{ "remove-fd", run_remove_fd, .args = &remove_fd_args },
	{ "query-fdsets", run_query_fdsets, .returns = &fdset_info_list },
	{ 0 },
};
