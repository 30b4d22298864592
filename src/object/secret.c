/* object/secret.c - passwords and keys.
 *
 * Given as data= (which other users see in the list of processes) or in a file, as they are (raw)
 * or in base64.  Nobody reads them back: data has no getter.  Secrets that are themselves encrypted
 * with another (keyid=, iv=) are refused.
 * SPDX-License-Identifier: MIT */
#include "object/secret.h"

#include <errno.h>
#include <string.h>

#include <fcntl.h>
#include <glib.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fdset.h"

struct secret {
	struct object obj;
	char *data, *path; /* as given; NULL from complete() on: data */
	int format;
	uint8_t *bytes; /* const after complete */
	size_t size;
};

enum { FORMAT_RAW, FORMAT_BASE64 };
static const char *const formats[] = { "raw", "base64", NULL };

static struct secret *secret(const struct object *o)
{
	return container_of((struct object *)(uintptr_t)o, struct secret, obj);
}

const uint8_t *secret_bytes(const struct object *o, size_t *size)
{
	*size = secret(o)->size;
	return secret(o)->bytes;
}

/* All of a file, in memory that has room for a NUL more and is overwritten where it is left. */
static bool read_file(struct secret *s, struct err *err)
{
	int fd = fdset_open(s->path, O_RDONLY | O_NOCTTY, 0);
	ssize_t n = 0;

	if (fd < 0)
		return err_errno(err, errno, "cannot open '%s'", s->path);
	s->bytes = g_malloc0(SECRET_MAX_BYTES + 1);
	do {
		n = read(fd, s->bytes + s->size, SECRET_MAX_BYTES + 1 - s->size);
		s->size += n > 0 ? (size_t)n : 0;
	} while ((n > 0 && s->size <= SECRET_MAX_BYTES) || (n < 0 && errno == EINTR));
	if (n < 0)
		err_errno(err, errno, "cannot read '%s'", s->path);
	close(fd);
	if (n >= 0 && s->size > SECRET_MAX_BYTES)
		return err_set(err, EFBIG, "'%s' has more than %d bytes", s->path,
			       SECRET_MAX_BYTES);
	return n >= 0;
}

/* RFC 4648 section 4, white space between the characters aside. */
static bool decode_base64(struct secret *s, struct err *err)
{
	size_t n = 0, pad = 0;

	for (size_t i = 0; i < s->size; i++) {
		uint8_t c = s->bytes[i];

		if (g_ascii_isspace(c))
			continue;
		if (!(g_ascii_isalnum(c) || c == '+' || c == '/' || c == '=') || (pad && c != '='))
			return err_set(err, EINVAL, "the data is not base64");
		pad += c == '=';
		s->bytes[n++] = c;
	}
	if (n % 4 || pad > 2)
		return err_set(err, EINVAL, "the data is not base64");
	s->bytes[n] = '\0';
	if (n)
		g_base64_decode_inplace((char *)s->bytes, &n);
	explicit_bzero(s->bytes + n, s->size - n);
	s->size = n;
	return true;
}

static bool secret_complete(struct object *o, struct err *err)
{
	struct secret *s = secret(o);

	if (!s->data == !s->path)
		return err_set(err, EINVAL, "secret: needs either data= or file=");
	if (s->path) {
		if (!read_file(s, err))
			return err_prefix(err, "secret: ");
	} else {
		s->size = strlen(s->data);
		s->bytes = (uint8_t *)s->data;
		s->data = NULL;
	}
	if (s->format == FORMAT_BASE64 && !decode_base64(s, err))
		return err_prefix(err, "secret: ");
	o->is_complete = true;
	return true;
}

static void forget_data(struct secret *s)
{
	if (s->data)
		explicit_bzero(s->data, strlen(s->data));
	g_clear_pointer(&s->data, g_free);
}

static bool set_data(struct object *o, const struct prop *p, const char *value, struct err *err)
{
	(void)p;
	if (strlen(value) > SECRET_MAX_BYTES)
		return err_set(err, EFBIG, "has more than %d bytes", SECRET_MAX_BYTES);
	forget_data(secret(o));
	secret(o)->data = g_strdup(value);
	return true;
}

static bool refuse_encrypted(struct object *o, const struct prop *p, const char *value,
			     struct err *err)
{
	(void)o;
	(void)value;
	return err_set(err, ENOTSUP, "encrypted secrets are not built in; leave out %s=", p->name);
}

static void secret_fini(struct object *o)
{
	struct secret *s = secret(o);

	if (s->bytes)
		explicit_bzero(s->bytes, s->size);
	g_free(s->bytes);
	forget_data(s);
}

static const struct prop secret_props[] = {
	PROP_CUSTOM("data", set_data, NULL,
		    .help = "the secret; other users can see it: for tests"),
	PROP_STR(struct secret, path, "file", .help = "the file that holds it"),
	PROP_ENUM(struct secret, format, "format", formats, FORMAT_RAW,
		  .help = "how it is written"),
	PROP_CUSTOM("keyid", refuse_encrypted, NULL, .help = "not built in: encrypted secrets"),
	PROP_CUSTOM("iv", refuse_encrypted, NULL, .help = "not built in: encrypted secrets"),
	{ 0 },
};

const struct object_type secret_object_type = {
	.name = "secret",
	.size = sizeof(struct secret),
	.help = "password or key that others name by its id",
	.props = secret_props,
	.fini = secret_fini,
	.complete = secret_complete,
};
