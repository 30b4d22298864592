/* tests/unit/accel/kvm_coalesced_test.c - stores that wait in the kernel's ring, whichever vCPU's
 * mapping shows it, while vCPUs come and go.
 * SPDX-License-Identifier: MIT */
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <glib.h>

#include "accel/kvm/kvm.h"
#include "memory/address_space.h"
#include "memory/rcu.h"
#include "memory/region.h"

#define PAGE kvm_page_bytes()
enum { RING_PAGE = 2, CPUS = 3, BASE = 0x1000 };

/* ---- a machine, and the kernel's page that all mappings have ---- */

static struct kvm_accel k;
static struct kvm_vcpu kv[CPUS];
static struct vcpu v[CPUS];
static struct kvm_coalesced_mmio_ring *ring;
static struct region root, io;
static struct address_space memory;
static GString *stored;
static int fd;

static void on_write(struct device *dev, uint64_t offset, uint64_t value, unsigned size)
{
	(void)dev;
	g_string_append_printf(stored, "%u@%u=%u ", size, (unsigned)offset, (unsigned)value);
}

static uint64_t on_read(struct device *dev, uint64_t offset, unsigned size)
{
	(void)dev;
	(void)offset;
	(void)size;
	return 0;
}

static const struct region_ops ops = { .read = on_read, .write = on_write };

static void plug(unsigned i)
{
	void *p = mmap(NULL, (RING_PAGE + 1) * PAGE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	g_assert_true(p != MAP_FAILED);
	g_assert_true(mmap((char *)p + RING_PAGE * PAGE, PAGE, PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_FIXED, fd, 0) != MAP_FAILED);
	v[i].accel_data = &kv[i];
	kv[i] = (struct kvm_vcpu){ .v = &v[i], .kvm = &k, .run = p };
	kvm_rounds_add(&k.rounds, &kv[i]);
	kvm_coalesced_attach(&k, p);
}

static void unplug(unsigned i)
{
	kvm_rounds_remove(&k.rounds, &kv[i]);
	kvm_coalesced_detach(&k);
	munmap(kv[i].run, (RING_PAGE + 1) * PAGE);
}

static void begin(void)
{
	fd = memfd_create("ring", 0);
	g_assert_true(fd >= 0 && ftruncate(fd, (off_t)PAGE) == 0);
	ring = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	g_assert_true(ring != MAP_FAILED);
	stored = g_string_new(NULL);
	region_init_container(&root, "root", 0);
	region_init_io(&io, NULL, "late", &ops, 16);
	region_set_coalesced(&io);
	region_add(&root, BASE, &io);
	address_space_init(&memory, "memory", &root);
	k = (struct kvm_accel){ .sys = { .run_bytes = (int)((RING_PAGE + 1) * PAGE),
					 .caps.coalesced_mmio = RING_PAGE },
				.vm.has_zones = true,
				.listened = &memory };
	kvm_rounds_init(&k.rounds);
	kvm_coalesced_init(&k);
}

static void finish(void)
{
	kvm_coalesced_fini(&k);
	kvm_rounds_fini(&k.rounds);
	address_space_fini(&memory);
	rcu_drain();
	g_string_free(stored, TRUE);
	munmap(ring, PAGE);
	close(fd);
}

/* As the kernel: the guest stores a byte. */
static void guest_stores(unsigned offset, uint8_t value)
{
	const uint32_t room = (uint32_t)((PAGE - sizeof(*ring)) / sizeof(ring->coalesced_mmio[0]));
	struct kvm_coalesced_mmio *e = &ring->coalesced_mmio[ring->last];

	*e = (struct kvm_coalesced_mmio){ .phys_addr = BASE + offset, .len = 1, .data = { value } };
	__atomic_store_n(&ring->last, (ring->last + 1) % room, __ATOMIC_RELEASE);
}

static void guest_loads(void)
{
	uint64_t value;

	g_assert_true(address_space_read(&memory, BASE, 1, &value));
}

/* ---- tests ---- */

static void test_vcpus_come_and_go(void)
{
	begin();
	plug(0);
	guest_stores(0, 10);
	plug(1);
	guest_loads();
	g_assert_cmpstr(stored->str, ==, "1@0=10 ");
	guest_stores(1, 11);
	unplug(0); /* whose mapping was looked at */
	g_assert_cmpstr(stored->str, ==, "1@0=10 1@1=11 ");
	guest_stores(2, 12);
	guest_loads();
	g_assert_cmpstr(stored->str, ==, "1@0=10 1@1=11 1@2=12 ");
	plug(2);
	unplug(1);
	guest_stores(3, 13);
	kvm_coalesced_drain(&k);
	g_assert_cmpstr(stored->str, ==, "1@0=10 1@1=11 1@2=12 1@3=13 ");
	unplug(2);
	finish();
}

static void test_what_waits_is_done_before_the_last_goes(void)
{
	begin();
	plug(0);
	guest_stores(4, 14);
	unplug(0);
	g_assert_cmpstr(stored->str, ==, "1@4=14 ");
	guest_loads(); /* there is no ring to look into */
	plug(1);
	guest_stores(5, 15);
	guest_loads();
	g_assert_cmpstr(stored->str, ==, "1@4=14 1@5=15 ");
	unplug(1);
	finish();
}

/* A guest cannot write the ring, but nothing is believed of it. */
static void test_entries_of_any_length_and_address_end(void)
{
	begin();
	plug(0);
	ring->coalesced_mmio[0] = (struct kvm_coalesced_mmio){ .phys_addr = BASE + 14,
							       .len = UINT32_MAX };
	ring->coalesced_mmio[1] = (struct kvm_coalesced_mmio){ .phys_addr = 0, .len = 8, .pio = 1 };
	ring->last = 2;
	kvm_coalesced_drain(&k);
	g_assert_cmpuint(ring->first, ==, 2);
	g_assert_cmpstr(stored->str, ==, "1@14=0 1@15=0 ");
	unplug(0);
	finish();
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/accel/kvm/coalesced/come_and_go", test_vcpus_come_and_go);
	g_test_add_func("/accel/kvm/coalesced/last", test_what_waits_is_done_before_the_last_goes);
	g_test_add_func("/accel/kvm/coalesced/bounds", test_entries_of_any_length_and_address_end);
	return g_test_run();
}
