#include "monitor/devices/mc146818.h"

#include "kernel/divide.h"
#include "monitor/devices/virtual_time.h"

enum {
	SECOND = 0,
	SECOND_ALARM,
	MINUTE,
	MINUTE_ALARM,
	HOUR,
	HOUR_ALARM,
	WEEKDAY,
	DAY,
	MONTH,
	YEAR,
	A,
	B,
	C,
	D,
};

enum {
	A_UPDATING = 0x80,
	A_DIVIDER = 0x70,
	A_DIVIDER_RUNS = 0x20, /* for the crystal of 32768 Hz, which a PC has */
	A_RATE = 0x0F,
	B_SET = 0x80,
	B_PERIODIC = 0x40,
	B_ALARM = 0x20,
	B_UPDATE_ENDED = 0x10,
	B_ENABLES = B_PERIODIC | B_ALARM | B_UPDATE_ENDED, /* the same bits are the flags of C */
	B_SQUARE_WAVE = 0x08,
	B_BINARY = 0x04,
	B_24_HOURS = 0x02,
	C_REQUEST = 0x80,
	D_VALID = 0x80,
	HOUR_PM = 0x80,
	ANY = 0xC0, /* an alarm byte with both bits matches everything */
	INDEX = 0x7F,
};

#define TICKS_A_SECOND 32768u
#define HALF_SECOND    (TICKS_A_SECOND / 2)
#define DAY_SECONDS    86400u
#define NO_ALARM       UINT32_MAX
/* From 244 us before an update begins until it ends, 1984 us later. */
#define UPDATE_TICKS 73u
/* A tick is 1953125/64 nanoseconds. */
#define TICK_SHIFT   6
#define TICK_DIVISOR 1953125u

static uint64_t tick_at(uint64_t now)
{
	uint32_t rest;

	return divide_by_word(now << TICK_SHIFT, TICK_DIVISOR, &rest);
}

static uint64_t time_of(uint64_t tick)
{
	return (tick * TICK_DIVISOR + (1u << TICK_SHIFT) - 1) >> TICK_SHIFT;
}

static bool divider_runs(const struct mc146818 *clock)
{
	return (clock->memory[A] & A_DIVIDER) == A_DIVIDER_RUNS;
}

static bool counts(const struct mc146818 *clock)
{
	return divider_runs(clock) && !(clock->memory[B] & B_SET);
}

/* Ticks between two periodic interrupts, or 0 for none. */
static uint32_t period_of(const struct mc146818 *clock)
{
	unsigned rate = clock->memory[A] & A_RATE;

	if (rate == 0)
		return 0;
	return 1u << (rate <= 2 ? rate + 6 : rate - 1);
}

static unsigned decode(const struct mc146818 *clock, uint8_t value)
{
	return clock->memory[B] & B_BINARY ? value : (value >> 4) * 10u + (value & 0xF);
}

static uint8_t encode(const struct mc146818 *clock, unsigned value)
{
	return (uint8_t)(clock->memory[B] & B_BINARY ? value : value / 10 << 4 | value % 10);
}

static unsigned decode_hour(const struct mc146818 *clock, uint8_t value)
{
	if (clock->memory[B] & B_24_HOURS)
		return decode(clock, value);
	return decode(clock, value & (uint8_t)~HOUR_PM) % 12 + (value & HOUR_PM ? 12 : 0);
}

static uint8_t encode_hour(const struct mc146818 *clock, unsigned hour)
{
	if (clock->memory[B] & B_24_HOURS)
		return encode(clock, hour);
	return encode(clock, hour % 12 ? hour % 12 : 12) | (hour >= 12 ? HOUR_PM : 0);
}

static unsigned days_in(unsigned month, unsigned year)
{
	static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

	if (month == 2 && year % 4 == 0)
		return 29;
	return month >= 1 && month <= 12 ? days[month - 1] : 31;
}

static void count_day(struct mc146818 *clock)
{
	unsigned weekday = decode(clock, clock->memory[WEEKDAY]) % 7 + 1;
	unsigned day = decode(clock, clock->memory[DAY]) + 1;
	unsigned month = decode(clock, clock->memory[MONTH]);
	unsigned year = decode(clock, clock->memory[YEAR]);

	if (day > days_in(month, year)) {
		day = 1;
		month++;
	}
	if (month > 12) {
		month = 1;
		year = (year + 1) % 100;
	}
	clock->memory[WEEKDAY] = encode(clock, weekday);
	clock->memory[DAY] = encode(clock, day);
	clock->memory[MONTH] = encode(clock, month);
	clock->memory[YEAR] = encode(clock, year);
}

static uint32_t time_of_day(const struct mc146818 *clock)
{
	return decode_hour(clock, clock->memory[HOUR]) * 3600 +
	       decode(clock, clock->memory[MINUTE]) * 60 + decode(clock, clock->memory[SECOND]);
}

static void count_seconds(struct mc146818 *clock, uint64_t seconds)
{
	uint32_t rest;
	uint64_t days = divide_by_word(seconds + time_of_day(clock), DAY_SECONDS, &rest);

	clock->memory[SECOND] = encode(clock, rest % 60);
	clock->memory[MINUTE] = encode(clock, rest / 60 % 60);
	clock->memory[HOUR] = encode_hour(clock, rest / 3600);
	while (days--)
		count_day(clock);
}

static bool alarm_matches(uint8_t alarm, unsigned alarm_value, unsigned value)
{
	return (alarm & ANY) == ANY || alarm_value == value;
}

/* Seconds until the alarm, at least 1; NO_ALARM when no time of the day is the alarm's.
 * A step goes to the next hour, minute or second, so there are no more than a few dozen. */
static uint32_t seconds_to_alarm(const struct mc146818 *clock)
{
	const uint8_t *alarm = clock->memory;
	uint32_t start = time_of_day(clock), end = start + DAY_SECONDS, at = start + 1;

	while (at <= end) {
		uint32_t second = at % 60, minute = at / 60 % 60, hour = at / 3600 % 24;
		if (!alarm_matches(alarm[HOUR_ALARM], decode_hour(clock, alarm[HOUR_ALARM]), hour))
			at += 3600 - at % 3600;
		else if (!alarm_matches(alarm[MINUTE_ALARM], decode(clock, alarm[MINUTE_ALARM]),
		                        minute))
			at += 60 - second;
		else if (!alarm_matches(alarm[SECOND_ALARM], decode(clock, alarm[SECOND_ALARM]),
		                        second))
			at++;
		else
			return at - start;
	}
	return NO_ALARM;
}

static void drive_line(struct mc146818 *clock)
{
	bool request = clock->memory[B] & clock->memory[C] & B_ENABLES;

	if (request)
		clock->memory[C] |= C_REQUEST;
	if (request == clock->interrupt)
		return;
	clock->interrupt = request;
	line_set(&clock->line, request);
}

static void update(struct mc146818 *clock, uint64_t seconds)
{
	if (!seconds || !counts(clock))
		return;
	if (seconds_to_alarm(clock) <= seconds)
		clock->memory[C] |= B_ALARM;
	clock->memory[C] |= B_UPDATE_ENDED;
	count_seconds(clock, seconds);
}

/* The flag is one, however many periods have ended. With its interrupt on, the others are late. */
static void end_period(struct mc146818 *clock, uint64_t ended, uint32_t period)
{
	uint64_t late = ended - 1 + !!(clock->memory[C] & B_PERIODIC);

	clock->memory[C] |= B_PERIODIC;
	if (late && clock->memory[B] & B_PERIODIC)
		late_ticks_add(&clock->late, clock->settled, late, period, TICKS_A_SECOND);
}

void mc146818_advance(struct mc146818 *clock, uint64_t now)
{
	uint64_t from = clock->settled + clock->phase, to = tick_at(now) + clock->phase;
	uint32_t period = period_of(clock);

	clock->settled = to - clock->phase;
	if (!divider_runs(clock) || from == to)
		return;
	late_ticks_limit(&clock->late, clock->settled, TICKS_A_SECOND);
	if (period && (from ^ to) >= period)
		end_period(clock, (to >> __builtin_ctz(period)) - (from >> __builtin_ctz(period)),
		           period);
	update(clock, to / TICKS_A_SECOND - from / TICKS_A_SECOND);
	drive_line(clock);
}

/* The first tick after the settled one at which the divider shows a multiple of so many. */
static uint64_t next_multiple(const struct mc146818 *clock, uint32_t ticks)
{
	uint64_t divider = clock->settled + clock->phase;

	return (divider | (ticks - 1)) + 1 - clock->phase;
}

uint64_t mc146818_next_due(const struct mc146818 *clock)
{
	uint8_t enabled = clock->memory[B];
	uint64_t due = UINT64_MAX, second = next_multiple(clock, TICKS_A_SECOND);
	uint32_t alarm;

	if (!divider_runs(clock) || clock->interrupt)
		return VIRTUAL_TIME_NEVER;
	if ((enabled & B_PERIODIC) && period_of(clock))
		due = next_multiple(clock, period_of(clock));
	if ((enabled & B_UPDATE_ENDED) && counts(clock))
		due = virtual_time_earlier(due, second);
	if ((enabled & B_ALARM) && counts(clock)) {
		alarm = seconds_to_alarm(clock);
		if (alarm != NO_ALARM)
			due = virtual_time_earlier(due,
			                           second + (uint64_t)(alarm - 1) * TICKS_A_SECOND);
	}
	return due == UINT64_MAX ? VIRTUAL_TIME_NEVER : time_of(due);
}

static bool is_updating(const struct mc146818 *clock)
{
	uint64_t divider = clock->settled + clock->phase;

	return counts(clock) && (divider & (TICKS_A_SECOND - 1)) >= TICKS_A_SECOND - UPDATE_TICKS;
}

/* Reading C takes the flags away, and with them the request; a late period may be next. */
static uint8_t take_flags(struct mc146818 *clock)
{
	uint8_t flags = clock->memory[C];

	clock->memory[C] = 0;
	drive_line(clock);
	if (flags & B_PERIODIC && late_ticks_take(&clock->late)) {
		clock->memory[C] = B_PERIODIC;
		drive_line(clock);
	}
	return flags;
}

uint32_t mc146818_read(void *chip, uint64_t now, uint16_t port, unsigned size)
{
	struct mc146818 *clock = chip;

	(void)size;
	if (port == MC146818_PORT)
		return UINT8_MAX; /* the index cannot be read */
	mc146818_advance(clock, now);
	if (clock->index == C)
		return take_flags(clock);
	if (clock->index == A && is_updating(clock))
		return clock->memory[A] | A_UPDATING;
	return clock->memory[clock->index];
}

/* Let go, a divider that was held makes its first second half as long. */
static void write_a(struct mc146818 *clock, uint8_t value)
{
	bool ran = divider_runs(clock);

	late_ticks_forget(&clock->late);
	clock->memory[A] = value & (uint8_t)~A_UPDATING;
	if (!ran && divider_runs(clock))
		clock->phase =
		        HALF_SECOND - (clock->settled & (TICKS_A_SECOND - 1)) + TICKS_A_SECOND;
}

static void write_b(struct mc146818 *clock, uint8_t value)
{
	if (value & B_SET)
		value &= (uint8_t)~B_UPDATE_ENDED;
	if (!(value & B_PERIODIC))
		late_ticks_forget(&clock->late);
	clock->memory[B] = value;
	clock->memory[C] &= (uint8_t)~C_REQUEST;
	drive_line(clock);
}

void mc146818_write(void *chip, uint64_t now, uint16_t port, unsigned size, uint32_t value)
{
	struct mc146818 *clock = chip;

	(void)size;
	if (port == MC146818_PORT) {
		clock->index = value & INDEX;
		return;
	}
	mc146818_advance(clock, now);
	if (clock->index == A)
		write_a(clock, (uint8_t)value);
	else if (clock->index == B)
		write_b(clock, (uint8_t)value);
	else if (clock->index != C && clock->index != D)
		clock->memory[clock->index] = (uint8_t)value;
}

void mc146818_reset(struct mc146818 *clock)
{
	clock->index = 0;
	clock->memory[B] &= (uint8_t) ~(B_ENABLES | B_SQUARE_WAVE);
	clock->memory[C] = 0;
	clock->memory[D] = D_VALID;
	drive_line(clock);
}

#define KILOBYTE 1024u
#define MEGABYTE (1024u * KILOBYTE)

static void put_word(struct mc146818 *clock, unsigned at, uint32_t value)
{
	clock->memory[at] = (uint8_t)value;
	clock->memory[at + 1] = (uint8_t)(value >> 8);
}

static uint32_t at_most_16_bits(uint64_t value)
{
	return value > UINT16_MAX ? UINT16_MAX : (uint32_t)value;
}

/* The bytes that PC firmware keeps there and kernels read; what is not named is 0, which for
 * drives says "none". */
enum {
	EQUIPMENT = 0x14,
	EQUIPMENT_UNIT = 0x02, /* a floating-point unit, and a display with a BIOS of its own */
	BASE_KB = 0x15,
	EXTENDED_KB = 0x17,
	CHECKED_FROM = 0x10,
	CHECKED_TO = 0x2D,
	CHECKSUM_HIGH = 0x2E,
	CHECKSUM_LOW = 0x2F,
	FOUND_KB = 0x30,
	CENTURY = 0x32,
	ABOVE_16_MB = 0x34, /* in pieces of 64 KB */
	PIECE_KB = 64,
	BASE_MEMORY_KB = 640,
};

void mc146818_start(struct mc146818 *clock, uint64_t now, uint64_t ram_size)
{
	uint64_t above_1 = ram_size > MEGABYTE ? ram_size - MEGABYTE : 0;
	uint64_t above_16 = ram_size > 16 * MEGABYTE ? ram_size - 16 * MEGABYTE : 0;
	uint32_t sum = 0;

	clock->memory[EQUIPMENT] = EQUIPMENT_UNIT;
	put_word(clock, BASE_KB, BASE_MEMORY_KB);
	put_word(clock, EXTENDED_KB, at_most_16_bits(above_1 / KILOBYTE));
	put_word(clock, FOUND_KB, at_most_16_bits(above_1 / KILOBYTE));
	put_word(clock, ABOVE_16_MB, at_most_16_bits(above_16 / (PIECE_KB * KILOBYTE)));
	for (unsigned i = CHECKED_FROM; i <= CHECKED_TO; i++)
		sum += clock->memory[i];
	clock->memory[CHECKSUM_HIGH] = (uint8_t)(sum >> 8);
	clock->memory[CHECKSUM_LOW] = (uint8_t)sum;
	clock->memory[A] = A_DIVIDER_RUNS | 6; /* 1024 times a second */
	clock->memory[B] = B_24_HOURS;
	clock->settled = tick_at(now);
}

void mc146818_set_date(struct mc146818 *clock, uint64_t now, const struct mc146818_date *date)
{
	mc146818_advance(clock, now);
	clock->phase = TICKS_A_SECOND - (clock->settled & (TICKS_A_SECOND - 1));
	clock->memory[SECOND] = encode(clock, date->second);
	clock->memory[MINUTE] = encode(clock, date->minute);
	clock->memory[HOUR] = encode_hour(clock, date->hour);
	clock->memory[WEEKDAY] = encode(clock, date->weekday);
	clock->memory[DAY] = encode(clock, date->day);
	clock->memory[MONTH] = encode(clock, date->month);
	clock->memory[YEAR] = encode(clock, date->year % 100u);
	clock->memory[CENTURY] = encode(clock, date->year / 100u);
}
