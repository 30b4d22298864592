/* tests/unit/accel/tcg_test.c - the translating accelerator with a toy guest: blocks, links,
 * faults, self-modifying code, DMA into code, atomics among vCPUs, eviction.
 * SPDX-License-Identifier: MIT */
#include "accel/tcg/tcg.h"

#include <sys/resource.h>
#include <time.h>

#include <glib.h>

#include "accel/accel.h"
#include "base/err.h"
#include "base/sanitizer.h"
#include "memory/region.h"
#include "toy.h"

enum {
	RAM_SIZE = 2 * 1024 * 1024,
	IO_AT = 8 * 1024 * 1024,
	PART_AT = 9 * 1024 * 1024, /* the first KiB of RAM once more */
	MAX_VCPUS = 4,
	CODE = 0x1000,
	DATA = 0x20000
};

struct board {
	struct address_space as;
	struct region root, ram, part, io;
	struct ram_block *block;
	struct accel *accel;
	struct vcpu v[MAX_VCPUS];
	struct toy_cpu *cpu[MAX_VCPUS];
	unsigned count;
};

/* The I/O region has no device to hang state on. */
static _Atomic uint64_t io_value, io_writes;
static struct tcg_accel *io_evicts; /* a write to the device drops its blocks */

static uint64_t io_read(struct device *dev, uint64_t offset, unsigned size)
{
	(void)dev;
	(void)offset;
	(void)size;
	return atomic_load(&io_value);
}

static void io_write(struct device *dev, uint64_t offset, uint64_t value, unsigned size)
{
	(void)dev;
	(void)offset;
	(void)size;
	atomic_store(&io_value, value);
	atomic_fetch_add(&io_writes, 1);
	while (io_evicts && io_evicts->cache.oldest[0])
		tcg_cache_evict(io_evicts, io_evicts->cache.oldest[0]);
}

static const struct region_ops io_ops = { .read = io_read, .write = io_write, .concurrent = true };

/* Words "name=value" that set properties, separated by commas.  What the tests look into is the
 * interpreter's. */
static bool set_props(struct object *o, void *opaque, struct err *err)
{
	g_auto(GStrv) words = g_strsplit(opaque, ",", 0);
	bool ok = object_set(o, NULL, "tier", "0", err);

	for (char **w = words; ok && *w; w++) {
		char *value = strchr(*w, '=');

		*value = '\0';
		ok = object_set(o, NULL, *w, value + 1, err);
	}
	return ok;
}

static void setup(struct board *m, unsigned count, const char *props)
{
	struct accel_choice choice = { .name = "tcg",
				       .configure = set_props,
				       .opaque = (void *)(uintptr_t)props };
	struct err err;
	char *notes;

	memset(m, 0, sizeof(*m));
	atomic_store(&io_writes, 0);
	m->block = ram_block_new("test", RAM_SIZE, &err);
	g_assert_nonnull(m->block);
	region_init_container(&m->root, "root", 0);
	region_init_ram(&m->ram, "ram", m->block, 0, RAM_SIZE);
	region_init_io(&m->io, NULL, "io", &io_ops, 4096);
	region_add(&m->root, 0, &m->ram);
	region_init_alias(&m->part, "part", &m->ram, 0, 1024);
	region_add(&m->root, IO_AT, &m->io);
	region_add(&m->root, PART_AT, &m->part);
	address_space_init(&m->as, "memory", &m->root);
	m->accel = accel_start_first(accel_list, NULL, &choice, 1, &notes, &err);
	g_assert_nonnull(m->accel);
	g_assert_null(notes);
	m->count = count;
	for (unsigned i = 0; i < count; i++) {
		m->cpu[i] = g_new0(struct toy_cpu, 1);
		vcpu_init(&m->v[i], i, &toy_arch, m->cpu[i]);
		m->v[i].exit_request = &m->cpu[i]->env.exit_request;
		m->v[i].memory = &m->as;
		m->v[i].accel = m->accel;
		m->cpu[i]->env.pc = CODE;
		m->cpu[i]->r[7] = CODE; /* HALT by default: a fault would loop otherwise */
		g_assert_true(m->accel->ops->vcpu_attach(m->accel, &m->v[i], &err));
		g_assert_true(vcpu_start_thread(&m->v[i], &err));
	}
}

static void remove_vcpus(struct board *m)
{
	for (unsigned i = 0; i < m->count; i++) {
		vcpu_end_thread(&m->v[i]);
		m->accel->ops->vcpu_detach(m->accel, &m->v[i]);
		vcpu_fini(&m->v[i]);
		g_free(m->cpu[i]);
	}
}

static void teardown(struct board *m)
{
	remove_vcpus(m);
	accel_stop(m->accel);
	address_space_fini(&m->as);
	rcu_drain();
	ram_block_free(m->block);
}

static void put_code(struct board *m, uint64_t at, const uint32_t *code, unsigned n)
{
	g_assert_true(dma_write(&m->as, at, code, n * 4));
}

static void wait_halts(struct board *m, unsigned i, uint32_t n)
{
	for (unsigned ms = 0; atomic_load(&m->cpu[i]->halts) < n; ms++) {
		if (ms > 20000)
			g_error("vCPU %u does not halt: pc %" G_GINT64_MODIFIER "x", i,
				m->cpu[i]->env.pc);
		g_usleep(1000);
	}
}

/* Run all vCPUs until each has halted once more. */
static void run_all(struct board *m)
{
	uint32_t before[MAX_VCPUS];

	for (unsigned i = 0; i < m->count; i++) {
		before[i] = atomic_load(&m->cpu[i]->halts);
		m->cpu[i]->is_halted = m->v[i].is_halted = false; /* it is parked */
		vcpu_resume(&m->v[i]);
	}
	for (unsigned i = 0; i < m->count; i++)
		wait_halts(m, i, before[i] + 1);
	for (unsigned i = 0; i < m->count; i++)
		vcpu_pause(&m->v[i]);
}

static struct tcg_accel *tcg(struct board *m)
{
	return container_of(m->accel, struct tcg_accel, accel);
}

static void test_a_loop_runs_and_its_blocks_are_linked(void)
{
	static const uint32_t code[] = {
		TOY(TOY_MOVI, 0, 0, 0), TOY(TOY_MOVI, 1, 0, 1),  TOY(TOY_SHLI, 1, 0, 20),
		TOY(TOY_ADDI, 0, 0, 3), TOY(TOY_ADDI, 1, 0, -1), TOY(TOY_JNZ, 1, 0, -2),
		TOY(TOY_HALT, 0, 0, 0),
	};
	struct board m;
	uint64_t insns;

	setup(&m, 1, "");
	put_code(&m, CODE, code, ARRAY_SIZE(code));
	run_all(&m);
	g_assert_cmpuint(m.cpu[0]->r[0], ==, 3u << 20);
	g_assert_cmpuint(m.cpu[0]->env.pc, ==, CODE + sizeof(code));
	g_assert_cmpuint(tcg(&m)->cache.made, ==, 3);
	insns = atomic_load(&((struct tcg_vcpu *)m.v[0].accel_data)->insns);
	g_assert_cmpuint(insns, ==, 3 + 3 * (1u << 20) + 1);
	teardown(&m);
}

static void test_a_fault_is_exact_and_delivered(void)
{
	static const uint32_t code[] = {
		TOY(TOY_MOVI, 0, 0, 1), TOY(TOY_SHLI, 0, 0, 30), TOY(TOY_ADDI, 1, 0, 5),
		TOY(TOY_ST8, 0, 1, 0),  TOY(TOY_ADDI, 1, 0, 7),  TOY(TOY_HALT, 0, 0, 0),
	};
	static const uint32_t handler[] = { TOY(TOY_HALT, 0, 0, 0) };
	struct board m;

	setup(&m, 1, "");
	put_code(&m, CODE, code, ARRAY_SIZE(code));
	put_code(&m, 0x3000, handler, 1);
	m.cpu[0]->r[7] = 0x3000;
	run_all(&m);
	g_assert_cmpuint(m.cpu[0]->r[6], ==, CODE + 12);
	g_assert_cmpuint(m.cpu[0]->r[1], ==, 5);
	g_assert_cmpuint(m.cpu[0]->fault_addr, ==, 1u << 30);
	g_assert_cmpuint(atomic_load(&m.cpu[0]->faults), ==, 1);
	teardown(&m);
}

static void test_code_outside_the_map_faults_or_reads_as_ones(void)
{
	static const uint32_t code[] = { TOY(TOY_JMP, 0, 0, 0) };
	static const uint32_t handler[] = { TOY(TOY_HALT, 0, 0, 0) };
	struct board m;

	setup(&m, 1, "");
	put_code(&m, CODE, code, 1);
	put_code(&m, 0x3000, handler, 1);
	m.cpu[0]->r[7] = 0x3000;
	m.cpu[0]->r[0] = UINT64_C(0x7000000000);
	run_all(&m);
	g_assert_cmpuint(m.cpu[0]->r[6], ==, UINT64_C(0x7000000000));
	/* A hole in the map: all ones, which halts. */
	m.cpu[0]->env.pc = CODE;
	m.cpu[0]->r[0] = 12 * 1024 * 1024;
	run_all(&m);
	g_assert_cmpuint(m.cpu[0]->env.pc, ==, 12 * 1024 * 1024 + 4);
	/* A device: here an instruction that is what it returns. */
	atomic_store(&io_value, TOY(TOY_MOVI, 5, 0, 9) & 0xff);
	m.cpu[0]->env.pc = CODE;
	m.cpu[0]->r[0] = IO_AT;
	atomic_store(&io_value, 0);
	run_all(&m);
	g_assert_cmpuint(m.cpu[0]->env.pc, ==, IO_AT + 4);
	teardown(&m);
}

static void test_a_store_into_the_running_block_takes_effect_at_once(void)
{
	/* r1 points at the ADDI two instructions on; r2 holds "ADDI r3, 50". */
	static const uint32_t code[] = {
		TOY(TOY_MOVI, 3, 0, 0), TOY(TOY_ST4, 1, 2, 0),  TOY(TOY_ADDI, 4, 0, 1),
		TOY(TOY_ADDI, 3, 0, 1), TOY(TOY_HALT, 0, 0, 0),
	};
	struct board m;

	setup(&m, 1, "");
	put_code(&m, CODE, code, ARRAY_SIZE(code));
	m.cpu[0]->r[1] = CODE + 12;
	m.cpu[0]->r[2] = TOY(TOY_ADDI, 3, 0, 50);
	run_all(&m);
	g_assert_cmpuint(m.cpu[0]->r[3], ==, 50);
	g_assert_cmpuint(m.cpu[0]->r[4], ==, 1);
	/* And again, now with a store that changes a byte elsewhere in the page: nothing is
	 * dropped. */
	m.cpu[0]->env.pc = CODE;
	m.cpu[0]->r[1] = CODE + 0x800;
	run_all(&m);
	g_assert_cmpuint(m.cpu[0]->r[3], ==, 50);
	teardown(&m);
}

static void test_a_block_evicted_while_it_runs_sees_what_it_stores_to_itself(void)
{
	static const uint32_t code[] = {
		TOY(TOY_ST8, 1, 0, 0),  TOY(TOY_ST4, 2, 3, 0),  TOY(TOY_ADDI, 4, 0, 1),
		TOY(TOY_ADDI, 4, 0, 1), TOY(TOY_HALT, 0, 0, 0),
	};
	struct board m;

	setup(&m, 1, "");
	put_code(&m, CODE, code, ARRAY_SIZE(code));
	m.cpu[0]->r[1] = IO_AT;
	m.cpu[0]->r[2] = CODE + 12;
	m.cpu[0]->r[3] = TOY(TOY_ADDI, 4, 0, 7);
	io_evicts = tcg(&m);
	run_all(&m);
	io_evicts = NULL;
	g_assert_cmpuint(m.cpu[0]->r[4], ==, 8);
	teardown(&m);
}

/* Where it is stored to by several words at once. */
static void check_fill(uint64_t at)
{
	static const uint32_t code[] = { TOY(TOY_JMP, 3, 0, 0) };
	static const uint32_t fill[] = { TOY(TOY_ADDI, 5, 0, 1), TOY(TOY_FILL, 0, 0, 0),
					 TOY(TOY_HALT, 0, 0, 0) };
	struct board m;

	setup(&m, 1, "");
	put_code(&m, CODE, code, ARRAY_SIZE(code));
	put_code(&m, at, fill, ARRAY_SIZE(fill));
	m.cpu[0]->r[0] = at;
	m.cpu[0]->r[1] = TOY(TOY_MOVI, 4, 0, 9);
	m.cpu[0]->r[2] = 5;
	m.cpu[0]->r[3] = at;
	run_all(&m);
	/* before it, over it, and then it was another */
	g_assert_cmpuint(m.cpu[0]->r[2], ==, 3);
	g_assert_cmpuint(m.cpu[0]->r[0], ==, at + 8);
	g_assert_cmpuint(m.cpu[0]->r[4], ==, 9);
	g_assert_cmpuint(m.cpu[0]->r[5], ==, 1);
	teardown(&m);
}

static void test_an_instruction_that_stores_to_itself_stops_there(void) { check_fill(0x3000); }
static void test_so_does_one_that_is_not_kept(void) { check_fill(PART_AT); }

static void test_dma_into_a_loop_ends_it(void)
{
	static const uint32_t code[] = { TOY(TOY_MOVI, 1, 0, 1), TOY(TOY_ADDI, 2, 0, 1),
					 TOY(TOY_JNZ, 1, 0, -1) };
	static const uint32_t halt[] = { TOY(TOY_HALT, 0, 0, 0) };
	struct board m;

	setup(&m, 2, "");
	put_code(&m, CODE, code, ARRAY_SIZE(code));
	vcpu_resume(&m.v[0]);
	vcpu_resume(&m.v[1]);
	g_usleep(20000);
	put_code(&m, CODE + 8, halt, 1);
	wait_halts(&m, 0, 1);
	wait_halts(&m, 1, 1);
	g_assert_cmpuint(tcg(&m)->cache.dropped, >=, 1);
	teardown(&m);
}

static void test_a_page_is_plain_again_when_its_code_is_gone(void)
{
	static const uint32_t code[] = { TOY(TOY_HALT, 0, 0, 0) };
	struct board m;

	setup(&m, 1, "");
	put_code(&m, CODE, code, 1);
	run_all(&m);
	g_assert_false(ram_page_is_plain(m.block, CODE));
	put_code(&m, CODE, code, 1);
	g_assert_true(ram_page_is_plain(m.block, CODE));
	g_assert_cmpuint(tcg(&m)->cache.size, ==, 0);
	teardown(&m);
}

static void test_a_block_on_two_pages_hears_of_both(void)
{
	/* The ADDI straddles nothing, but the block begins on one page and ends on the next. */
	static const uint32_t code[] = {
		TOY(TOY_MOVI, 0, 0, 1),
		TOY(TOY_ADDI, 0, 0, 1),
		TOY(TOY_ADDI, 0, 0, 1),
		TOY(TOY_HALT, 0, 0, 0),
	};
	static const uint32_t other[] = { TOY(TOY_ADDI, 0, 0, 100) };
	struct board m;

	setup(&m, 1, "");
	for (unsigned shift = 6; shift <= 8;
	     shift += 2) { /* 6: the second instruction is on both */
		uint64_t at = 0x8000 - shift;

		put_code(&m, at, code, ARRAY_SIZE(code));
		m.cpu[0]->env.pc = at;
		run_all(&m);
		g_assert_cmpuint(m.cpu[0]->r[0], ==, 3);
		put_code(&m, at + 8, other, 1);
		m.cpu[0]->env.pc = at;
		run_all(&m);
		g_assert_cmpuint(m.cpu[0]->r[0], ==, 102);
		put_code(&m, at + 4, other, 1);
		m.cpu[0]->env.pc = at;
		run_all(&m);
		g_assert_cmpuint(m.cpu[0]->r[0], ==, 201);
	}
	teardown(&m);
}

/* Each vCPU adds 1 to [r0] r2 times. */
static void check_atomics(uint64_t where)
{
	static const uint32_t code[] = {
		TOY(TOY_MOVI, 1, 0, 1), TOY(TOY_XADD, 0, 1, 0), TOY(TOY_ADDI, 2, 0, -1),
		TOY(TOY_JNZ, 2, 0, -3), TOY(TOY_HALT, 0, 0, 0),
	};
	unsigned rounds = where % 8 || where >= IO_AT ? 500 : 100000;
	struct board m;
	uint64_t sum = 0;

	atomic_store(&io_value, 0);
	setup(&m, MAX_VCPUS, "");
	put_code(&m, CODE, code, ARRAY_SIZE(code));
	for (unsigned i = 0; i < MAX_VCPUS; i++) {
		m.cpu[i]->r[0] = where;
		m.cpu[i]->r[2] = rounds;
	}
	run_all(&m);
	if (where >= IO_AT)
		sum = atomic_load(&io_value);
	else
		g_assert_true(dma_read(&m.as, where, &sum, 8));
	g_assert_cmpuint(sum, ==, MAX_VCPUS * rounds);
	teardown(&m);
}

static void test_atomics_of_many_vcpus_add_up(void) { check_atomics(DATA); }
static void test_split_atomics_add_up(void) { check_atomics(DATA + 4096 - 3); }
static void test_atomics_on_a_device_add_up(void) { check_atomics(IO_AT); }

static void test_atomics_on_a_code_page_drop_code(void)
{
	/* r1 holds the difference that turns the MOVI at r0 into another. */
	static const uint32_t code[] = {
		TOY(TOY_XADD, 0, 1, 0),
		TOY(TOY_ADDI, 4, 0, 1),
		TOY(TOY_MOVI, 3, 0, 1),
		TOY(TOY_HALT, 0, 0, 0),
	};
	struct board m;

	setup(&m, 1, "");
	put_code(&m, CODE, code, ARRAY_SIZE(code));
	m.cpu[0]->r[0] = CODE + 8;
	m.cpu[0]->r[1] = (uint64_t)1 << 24; /* imm + 1 */
	run_all(&m);
	g_assert_cmpuint(m.cpu[0]->r[3], ==, 2);
	g_assert_cmpuint(m.cpu[0]->r[4], ==, 1);
	teardown(&m);
}

static void test_devices_are_reached_and_misaligned_accesses_split(void)
{
	static const uint32_t code[] = {
		TOY(TOY_ST8, 0, 1, 0), TOY(TOY_LD8, 2, 0, 0),  TOY(TOY_ST8, 3, 1, 0),
		TOY(TOY_LD8, 4, 3, 0), TOY(TOY_HALT, 0, 0, 0),
	};
	struct board m;

	setup(&m, 1, "");
	put_code(&m, CODE, code, ARRAY_SIZE(code));
	m.cpu[0]->r[0] = IO_AT;
	m.cpu[0]->r[1] = 0x1122334455667788;
	m.cpu[0]->r[3] = DATA + 4096 - 5;
	run_all(&m);
	g_assert_cmpuint(atomic_load(&io_writes), ==, 1);
	g_assert_cmphex(m.cpu[0]->r[2], ==, 0x1122334455667788);
	g_assert_cmphex(m.cpu[0]->r[4], ==, 0x1122334455667788);
	teardown(&m);
}

static void test_stepping_calls_back_after_each_instruction(void)
{
	static const uint32_t code[] = {
		TOY(TOY_STEP, 0, 0, TOY_MODE_STEP),
		TOY(TOY_MOVI, 0, 0, 1),
		TOY(TOY_ADDI, 0, 0, 1),
		TOY(TOY_STEP, 0, 0, 0),
		TOY(TOY_ADDI, 0, 0, 1),
		TOY(TOY_HALT, 0, 0, 0),
	};
	struct board m;

	setup(&m, 1, "");
	put_code(&m, CODE, code, ARRAY_SIZE(code));
	run_all(&m);
	g_assert_cmpuint(m.cpu[0]->r[0], ==, 3);
	g_assert_cmpuint(atomic_load(&m.cpu[0]->steps), ==, 3);
	teardown(&m);
}

static void test_old_blocks_go_when_room_runs_out(void)
{
	static uint32_t code[40000];
	struct board m;

	/* Each JNZ that is not taken ends a block. */
	for (unsigned i = 0; i < ARRAY_SIZE(code) - 1; i++)
		code[i] = i & 1 ? TOY(TOY_JNZ, 1, 0, 5) : TOY(TOY_ADDI, 0, 0, 1);
	code[ARRAY_SIZE(code) - 1] = TOY(TOY_HALT, 0, 0, 0);
	setup(&m, 1, "tb-size=1");
	put_code(&m, CODE, code, ARRAY_SIZE(code));
	for (unsigned round = 0; round < 3; round++) {
		m.cpu[0]->env.pc = CODE;
		m.cpu[0]->r[0] = 0;
		run_all(&m);
		g_assert_cmpuint(m.cpu[0]->r[0], ==, ARRAY_SIZE(code) / 2);
	}
	g_assert_cmpuint(tcg(&m)->cache.dropped, >, 1000);
	g_assert_cmpuint(tcg(&m)->cache.size, <=, 1100 * 1024);
	teardown(&m);
}

static void test_map_changes_are_seen(void)
{
	static const uint32_t code[] = { TOY(TOY_LD8, 2, 0, 0), TOY(TOY_HALT, 0, 0, 0) };
	struct board m;

	setup(&m, 1, "");
	put_code(&m, CODE, code, ARRAY_SIZE(code));
	m.cpu[0]->r[0] = DATA;
	run_all(&m);
	g_assert_cmphex(m.cpu[0]->r[2], ==, 0);
	atomic_store(&io_value, 0x1234);
	region_remove(&m.io);
	region_add_overlap(&m.root, DATA, &m.io, 1);
	m.cpu[0]->env.pc = CODE;
	run_all(&m);
	g_assert_cmphex(m.cpu[0]->r[2], ==, 0x1234);
	region_remove(&m.io);
	teardown(&m);
}

static void test_a_halted_vcpu_sleeps_until_its_input(void)
{
	static const uint32_t code[] = { TOY(TOY_HALT, 0, 0, 0), TOY(TOY_HALT, 0, 0, 0) };
	struct timespec cpu;
	struct board m;
	clockid_t clock;

	setup(&m, 1, "");
	put_code(&m, CODE, code, ARRAY_SIZE(code));
	vcpu_resume(&m.v[0]);
	wait_halts(&m, 0, 1);
	g_assert_cmpint(pthread_getcpuclockid(m.v[0].thread, &clock), ==, 0);
	g_usleep(50000);
	clock_gettime(clock, &cpu);
	g_assert_cmpint(cpu.tv_sec, ==, 0);
	g_assert_cmpint(cpu.tv_nsec, <, 40000000);
	vcpu_set_input(&m.v[0], VCPU_INTR); /* wakes nothing here */
	g_usleep(5000);
	g_assert_cmpuint(atomic_load(&m.cpu[0]->halts), ==, 1);
	vcpu_set_input(&m.v[0], VCPU_NMI);
	wait_halts(&m, 0, 2);
	g_assert_cmpuint(atomic_load(&m.cpu[0]->inputs), ==, 1);
	teardown(&m);
}

static void note_reclaim(struct rcu_head *head)
{
	(void)head;
	atomic_store(&io_value, 1);
}

/* Nothing of such a guest ever runs; what others retired must go nevertheless. */
static void test_a_guest_that_only_faults_lets_readers_go(void)
{
	static struct rcu_head head;
	struct board m;

	setup(&m, 1, "");
	atomic_store(&io_value, 0);
	m.cpu[0]->env.pc = m.cpu[0]->r[7] = 32 * MIB; /* not mapped */
	vcpu_resume(&m.v[0]);
	while (!atomic_load(&m.cpu[0]->faults))
		g_usleep(100);
	rcu_retire(&head, note_reclaim);
	for (unsigned ms = 0; !atomic_load(&io_value); ms++) {
		g_assert_cmpuint(ms, <, 20000);
		g_usleep(1000);
	}
	vcpu_pause(&m.v[0]);
	teardown(&m);
}

/* A machine goes before its accelerator, which must not look at its RAM any more. */
static void test_ram_goes_with_the_last_vcpu(void)
{
	static const uint32_t code[] = { TOY(TOY_ADDI, 0, 0, 1), TOY(TOY_HALT, 0, 0, 0) };
	struct board m;

	setup(&m, 2, "");
	put_code(&m, CODE, code, ARRAY_SIZE(code));
	run_all(&m);
	g_assert_cmpuint(tcg(&m)->cache.size, >, 0);
	remove_vcpus(&m);
	g_assert_cmpuint(tcg(&m)->cache.size, ==, 0);
	address_space_fini(&m.as);
	rcu_drain();
	ram_block_free(m.block);
	accel_stop(m.accel);
}

/* ---- thread=single ---- */

/* Each vCPU adds to its own register and never halts: all must get on. */
static void test_vcpus_that_never_halt_take_turns(void)
{
	static const uint32_t code[] = { TOY(TOY_MOVI, 1, 0, 1), TOY(TOY_ADDI, 2, 0, 1),
					 TOY(TOY_ST8, 3, 2, 0), TOY(TOY_JNZ, 1, 0, -2) };
	uint64_t seen[MAX_VCPUS] = { 0 };
	struct board m;

	setup(&m, MAX_VCPUS, "thread=single");
	put_code(&m, CODE, code, ARRAY_SIZE(code));
	for (unsigned i = 0; i < MAX_VCPUS; i++) {
		m.cpu[i]->r[3] = DATA + 8 * i;
		vcpu_resume(&m.v[i]);
	}
	for (unsigned i = 0; i < MAX_VCPUS; i++) {
		for (unsigned ms = 0; !seen[i]; ms++) {
			g_assert_cmpuint(ms, <, 20000);
			g_usleep(1000);
			g_assert_true(dma_read(&m.as, DATA + 8 * i, &seen[i], 8));
		}
	}
	for (unsigned i = 0; i < MAX_VCPUS; i++)
		vcpu_pause(&m.v[i]);
	teardown(&m);
}

static void test_single_means_one_at_a_time(void)
{
	struct board m;
	struct tcg_turn *turn;

	setup(&m, 2, "thread=single");
	turn = &tcg(&m)->turn;
	tcg_turn_take(turn, &m.v[0]);
	/* The other has its thread and something to do, but not the turn. */
	m.cpu[1]->env.pc = CODE; /* zeros: HALT */
	vcpu_resume(&m.v[1]);
	g_usleep(30000);
	g_assert_cmpuint(atomic_load(&m.cpu[1]->halts), ==, 0);
	g_assert_true(atomic_load(m.v[0].exit_request) & VCPU_EXIT_TURN);
	tcg_turn_drop(turn);
	wait_halts(&m, 1, 1);
	teardown(&m);
}

static void test_a_halted_vcpu_gives_its_turn_back(void)
{
	static const uint32_t halt[] = { TOY(TOY_HALT, 0, 0, 0) };
	struct board m;

	setup(&m, 3, "thread=single");
	put_code(&m, CODE, halt, 1);
	for (unsigned i = 0; i < 3; i++) {
		vcpu_resume(&m.v[i]);
		wait_halts(&m, i, 1);
	}
	lock_take(&tcg(&m)->turn.lock);
	g_assert_cmpuint(tcg(&m)->turn.next, ==, tcg(&m)->turn.now);
	lock_drop(&tcg(&m)->turn.lock);
	teardown(&m);
}

/* ---- properties, and hosts that refuse ---- */

static struct accel *start(const char *props, struct err *err)
{
	struct accel_choice choice = { .name = "tcg",
				       .configure = set_props,
				       .opaque = (void *)(uintptr_t)props };
	char *notes;
	struct accel *a = accel_start_first(accel_list, NULL, &choice, 1, &notes, err);

	g_assert_null(notes);
	return a;
}

static void test_wrong_properties_are_refused(void)
{
	static const char *const wrong[][2] = {
		{ "thread=many", "many" },       { "tier=2", "tier" },
		{ "tb-size=0", "tb-size" },      { "tier=0,check=on", "check=on" },
		{ "tier=0,perf=on", "perf=on" },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(wrong); i++) {
		struct err err = { 0 };

		g_assert_null(start(wrong[i][0], &err));
		g_assert_nonnull(strstr(err.text, wrong[i][1]));
	}
}

static void test_more_room_than_code_can_reach_is_cut(void)
{
	struct err err;
	struct accel *a = start("tb-size=4096", &err);

	g_assert_nonnull(a);
	g_assert_cmpuint(container_of(a, struct tcg_accel, accel)->cache.limit, ==, GIB);
	accel_stop(a);
}

/* Whatever the host is, one line says that there is no host code; it is no error. */
static void test_no_memory_for_host_code_means_the_interpreter(void)
{
	struct rlimit old, none;
	struct err err;
	struct accel *a;
	char *where;

#if HAS_ADDRESS_SANITIZER || HAS_THREAD_SANITIZER
	g_test_skip("a sanitizer needs the address space");
	return;
#endif
	getrlimit(RLIMIT_AS, &old);
	none = old;
	none.rlim_cur = 1024 * MIB;
	setrlimit(RLIMIT_AS, &none);
	a = start("tier=1,tb-size=1024", &err);
	setrlimit(RLIMIT_AS, &old);
	g_assert_nonnull(a);
	g_assert_null(container_of(a, struct tcg_accel, accel)->native);
	g_assert_nonnull(a->note);
	where = strstr(a->note, "interpreted");
	g_assert_nonnull(where);
	g_assert_null(strchr(a->note, '\n'));
	accel_stop(a);
}

/* What the back end cannot hold in registers runs nevertheless. */
static void test_a_guest_unfit_for_host_code_is_interpreted(void)
{
	static const uint32_t code[] = { TOY(TOY_MOVI, 0, 0, 7), TOY(TOY_HALT, 0, 0, 0) };
	struct board m;

	setup(&m, 2, "tier=1");
	g_assert_null(tcg(&m)->native);
	g_assert_nonnull(m.accel->note);
	g_assert_nonnull(strstr(m.accel->note, "interpreted"));
	g_assert_null(strchr(m.accel->note, '\n'));
	put_code(&m, CODE, code, ARRAY_SIZE(code));
	run_all(&m);
	g_assert_cmpuint(m.cpu[0]->r[0], ==, 7);
	g_assert_cmpuint(m.cpu[1]->r[0], ==, 7);
	teardown(&m);
}

static void test_tier_0_says_nothing(void)
{
	struct err err;
	struct accel *a = start("", &err);

	g_assert_nonnull(a);
	g_assert_null(a->note);
	accel_stop(a);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	object_types_add(accel_types);
	g_test_add_func("/tcg/loop", test_a_loop_runs_and_its_blocks_are_linked);
	g_test_add_func("/tcg/fault", test_a_fault_is_exact_and_delivered);
	g_test_add_func("/tcg/code-outside-ram", test_code_outside_the_map_faults_or_reads_as_ones);
	g_test_add_func("/tcg/self-modifying",
			test_a_store_into_the_running_block_takes_effect_at_once);
	g_test_add_func("/tcg/fill", test_an_instruction_that_stores_to_itself_stops_there);
	g_test_add_func("/tcg/fill-uncached", test_so_does_one_that_is_not_kept);
	g_test_add_func("/tcg/evicted-while-running",
			test_a_block_evicted_while_it_runs_sees_what_it_stores_to_itself);
	g_test_add_func("/tcg/dma-into-code", test_dma_into_a_loop_ends_it);
	g_test_add_func("/tcg/page-plain-again", test_a_page_is_plain_again_when_its_code_is_gone);
	g_test_add_func("/tcg/two-pages", test_a_block_on_two_pages_hears_of_both);
	g_test_add_func("/tcg/atomics", test_atomics_of_many_vcpus_add_up);
	g_test_add_func("/tcg/atomics-split", test_split_atomics_add_up);
	g_test_add_func("/tcg/atomics-device", test_atomics_on_a_device_add_up);
	g_test_add_func("/tcg/atomics-code", test_atomics_on_a_code_page_drop_code);
	g_test_add_func("/tcg/devices", test_devices_are_reached_and_misaligned_accesses_split);
	g_test_add_func("/tcg/step", test_stepping_calls_back_after_each_instruction);
	g_test_add_func("/tcg/eviction", test_old_blocks_go_when_room_runs_out);
	g_test_add_func("/tcg/map-change", test_map_changes_are_seen);
	g_test_add_func("/tcg/halt", test_a_halted_vcpu_sleeps_until_its_input);
	g_test_add_func("/tcg/fault-loop", test_a_guest_that_only_faults_lets_readers_go);
	g_test_add_func("/tcg/ram-first", test_ram_goes_with_the_last_vcpu);
	g_test_add_func("/tcg/single/turns", test_vcpus_that_never_halt_take_turns);
	g_test_add_func("/tcg/single/one", test_single_means_one_at_a_time);
	g_test_add_func("/tcg/single/halted", test_a_halted_vcpu_gives_its_turn_back);
	g_test_add_func("/tcg/props", test_wrong_properties_are_refused);
	g_test_add_func("/tcg/tb-size", test_more_room_than_code_can_reach_is_cut);
	g_test_add_func("/tcg/no-memory", test_no_memory_for_host_code_means_the_interpreter);
	g_test_add_func("/tcg/unfit", test_a_guest_unfit_for_host_code_is_interpreted);
	g_test_add_func("/tcg/tier-0", test_tier_0_says_nothing);
	return g_test_run();
}
