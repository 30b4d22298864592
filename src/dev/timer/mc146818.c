/* dev/timer/mc146818.c - MC146818A real-time clock with 128 bytes of CMOS RAM, as in PC chipsets.
 *
 * Region 0: index (70h), data (71h).  Wire 0: IRQ, ISA line 8; wire 1: NMI masked (index bit 7).
 * The time is an offset to a host or machine clock; registers and flags are brought up to date
 * when somebody looks, and one timer waits for the next event that interrupts.
 * Not modelled: square wave, daylight saving (DSE is kept), crystals other than 32.768 kHz.
 * Specification: Motorola MC146818A data sheet; ICH9 13.6; Intel "Accessing the RTC" (32h).
 * SPDX-License-Identifier: MIT */
#include "dev/timer/mc146818.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/err.h"
#include "dev/isa/isa.h"

enum {
	SECONDS,
	SECONDS_ALARM,
	MINUTES,
	MINUTES_ALARM,
	HOURS,
	HOURS_ALARM,
	DAY_OF_WEEK,
	DAY_OF_MONTH,
	MONTH,
	YEAR,
	REG_A,
	REG_B,
	REG_C,
	REG_D,
	CMOS_FIRST,
	CENTURY = 0x32,
	CMOS_SIZE = 128
};
enum { A_UIP = 0x80, A_DV_RESET = 0x60, A_RS = 0x0f };
enum {
	B_24H = 0x02,
	B_BINARY = 0x04,
	B_SQWE = 0x08,
	B_UIE = 0x10,
	B_AIE = 0x20,
	B_PIE = 0x40,
	B_SET = 0x80
};
enum { C_UF = 0x10, C_AF = 0x20, C_PF = 0x40, C_IRQF = 0x80, D_VRT = 0x80 };
enum { HOUR_PM = 0x80, ALARM_ANY = 0xc0, INDEX_NMI = 0x80 };

static const int64_t ns_per_s = 1000000000;
/* UIP rises 244 us before the update and stays for its 1984 us; registers change at its end. */
static const int64_t uip_ns = (244 + 1984) * 1000;
/* Leaving divider reset, the first update comes half a second later. */
static const int64_t after_reset_ns = 500000000;
static const int64_t offset_max_s = INT64_C(1) << 40; /* 34,000 years */
enum { S_PER_DAY = 86400, CRYSTAL_HZ = 32768 };

enum rtc_clock { CLOCK_HOST, CLOCK_RT, CLOCK_VM };
static const char *const clock_words[] = { "host", "rt", "vm", NULL };

struct mc146818 {
	struct isa_device isa;
	struct region ports;
	struct irq irq, nmi_mask;
	struct timer event;
	char *base;    /* const after realize */
	int32_t clock; /* const after realize; enum rtc_clock */
	/* dev.lock */
	uint8_t cmos[CMOS_SIZE];
	uint8_t index;
	/* time = source + offset, while it runs; two parts, as years can be set that ns can't tell
	 */
	int64_t offset_s;
	int64_t offset_ns; /* 0 .. 10^9 - 1 */
	int64_t phase_ns;  /* while it stands: the fraction of the second */
	int64_t base_s;    /* offset_s as -rtc set it; const after realize */
	int64_t seen_ns;   /* flags are right up to this source time */
	int32_t day_shift; /* day of week as set minus as computed */
};

static struct mc146818 *mc146818(struct device *dev)
{
	return container_of(dev, struct mc146818, isa.dev);
}

/* ---- clocks ---------------------------------------------------------------------------------- */

static int64_t rtc_source(const struct mc146818 *s)
{
	switch (s->clock) {
	case CLOCK_HOST: return clock_wall_ns();
	case CLOCK_RT: return clock_host_ns();
	default: return vclock_now(s->isa.dev.env->clock);
	}
}

/* The timer's own clock: the host's is monotonic even where the time follows the wall clock. */
static int64_t rtc_timer_now(const struct mc146818 *s)
{
	return s->clock == CLOCK_VM ? vclock_now(s->isa.dev.env->clock) : clock_host_ns();
}

static bool rtc_runs(const struct mc146818 *s)
{
	return !(s->cmos[REG_B] & B_SET) && (s->cmos[REG_A] & A_DV_RESET) != A_DV_RESET;
}

static int64_t floor_div(int64_t a, int64_t b) { return a / b - (a % b < 0); }

/* The RTC's time at a source time: whole seconds since 1970, and the rest. */
static int64_t rtc_time(const struct mc146818 *s, int64_t source_ns, int64_t *rest_ns)
{
	int64_t t = source_ns + s->offset_ns, seconds = floor_div(t, ns_per_s);

	*rest_ns = t - seconds * ns_per_s;
	return seconds + s->offset_s;
}

static void rtc_set_time(struct mc146818 *s, int64_t source_ns, int64_t seconds, int64_t rest_ns)
{
	int64_t source_s = floor_div(source_ns, ns_per_s);
	int64_t ns = rest_ns - (source_ns - source_s * ns_per_s);

	s->offset_ns = ns < 0 ? ns + ns_per_s : ns;
	s->offset_s = seconds - source_s - (ns < 0);
}

/* ---- calendar -------------------------------------------------------------------------------- */

/* Days from 1970-01-01 of a date in the Gregorian calendar; month 1-12. */
static int64_t days_from_date(int64_t year, int month, int day)
{
	int64_t y = year - (month <= 2), era = floor_div(y, 400), of_era = y - era * 400;
	int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static void date_from_days(int64_t days, int64_t *year, int *month, int *day)
{
	int64_t z = days + 719468, era = floor_div(z, 146097), of_era = z - era * 146097;
	int64_t y = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	int64_t of_year = of_era - (365 * y + y / 4 - y / 100), m = (5 * of_year + 2) / 153;

	*day = (int)(of_year - (153 * m + 2) / 5 + 1);
	*month = (int)(m < 10 ? m + 3 : m - 9);
	*year = y + era * 400 + (*month <= 2);
}

/* ---- register encoding ----------------------------------------------------------------------- */

static uint8_t rtc_encode(const struct mc146818 *s, int v)
{
	return (uint8_t)(s->cmos[REG_B] & B_BINARY ? v : v / 10 << 4 | v % 10);
}

static int rtc_decode(const struct mc146818 *s, uint8_t v)
{
	return s->cmos[REG_B] & B_BINARY ? v : (v >> 4) * 10 + (v & 15);
}

static uint8_t hour_encode(const struct mc146818 *s, int hour)
{
	if (s->cmos[REG_B] & B_24H)
		return rtc_encode(s, hour);
	return rtc_encode(s, hour % 12 ? hour % 12 : 12) | (hour >= 12 ? HOUR_PM : 0);
}

static int hour_decode(const struct mc146818 *s, uint8_t v)
{
	if (s->cmos[REG_B] & B_24H)
		return rtc_decode(s, v);
	return rtc_decode(s, v & (uint8_t)~HOUR_PM) % 12 + (v & HOUR_PM ? 12 : 0);
}

static void rtc_fill_registers(struct mc146818 *s, int64_t seconds)
{
	int64_t days = floor_div(seconds, S_PER_DAY), year;
	int in_day = (int)(seconds - days * S_PER_DAY), month, day;
	int64_t dow = (days + 4 + s->day_shift) % 7;

	date_from_days(days, &year, &month, &day);
	s->cmos[SECONDS] = rtc_encode(s, in_day % 60);
	s->cmos[MINUTES] = rtc_encode(s, in_day / 60 % 60);
	s->cmos[HOURS] = hour_encode(s, in_day / 3600);
	s->cmos[DAY_OF_WEEK] = rtc_encode(s, (int)(dow < 0 ? dow + 7 : dow) + 1);
	s->cmos[DAY_OF_MONTH] = rtc_encode(s, day);
	s->cmos[MONTH] = rtc_encode(s, month);
	s->cmos[YEAR] = rtc_encode(s, (int)(year % 100));
	s->cmos[CENTURY] = rtc_encode(s, (int)(year / 100 % 100));
}

/* Whole seconds the registers stand for; nonsense in them gives some time. */
static int64_t rtc_registers_seconds(struct mc146818 *s)
{
	int64_t year = rtc_decode(s, s->cmos[CENTURY]) * 100 + rtc_decode(s, s->cmos[YEAR]), days;
	int month = (rtc_decode(s, s->cmos[MONTH]) + 11) % 12 + 1, shift;

	days = days_from_date(year, month, rtc_decode(s, s->cmos[DAY_OF_MONTH]));
	shift = (int)((rtc_decode(s, s->cmos[DAY_OF_WEEK]) - 1 - (days + 4)) % 7);
	s->day_shift = shift;
	return days * S_PER_DAY + hour_decode(s, s->cmos[HOURS]) * 3600 +
	       rtc_decode(s, s->cmos[MINUTES]) * 60 + rtc_decode(s, s->cmos[SECONDS]);
}

/* ---- alarm, flags, interrupt ----------------------------------------------------------------- */

static bool alarm_fits(uint8_t alarm, int encoded)
{
	return (alarm & ALARM_ANY) == ALARM_ANY || alarm == encoded;
}

/* The first matching second after `after` (RTC time), or INT64_MAX. */
static int64_t rtc_next_alarm(const struct mc146818 *s, int64_t after)
{
	int64_t t = after + 1, day = floor_div(t, S_PER_DAY);
	int from = (int)(t - day * S_PER_DAY);

	for (unsigned d = 0; d < 2; d++, from = 0) {
		for (int h = from / 3600; h < 24; h++) {
			int base_h = h * 3600;

			if (!alarm_fits(s->cmos[HOURS_ALARM], hour_encode(s, h)))
				continue;
			for (int m = from > base_h ? (from - base_h) / 60 : 0; m < 60; m++) {
				int base_m = base_h + m * 60;

				if (!alarm_fits(s->cmos[MINUTES_ALARM], rtc_encode(s, m)))
					continue;
				for (int sec = from > base_m ? from - base_m : 0; sec < 60; sec++)
					if (alarm_fits(s->cmos[SECONDS_ALARM], rtc_encode(s, sec)))
						return (day + d) * S_PER_DAY + base_m + sec;
			}
		}
	}
	return INT64_MAX;
}

/* Crystal cycles between periodic events; 0: none (data sheet table 5, 32.768 kHz column). */
static int64_t rtc_period_cycles(const struct mc146818 *s)
{
	unsigned rs = s->cmos[REG_A] & A_RS;

	if (!rs || (s->cmos[REG_A] & A_DV_RESET) == A_DV_RESET)
		return 0;
	return 1 << (rs <= 2 ? rs + 6 : rs - 1);
}

static int64_t cycles_of(int64_t ns) { return (int64_t)((__int128)ns * CRYSTAL_HZ / ns_per_s); }

/* First source time at which a cycle has come. */
static int64_t ns_of_cycle(int64_t cycle)
{
	return (int64_t)(((__int128)cycle * ns_per_s + CRYSTAL_HZ - 1) / CRYSTAL_HZ);
}

/* Source times of the next event of each kind after `from`; INT64_MAX: never. */
static int64_t next_update(const struct mc146818 *s, int64_t from)
{
	int64_t rest;

	if (!rtc_runs(s))
		return INT64_MAX;
	rtc_time(s, from, &rest);
	return from - rest + ns_per_s;
}

static int64_t next_alarm(const struct mc146818 *s, int64_t from)
{
	int64_t now, rest, t;

	if (!rtc_runs(s))
		return INT64_MAX;
	now = rtc_time(s, from, &rest);
	t = rtc_next_alarm(s, now);
	return t == INT64_MAX ? t : from - rest + (t - now) * ns_per_s;
}

static int64_t next_periodic(const struct mc146818 *s, int64_t from)
{
	int64_t period = rtc_period_cycles(s);

	return period ? ns_of_cycle((cycles_of(from) / period + 1) * period) : INT64_MAX;
}

static void rtc_update_irq(struct mc146818 *s)
{
	uint8_t *c = &s->cmos[REG_C];

	if (*c & s->cmos[REG_B] & (C_UF | C_AF | C_PF))
		*c |= C_IRQF;
	else
		*c &= (uint8_t)~C_IRQF;
	irq_set(&s->irq, *c & C_IRQF);
}

/* Bring the flags up to now. */
static void rtc_sync(struct mc146818 *s)
{
	int64_t now = rtc_source(s), rest;
	uint8_t *c = &s->cmos[REG_C];

	if (now > s->seen_ns) {
		*c |= next_update(s, s->seen_ns) <= now ? C_UF : 0;
		*c |= next_alarm(s, s->seen_ns) <= now ? C_AF : 0;
		*c |= next_periodic(s, s->seen_ns) <= now ? C_PF : 0;
	}
	s->seen_ns = now; /* a wall clock may also go back */
	if (rtc_runs(s))
		rtc_fill_registers(s, rtc_time(s, now, &rest));
	rtc_update_irq(s);
}

/* Wait for the next flag that would raise the interrupt. */
static void rtc_arm(struct mc146818 *s)
{
	uint8_t wanted = s->cmos[REG_B] & (uint8_t)~s->cmos[REG_C];
	int64_t next = INT64_MAX, t;

	if (s->cmos[REG_C] & C_IRQF) {
		timer_disarm(&s->event);
		return;
	}
	if (wanted & B_UIE)
		next = next_update(s, s->seen_ns);
	if (wanted & B_AIE && (t = next_alarm(s, s->seen_ns)) < next)
		next = t;
	if (wanted & B_PIE && (t = next_periodic(s, s->seen_ns)) < next)
		next = t;
	if (next == INT64_MAX)
		timer_disarm(&s->event);
	else
		timer_arm(&s->event, rtc_timer_now(s) + (next - s->seen_ns));
}

static void rtc_event(void *dev)
{
	struct mc146818 *s = mc146818(dev);

	rtc_sync(s);
	rtc_arm(s);
}

/* ---- registers ------------------------------------------------------------------------------- */

static bool is_time_register(uint8_t index)
{
	return index == SECONDS || index == MINUTES || index == HOURS ||
	       (index >= DAY_OF_WEEK && index <= YEAR) || index == CENTURY;
}

/* The guest set the time: managers may want to keep the difference. */
static void rtc_tell_change(struct mc146818 *s)
{
	const struct device_env *env = s->isa.dev.env;
	int64_t by = s->offset_s - s->base_s;

	by = by > INT32_MAX ? INT32_MAX : by < INT32_MIN ? INT32_MIN : by;
	if (env && env->request)
		env->request(env->opaque, REQUEST_RTC_CHANGE, (int)by);
}

/* After a change of A or B: stop, or go on from what the registers say. */
static void rtc_start_stop(struct mc146818 *s, bool did_run, bool was_divider_reset)
{
	int64_t now = rtc_source(s);

	if (did_run == rtc_runs(s))
		return;
	if (did_run) {
		rtc_time(s, now, &s->phase_ns);
		return;
	}
	if (was_divider_reset)
		s->phase_ns = after_reset_ns;
	rtc_set_time(s, now, rtc_registers_seconds(s), s->phase_ns);
	rtc_tell_change(s);
}

static void rtc_write_ab(struct mc146818 *s, uint8_t index, uint8_t value)
{
	bool did_run = rtc_runs(s);
	bool was_divider_reset = (s->cmos[REG_A] & A_DV_RESET) == A_DV_RESET;

	if (index == REG_A) {
		s->cmos[REG_A] = value & (uint8_t)~A_UIP;
	} else {
		if (value & B_SET) /* data sheet: setting SET clears UIE */
			value &= (uint8_t)~B_UIE;
		s->cmos[REG_B] = value;
	}
	rtc_start_stop(s, did_run, was_divider_reset);
}

static void rtc_write_data(struct mc146818 *s, uint8_t index, uint8_t value)
{
	int64_t rest;

	switch (index) {
	case REG_A:
	case REG_B: rtc_write_ab(s, index, value); return;
	case REG_C:
	case REG_D: return; /* read-only */
	}
	s->cmos[index] = value;
	if (!is_time_register(index) || !rtc_runs(s))
		return;
	rtc_time(s, s->seen_ns, &rest);
	rtc_set_time(s, s->seen_ns, rtc_registers_seconds(s), rest);
	rtc_tell_change(s);
}

static uint8_t rtc_read_data(struct mc146818 *s)
{
	uint8_t value = s->cmos[s->index];
	int64_t rest;

	switch (s->index) {
	case REG_A:
		rtc_time(s, s->seen_ns, &rest);
		if (rtc_runs(s) && rest >= ns_per_s - uip_ns)
			value |= A_UIP;
		break;
	case REG_C: /* reading clears it and the interrupt */
		s->cmos[REG_C] = 0;
		rtc_update_irq(s);
		rtc_arm(s);
		break;
	case REG_D: value = D_VRT; break;
	}
	return value;
}

static uint64_t rtc_read(struct device *dev, uint64_t offset, unsigned size)
{
	struct mc146818 *s = mc146818(dev);

	(void)size;
	if (!offset)
		return 0xff; /* write-only */
	rtc_sync(s);
	return rtc_read_data(s);
}

static void rtc_write(struct device *dev, uint64_t offset, uint64_t value, unsigned size)
{
	struct mc146818 *s = mc146818(dev);

	(void)size;
	if (!offset) {
		s->index = value & (CMOS_SIZE - 1);
		irq_set(&s->nmi_mask, value & INDEX_NMI);
		return;
	}
	rtc_sync(s);
	rtc_write_data(s, s->index, (uint8_t)value);
	rtc_sync(s);
	rtc_arm(s);
}

void mc146818_set_cmos(struct device *rtc, uint8_t index, uint8_t value)
{
	assert(index >= CMOS_FIRST && index < CMOS_SIZE && index != CENTURY);
	lock_take(&rtc->lock);
	mc146818(rtc)->cmos[index] = value;
	lock_drop(&rtc->lock);
}

uint8_t mc146818_get_cmos(struct device *rtc, uint8_t index)
{
	uint8_t value;

	lock_take(&rtc->lock);
	value = mc146818(rtc)->cmos[index & (CMOS_SIZE - 1)];
	lock_drop(&rtc->lock);
	return value;
}

/* ---- life ------------------------------------------------------------------------------------ */

static bool rtc_parse_date(const char *text, int64_t *seconds)
{
	int year, month, day, hour = 0, minute = 0, second = 0, date_end = -1, end = -1;

	if (sscanf(text, "%4d-%2d-%2d%n", &year, &month, &day, &date_end) != 3 || date_end < 0)
		return false;
	text += date_end;
	if (*text && (sscanf(text, "T%2d:%2d:%2d%n", &hour, &minute, &second, &end) != 3 ||
		      end < 0 || text[end]))
		return false;
	if (year < 0 || month < 1 || month > 12 || day < 1 || day > 31 || hour < 0 || hour > 23 ||
	    minute < 0 || minute > 59 || second < 0 || second > 59)
		return false;
	*seconds = days_from_date(year, month, day) * S_PER_DAY + hour * 3600 + minute * 60 +
		   second;
	return true;
}

static bool rtc_set_base(struct mc146818 *s, struct err *err)
{
	int64_t wall = clock_wall_ns(), seconds;
	time_t t = (time_t)(wall / ns_per_s);
	struct tm tm;

	if (!s->base || strcmp(s->base, "utc") == 0) {
		rtc_set_time(s, rtc_source(s), t, wall % ns_per_s);
	} else if (strcmp(s->base, "localtime") == 0) {
		localtime_r(&t, &tm);
		rtc_set_time(s, rtc_source(s), t + tm.tm_gmtoff, wall % ns_per_s);
	} else if (rtc_parse_date(s->base, &seconds)) {
		rtc_set_time(s, rtc_source(s), seconds, 0);
	} else {
		return err_set(err, 0,
			       "invalid RTC base '%s': use utc, localtime, 2006-06-17T16:01:21 or "
			       "2006-06-17",
			       s->base);
	}
	s->base_s = s->offset_s;
	return true;
}

/* RESET#: only interrupts and their flags (data sheet, RESET pin). */
static void rtc_reset(struct device *dev)
{
	struct mc146818 *s = mc146818(dev);

	s->cmos[REG_B] &= (uint8_t) ~(B_PIE | B_AIE | B_UIE | B_SQWE);
	rtc_sync(s);
	s->cmos[REG_C] = 0;
	s->index = 0;
	irq_set(&s->nmi_mask, false);
	rtc_update_irq(s);
	rtc_arm(s);
}

static bool rtc_post_load(struct device *dev, struct err *err)
{
	struct mc146818 *s = mc146818(dev);

	s->index &= CMOS_SIZE - 1;
	s->day_shift %= 7;
	if (s->offset_ns < 0 || s->offset_ns >= ns_per_s || s->phase_ns < 0 ||
	    s->phase_ns >= ns_per_s || llabs(s->offset_s) > offset_max_s)
		return err_set(err, 0, "RTC state: its time is out of range");
	rtc_sync(s);
	rtc_arm(s);
	return true;
}

static const struct region_ops rtc_ops = { rtc_read, rtc_write, .max = 1 };

static bool rtc_realize(struct device *dev, struct err *err)
{
	struct mc146818 *s = mc146818(dev);

	if (!rtc_set_base(s, err))
		return false;
	s->cmos[REG_A] = 0x26; /* 32.768 kHz, 1024 Hz: as firmware leaves it */
	s->cmos[REG_B] = B_24H;
	s->seen_ns = rtc_source(s);
	region_init_io(&s->ports, dev, "rtc", &rtc_ops, 2);
	isa_add_region(&s->isa, &s->ports, 0x70);
	isa_add_irq(&s->isa, &s->irq, 8);
	isa_add_irq(&s->isa, &s->nmi_mask, ISA_NO_LINE);
	if (s->clock == CLOCK_VM)
		device_init_timer(dev, &s->event, rtc_event);
	else
		device_init_host_timer(dev, &s->event, rtc_event);
	rtc_sync(s);
	return true;
}

/* clang-format off */
static const struct prop rtc_props[] = {
	PROP_STR(struct mc146818, base, "base", .def_str = "utc", .help = "utc, localtime or a date"),
	PROP_ENUM(struct mc146818, clock, "clock", clock_words, CLOCK_HOST, .help = "what it follows"),
	{ 0 },
};
/* clang-format on */

static const struct field rtc_state[] = {
	FIELD(struct mc146818, cmos),      FIELD(struct mc146818, index),
	FIELD(struct mc146818, offset_s),  FIELD(struct mc146818, offset_ns),
	FIELD(struct mc146818, phase_ns),  FIELD(struct mc146818, seen_ns),
	FIELD(struct mc146818, day_shift), { 0 },
};

const struct device_type mc146818_type = {
	.base = {
		.name = "mc146818rtc",
		.parent = &device_object_type,
		.size = sizeof(struct mc146818),
		.props = rtc_props,
		.help = "real-time clock and CMOS RAM",
	},
	.bus = "isa",
	.category = "misc",
	.state = rtc_state,
	.state_version = 1,
	.realize = rtc_realize,
	.reset = rtc_reset,
	.post_load = rtc_post_load,
};
