/* monitor/hmp/expr.h - expressions as people type them: numbers, $registers, + - * / % & | ^ ~ ( ).
 * SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct err;

/* A register's value; false: there is none of this name. */
typedef bool expr_reg(void *opaque, const char *name, uint64_t *value);

/* The longest expression at *text; *text moves behind it and the blanks after it.  & | ^ bind
 * stronger than + and -, weaker than * / %. */
bool expr_eval(const char **text, expr_reg *reg, void *opaque, int64_t *value, struct err *err);
