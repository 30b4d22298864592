/* monitor/cmd_memory.c - QMP: guest memory, its size and its contents.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/fdset.h"
#include "cpu/arch.h"
#include "cpu/vcpu.h"
#include "machine/machine.h"
#include "memory/address_space.h"
#include "monitor/impl.h"

/* clang-format off */
QMP_OBJECT_TYPE(memory_info, REQUIRED("base-memory", qmp_uint),
		OPTIONAL("plugged-memory", qmp_uint));
QMP_OBJECT_TYPE(memsave_args, REQUIRED("val", qmp_address), REQUIRED("size", qmp_uint),
		REQUIRED("filename", qmp_str), OPTIONAL("cpu-index", qmp_int));
QMP_OBJECT_TYPE(pmemsave_args, REQUIRED("val", qmp_uint), REQUIRED("size", qmp_uint),
		REQUIRED("filename", qmp_str));
/* clang-format on */

static struct json_object *run_query_memory_size_summary(struct qmp_call *call)
{
	struct json_object *o = json_object_new_object();

	json_object_object_add(o, "base-memory",
			       json_object_new_uint64(call->env->machine->config.ram_size));
	json_put_int(o, "plugged-memory", 0);
	return o;
}

/* ---- to a file ---- */

enum { PIECE = 1 << 16, PAGE = 4096 };

/* Copies len bytes at addr, which do not cross a page, into buf. */
typedef bool read_fn(void *opaque, uint64_t addr, void *buf, uint64_t len);

static bool write_all(int fd, const uint8_t *buf, size_t len)
{
	while (len) {
		ssize_t n = write(fd, buf, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		buf += n;
		len -= (size_t)n;
	}
	return true;
}

static bool copy_out(int fd, uint64_t addr, uint64_t size, read_fn *read_page, void *opaque,
		     struct err *err)
{
	g_autofree uint8_t *buf = g_malloc(PIECE);

	while (size) {
		uint64_t n = 0;

		while (n < PIECE && n < size) {
			uint64_t part = PAGE - ((addr + n) & (PAGE - 1));

			part = part > size - n ? size - n : part;
			part = part > PIECE - n ? PIECE - n : part;
			if (!read_page(opaque, addr + n, buf + n, part))
				return err_set(err, 0, "Invalid addr 0x%016llx/size %llu specified",
					       (unsigned long long)(addr + n),
					       (unsigned long long)(size - n));
			n += part;
		}
		if (!write_all(fd, buf, n))
			return err_errno(err, errno, "cannot write");
		addr += n;
		size -= n;
	}
	return true;
}

static struct json_object *save(struct qmp_call *call, read_fn *read_page, void *opaque)
{
	const char *path = qmp_arg_str(call, "filename");
	uint64_t addr = qmp_arg_uint(call, "val");
	uint64_t size = qmp_arg_uint(call, "size");
	int fd = fdset_open(path, O_WRONLY | O_CREAT | O_TRUNC, 0666);
	bool ok;

	if (fd < 0) {
		err_errno(&call->err, errno, "Could not open '%s'", path);
		return NULL;
	}
	ok = copy_out(fd, addr, size, read_page, opaque, &call->err);
	if (close(fd) != 0 && ok)
		ok = err_errno(&call->err, errno, "cannot write '%s'", path);
	return qmp_done(call, ok);
}

/* Where no RAM is, devices included, the file gets ones. */
static bool read_physical(void *opaque, uint64_t addr, void *buf, uint64_t len)
{
	dma_read(opaque, addr, buf, len);
	return true;
}

static struct json_object *run_pmemsave(struct qmp_call *call)
{
	struct machine *m = call->env->machine;
	uint64_t addr = qmp_arg_uint(call, "val");
	uint64_t size = qmp_arg_uint(call, "size");
	uint64_t end = 4 * GIB + m->ram_high.size;

	if (addr > end || size > end - addr)
		return qmp_fail(call, QMP_GENERIC_ERROR,
				"Invalid addr 0x%016llx/size %llu specified: memory ends at 0x%llx",
				(unsigned long long)addr, (unsigned long long)size,
				(unsigned long long)end);
	return save(call, read_physical, &m->memory);
}

/* ---- as a vCPU sees it ---- */

struct virtual_read {
	struct vcpu *v;
	uint64_t addr, len;
	void *buf;
	bool ok;
};

static void read_in_vcpu(struct vcpu *v, void *opaque)
{
	struct virtual_read *r = opaque;
	struct mmu_result m;

	r->ok = v->arch->walk(v, r->addr, MMU_READ, v->arch->debug_view, false, &m) &&
		dma_read(v->memory, m.gpa, r->buf, r->len);
}

static bool read_virtual(void *opaque, uint64_t addr, void *buf, uint64_t len)
{
	struct virtual_read r = { .v = opaque, .addr = addr, .len = len, .buf = buf };

	vcpu_run_sync(r.v, read_in_vcpu, &r);
	return r.ok;
}

static struct json_object *run_memsave(struct qmp_call *call)
{
	const struct machine *m = call->env->machine;
	int64_t index = qmp_arg_int(call, "cpu-index", 0);

	if (index < 0 || index >= m->cpu_count)
		return qmp_fail(call, QMP_GENERIC_ERROR,
				"Parameter 'cpu-index' expects a CPU number");
	return save(call, read_virtual, m->cpus[index]);
}

const struct qmp_command qmp_memory_commands[] = {
	{ "query-memory-size-summary", run_query_memory_size_summary, .returns = &memory_info },
	{ "memsave", run_memsave, .args = &memsave_args },
	{ "pmemsave", run_pmemsave, .args = &pmemsave_args },
	{ 0 },
};
