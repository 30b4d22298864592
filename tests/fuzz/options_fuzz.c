/* tests/fuzz/options_fuzz.c - the command line: words separated by newlines.
 * SPDX-License-Identifier: MIT */
#include <glib.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "main/options.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	g_autofree char *text = g_strndup((const char *)data, size);
	char **words = g_strsplit(text, "\n", 64);
	struct options o = { 0 };
	struct err err;

	options_parse(&o, (int)g_strv_length(words), words, &err);
	options_clear(&o);
	g_strfreev(words);
	return 0;
}
