/* monitor/parse.h - JSON values out of a stream of bytes that anybody may have written.
 *
 * A value ends where its brackets balance, so values need nothing between them.  After an error
 * the stream goes on, as QEMU's does: after a byte that cannot be, at the next bracket, brace,
 * comma, colon or control character other than a tab, or 0xfe or 0xff; after a value that is no
 * JSON, behind it; after one that is too large or too deep, at the next control character.
 * SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct json_object;
struct qmp_parser;

enum {
	QMP_VALUE_BYTES = 16 << 20,  /* one value as text */
	QMP_VALUE_TOKENS = 1 << 18,  /* words, numbers, strings and marks in it */
	QMP_VALUE_DEPTH = 1024,      /* nested brackets */
	QMP_PARSER_KEEP = 64 * 1024, /* a buffer larger than this is not kept for the next value */
};

enum qmp_parse {
	QMP_PARSE_MORE,  /* all bytes are used */
	QMP_PARSE_VALUE, /* *value is one, the caller's */
	QMP_PARSE_ERROR  /* err says what is wrong */
};

struct qmp_parser *qmp_parser_new(void);
void qmp_parser_free(struct qmp_parser *p);
/* Forget what was begun. */
void qmp_parser_reset(struct qmp_parser *p);
/* Go on with buf; *used says how many bytes were needed. */
enum qmp_parse qmp_parse(struct qmp_parser *p, const uint8_t *buf, size_t len, size_t *used,
			 struct json_object **value, struct err *err);
