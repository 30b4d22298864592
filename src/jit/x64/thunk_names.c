/* jit/x64/thunk_names.c - what the fixed code is called, for profilers.
 * SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/bits.h"
#include "jit/x64/lower.h"

struct thunk_name {
	const char *name;
	size_t offset; /* in struct x64_thunks */
};

#define ONE(field)                                                       \
	{                                                                \
		"rhea_thunk_" #field, offsetof(struct x64_thunks, field) \
	}
#define SIZED(f, n, k)                                                 \
	{                                                              \
		"rhea_thunk_" #f #n, offsetof(struct x64_thunks, f[k]) \
	}
#define ALL_SIZES(f)                                                                     \
	SIZED(f, 1, 0), SIZED(f, 2, 1), SIZED(f, 4, 2), SIZED(f, 8, 3), SIZED(f, 16, 4), \
		SIZED(f, 32, 5)

/* The last has no name itself: it ends them. */
static const struct thunk_name names[] = {
	ONE(enter),       ONE(leave),        ALL_SIZES(load),   ALL_SIZES(modify),
	ALL_SIZES(store), ALL_SIZES(commit), ONE(address_read), ONE(address_write),
	ONE(look_read),   ONE(look_write),   ONE(access),       ONE(group),
	ONE(helper),      ONE(quick),        ONE(transfer),     ONE(native),
	ONE(atomic),      ONE(sync),         ONE(carry),        ONE(env_bits),
	ONE(bits),        ONE(link),         ONE(miss),         ONE(ask),
	ONE(probe),       ONE(unpaired),     ONE(dispatch),     ONE(asked),
	ONE(asked_here),  ONE(room),         ONE(room_here),    ONE(far),
	ONE(vectors),     ONE(x87),          ONE(x87_unload),   ONE(vectors_save),
	ONE(x87_save),    ONE(end),
};
BUILD_ASSERT(ARRAY_SIZE(names) == sizeof(struct x64_thunks) / sizeof(uint64_t));

static uint64_t start_of(const struct x64_jit *j, unsigned n)
{
	uint64_t start;

	memcpy(&start, (const char *)&j->thunk + names[n].offset, sizeof(start));
	return start;
}

void x64_thunks_tell(const struct x64_jit *j, x64_thunk_fn *tell, void *opaque)
{
	for (unsigned n = 0; n < ARRAY_SIZE(names) - 1; n++) {
		uint64_t start = start_of(j, n), end = j->thunk.end;

		for (unsigned k = 0; k < ARRAY_SIZE(names); k++)
			if (start_of(j, k) > start && start_of(j, k) < end)
				end = start_of(j, k);
		tell(opaque, names[n].name, start, (uint32_t)(end - start));
	}
}
