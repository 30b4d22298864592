/* fw_cfg: selectors, files, DMA with friendly and hostile descriptors, -fw_cfg's language.
 * SPDX-License-Identifier: MIT */
#include "bare.h"

#include <glib/gstdio.h>
#include <string.h>

#include "dev/nvram/fw_cfg.h"
#include "memory/ram.h"

enum { DESC = 0x1000, BUF = 0x2000 };
enum { ERROR = 1, READ = 2, SKIP = 4, SELECT = 8, WRITE = 16 };

static struct bare b;
static struct device *fw;

static void setup(void)
{
	bare_init(&b);
	fw = bare_add(&b, "fw_cfg", 0, NULL);
}

static void teardown(void)
{
	bare_remove(fw);
	bare_fini(&b);
}

static void select_key(uint16_t key) { address_space_write(&b.io, 0x510, 2, key); }
static uint8_t data(void) { return bare_in(&b, 0x511); }

static uint64_t be(unsigned bytes)
{
	uint64_t v = 0;

	while (bytes--)
		v = v << 8 | data();
	return v;
}

static void put_be(uint8_t *p, uint64_t v, unsigned bytes)
{
	while (bytes--) {
		p[bytes] = (uint8_t)v;
		v >>= 8;
	}
}

/* Run a transfer whose descriptor is at `at`; the control field afterwards. */
static uint32_t dma_at(uint64_t at, uint32_t control, uint32_t length, uint64_t address)
{
	uint8_t d[16];

	put_be(d, control, 4);
	put_be(d + 4, length, 4);
	put_be(d + 8, address, 8);
	dma_write(&b.mem, at, d, sizeof(d));
	address_space_write(&b.io, 0x514, 4, __builtin_bswap32((uint32_t)(at >> 32)));
	address_space_write(&b.io, 0x518, 4, __builtin_bswap32((uint32_t)at));
	dma_read(&b.mem, at, d, 4);
	return (uint32_t)d[0] << 24 | (uint32_t)d[1] << 16 | (uint32_t)d[2] << 8 | d[3];
}

static uint32_t dma(uint32_t control, uint32_t length, uint64_t address)
{
	return dma_at(DESC, control, length, address);
}

/* The selector of a file as the directory tells it, and its size. */
static uint16_t find(const char *name, uint32_t *size)
{
	unsigned count;

	select_key(FW_CFG_FILE_DIR);
	count = (unsigned)be(4);
	for (unsigned i = 0; i < count; i++) {
		char entry[FW_CFG_NAME_BYTES];
		uint32_t len = (uint32_t)be(4);
		uint16_t key = (uint16_t)be(2);

		be(2);
		for (unsigned k = 0; k < sizeof(entry); k++)
			entry[k] = (char)data();
		if (strcmp(entry, name) == 0) {
			*size = len;
			return key;
		}
	}
	return 0;
}

static void test_signature_id_and_missing_items(void)
{
	setup();
	select_key(FW_CFG_SIGNATURE);
	g_assert_cmphex(be(4), ==, 0x51454d55);
	g_assert_cmphex(data(), ==, 0); /* past the end */
	select_key(FW_CFG_ID);
	g_assert_cmphex(data(), ==, 3);
	select_key(FW_CFG_KERNEL_SIZE);
	g_assert_cmphex(be(4), ==, 0);
	select_key(0xffff);
	g_assert_cmphex(data(), ==, 0);
	select_key(0x3fff);
	g_assert_cmphex(data(), ==, 0);
	fw_cfg_add_u32(fw, FW_CFG_RAM_SIZE, 0x11223344);
	fw_cfg_add_u16(fw, FW_CFG_NB_CPUS, 4);
	fw_cfg_add_string(fw, FW_CFG_KERNEL_CMDLINE, "quiet");
	fw_cfg_add(fw, FW_CFG_E820_TABLE, "ab", 2);
	select_key(FW_CFG_RAM_SIZE);
	g_assert_cmphex(be(4), ==, 0x44332211);
	select_key(FW_CFG_KERNEL_CMDLINE);
	g_assert_cmphex(be(6), ==, 0x717569657400);
	select_key(FW_CFG_E820_TABLE | 0x4000); /* the write bit is ignored */
	g_assert_cmphex(be(2), ==, 0x6162);
	bare_out(&b, 0x511, 1); /* no writing */
	bare_out(&b, 0x510, 1);
	teardown();
}

static void test_directory(void)
{
	struct err err = { 0 };
	uint32_t size = 0;
	char name[80], many[16];
	uint16_t key;

	setup();
	g_assert_true(fw_cfg_add_file(fw, "etc/one", "1", 1, &err));
	g_assert_true(fw_cfg_add_file(fw, "etc/two", "22", 2, &err));
	key = find("etc/two", &size);
	g_assert_cmphex(key, ==, FW_CFG_FILE_FIRST + 1);
	g_assert_cmpuint(size, ==, 2);
	select_key(key);
	g_assert_cmphex(be(3), ==, 0x323200);
	g_assert_false(fw_cfg_add_file(fw, "etc/one", "x", 1, &err));
	g_assert_cmpstr(err.text, ==, "fw_cfg file 'etc/one' exists already");
	memset(name, 'n', sizeof(name));
	name[56] = 0;
	g_assert_false(fw_cfg_add_file(fw, name, "x", 1, &err));
	name[55] = 0;
	g_assert_true(fw_cfg_add_file(fw, name, "x", 1, &err));
	g_assert_false(fw_cfg_add_file(fw, "", "x", 1, &err));
	for (unsigned i = 3; i < FW_CFG_FILE_MAX; i++) {
		g_snprintf(many, sizeof(many), "f%u", i);
		g_assert_true(fw_cfg_add_file(fw, many, NULL, 0, &err));
	}
	g_assert_false(fw_cfg_add_file(fw, "one-more", "x", 1, &err));
	g_assert_cmphex(find("f255", &size), ==, FW_CFG_FILE_FIRST + 255);
	teardown();
}

static void test_dma_read_select_skip(void)
{
	struct err err;
	uint64_t sig;

	setup();
	g_assert_true(address_space_read(&b.io, 0x514, 8, &sig));
	g_assert_cmphex(__builtin_bswap64(sig), ==, UINT64_C(0x51454d5520434647));
	fw_cfg_add_file(fw, "f", "0123456789", 10, &err);
	memset(b.ram->host + BUF, 0xee, 32);
	g_assert_cmphex(dma(FW_CFG_FILE_FIRST << 16 | SELECT | READ, 4, BUF), ==, 0);
	g_assert_cmpmem(b.ram->host + BUF, 5, "0123\xee", 5);
	g_assert_cmphex(dma(SKIP, 2, 0), ==, 0);
	g_assert_cmphex(dma(READ, 8, BUF), ==, 0); /* 4 there, the rest zero */
	g_assert_cmpmem(b.ram->host + BUF, 9, "6789\0\0\0\0\xee", 9);
	g_assert_cmphex(dma(SKIP, UINT32_MAX, 0), ==, 0);
	g_assert_cmphex(dma(SKIP, UINT32_MAX, 0), ==, 0);
	g_assert_cmphex(dma(READ, 1, BUF), ==, 0);
	g_assert_cmphex(b.ram->host[BUF], ==, 0);
	g_assert_cmphex(dma(0xffff0000 | SELECT | READ, 2, BUF), ==, 0); /* nothing there: zeros */
	g_assert_cmphex(dma(0, 0, 0), ==, 0);
	teardown();
}

struct write_log {
	unsigned calls;
	size_t offset, len;
};

static void on_written(void *opaque, size_t offset, size_t len)
{
	struct write_log *w = opaque;

	w->calls++;
	w->offset = offset;
	w->len = len;
}

static void test_dma_write(void)
{
	uint32_t key = FW_CFG_FILE_FIRST << 16;
	struct write_log w = { 0 };
	struct err err;
	char back[8];

	setup();
	fw_cfg_add_writable_file(fw, "w", "abcdefgh", 8, on_written, &w, &err);
	fw_cfg_add_file(fw, "r", "abcdefgh", 8, &err);
	memcpy(b.ram->host + BUF, "XYZ", 3);
	dma(key | SELECT | SKIP, 2, 0);
	g_assert_cmphex(dma(WRITE, 3, BUF), ==, 0);
	g_assert_cmpuint(w.calls, ==, 1);
	g_assert_cmpuint(w.offset, ==, 2);
	g_assert_cmpuint(w.len, ==, 3);
	g_assert_cmpint(fw_cfg_read_file(fw, "w", 0, back, 8), ==, 8);
	g_assert_cmpmem(back, 8, "abXYZfgh", 8);
	g_assert_cmphex(dma(WRITE, 4, BUF), ==, ERROR); /* one too many */
	g_assert_cmphex(dma(key | SELECT | WRITE, UINT32_MAX, BUF), ==, ERROR);
	g_assert_cmphex(dma(key | SELECT | WRITE, 4, UINT64_MAX - 1), ==, ERROR);    /* not RAM */
	g_assert_cmphex(dma((key + (1 << 16)) | SELECT | WRITE, 1, BUF), ==, ERROR); /* read-only */
	g_assert_cmphex(dma(0x50000000 | SELECT | WRITE, 1, BUF), ==, ERROR);        /* nothing */
	g_assert_cmpuint(w.calls, ==, 1);
	g_assert_cmpint(fw_cfg_read_file(fw, "none", 0, back, 8), ==, -1);
	teardown();
}

static void test_hostile_descriptors(void)
{
	uint64_t top = UINT64_MAX - 7;
	uint32_t key;
	struct err err;

	setup();
	fw_cfg_add_file(fw, "f", "0123456789", 10, &err);
	key = FW_CFG_FILE_FIRST << 16;
	dma_at(0x20000, key | SELECT | READ, 4, BUF);           /* descriptor not in RAM */
	dma_at(BARE_RAM_SIZE - 8, key | SELECT | READ, 4, BUF); /* half of it */
	dma_at(top, key | SELECT | READ, 4, BUF);               /* around the top */
	memset(b.ram->host + BUF, 0xee, BARE_RAM_SIZE - BUF);
	g_assert_cmphex(dma(key | SELECT | READ, UINT32_MAX, BUF), ==,
			ERROR);                      /* 4 GiB into 56 KiB */
	g_assert_cmphex(b.ram->host[BUF], ==, 0xee); /* refused before anything is touched */
	g_assert_cmphex(b.ram->host[BARE_RAM_SIZE - 1], ==, 0xee);
	g_assert_cmphex(dma(READ, MIB + 11, BUF), ==, ERROR);
	g_assert_cmphex(b.ram->host[BUF], ==, 0xee);
	g_assert_cmphex(dma(READ, MIB + 10, BUF), ==, ERROR); /* as much as may be: only RAM ends */
	g_assert_cmphex(b.ram->host[BUF], ==, '0');
	g_assert_cmphex(b.ram->host[BARE_RAM_SIZE - 1], ==, 0);
	g_assert_cmphex(dma(key | SELECT | READ, 10, UINT64_C(1) << 63), ==, ERROR);
	/* onto its own descriptor: the result still has its place */
	g_assert_cmphex(dma(key | SELECT | READ, 16, DESC), ==, 0);
	teardown();
}

static void refresh(struct device *dev, void *opaque)
{
	unsigned *n = opaque;
	char text[8];

	(*n)++;
	g_snprintf(text, sizeof(text), "v%u", *n);
	g_assert_true(fw_cfg_replace_locked(dev, "dyn", text, strlen(text)));
	g_assert_false(fw_cfg_replace_locked(dev, "other", "", 0));
}

static void test_dynamic_file(void)
{
	struct err err;
	unsigned n = 0;

	setup();
	fw_cfg_add_dynamic_file(fw, "dyn", "--", 2, refresh, &n, &err);
	select_key(FW_CFG_FILE_FIRST);
	g_assert_cmphex(be(2), ==, 0x7631);
	select_key(FW_CFG_FILE_FIRST);
	g_assert_cmphex(be(3), ==, 0x763200);
	teardown();
}

static void refused(const char *option, const char *why)
{
	struct err err = { 0 };

	g_assert_false(fw_cfg_add_option(fw, option, &err));
	g_assert_cmpstr(err.text, ==, why);
}

static void test_option_language(void)
{
	g_autofree char *path = NULL;
	struct err err = { 0 };
	char back[16] = "";
	GString *opt;
	int fd;

	setup();
	g_assert_true(fw_cfg_add_option(fw, "name=opt/a,string=x,,y=z", &err));
	g_assert_cmpint(fw_cfg_read_file(fw, "opt/a", 0, back, 16), ==, 5);
	g_assert_cmpstr(back, ==, "x,y=z");
	g_assert_true(fw_cfg_add_option(fw, "opt/b,string=", &err));
	g_assert_cmpint(fw_cfg_read_file(fw, "opt/b", 0, back, 16), ==, 0);
	fd = g_file_open_tmp("fw_cfg-XXXXXX", &path, NULL);
	g_assert_cmpint(fd, >=, 0);
	g_assert_true(g_file_set_contents(path, "con\0tent", 8, NULL));
	opt = g_string_new(NULL);
	g_string_printf(opt, "name=opt/c,file=%s", path);
	g_assert_true(fw_cfg_add_option(fw, opt->str, &err));
	g_assert_cmpint(fw_cfg_read_file(fw, "opt/c", 0, back, 16), ==, 8);
	g_string_free(opt, TRUE);
	g_unlink(path);
	g_close(fd, NULL);
	refused("", "-fw_cfg needs a name");
	refused("string=x", "-fw_cfg needs a name");
	refused("name=opt/d", "-fw_cfg 'opt/d' needs one of file= and string=");
	refused("name=opt/d,file=x,string=y", "-fw_cfg 'opt/d' needs one of file= and string=");
	refused("name=opt/d,strin=y", "unknown -fw_cfg key 'strin' (did you mean 'string'?)");
	refused("opt/d,zzz", "unknown -fw_cfg key 'zzz'");
	refused("opt/a,string=again", "fw_cfg file 'opt/a' exists already");
	g_assert_false(fw_cfg_add_option(fw, "opt/d,file=/does/not/exist", &err));
	g_assert_true(g_str_has_prefix(err.text, "cannot read fw_cfg file '/does/not/exist': "));
	teardown();
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/dev/fw_cfg/items", test_signature_id_and_missing_items);
	g_test_add_func("/dev/fw_cfg/directory", test_directory);
	g_test_add_func("/dev/fw_cfg/dma-read", test_dma_read_select_skip);
	g_test_add_func("/dev/fw_cfg/dma-write", test_dma_write);
	g_test_add_func("/dev/fw_cfg/hostile", test_hostile_descriptors);
	g_test_add_func("/dev/fw_cfg/dynamic", test_dynamic_file);
	g_test_add_func("/dev/fw_cfg/option", test_option_language);
	return g_test_run();
}
