/* jit/ir_parse.c - the text form read back (ir_print.c says what it looks like).  Values may have
 * any name after '%'; "flags=" of instructions and ".f" are optional: the passes work them out.
 * SPDX-License-Identifier: MIT */
#include <ctype.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "jit/ir_internal.h"
#include "jit/ir_text.h"

enum { MAX_NAMES = 512, NAME_SIZE = 24 };

/* An op whose operands are still as they were emitted. */
struct parsed {
	uint8_t code, form;
	ir_val a, b, c;
	uint64_t imm;
};

struct parser {
	struct ir_builder *b;
	const struct ir_helper *const *helpers;
	const char *p; /* rest of the line */
	char line[256];
	unsigned number, name_count;
	struct {
		char name[NAME_SIZE];
		ir_val v;
	} names[MAX_NAMES];
	bool in_insn;
	unsigned insn_len;
	char *error;
	size_t error_size;
};

__attribute__((format(printf, 2, 3))) static bool fail(struct parser *s, const char *fmt, ...)
{
	va_list ap;
	int n = snprintf(s->error, s->error_size, "line %u: ", s->number);

	va_start(ap, fmt);
	if (n >= 0 && (size_t)n < s->error_size)
		vsnprintf(s->error + n, s->error_size - (size_t)n, fmt, ap);
	va_end(ap);
	return false;
}

static void skip(struct parser *s)
{
	while (*s->p == ' ' || *s->p == '\t' || *s->p == ',')
		s->p++;
}

static bool eat(struct parser *s, const char *text)
{
	size_t n = strlen(text);

	skip(s);
	if (strncmp(s->p, text, n))
		return false;
	s->p += n;
	return true;
}

/* Letters, digits, '_' into out; false when there is none. */
static bool word(struct parser *s, char *out, size_t size)
{
	size_t n = 0;

	skip(s);
	while ((isalnum((unsigned char)s->p[n]) || s->p[n] == '_') && n + 1 < size) {
		out[n] = s->p[n];
		n++;
	}
	out[n] = 0;
	s->p += n;
	return n;
}

static bool number(struct parser *s, uint64_t *out)
{
	bool negative = false;
	char *end;

	skip(s);
	for (; *s->p == '+' || *s->p == '-' || *s->p == '#' || *s->p == ' '; s->p++)
		negative ^= *s->p == '-';
	if (!isdigit((unsigned char)*s->p))
		return fail(s, "a number is wanted at '%s'", s->p);
	*out = strtoull(s->p, &end, 0);
	s->p = end;
	if (negative)
		*out = 0 - *out;
	return true;
}

static bool value(struct parser *s, ir_val *out)
{
	char name[NAME_SIZE];

	*out = IR_NONE;
	if (eat(s, "-"))
		return true;
	if (!eat(s, "%") || !word(s, name, sizeof(name)))
		return fail(s, "a value is wanted at '%s'", s->p);
	for (unsigned i = s->name_count; i-- > 0;) {
		if (!strcmp(s->names[i].name, name)) {
			*out = s->names[i].v;
			return true;
		}
	}
	return fail(s, "%%%s is not defined", name);
}

static bool keyword(struct parser *s, const char *const *words, ir_val *out)
{
	char w[16];

	word(s, w, sizeof(w));
	for (unsigned i = 0; words[i]; i++) {
		if (!strcmp(words[i], w)) {
			*out = i;
			return true;
		}
	}
	return fail(s, "'%s' is not one of %s, %s ...", w, words[0], words[1]);
}

static bool slot(struct parser *s, uint64_t *offset)
{
	char name[NAME_SIZE];
	uint64_t more = 0;

	if (eat(s, "@"))
		return number(s, offset);
	word(s, name, sizeof(name));
	for (const struct ir_slot *d = s->b->desc->slots; d->name; d++) {
		if (strcmp(d->name, name))
			continue;
		if (*s->p == '+' && !number(s, &more))
			return false;
		*offset = d->offset + more;
		return true;
	}
	return fail(s, "no register '%s'", name);
}

static bool address(struct parser *s, struct parsed *op)
{
	if (!eat(s, "["))
		return fail(s, "'[' is wanted at '%s'", s->p);
	if (!value(s, &op->a))
		return false;
	skip(s);
	if (*s->p != ']' && !number(s, &op->imm))
		return false;
	return eat(s, "]") || fail(s, "']' is wanted at '%s'", s->p);
}

static bool operands(struct parser *s, struct parsed *op)
{
	ir_val *x[3] = { &op->a, &op->b, &op->c };

	for (unsigned n = 0; n < 3; n++) {
		char k = ir_text[op->code].operands[n];
		uint64_t num;

		skip(s);
		if (k == '-' || !*s->p)
			continue;
		if (k == 'i' && *s->p == '#') {
			op->form |= IR_FORM_IMM;
			if (!number(s, &op->imm))
				return false;
		} else if (k == 'n') {
			if (!number(s, &num))
				return false;
			*x[n] = (uint16_t)num;
		} else if (!value(s, x[n])) {
			return false;
		}
	}
	return true;
}

static bool memory(struct parser *s, struct parsed *op)
{
	bool vector = op->code == IR_VLOAD || op->code == IR_VSTORE;
	uint64_t n = 0;

	if (vector && !number(s, &n))
		return false;
	if (!address(s, op))
		return false;
	if (op->code == IR_STORE && !value(s, &op->b))
		return false;
	if (vector) {
		op->b = (uint16_t)n;
		if (!slot(s, &n))
			return false;
		op->c = (uint16_t)(n / 8);
		return true;
	}
	if (op->code == IR_LOAD && eat(s, "rmw"))
		op->b = IR_MEM_RMW;
	if (eat(s, "view=")) {
		if (!number(s, &n))
			return false;
		op->c = (uint16_t)(n + 1);
	}
	return true;
}

static bool helper(struct parser *s, struct parsed *op)
{
	char name[64];

	word(s, name, sizeof(name));
	for (const struct ir_helper *const *h = s->helpers; h && *h; h++)
		if (!strcmp((*h)->name, name))
			op->imm = (uint64_t)(uintptr_t)*h;
	return op->imm ? operands(s, op) : fail(s, "no helper '%s'", name);
}

static bool ends(struct parser *s)
{
	skip(s);
	return !*s->p;
}

static bool branch(struct parser *s, struct parsed *op)
{
	return keyword(s, ir_branch_words, &op->b);
}

static bool arguments(struct parser *s, struct parsed *op)
{
	switch (op->code) {
	case IR_CONST:
	case IR_PC:
	case IR_EXIT_LOOP: return number(s, &op->imm);
	case IR_EXIT: return number(s, &op->imm) && (ends(s) || branch(s, op));
	case IR_EXIT_IF: return value(s, &op->a) && number(s, &op->imm);
	case IR_EXIT_TO: return value(s, &op->a) && branch(s, op);
	case IR_GET: return slot(s, &op->imm);
	case IR_PUT: return slot(s, &op->imm) && value(s, &op->a);
	case IR_CMP:
		if (!keyword(s, ir_cmp_words, &op->c) || !value(s, &op->a))
			return false;
		skip(s);
		if (*s->p != '#')
			return value(s, &op->b);
		op->form |= IR_FORM_IMM;
		return number(s, &op->imm);
	case IR_COND: return value(s, &op->a) && keyword(s, ir_cond_words, &op->b);
	case IR_LEA:
	case IR_FLAGS_MERGE: return operands(s, op) && number(s, &op->imm);
	case IR_CALL:
	case IR_CALL_IF: return helper(s, op);
	case IR_NATIVE: return fail(s, "native ops cannot be written as text");
	case IR_LOAD:
	case IR_STORE:
	case IR_VLOAD:
	case IR_VSTORE: return memory(s, op);
	default: return operands(s, op);
	}
}

static bool find_code(struct parser *s, struct parsed *op)
{
	char name[24];
	uint64_t size;

	word(s, name, sizeof(name));
	for (op->code = 0; op->code < IR_CODE_COUNT; op->code++)
		if (!strcasecmp(ir_text[op->code].name, name))
			break;
	if (op->code == IR_CODE_COUNT)
		return fail(s, "no operation '%s'", name);
	op->form = 3;
	if (op->code >= IR_FLAGS_GET && op->code <= IR_FLAGS_MERGE)
		op->form = 2;
	if (op->code == IR_COND)
		op->form = 0;
	if (*s->p == '.' && isdigit((unsigned char)s->p[1])) {
		s->p++;
		if (!number(s, &size))
			return false;
		if (!is_pow2(size) || size > 8)
			return fail(s, "sizes are 1, 2, 4, 8");
		op->form = (uint8_t)__builtin_ctzll(size);
	}
	if (!strncmp(s->p, ".f", 2))
		s->p += 2;
	return true;
}

static bool parse_op(struct parser *s)
{
	char name[NAME_SIZE] = "";
	struct parsed op = { 0 };
	ir_val v;

	if (eat(s, "%")) {
		if (!word(s, name, sizeof(name)) || !eat(s, "="))
			return fail(s, "'%%name =' is wanted");
	}
	if (!find_code(s, &op) || !arguments(s, &op))
		return false;
	skip(s);
	if (*s->p)
		return fail(s, "'%s' is too much", s->p);
	if (s->b->op_count >= IR_MAX_OPS || s->name_count >= MAX_NAMES)
		return fail(s, "too many ops");
	v = ir_emit(s->b, op.code, 1u << (op.form & 3), op.form & ~3u, op.a, op.b, op.c, op.imm);
	if (name[0]) {
		strcpy(s->names[s->name_count].name, name);
		s->names[s->name_count++].v = v;
	}
	return true;
}

static bool parse_insn(struct parser *s)
{
	uint64_t delta, len = 1;
	ir_val flags = IR_NONE;

	if (!number(s, &delta) || (eat(s, "len=") && !number(s, &len)) ||
	    (eat(s, "flags=") && !value(s, &flags)))
		return false;
	if (s->in_insn)
		ir_insn_end(s->b, s->insn_len);
	if (s->b->insn_count >= IR_MAX_INSNS)
		return fail(s, "too many instructions");
	s->b->flags = ir_flags_part(flags);
	ir_insn_begin(s->b, (int32_t)delta);
	s->in_insn = true;
	s->insn_len = (unsigned)len;
	return true;
}

static bool parse_block(struct parser *s)
{
	uint64_t mode = 0, size = 8;

	if ((eat(s, "mode=") && !number(s, &mode)) || (eat(s, "pc_size=") && !number(s, &size)))
		return false;
	if (size != 2 && size != 4 && size != 8)
		return fail(s, "pc_size is 2, 4 or 8");
	eat(s, "kills_flags"); /* the passes work it out */
	ir_begin(s->b, mode, (unsigned)__builtin_ctzll(size));
	return true;
}

static bool parse_line(struct parser *s)
{
	char *comment = strchr(s->line, ';');

	if (comment)
		*comment = 0;
	s->p = s->line;
	skip(s);
	if (!*s->p)
		return true;
	if (eat(s, "block"))
		return parse_block(s);
	if (eat(s, "insn"))
		return parse_insn(s);
	return parse_op(s);
}

bool ir_parse(struct ir_builder *b, const char *text, const struct ir_helper *const *helpers,
	      char *error, size_t error_size)
{
	struct parser *s = calloc(1, sizeof(*s));
	bool ok = s;

	if (!s)
		return false;
	s->b = b;
	s->helpers = helpers;
	s->error = error;
	s->error_size = error_size;
	ir_begin(b, 0, 3);
	while (ok && *text) {
		size_t n = strcspn(text, "\n");

		s->number++;
		if (n >= sizeof(s->line)) {
			ok = fail(s, "the line is too long");
			break;
		}
		memcpy(s->line, text, n);
		s->line[n] = 0;
		text += n + (text[n] == '\n');
		ok = parse_line(s);
	}
	if (ok && s->in_insn)
		ir_insn_end(b, s->insn_len);
	free(s);
	return ok;
}
