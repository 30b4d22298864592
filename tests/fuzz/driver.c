/* tests/fuzz/driver.c - runs a fuzz target without a fuzzer.
 *
 * usage: NAME_fuzz [-n MUTATIONS] CORPUS-FOLDER-OR-FILE...
 *
 * Every file of the corpus is one input and one test case (TAP); then each is mutated MUTATIONS
 * times by a generator with a fixed seed, so that a run on one host repeats on any other.  An input
 * that kills the target is left in NAME-crash in the current folder.
 * SPDX-License-Identifier: MIT */
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/sanitizer.h"

enum {
	INPUT_MAX = 1 << 20,
	MUTATED_MAX = 1 << 16, /* a larger seed is cut before it is mutated */
	MUTATIONS = 2000,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
/* A target may have one: it runs once, before the first input. */
__attribute__((weak)) int LLVMFuzzerInitialize(int *argc, char ***argv);

struct input {
	uint8_t *data;
	size_t size;
};

/* What the target is running now; a signal handler saves it. */
static struct input running;
static char crash_path[256];
static bool has_failed;
static uint64_t seed;

static uint64_t random_next(void)
{
	/* splitmix64: Steele, Lea, Flood, "Fast splittable pseudorandom number generators". */
	uint64_t z = seed += 0x9e3779b97f4a7c15;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

static size_t random_below(size_t n) { return n ? (size_t)(random_next() % n) : 0; }

static void on_crash(int sig)
{
	FILE *f = fopen(crash_path, "wb");

	if (f) {
		fwrite(running.data, 1, running.size, f);
		fclose(f);
		fprintf(stderr, "# input saved in %s\n", crash_path);
	}
	signal(sig, SIG_DFL);
	raise(sig);
}

static void run_input(const uint8_t *data, size_t size)
{
	/* Exactly sized, so that a sanitizer sees a read past the end. */
	running = (struct input){ malloc(size ? size : 1), size };
	memcpy(running.data, data, size);
	LLVMFuzzerTestOneInput(running.data, size);
	free(running.data);
	running = (struct input){ 0 };
}

/* One small change to buf, as fuzzers make them; returns the new size. */
static size_t mutate(uint8_t *buf, size_t size, size_t max)
{
	static const uint64_t edges[] = { 0,          1,          0x7f,       0x80,
					  0xff,       0x7fff,     0xffff,     0x7fffffff,
					  0x80000000, 0xffffffff, UINT64_MAX, 1ull << 63 };
	size_t at = random_below(size), len;

	switch (random_below(size ? 7 : 1)) {
	case 0: /* insert */
		if (size == max)
			return size;
		memmove(buf + at + 1, buf + at, size - at);
		buf[at] = (uint8_t)random_next();
		return size + 1;
	case 1: buf[at] ^= (uint8_t)(1u << random_below(8)); return size;
	case 2: buf[at] = (uint8_t)random_next(); return size;
	case 3: /* a number at the edge of its type */
		len = (size_t)1 << random_below(4);
		if (at + len <= size)
			memcpy(buf + at, &edges[random_below(sizeof(edges) / sizeof(edges[0]))],
			       len);
		return size;
	case 4: return at; /* cut */
	case 5:            /* delete */
		len = 1 + random_below(size - at);
		memmove(buf + at, buf + at + len, size - at - len);
		return size - len;
	default: /* repeat a piece */
		len = 1 + random_below(size - at);
		if (size + len > max)
			return size;
		memmove(buf + at + len, buf + at, size - at);
		return size + len;
	}
}

static void run_mutations(const struct input *in, unsigned count)
{
	static uint8_t buf[MUTATED_MAX];
	size_t start = in->size < MUTATED_MAX ? in->size : MUTATED_MAX;

	for (unsigned i = 0; i < count; i++) {
		size_t size = start;

		memcpy(buf, in->data, start);
		for (size_t n = 1 + random_below(4); n; n--)
			size = mutate(buf, size, MUTATED_MAX);
		run_input(buf, size);
	}
}

static bool read_input(const char *path, struct input *in)
{
	FILE *f = fopen(path, "rb");

	if (!f)
		return false;
	in->data = malloc(INPUT_MAX);
	in->size = fread(in->data, 1, INPUT_MAX, f);
	fclose(f);
	return true;
}

static void report_unreadable(const char *path, unsigned number)
{
	printf("not ok %u - %s: %s\n", number, path, strerror(errno));
	has_failed = true;
}

static void run_file(const char *path, unsigned mutations, unsigned *cases)
{
	struct input in;

	++*cases;
	if (!read_input(path, &in)) {
		report_unreadable(path, *cases);
		return;
	}
	seed = in.size;
	run_input(in.data, in.size);
	run_mutations(&in, mutations);
	free(in.data);
	printf("ok %u - %s\n", *cases, strrchr(path, '/') ? strrchr(path, '/') + 1 : path);
	fflush(stdout);
}

static int is_shown(const struct dirent *entry) { return entry->d_name[0] != '.'; }

static void run_path(const char *path, unsigned mutations, unsigned *cases)
{
	struct dirent **entries;
	struct stat st;
	int n;

	if (stat(path, &st) != 0 || !S_ISDIR(st.st_mode)) {
		run_file(path, mutations, cases);
		return;
	}
	n = scandir(path, &entries, is_shown, alphasort);
	if (n < 0) {
		report_unreadable(path, ++*cases);
		return;
	}
	for (int i = 0; i < n; i++) {
		char file[4096];

		snprintf(file, sizeof(file), "%s/%s", path, entries[i]->d_name);
		run_file(file, mutations, cases);
		free(entries[i]);
	}
	free(entries);
}

int main(int argc, char **argv)
{
#if HAS_ADDRESS_SANITIZER /* has better words for the others, and aborts */
	static const int signals[] = { SIGABRT };
#else
	static const int signals[] = { SIGABRT, SIGSEGV, SIGBUS, SIGILL, SIGFPE };
#endif
	const char *name = strrchr(argv[0], '/') ? strrchr(argv[0], '/') + 1 : argv[0];
	unsigned cases = 0, mutations = MUTATIONS;
	int first = 1;

	if (LLVMFuzzerInitialize)
		LLVMFuzzerInitialize(&argc, &argv);
	if (argc > 2 && strcmp(argv[1], "-n") == 0) {
		mutations = (unsigned)strtoul(argv[2], NULL, 10);
		first = 3;
	}
	snprintf(crash_path, sizeof(crash_path), "%.200s-crash", name);
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		signal(signals[i], on_crash);
	run_input((const uint8_t *)"", 0);
	printf("ok %u - empty input\n", ++cases);
	for (int i = first; i < argc; i++)
		run_path(argv[i], mutations, &cases);
	printf("1..%u\n", cases);
	return cases > 1 && !has_failed ? 0 : 1; /* a target without a corpus tests nothing */
}
