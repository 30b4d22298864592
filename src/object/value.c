/* object/value.c - values in the command line's language.
 * SPDX-License-Identifier: MIT */
#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "base/err.h"
#include "object/object.h"

enum { FRACTION_DIGITS = 18 };

bool value_parse_bool(const char *text, bool *out, struct err *err)
{
	static const char *const words[] = { "off", "on", "no", "yes", "false", "true", NULL };

	for (unsigned i = 0; words[i]; i++) {
		if (strcmp(text, words[i]) == 0) {
			*out = i % 2;
			return true;
		}
	}
	return err_set(err, EINVAL, "'%s' is neither 'on' nor 'off'", text);
}

static unsigned digit_of(char c)
{
	if (isdigit((unsigned char)c))
		return (unsigned)(c - '0');
	if (isxdigit((unsigned char)c))
		return (unsigned)(tolower((unsigned char)c) - 'a' + 10);
	return UINT32_MAX;
}

/* Digits of a base at *text, which moves behind them.  False: none, or more than 64 bits. */
static bool parse_digits(const char **text, unsigned base, uint64_t *out, bool *is_too_big)
{
	const char *p = *text;
	uint64_t v = 0;

	*is_too_big = false;
	for (; digit_of(*p) < base; p++)
		if (__builtin_mul_overflow(v, base, &v) ||
		    __builtin_add_overflow(v, digit_of(*p), &v))
			*is_too_big = true;
	*out = v;
	if (p == *text)
		return false;
	*text = p;
	return !*is_too_big;
}

static bool has_hex_prefix(const char *text)
{
	return text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
}

bool value_parse_u64(const char *text, uint64_t *out, struct err *err)
{
	unsigned base = 10;
	const char *p = text;
	bool is_too_big, ok;
	uint64_t v;

	if (has_hex_prefix(p)) {
		base = 16;
		p += 2;
	} else if (p[0] == '0' && p[1]) {
		base = 8;
		p++;
	}
	ok = parse_digits(&p, base, &v, &is_too_big);
	if (is_too_big && !*p)
		return err_set(err, ERANGE, "'%s' does not fit in 64 bits", text);
	if (!ok || *p)
		return err_set(err, EINVAL, "'%s' is not a number", text);
	*out = v;
	return true;
}

/* The power of two a suffix stands for; -1: none. */
static int suffix_shift(char c)
{
	static const char suffixes[] = "bkmgtpe";
	const char *at = c ? strchr(suffixes, tolower((unsigned char)c)) : NULL;

	return at ? (int)(at - suffixes) * 10 : -1;
}

/* ".375" at *text in units of 10^-18; further digits are too small to matter. */
static uint64_t parse_fraction(const char **text)
{
	const char *p = *text;
	uint64_t v = 0;
	unsigned n = 0;

	for (; isdigit((unsigned char)*p); p++)
		if (n < FRACTION_DIGITS) {
			v = v * 10 + digit_of(*p);
			n++;
		}
	for (; n < FRACTION_DIGITS; n++)
		v *= 10;
	*text = p;
	return v;
}

bool value_parse_size(const char *text, uint64_t unit, uint64_t *out, struct err *err)
{
	bool is_hex = has_hex_prefix(text), is_too_big = false, has_digits;
	const char *p = text + (is_hex ? 2 : 0), *first = p;
	unsigned __int128 bytes;
	uint64_t whole, fraction = 0;
	int shift;

	has_digits = parse_digits(&p, is_hex ? 16 : 10, &whole, &is_too_big) || is_too_big;
	if (!is_hex && *p == '.') {
		const char *digits = ++p;

		fraction = parse_fraction(&p);
		has_digits |= p > digits;
	}
	/* In hexadecimal "b" and "e" are digits, so there is no suffix. */
	shift = is_hex || p == first ? -1 : suffix_shift(*p);
	if (shift >= 0) {
		unit = BIT(shift);
		p++;
	}
	if (!has_digits || *p)
		return err_set(err, EINVAL,
			       "'%s' is not a size (a number, then one of b, K, M, G, T, P, E)",
			       text);
	if (fraction && unit == 1)
		return err_set(err, EINVAL, "'%s' is not a whole number of bytes", text);
	bytes = (unsigned __int128)whole * unit +
		(unsigned __int128)fraction * unit / UINT64_C(1000000000000000000);
	if (is_too_big || bytes > UINT64_MAX)
		return err_set(err, ERANGE, "size '%s' does not fit in 64 bits", text);
	*out = (uint64_t)bytes;
	return true;
}

bool value_check_id(const char *text, struct err *err)
{
	const char *p = text;

	if (isalpha((unsigned char)*p))
		while (isalnum((unsigned char)*p) || (*p && strchr("-._", *p)))
			p++;
	if (p != text && !*p)
		return true;
	return err_set(err, EINVAL,
		       "'%s' is no id (a letter, then letters, digits, '-', '.' and '_')", text);
}
