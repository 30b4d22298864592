/* monitor/cmd_chardev.c - QMP: character devices.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bits.h"
#include "chardev/chardev.h"
#include "monitor/impl.h"
#include "object/object.h"

/* ---- what there is ---- */

/* clang-format off */
QMP_OBJECT_TYPE(chardev_info, REQUIRED("label", qmp_str), REQUIRED("filename", qmp_str),
		REQUIRED("frontend-open", qmp_bool));
QMP_LIST_TYPE(chardev_info_list, chardev_info);
QMP_OBJECT_TYPE(backend_info, REQUIRED("name", qmp_str));
QMP_LIST_TYPE(backend_info_list, backend_info);
/* clang-format on */

/* A property's text, "" when there is none; g_free(). */
static char *text_of(struct object *o, const char *name)
{
	struct err err;
	char *text = object_prop_find(o->type, name) ? object_get_text(o, name, &err) : NULL;

	return text ? text : g_strdup("");
}

static char *socket_filename(struct object *o)
{
	g_autofree char *path = text_of(o, "path"), *host = text_of(o, "host");
	g_autofree char *port = text_of(o, "port"), *telnet = text_of(o, "telnet");
	g_autofree char *server = text_of(o, "server"), *fd = text_of(o, "fd");
	const char *role = !strcmp(server, "on") ? ",server=on" : "";

	if (*path)
		return g_strdup_printf("unix:%s%s", path, role);
	if (*fd)
		return g_strdup_printf("fd:%s%s", fd, role);
	return g_strdup_printf("%s:%s:%s%s", !strcmp(telnet, "on") ? "telnet" : "tcp", host, port,
			       role);
}

static char *filename_of(struct object *root, struct object *o)
{
	const char *backend = chardev_backend(chardev_from_object(o));
	g_autofree char *path = text_of(o, "path"), *behind = text_of(o, "chardev");
	struct object *base;

	if (!strcmp(backend, "socket"))
		return socket_filename(o);
	if (!strcmp(backend, "mux")) {
		base = *behind ? object_resolve(root, behind) : NULL;
		return base ? filename_of(root, base) : g_strdup("mux");
	}
	return *path ? g_strdup_printf("%s:%s", backend, path) : g_strdup(backend);
}

struct chardev_list {
	struct json_object *list;
	struct object *root;
};

static void list_chardev(struct object *child, void *opaque)
{
	struct chardev_list *l = opaque;
	struct json_object *o = json_object_new_object();
	char *filename = filename_of(l->root, child);

	json_put_str(o, "label", child->name);
	json_put_str(o, "filename", filename);
	json_put_bool(o, "frontend-open", chardev_has_user(chardev_from_object(child)));
	json_object_array_add(l->list, o);
	g_free(filename);
}

static struct json_object *run_query_chardev(struct qmp_call *call)
{
	struct chardev_list l = { .list = json_object_new_array(), .root = call->env->root };

	object_each_child(object_container(call->env->root, "/chardevs"), list_chardev, &l);
	return l.list;
}

static void list_backend(const struct object_type *t, void *list)
{
	struct json_object *o;

	if (t->is_abstract)
		return;
	o = json_object_new_object();
	json_put_str(o, "name", t->name + strlen("chardev-"));
	json_object_array_add(list, o);
}

static struct json_object *run_query_chardev_backends(struct qmp_call *call)
{
	struct json_object *list = json_object_new_array(), *memory = json_object_new_object();

	(void)call;
	object_types_each("chardev", list_backend, list);
	json_put_str(memory, "name", "memory"); /* ringbuf's older name */
	json_object_array_add(list, memory);
	return list;
}

/* ---- new ones ---- */

/* clang-format off */
#define COMMON OPTIONAL("logfile", qmp_str), OPTIONAL("logappend", qmp_bool)
QMP_OBJECT_TYPE(common_data, COMMON);
QMP_OBJECT_TYPE(file_data, COMMON, OPTIONAL("in", qmp_str), REQUIRED("out", qmp_str),
		OPTIONAL("append", qmp_bool));
QMP_OBJECT_TYPE(pipe_data, COMMON, REQUIRED("device", qmp_str));
QMP_OBJECT_TYPE(mux_data, COMMON, REQUIRED("chardev", qmp_str));
QMP_OBJECT_TYPE(stdio_data, COMMON, OPTIONAL("signal", qmp_bool));
QMP_OBJECT_TYPE(ringbuf_data, COMMON, OPTIONAL("size", qmp_uint));
QMP_ENUM_TYPE(address_kind, "inet", "unix", "fd");
QMP_OBJECT_TYPE(inet_data, REQUIRED("host", qmp_str), REQUIRED("port", qmp_str),
		OPTIONAL("to", qmp_uint), OPTIONAL("ipv4", qmp_bool), OPTIONAL("ipv6", qmp_bool));
QMP_OBJECT_TYPE(unix_data, REQUIRED("path", qmp_str), OPTIONAL("abstract", qmp_bool),
		OPTIONAL("tight", qmp_bool));
QMP_OBJECT_TYPE(fd_data, REQUIRED("str", qmp_str));
QMP_OBJECT_TYPE(inet_wrapper, REQUIRED("data", inet_data));
QMP_OBJECT_TYPE(unix_wrapper, REQUIRED("data", unix_data));
QMP_OBJECT_TYPE(fd_wrapper, REQUIRED("data", fd_data));
static const struct qmp_member address_members[] = { REQUIRED("type", address_kind), { 0 } };
static const struct qmp_variant address_variants[] = {
	{ "inet", &inet_wrapper }, { "unix", &unix_wrapper }, { "fd", &fd_wrapper }, { 0 }
};
static const struct qmp_type address = {
	.meta = QMP_OBJECT, .name = "address", .members = address_members,
	.tag = "type", .variants = address_variants,
};
QMP_OBJECT_TYPE(socket_data, COMMON, REQUIRED("addr", address), OPTIONAL("tls-creds", qmp_str),
		OPTIONAL("tls-authz", qmp_str), OPTIONAL("server", qmp_bool),
		OPTIONAL("wait", qmp_bool), OPTIONAL("nodelay", qmp_bool),
		OPTIONAL("telnet", qmp_bool), OPTIONAL("websocket", qmp_bool),
		OPTIONAL("reconnect", qmp_uint));
#define WRAPPER(kind) QMP_OBJECT_TYPE(kind##_wrapper, REQUIRED("data", kind##_data))
WRAPPER(common); WRAPPER(file); WRAPPER(pipe); WRAPPER(mux); WRAPPER(stdio); WRAPPER(ringbuf);
WRAPPER(socket);
QMP_ENUM_TYPE(backend_kind, "file", "pipe", "socket", "pty", "null", "mux", "stdio", "ringbuf",
	      "memory");
static const struct qmp_member backend_members[] = { REQUIRED("type", backend_kind), { 0 } };
static const struct qmp_variant backend_variants[] = {
	{ "file", &file_wrapper }, { "pipe", &pipe_wrapper }, { "socket", &socket_wrapper },
	{ "pty", &common_wrapper }, { "null", &common_wrapper }, { "mux", &mux_wrapper },
	{ "stdio", &stdio_wrapper }, { "ringbuf", &ringbuf_wrapper },
	{ "memory", &ringbuf_wrapper }, { 0 }
};
static const struct qmp_type backend = {
	.meta = QMP_OBJECT, .name = "backend", .members = backend_members,
	.tag = "type", .variants = backend_variants,
};
QMP_OBJECT_TYPE(chardev_add_args, REQUIRED("id", qmp_str), REQUIRED("backend", backend));
QMP_OBJECT_TYPE(chardev_return, OPTIONAL("pty", qmp_str));
QMP_OBJECT_TYPE(chardev_id_args, REQUIRED("id", qmp_str));
/* clang-format on */

enum { MAX_PAIRS = 24 };

/* What -chardev would be given. */
struct pairs {
	const char *keys[MAX_PAIRS + 1];
	const char *values[MAX_PAIRS + 1];
	unsigned count;
	const char *fd_name; /* NULL: none */
	int fd;
	char fd_text[16];
};

static void pair_add(struct pairs *p, const char *key, const char *value)
{
	if (p->count == MAX_PAIRS)
		return;
	p->keys[p->count] = key;
	p->values[p->count++] = value;
}

/* QMP's names that differ from -chardev's. */
static const char *key_of(const char *kind, const char *name)
{
	static const struct {
		const char *kind, *name, *key;
	} others[] = {
		{ "file", "in", "input-path" },
		{ "file", "out", "path" },
		{ "pipe", "device", "path" },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(others); i++)
		if (!strcmp(others[i].kind, kind) && !strcmp(others[i].name, name))
			return others[i].key;
	return name;
}

static void pairs_from(struct pairs *p, const char *kind, struct json_object *data)
{
	json_object_object_foreach(data, key, value)
	{
		enum json_type type = json_object_get_type(value);

		if (type == json_type_boolean)
			pair_add(p, key_of(kind, key),
				 json_object_get_boolean(value) ? "on" : "off");
		else if (type != json_type_object)
			pair_add(p, key_of(kind, key), json_object_get_string(value));
	}
}

/* fd: a name that getfd gave.  The chardev is given a duplicate; the name goes when it took it. */
static bool pairs_from_fd(struct qmp_call *call, struct pairs *p, struct json_object *data)
{
	const char *name = json_object_get_string(json_object_object_get(data, "str"));
	GHashTable *fds = call->session ? session_fds(call->session) : NULL;
	gpointer key, fd;

	if (!fds || !g_hash_table_lookup_extended(fds, name, &key, &fd)) {
		qmp_fail(call, QMP_GENERIC_ERROR, "File descriptor named '%.200s' not found", name);
		return false;
	}
	p->fd_name = name;
	p->fd = fcntl(GPOINTER_TO_INT(fd), F_DUPFD_CLOEXEC, 3);
	if (p->fd < 0)
		return err_errno(&call->err, errno, "cannot duplicate descriptor '%s'", name);
	snprintf(p->fd_text, sizeof(p->fd_text), "%d", p->fd);
	pair_add(p, "fd", p->fd_text);
	return true;
}

/* The chardev was made, or was not: then the duplicate is closed by it only if it got that far. */
static void finish_fd(struct qmp_call *call, const struct pairs *p, bool is_made)
{
	struct stat given, left;
	gpointer fd;

	if (!p->fd_name)
		return;
	fd = g_hash_table_lookup(session_fds(call->session), p->fd_name);
	if (is_made)
		g_hash_table_remove(session_fds(call->session), p->fd_name);
	else if (fstat(GPOINTER_TO_INT(fd), &given) == 0 && fstat(p->fd, &left) == 0 &&
		 given.st_ino == left.st_ino && given.st_dev == left.st_dev)
		close(p->fd);
}

static bool pairs_from_socket(struct qmp_call *call, struct pairs *p, struct json_object *data)
{
	struct json_object *addr = json_object_object_get(data, "addr");
	struct json_object *where = json_object_object_get(addr, "data");
	const char *kind = json_object_get_string(json_object_object_get(addr, "type"));
	struct json_object *server = json_object_object_get(data, "server");
	bool is_server = !server || json_object_get_boolean(server);

	pairs_from(p, "socket", data);
	/* Other defaults than -chardev has. */
	if (!server)
		pair_add(p, "server", "on");
	if (is_server && !json_object_object_get_ex(data, "wait", NULL))
		pair_add(p, "wait", "off");
	if (!strcmp(kind, "fd"))
		return pairs_from_fd(call, p, where);
	pairs_from(p, kind, where);
	return true;
}

static struct chardev *make(struct qmp_call *call, const char *id)
{
	struct json_object *o = qmp_arg(call, "backend");
	struct json_object *data = json_object_object_get(o, "data");
	const char *kind = json_object_get_string(json_object_object_get(o, "type"));
	struct pairs p = { .count = 0 };
	struct chardev *c;

	if (!strcmp(kind, "socket")) {
		if (!pairs_from_socket(call, &p, data))
			return NULL;
	} else {
		pairs_from(&p, kind, data);
	}
	c = chardev_new(call->env->root, call->env->loop, kind, id, p.keys, p.values, &call->err);
	finish_fd(call, &p, c != NULL);
	return c;
}

static struct json_object *made(struct chardev *c)
{
	struct json_object *o = qmp_ok();
	g_autofree char *path = NULL;

	if (!strcmp(chardev_backend(c), "pty")) {
		path = text_of(chardev_object(c), "path");
		json_put_str(o, "pty", path);
	}
	return o;
}

static struct object *find(struct qmp_call *call, const char *id)
{
	g_autofree char *path = g_strconcat("/chardevs/", id, NULL);

	return strchr(id, '/') ? NULL : object_resolve(call->env->root, path);
}

static struct json_object *run_chardev_add(struct qmp_call *call)
{
	const char *id = qmp_arg_str(call, "id");
	struct chardev *c;

	if (find(call, id))
		return qmp_fail(call, QMP_GENERIC_ERROR, "Chardev with id '%s' already exists", id);
	c = make(call, id);
	return c ? made(c) : NULL;
}

/* ---- old ones ---- */

/* A device's link, or whoever is attached. */
static bool is_busy(struct object *o)
{
	return chardev_has_user(chardev_from_object(o)) ||
	       __atomic_load_n(&o->refs, __ATOMIC_ACQUIRE) > 1;
}

static struct json_object *run_chardev_remove(struct qmp_call *call)
{
	const char *id = qmp_arg_str(call, "id");
	struct object *o = find(call, id);

	if (!o)
		return qmp_fail(call, QMP_GENERIC_ERROR, "Chardev '%.200s' not found", id);
	if (is_busy(o))
		return qmp_fail(call, QMP_GENERIC_ERROR, "Chardev '%s' is busy", id);
	object_unparent(o);
	return qmp_ok();
}

/* The new one is made beside the old one, so that a failure leaves that as it was. */
static struct json_object *run_chardev_change(struct qmp_call *call)
{
	const char *id = qmp_arg_str(call, "id");
	g_autofree char *name = g_strconcat(id, ".new", NULL);
	struct object *o = find(call, id), *new;
	struct json_object *result;
	struct chardev *c;

	if (!o)
		return qmp_fail(call, QMP_GENERIC_ERROR, "Chardev '%.200s' does not exist", id);
	if (is_busy(o))
		return qmp_fail(call, QMP_GENERIC_ERROR,
				"Chardev user does not support chardev hotswap");
	c = make(call, name);
	if (!c)
		return NULL;
	result = made(c);
	new = object_get(chardev_object(c));
	object_unparent(new);
	object_unparent(o);
	object_add_child(object_container(call->env->root, "/chardevs"), id, new, &call->err);
	object_put(new);
	return result;
}

static struct json_object *run_chardev_send_break(struct qmp_call *call)
{
	const char *id = qmp_arg_str(call, "id");
	struct object *o = find(call, id);

	if (!o)
		return qmp_fail(call, QMP_GENERIC_ERROR, "Chardev '%.200s' not found", id);
	chardev_send_break(chardev_from_object(o));
	return qmp_ok();
}

/* ---- ring buffers ---- */

/* clang-format off */
QMP_ENUM_TYPE(data_format, "utf8", "base64");
QMP_OBJECT_TYPE(ringbuf_read_args, REQUIRED("device", qmp_str), REQUIRED("size", qmp_int),
		OPTIONAL("format", data_format));
QMP_OBJECT_TYPE(ringbuf_write_args, REQUIRED("device", qmp_str), REQUIRED("data", qmp_str),
		OPTIONAL("format", data_format));
/* clang-format on */

enum { RINGBUF_MAX = 1 << 24 };

static struct chardev *find_ringbuf(struct qmp_call *call)
{
	const char *id = qmp_arg_str(call, "device");
	struct object *o = find(call, id);

	if (!o) {
		qmp_fail(call, QMP_GENERIC_ERROR, "Device '%.200s' not found", id);
		return NULL;
	}
	if (!strcmp(chardev_backend(chardev_from_object(o)), "ringbuf"))
		return chardev_from_object(o);
	qmp_fail(call, QMP_GENERIC_ERROR, "%s is not a ringbuf device", id);
	return NULL;
}

static bool is_base64(struct qmp_call *call)
{
	const char *format = qmp_arg_str(call, "format");

	return format && !strcmp(format, "base64");
}

static struct json_object *run_ringbuf_read(struct qmp_call *call)
{
	struct chardev *c = find_ringbuf(call);
	int64_t size = qmp_arg_int(call, "size", 0);
	g_autofree uint8_t *buf = NULL;
	g_autofree char *text = NULL;
	size_t n;

	if (!c)
		return NULL;
	if (size <= 0)
		return qmp_fail(call, QMP_GENERIC_ERROR, "size must be greater than zero");
	size = size > RINGBUF_MAX ? RINGBUF_MAX : size;
	buf = g_malloc((size_t)size);
	n = chardev_ringbuf_read(c, buf, (size_t)size);
	if (!is_base64(call))
		return json_object_new_string_len((const char *)buf, (int)n);
	text = g_base64_encode(buf, n);
	return json_object_new_string(text);
}

static struct json_object *run_ringbuf_write(struct qmp_call *call)
{
	struct chardev *c = find_ringbuf(call);
	const char *data = qmp_arg_str(call, "data");
	g_autofree uint8_t *bytes = NULL;
	gsize n = strlen(data);

	if (!c)
		return NULL;
	if (is_base64(call)) {
		bytes = g_base64_decode(data, &n);
		data = (const char *)bytes;
	}
	chardev_write(c, (const uint8_t *)data, n);
	return qmp_ok();
}

/* ---- connections that hang ---- */

/* clang-format off */
QMP_ENUM_TYPE(yank_kind, "chardev");
static const struct qmp_member yank_members[] = { REQUIRED("type", yank_kind), { 0 } };
QMP_OBJECT_TYPE(yank_chardev, REQUIRED("id", qmp_str));
static const struct qmp_variant yank_variants[] = { { "chardev", &yank_chardev }, { 0 } };
static const struct qmp_type yank_instance = {
	.meta = QMP_OBJECT, .name = "yank_instance", .members = yank_members,
	.tag = "type", .variants = yank_variants,
};
QMP_LIST_TYPE(yank_list, yank_instance);
QMP_OBJECT_TYPE(yank_args, REQUIRED("instances", yank_list));
/* clang-format on */

static void list_connected(struct object *child, void *list)
{
	struct json_object *o;

	if (!chardev_is_connected(chardev_from_object(child)))
		return;
	o = json_object_new_object();
	json_put_str(o, "type", "chardev");
	json_put_str(o, "id", child->name);
	json_object_array_add(list, o);
}

static struct json_object *run_query_yank(struct qmp_call *call)
{
	struct json_object *list = json_object_new_array();

	object_each_child(object_container(call->env->root, "/chardevs"), list_connected, list);
	return list;
}

/* All or none. */
static struct json_object *run_yank(struct qmp_call *call)
{
	struct json_object *list = qmp_arg(call, "instances");
	size_t n = json_object_array_length(list);

	for (unsigned pass = 0; pass < 2; pass++) {
		for (size_t i = 0; i < n; i++) {
			struct json_object *o = json_object_array_get_idx(list, i);
			const char *id = json_object_get_string(json_object_object_get(o, "id"));
			struct object *c = find(call, id);

			if (pass)
				chardev_disconnect(chardev_from_object(c));
			else if (!c || !chardev_is_connected(chardev_from_object(c)))
				return qmp_fail(call, QMP_DEVICE_NOT_FOUND,
						"Instance not found: 'chardev:%.200s'", id);
		}
	}
	return qmp_ok();
}

const struct qmp_command qmp_chardev_commands[] = {
	{ "query-chardev", run_query_chardev, .returns = &chardev_info_list },
	{ "query-chardev-backends", run_query_chardev_backends, .returns = &backend_info_list },
	{ "chardev-add", run_chardev_add, .args = &chardev_add_args, .returns = &chardev_return },
	{ "chardev-change", run_chardev_change, .args = &chardev_add_args,
	  .returns = &chardev_return },
	{ "chardev-remove", run_chardev_remove, .args = &chardev_id_args },
	{ "query-yank", run_query_yank, .returns = &yank_list, .is_oob = true },
	{ "yank", run_yank, .args = &yank_args, .is_oob = true },
	{ "chardev-send-break", run_chardev_send_break, .args = &chardev_id_args },
	{ "ringbuf-read", run_ringbuf_read, .args = &ringbuf_read_args, .returns = &qmp_str },
	{ "ringbuf-write", run_ringbuf_write, .args = &ringbuf_write_args },
	{ 0 },
};
