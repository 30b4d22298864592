/* arch/x86/except.c - raising exceptions, and delivering them with double and triple faults
 * (SDM 3A ch. 6).
 * SPDX-License-Identifier: MIT */
#include "arch/x86/decode.h"
#include "arch/x86/sys.h"
#include "base/log.h"

static const char *const exc_names[] = {
	[EXC_DE] = "#DE", [EXC_DB] = "#DB", [EXC_NMI] = "NMI", [EXC_BP] = "#BP", [EXC_OF] = "#OF",
	[EXC_BR] = "#BR", [EXC_UD] = "#UD", [EXC_NM] = "#NM",  [EXC_DF] = "#DF", [EXC_TS] = "#TS",
	[EXC_NP] = "#NP", [EXC_SS] = "#SS", [EXC_GP] = "#GP",  [EXC_PF] = "#PF", [EXC_MF] = "#MF",
	[EXC_AC] = "#AC", [EXC_MC] = "#MC", [EXC_XM] = "#XM",
};

/* ---- raising ---- */

static bool exc_record(struct x86_cpu *c, enum x86_vector v, bool has_error, uint32_t error)
{
	memset(&c->exc, 0, sizeof(c->exc));
	c->exc.vector = (uint8_t)v;
	c->exc.has_error = has_error;
	c->exc.error = error;
	c->noncanonical = false;
	c->env.fault = 1;
	return false;
}

bool x86_raise(struct x86_cpu *c, enum x86_vector v)
{
	bool has_error = v == EXC_DF || (v >= EXC_TS && v <= EXC_PF) || v == EXC_AC;

	return exc_record(c, v, has_error, 0);
}

bool x86_raise_code(struct x86_cpu *c, enum x86_vector v, uint32_t error)
{
	return exc_record(c, v, true, error);
}

bool x86_raise_page_fault(struct x86_cpu *c, gva_t addr, uint32_t error)
{
	c->cr2 = addr;
	return exc_record(c, EXC_PF, true, error);
}

/* Whether it is #GP or #SS is found out at delivery, when RIP is exact. */
bool x86_noncanonical(struct x86_cpu *c, gva_t addr)
{
	exc_record(c, EXC_GP, true, 0);
	c->noncanonical = true;
	c->noncanonical_addr = addr;
	return false;
}

static bool exc_software(struct x86_cpu *c, uint8_t vector, unsigned insn_len)
{
	exc_record(c, vector, false, 0);
	c->exc.is_software = true;
	c->exc.next_len = (uint8_t)insn_len;
	return false;
}

bool x86_software_interrupt(struct x86_cpu *c, uint8_t vector, unsigned insn_len, bool is_icebp)
{
	exc_software(c, vector, insn_len);
	c->exc.is_icebp = is_icebp;
	return false;
}

bool x86_int_n(struct x86_cpu *c, uint8_t vector, unsigned insn_len)
{
	exc_software(c, vector, insn_len);
	c->exc.is_int_n = true;
	return false;
}

/* ---- #SS or #GP for a non-canonical address ---- */

struct exc_reader {
	struct x86_reader r;
	struct x86_cpu *c;
	gva_t pc;
};

static int exc_reader_next(struct x86_reader *r)
{
	struct exc_reader *er = container_of(r, struct exc_reader, r);
	uint8_t byte;

	return x86_load_bytes(er->c, er->c->env.view, er->pc++, &byte, 1) ? byte : -1;
}

/* Opcodes that push or pop. */
static bool exc_is_stack_opcode(const struct x86_insn *in)
{
	unsigned op = in->opcode, digit = in->modrm >> 3 & 7;

	if (in->map == MAP_0F)
		return op == 0xa0 || op == 0xa1 || op == 0xa8 || op == 0xa9;
	if (in->map != MAP_1BYTE)
		return false;
	if ((op >= 0x50 && op <= 0x5f) || (op >= 0x9c && op <= 0x9d))
		return true;
	switch (op) {
	case 0x68:
	case 0x6a:
	case 0x8f:
	case 0xc2:
	case 0xc3:
	case 0xc8:
	case 0xc9:
	case 0xca:
	case 0xcb:
	case 0xcf:
	case 0xe8: return true;
	case 0xff: return digit == 2 || digit == 3 || digit == 6;
	}
	return false;
}

bool x86_insn_uses_stack(struct x86_cpu *c, gva_t addr)
{
	struct exc_reader er = { .r.next = exc_reader_next, .c = c, .pc = x86_linear_pc(c) };
	struct x86_decode_mode m = { .code64 = true, .code32 = true, .features = UINT64_MAX };
	gva_t sp;
	struct x86_insn in;

	if (x86_decode(&in, &m, &er.r) != DECODE_OK)
		return false;
	sp = in.map == MAP_1BYTE && in.opcode == 0xc9 ? c->gpr[RBP] : c->gpr[RSP];
	if (exc_is_stack_opcode(&in) && (addr - sp + 64) < 128)
		return true;
	return in.mod < 3 && in.seg == SEG_SS;
}

/* ---- delivery ---- */

enum exc_class { CLASS_BENIGN, CLASS_CONTRIBUTORY, CLASS_PAGE_FAULT, CLASS_DOUBLE_FAULT };

static enum exc_class exc_class(const struct x86_event *e)
{
	if (e->is_software || e->is_external)
		return CLASS_BENIGN;
	switch (e->vector) {
	case EXC_DE:
	case EXC_TS:
	case EXC_NP:
	case EXC_SS:
	case EXC_GP: return CLASS_CONTRIBUTORY;
	case EXC_PF: return CLASS_PAGE_FAULT;
	case EXC_DF: return CLASS_DOUBLE_FAULT;
	}
	return CLASS_BENIGN;
}

static void exc_to_event(struct x86_cpu *c, struct x86_event *e)
{
	uint64_t next = c->env.pc + c->exc.next_len;

	if (c->noncanonical) {
		uint32_t error = c->exc.error;

		c->noncanonical = false;
		if (x86_insn_uses_stack(c, c->noncanonical_addr))
			exc_record(c, EXC_SS, true, error);
		else
			exc_record(c, EXC_GP, true, error);
	}
	*e = (struct x86_event){
		.vector = c->exc.vector,
		.has_error = c->exc.has_error,
		.is_software = c->exc.is_software,
		.is_int_n = c->exc.is_int_n,
		.is_icebp = c->exc.is_icebp,
		.error = c->exc.error,
		.next = x86_is_code64(c) ? next : (uint32_t)next,
	};
}

static void exc_log(const struct x86_cpu *c, const struct x86_event *e)
{
	const char *name = NULL;

	if (!e->is_external && !e->is_int_n && e->vector < ARRAY_SIZE(exc_names))
		name = exc_names[e->vector];
	log_line("%s 0x%02x %s error 0x%x at %04x:%llx cpl %u sp %04x:%llx cr2 %llx",
		 e->is_external   ? "interrupt"
		 : e->is_software ? "software interrupt"
				  : "exception",
		 e->vector, name ? name : "", e->error, c->seg[SEG_CS].sel,
		 (unsigned long long)c->env.pc, x86_cpl(c), c->seg[SEG_SS].sel,
		 (unsigned long long)c->gpr[RSP], (unsigned long long)c->cr2);
}

/* What a second exception during the delivery of e makes of it (SDM 3A table 6-5).  False:
 * shutdown. */
static bool exc_combine(struct x86_cpu *c, struct x86_event *e)
{
	enum exc_class first = exc_class(e), second;

	exc_to_event(c, e);
	second = exc_class(e);
	if (first == CLASS_DOUBLE_FAULT)
		return false;
	if ((first == CLASS_CONTRIBUTORY && second == CLASS_CONTRIBUTORY) ||
	    (first == CLASS_PAGE_FAULT && second != CLASS_BENIGN))
		*e = (struct x86_event){ .vector = EXC_DF, .has_error = true, .next = e->next };
	return true;
}

/* A handler was entered: what was held back or armed for the next instruction is over.  In long
 * mode the way there was through a gate, which saw to the mode but for the shadow. */
static void exc_entered(struct x86_cpu *c)
{
	bool is_stale = c->in_shadow || !x86_is_long(c);

	c->in_shadow = c->shadow_is_mov_ss = c->in_sti_shadow = false;
	c->step_armed = false;
	c->is_halted = false;
	if (is_stale)
		x86_mode_update_cs(c);
}

/* Between two elements of a string, what comes from outside or is a trap finds the flags of the
 * last comparison.  A fault is the instruction's own and finds those of before it. */
static void exc_settle_string(struct x86_cpu *c, const struct x86_event *e)
{
	if (c->rep.pc != c->env.pc || (!e->is_external && e->vector != EXC_DB))
		c->rep.is_open = false;
	if (c->rep.is_open && c->rep.has_flags)
		c->rflags = (c->rflags & ~(uint32_t)IR_FLAGS_ALL) | c->rep.flags;
}

static void exc_deliver(struct x86_cpu *c, struct x86_event *e)
{
	exc_settle_string(c, e);
	for (;;) {
		if (log_on(LOG_INT))
			exc_log(c, e);
		c->env.fault = 0;
		if (x86_event_enter(c, e))
			break;
		if (!exc_combine(c, e)) {
			c->env.fault = 0;
			x86_triple_fault(c);
			return;
		}
	}
	c->env.fault = 0;
	c->rep.is_open = false;
	exc_entered(c);
}

void x86_deliver_exception(struct x86_cpu *c)
{
	struct x86_event e;

	c->env.fault = 0;
	exc_to_event(c, &e);
	exc_deliver(c, &e);
}

void x86_deliver_interrupt(struct x86_cpu *c, uint8_t vector)
{
	struct x86_event e = { .vector = vector, .is_external = true, .next = c->env.pc };

	exc_deliver(c, &e);
}

bool x86_int_n_enter(struct x86_cpu *c, uint8_t vector, unsigned insn_len, uint64_t next)
{
	struct x86_event e = { .vector = vector, .is_software = true, .is_int_n = true };

	/* stepping, what that has to say comes between */
	if (c->env.mode & MODE_STEP)
		return x86_int_n(c, vector, insn_len);
	e.next = x86_is_code64(c) ? next : (uint32_t)next;
	if (log_on(LOG_INT))
		exc_log(c, &e);
	if (!x86_event_enter(c, &e))
		return false;
	exc_entered(c);
	return true;
}
