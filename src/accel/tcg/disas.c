/* accel/tcg/disas.c - host code as text, by Capstone, which is loaded when somebody wants to see it
 * and is no part of the program otherwise.
 * SPDX-License-Identifier: MIT */
#include <dlfcn.h>
#include <inttypes.h>
#include <pthread.h>

#include "base/bits.h"
#include "base/err.h"
#include "accel/tcg/tcg.h"

static void show_bytes(const uint8_t *code, size_t size, uint64_t run, FILE *out)
{
	for (size_t i = 0; i < size; i++) {
		if (i % 16 == 0)
			fprintf(out, "%s0x%" PRIx64 ": ", i ? "\n" : "", run + i);
		fprintf(out, " %02x", code[i]);
	}
	fputc('\n', out);
}

#ifdef HAVE_CAPSTONE
#include <capstone/capstone.h>

#define TEXT(x)  TEXT_(x)
#define TEXT_(x) #x
#define LIBRARY  "libcapstone.so." TEXT(CS_API_MAJOR)

/* One library per process. */
static struct {
	pthread_once_t once;
	struct err err;
	bool is_there;
	__typeof__(cs_open) *open;
	__typeof__(cs_close) *close;
	__typeof__(cs_disasm) *disasm;
	__typeof__(cs_free) *free;
} capstone = { .once = PTHREAD_ONCE_INIT };

static void load(void)
{
	void *lib = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);

	if (!lib) {
		err_set(&capstone.err, 0, "showing host code needs Capstone: %s", dlerror());
		return;
	}
	*(void **)&capstone.open = dlsym(lib, "cs_open");
	*(void **)&capstone.close = dlsym(lib, "cs_close");
	*(void **)&capstone.disasm = dlsym(lib, "cs_disasm");
	*(void **)&capstone.free = dlsym(lib, "cs_free");
	capstone.is_there = capstone.open && capstone.close && capstone.disasm && capstone.free;
	if (!capstone.is_there)
		err_set(&capstone.err, 0, "%s is not Capstone as we know it", LIBRARY);
}

bool tcg_disas_load(struct err *err)
{
	pthread_once(&capstone.once, load);
	if (!capstone.is_there)
		*err = capstone.err;
	return capstone.is_there;
}

void tcg_disas(const uint8_t *code, size_t size, uint64_t run, FILE *out)
{
	cs_insn *insns = NULL;
	struct err err;
	size_t count = 0, done = 0;
	csh handle;

	if (tcg_disas_load(&err) && capstone.open(CS_ARCH_X86, CS_MODE_64, &handle) == CS_ERR_OK) {
		count = capstone.disasm(handle, code, size, run, 0, &insns);
		for (size_t i = 0; i < count; i++) {
			fprintf(out, "0x%" PRIx64 ":  %s %s\n", insns[i].address, insns[i].mnemonic,
				insns[i].op_str);
			done += insns[i].size;
		}
		if (insns)
			capstone.free(insns, count);
		capstone.close(&handle);
	}
	if (done < size)
		show_bytes(code + done, size - done, run + done, out);
}
#else
bool tcg_disas_load(struct err *err)
{
	return err_set(
		err, 0,
		"showing host code needs Capstone, which this build of rhea was made without");
}

void tcg_disas(const uint8_t *code, size_t size, uint64_t run, FILE *out)
{
	show_bytes(code, size, run, out);
}
#endif
