/* dev/nvram/fw_cfg.c - QEMU's firmware configuration device.
 *
 * Region 0 (510h): selector (16 bits), data (8 bits at +1, advances); region 1 (514h): the DMA
 * descriptor's address, 64 bits big-endian, the write of the low half starts the transfer.
 * A descriptor is one transfer, done within the write; there are no chains.  A read costs no more
 * than the copy of one item: of what is asked for past its end at most PAST_END_MAX is cleared, a
 * read of more is an error.
 * Not modelled: writing by the data port (gone since QEMU 2.4).
 * Specification: QEMU docs/specs/fw_cfg.rst.
 * SPDX-License-Identifier: MIT */
#include "dev/nvram/fw_cfg.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <glib.h>

#include "base/err.h"
#include "dev/isa/isa.h"
#include "memory/address_space.h"

enum { SELECT_PORT = 0, DATA_PORT = 1 };
enum { DMA_ERROR = 0x01, DMA_READ = 0x02, DMA_SKIP = 0x04, DMA_SELECT = 0x08, DMA_WRITE = 0x10 };
enum { KEY_WRITE = 0x4000 }; /* in selectors: ignored */
enum { GENERIC_ITEMS = FW_CFG_FILE_FIRST + FW_CFG_FILE_MAX, LOCAL_ITEMS = 16 };
enum { VERSION_TRADITIONAL = 1, VERSION_DMA = 2 };

/* Firmware rounds lengths up to pages or sectors, not more. */
enum { PAST_END_MAX = 1 * MIB };

static const uint64_t dma_signature = UINT64_C(0x51454d5520434647); /* "QEMU CFG" */

/* Big-endian, as the guest sees it. */
struct dma_access {
	uint32_t control, length;
	uint64_t address;
};

struct dir_entry {
	uint32_t size;
	uint16_t select, reserved;
	char name[FW_CFG_NAME_BYTES];
};
BUILD_ASSERT(sizeof(struct dma_access) == 16 && sizeof(struct dir_entry) == 64);

struct item {
	uint8_t *data;
	size_t len;
	bool is_writable;
	void (*written)(void *opaque, size_t offset, size_t len);
	void (*refresh)(struct device *fw, void *opaque);
	void *opaque;
};

struct fw_cfg {
	struct isa_device isa;
	struct region ports, dma;
	/* dev.lock; set-up fills them */
	struct item generic[GENERIC_ITEMS], local[LOCAL_ITEMS];
	char *names[FW_CFG_FILE_MAX];
	unsigned file_count;
	/* dev.lock */
	uint16_t key;
	uint32_t offset;
	uint64_t dma_address;
};

static struct fw_cfg *fw_cfg(struct device *dev)
{
	return container_of(dev, struct fw_cfg, isa.dev);
}

/* ---- items ----------------------------------------------------------------------------------- */

/* The place of a key, NULL when there can't be one. */
static struct item *item_slot(struct fw_cfg *s, uint16_t key)
{
	unsigned n = key & ~(unsigned)(KEY_WRITE | FW_CFG_ARCH_LOCAL);

	if (key & FW_CFG_ARCH_LOCAL)
		return n < LOCAL_ITEMS ? &s->local[n] : NULL;
	return n < GENERIC_ITEMS ? &s->generic[n] : NULL;
}

static void item_set(struct item *it, const void *data, size_t len)
{
	uint8_t *copy = g_memdup2(data, len);

	g_free(it->data);
	it->data = copy;
	it->len = len;
}

void fw_cfg_add(struct device *dev, uint16_t key, const void *data, size_t len)
{
	struct item *it = item_slot(fw_cfg(dev), key);

	assert(it && len <= UINT32_MAX);
	lock_take(&dev->lock);
	item_set(it, data, len);
	lock_drop(&dev->lock);
}

void fw_cfg_add_u16(struct device *fw, uint16_t key, uint16_t value)
{
	fw_cfg_add(fw, key, &value, sizeof(value));
}

void fw_cfg_add_u32(struct device *fw, uint16_t key, uint32_t value)
{
	fw_cfg_add(fw, key, &value, sizeof(value));
}

void fw_cfg_add_u64(struct device *fw, uint16_t key, uint64_t value)
{
	fw_cfg_add(fw, key, &value, sizeof(value));
}

void fw_cfg_add_string(struct device *fw, uint16_t key, const char *text)
{
	fw_cfg_add(fw, key, text, strlen(text) + 1);
}

/* ---- files ----------------------------------------------------------------------------------- */

static struct item *file_find_locked(struct fw_cfg *s, const char *name)
{
	for (unsigned i = 0; i < s->file_count; i++)
		if (strcmp(s->names[i], name) == 0)
			return &s->generic[FW_CFG_FILE_FIRST + i];
	return NULL;
}

static void dir_update_locked(struct fw_cfg *s)
{
	size_t len = 4 + s->file_count * sizeof(struct dir_entry);
	uint8_t *dir = g_malloc0(len);
	struct item *it = &s->generic[FW_CFG_FILE_DIR];

	st32_le(dir, __builtin_bswap32(s->file_count));
	for (unsigned i = 0; i < s->file_count; i++) {
		struct dir_entry e = {
			.size = __builtin_bswap32((uint32_t)s->generic[FW_CFG_FILE_FIRST + i].len),
			.select = __builtin_bswap16((uint16_t)(FW_CFG_FILE_FIRST + i)),
		};

		memcpy(e.name, s->names[i], strlen(s->names[i]));
		memcpy(dir + 4 + i * sizeof(e), &e, sizeof(e));
	}
	g_free(it->data);
	it->data = dir;
	it->len = len;
}

static bool file_add(struct device *dev, const char *name, const struct item *model,
		     const void *data, size_t len, struct err *err)
{
	struct fw_cfg *s = fw_cfg(dev);
	struct item *it;
	bool ok = false;

	if (!*name || strlen(name) >= FW_CFG_NAME_BYTES)
		return err_set(err, EINVAL, "fw_cfg file name '%s' must have 1 to %d characters",
			       name, FW_CFG_NAME_BYTES - 1);
	if (len > UINT32_MAX)
		return err_set(err, EFBIG, "fw_cfg file '%s' is larger than 4 GiB", name);
	lock_take(&dev->lock);
	if (file_find_locked(s, name)) {
		err_set(err, EEXIST, "fw_cfg file '%s' exists already", name);
	} else if (s->file_count == FW_CFG_FILE_MAX) {
		err_set(err, ENOSPC, "no room for fw_cfg file '%s': %d files are the limit", name,
			FW_CFG_FILE_MAX);
	} else {
		it = &s->generic[FW_CFG_FILE_FIRST + s->file_count];
		*it = *model;
		item_set(it, data, len);
		s->names[s->file_count++] = g_strdup(name);
		dir_update_locked(s);
		ok = true;
	}
	lock_drop(&dev->lock);
	return ok;
}

bool fw_cfg_add_file(struct device *fw, const char *name, const void *data, size_t len,
		     struct err *err)
{
	return file_add(fw, name, &(struct item){ 0 }, data, len, err);
}

bool fw_cfg_add_writable_file(struct device *fw, const char *name, const void *data, size_t len,
			      void (*written)(void *opaque, size_t offset, size_t len),
			      void *opaque, struct err *err)
{
	struct item model = { .is_writable = true, .written = written, .opaque = opaque };

	return file_add(fw, name, &model, data, len, err);
}

bool fw_cfg_add_dynamic_file(struct device *fw, const char *name, const void *data, size_t len,
			     void (*refresh)(struct device *fw, void *opaque), void *opaque,
			     struct err *err)
{
	struct item model = { .refresh = refresh, .opaque = opaque };

	return file_add(fw, name, &model, data, len, err);
}

bool fw_cfg_replace_locked(struct device *dev, const char *name, const void *data, size_t len)
{
	struct fw_cfg *s = fw_cfg(dev);
	struct item *it = file_find_locked(s, name);

	if (!it || len > UINT32_MAX)
		return false;
	item_set(it, data, len);
	dir_update_locked(s);
	return true;
}

int64_t fw_cfg_read_file(struct device *dev, const char *name, size_t offset, void *buf, size_t len)
{
	struct fw_cfg *s = fw_cfg(dev);
	struct item *it;
	int64_t total = -1;

	lock_take(&dev->lock);
	it = file_find_locked(s, name);
	if (it) {
		total = (int64_t)it->len;
		if (offset < it->len)
			memcpy(buf, it->data + offset,
			       len < it->len - offset ? len : it->len - offset);
	}
	lock_drop(&dev->lock);
	return total;
}

/* ---- -fw_cfg --------------------------------------------------------------------------------- */

/* The text up to the next single comma, doubled ones made single; *p moves behind it. */
static char *option_word(const char **p)
{
	GString *word = g_string_new("");

	for (; **p; (*p)++) {
		if (**p == ',' && (*p)[1] != ',') {
			(*p)++;
			break;
		}
		if (**p == ',')
			(*p)++;
		g_string_append_c(word, **p);
	}
	return g_string_free(word, FALSE);
}

static bool option_add(struct device *fw, const char *name, const char *file, const char *string,
		       struct err *err)
{
	GError *error = NULL;
	gchar *data;
	gsize len;
	bool ok;

	if (!name)
		return err_set(err, EINVAL, "-fw_cfg needs a name");
	if (!file == !string)
		return err_set(err, EINVAL, "-fw_cfg '%s' needs one of file= and string=", name);
	if (string)
		return fw_cfg_add_file(fw, name, string, strlen(string), err);
	if (!g_file_get_contents(file, &data, &len, &error)) {
		err_set(err, 0, "cannot read fw_cfg file '%s': %s", file, error->message);
		g_error_free(error);
		return false;
	}
	ok = fw_cfg_add_file(fw, name, data, len, err);
	g_free(data);
	return ok;
}

bool fw_cfg_add_option(struct device *fw, const char *option, struct err *err)
{
	static const char *const keys[] = { "name", "file", "string", NULL };
	char *values[3] = { 0 };
	bool ok = true, is_first = true;

	while (ok && *option) {
		char *word = option_word(&option), *eq = strchr(word, '=');
		unsigned i = 0;

		if (!eq && is_first) { /* the name may stand alone */
			values[0] = g_strdup(word);
		} else {
			if (eq)
				*eq = 0;
			while (keys[i] && strcmp(keys[i], word) != 0)
				i++;
			ok = keys[i] && eq;
			if (ok) {
				g_free(values[i]);
				values[i] = g_strdup(eq + 1);
			} else {
				err_set(err, EINVAL, "unknown -fw_cfg key '%s'", word);
				err_suggest(err, word, keys);
			}
		}
		is_first = false;
		g_free(word);
	}
	ok = ok && option_add(fw, values[0], values[1], values[2], err);
	for (unsigned i = 0; i < ARRAY_SIZE(values); i++)
		g_free(values[i]);
	return ok;
}

/* ---- the guest's side ------------------------------------------------------------------------ */

static void fw_cfg_select(struct fw_cfg *s, uint16_t key)
{
	struct item *it = item_slot(s, key);

	TRACE(fw_cfg_select, "0x%04x", key);
	s->key = key;
	s->offset = 0;
	if (it && it->refresh)
		it->refresh(&s->isa.dev, it->opaque);
}

static uint64_t fw_cfg_read(struct device *dev, uint64_t offset, unsigned size)
{
	struct fw_cfg *s = fw_cfg(dev);
	const struct item *it = item_slot(s, s->key);

	if (offset != DATA_PORT || size != 1)
		return 0;
	if (!it || s->offset >= it->len)
		return 0; /* past the end, and for what isn't there */
	return it->data[s->offset++];
}

static void fw_cfg_write(struct device *dev, uint64_t offset, uint64_t value, unsigned size)
{
	if (offset == SELECT_PORT && size == 2)
		fw_cfg_select(fw_cfg(dev), (uint16_t)value);
	else
		guest_error(dev, "write of %u bytes at port +%u", size, (unsigned)offset);
}

/* What is there of [offset, offset + length) of an item. */
static uint32_t item_part(const struct item *it, uint32_t offset, uint32_t length)
{
	if (!it || offset >= it->len)
		return 0;
	return length < it->len - offset ? length : (uint32_t)(it->len - offset);
}

static bool dma_run_read(struct fw_cfg *s, const struct item *it, uint64_t address, uint32_t length)
{
	struct address_space *as = s->isa.dev.env->memory;
	uint32_t n = item_part(it, s->offset, length);

	if (length - n > PAST_END_MAX)
		return false;
	return (!n || dma_write(as, address, it->data + s->offset, n)) &&
	       (n == length || dma_set(as, address + n, 0, length - n));
}

static bool dma_run_write(struct fw_cfg *s, struct item *it, uint64_t address, uint32_t length)
{
	if (!it || !it->is_writable || item_part(it, s->offset, length) != length)
		return false;
	if (length && !dma_read(s->isa.dev.env->memory, address, it->data + s->offset, length))
		return false;
	if (it->written)
		it->written(it->opaque, s->offset, length);
	return true;
}

static bool dma_run(struct fw_cfg *s, const struct dma_access *a)
{
	uint32_t control = __builtin_bswap32(a->control), length = __builtin_bswap32(a->length);
	uint64_t address = __builtin_bswap64(a->address);
	struct item *it;
	bool ok = true;

	if (control & DMA_SELECT)
		fw_cfg_select(s, (uint16_t)(control >> 16));
	it = item_slot(s, s->key);
	if (control & DMA_READ)
		ok = dma_run_read(s, it, address, length);
	else if (control & DMA_WRITE)
		ok = dma_run_write(s, it, address, length);
	else if (!(control & DMA_SKIP))
		length = 0;
	if (ok) /* stays at the end of the 4 GiB an offset can tell */
		s->offset = length > UINT32_MAX - s->offset ? UINT32_MAX : s->offset + length;
	return ok;
}

static void dma_start(struct fw_cfg *s)
{
	struct address_space *as = s->isa.dev.env->memory;
	uint64_t at = s->dma_address;
	struct dma_access a;
	uint32_t result;

	s->dma_address = 0;
	if (!dma_read(as, at, &a, sizeof(a))) {
		guest_error(&s->isa.dev, "DMA descriptor at 0x%" PRIx64 " is not in RAM", at);
		return;
	}
	result = dma_run(s, &a) ? 0 : __builtin_bswap32(DMA_ERROR);
	if (result)
		guest_error(&s->isa.dev, "DMA failed: control 0x%x key 0x%04x offset %u",
			    __builtin_bswap32(a.control), s->key, s->offset);
	if (!dma_write(as, at, &result, sizeof(result)))
		guest_error(&s->isa.dev, "DMA descriptor at 0x%" PRIx64 " cannot be written", at);
}

static uint64_t dma_port_read(struct device *dev, uint64_t offset, unsigned size)
{
	(void)dev;
	/* big-endian bytes of the signature */
	return size == 4 ? __builtin_bswap32((uint32_t)(dma_signature >> (offset ? 0 : 32)))
			 : __builtin_bswap64(dma_signature);
}

static void dma_port_write(struct device *dev, uint64_t offset, uint64_t value, unsigned size)
{
	struct fw_cfg *s = fw_cfg(dev);

	if (size == 8) {
		s->dma_address = __builtin_bswap64(value);
		dma_start(s);
	} else if (offset == 0) {
		s->dma_address = (uint64_t)__builtin_bswap32((uint32_t)value) << 32;
	} else {
		s->dma_address |= __builtin_bswap32((uint32_t)value);
		dma_start(s);
	}
}

/* ---- life ------------------------------------------------------------------------------------ */

static void fw_cfg_reset(struct device *dev)
{
	struct fw_cfg *s = fw_cfg(dev);

	s->key = 0;
	s->offset = 0;
	s->dma_address = 0;
}

static const struct region_ops port_ops = { fw_cfg_read, fw_cfg_write, .max = 2,
					    .unaligned = true };
static const struct region_ops dma_ops = { dma_port_read, dma_port_write, .min = 4, .max = 8 };

static void fw_cfg_init(struct object *o)
{
	struct fw_cfg *s = fw_cfg(device_from_object(o));
	uint32_t version = VERSION_TRADITIONAL | VERSION_DMA;

	item_set(&s->generic[FW_CFG_SIGNATURE], "QEMU", 4);
	item_set(&s->generic[FW_CFG_ID], &version, sizeof(version));
	dir_update_locked(s);
}

static void fw_cfg_fini(struct object *o)
{
	struct fw_cfg *s = fw_cfg(device_from_object(o));

	for (unsigned i = 0; i < GENERIC_ITEMS; i++)
		g_free(s->generic[i].data);
	for (unsigned i = 0; i < LOCAL_ITEMS; i++)
		g_free(s->local[i].data);
	for (unsigned i = 0; i < s->file_count; i++)
		g_free(s->names[i]);
}

static bool fw_cfg_realize(struct device *dev, struct err *err)
{
	struct fw_cfg *s = fw_cfg(dev);

	(void)err;
	region_init_io(&s->ports, dev, "fw_cfg", &port_ops, 2);
	region_init_io(&s->dma, dev, "fw_cfg-dma", &dma_ops, 8);
	isa_add_region(&s->isa, &s->ports, 0x510);
	isa_add_region(&s->isa, &s->dma, 0x514);
	return true;
}

static const struct field fw_cfg_state[] = {
	FIELD(struct fw_cfg, key),
	FIELD(struct fw_cfg, offset),
	FIELD(struct fw_cfg, dma_address),
	{ 0 },
};

const struct device_type fw_cfg_type = {
	.base = {
		.name = "fw_cfg",
		.parent = &device_object_type,
		.size = sizeof(struct fw_cfg),
		.help = "what firmware is told about the machine",
		.init = fw_cfg_init,
		.fini = fw_cfg_fini,
	},
	.bus = "isa",
	.category = "misc",
	.state = fw_cfg_state,
	.state_version = 1,
	.realize = fw_cfg_realize,
	.reset = fw_cfg_reset,
};
