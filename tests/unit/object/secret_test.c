/* tests/unit/object/secret_test.c
 * SPDX-License-Identifier: MIT */
#include "object/secret.h"

#include <string.h>
#include <unistd.h>

#include <glib.h>

#include "base/err.h"

static struct err err;

/* A complete secret with these properties; NULL: refused, see err. */
static struct object *made(const char *key, const char *value, const char *format)
{
	struct object *o = object_new(&secret_object_type);

	if ((format && !object_set(o, NULL, "format", format, &err)) ||
	    (key && !object_set(o, NULL, key, value, &err)) || !o->type->complete(o, &err)) {
		object_put(o);
		return NULL;
	}
	return o;
}

static void check_bytes(struct object *o, const char *expected, size_t expected_size)
{
	size_t size;
	const uint8_t *bytes;

	g_assert_nonnull(o);
	bytes = secret_bytes(o, &size);
	g_assert_cmpmem(bytes, size, expected, expected_size);
	object_put(o);
}

static void refused(const char *words, const char *key, const char *value, const char *format)
{
	g_assert_null(made(key, value, format));
	if (!strstr(err.text, words))
		g_error("'%s' is not in '%s'", words, err.text);
}

static void test_data(void)
{
	check_bytes(made("data", "open sesame", NULL), "open sesame", 11);
	check_bytes(made("data", "", NULL), "", 0);
	check_bytes(made("data", "aGkAIQ==", "base64"), "hi\0!", 4);
	check_bytes(made("data", " aGk\nAIQ= =", "base64"), "hi\0!", 4);
	check_bytes(made("data", "", "base64"), "", 0);
}

static void test_file(void)
{
	char *path = NULL;
	char *big = g_malloc0(SECRET_MAX_BYTES + 1);
	int fd = g_file_open_tmp("secret-XXXXXX", &path, NULL);

	g_assert_cmpint(write(fd, "a\0b\n", 4), ==, 4);
	check_bytes(made("file", path, NULL), "a\0b\n", 4);
	g_assert_cmpint(pwrite(fd, big, SECRET_MAX_BYTES, 0), ==, SECRET_MAX_BYTES);
	check_bytes(made("file", path, "raw"), big, SECRET_MAX_BYTES);
	g_assert_cmpint(pwrite(fd, big, SECRET_MAX_BYTES + 1, 0), ==, SECRET_MAX_BYTES + 1);
	refused("more than 65536 bytes", "file", path, "raw");
	close(fd);
	unlink(path);
	refused("cannot open '", "file", path, NULL);
	refused("cannot read '/'", "file", "/", NULL);
	g_free(path);
	g_free(big);
}

static void test_what_is_refused(void)
{
	refused("either data= or file=", NULL, NULL, NULL);
	refused("'rot13'", NULL, NULL, "rot13");
	refused("encrypted secrets are not built in; leave out keyid=", "keyid", "k0", NULL);
	refused("leave out iv=", "iv", "AAAA", NULL);
	for (const char *const *p =
		     (const char *const[]){ "abc", "ab=c", "a===", "ab!d", "abcde", "====", NULL };
	     *p; p++)
		refused("not base64", "data", *p, "base64");
}

static void test_nobody_reads_it_back(void)
{
	struct object *o = made("data", "open sesame", NULL);

	g_assert_null(object_get_text(o, "data", &err));
	g_assert_nonnull(strstr(err.text, "cannot be read"));
	object_put(o);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/secret/data", test_data);
	g_test_add_func("/secret/file", test_file);
	g_test_add_func("/secret/refused", test_what_is_refused);
	g_test_add_func("/secret/not-read-back", test_nobody_reads_it_back);
	return g_test_run();
}
