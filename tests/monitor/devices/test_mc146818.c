/* The clock against its data sheet: date, formats, update cycle, alarm, periodic interrupt, memory.
 */
#include "monitor/devices/mc146818.h"
#include "monitor/devices/virtual_time.h"
#include "tests/unit.h"

#define SECOND 1000000000ull

static struct mc146818 chip;
static bool line;
static unsigned edges;

static void see_line(void *owner, unsigned input, bool level)
{
	CHECK(owner == &chip);
	CHECK_EQ(input, 8);
	CHECK(level != line);
	line = level;
	edges += level;
}

static uint8_t in(uint64_t now, uint8_t index)
{
	mc146818_write(&chip, now, 0x70, 1, index);
	return (uint8_t)mc146818_read(&chip, now, 0x71, 1);
}

static void out(uint64_t now, uint8_t index, uint8_t value)
{
	mc146818_write(&chip, now, 0x70, 1, index);
	mc146818_write(&chip, now, 0x71, 1, value);
}

/* Wednesday, 28 February 2024, 23:59:58. */
static void set_up(void)
{
	static const struct mc146818_date date = {2024, 2, 28, 4, 23, 59, 58};

	memset(&chip, 0, sizeof(chip));
	chip.line = (struct line){see_line, &chip, 8};
	line = false;
	edges = 0;
	mc146818_reset(&chip);
	mc146818_start(&chip, 0, 128 << 20);
	mc146818_set_date(&chip, 0, &date);
}

static void check_date(uint64_t now, const uint8_t wanted[10])
{
	for (uint8_t i = 0; i < 10; i += i < 6 ? 2 : 1)
		CHECK_EQ(in(now, i), wanted[i]);
}

TEST(clock_counts_into_a_leap_day_in_bcd)
{
	set_up();
	check_date(0, (const uint8_t[10]){0x58, 0, 0x59, 0, 0x23, 0, 4, 0x28, 2, 0x24});
	CHECK_EQ(in(0, 0x32), 0x20);
	check_date(SECOND - 1, (const uint8_t[10]){0x58, 0, 0x59, 0, 0x23, 0, 4, 0x28, 2, 0x24});
	check_date(SECOND, (const uint8_t[10]){0x59, 0, 0x59, 0, 0x23, 0, 4, 0x28, 2, 0x24});
	check_date(2 * SECOND, (const uint8_t[10]){0, 0, 0, 0, 0, 0, 5, 0x29, 2, 0x24});
	check_date((2 + 86400) * SECOND, (const uint8_t[10]){0, 0, 0, 0, 0, 0, 6, 1, 3, 0x24});
}

TEST(clock_a_long_silence_is_counted_in_one_go)
{
	set_up();
	/* 1000 days, 1 hour, 2 minutes and 3 seconds later: Wednesday, 25 November 2026. */
	check_date((86400ull * 1000 + 3723) * SECOND,
	           (const uint8_t[10]){0x01, 0, 0x02, 0, 0x01, 0, 4, 0x25, 0x11, 0x26});
}

TEST(clock_counts_in_the_format_that_was_chosen)
{
	set_up();
	out(0, 0x0B, 0x84);
	out(0, 0, 59);
	out(0, 2, 59);
	out(0, 4, 0x80 | 11);
	out(0, 7, 31);
	out(0, 8, 12);
	out(0, 9, 99);
	out(0, 0x0B, 0x04);
	check_date(SECOND, (const uint8_t[10]){0, 0, 0, 0, 12, 0, 5, 1, 1, 0});
	check_date(3601 * SECOND, (const uint8_t[10]){0, 0, 0, 0, 1, 0, 5, 1, 1, 0});
	check_date((12 * 3600 + 1) * SECOND, (const uint8_t[10]){0, 0, 0, 0, 0x8C, 0, 5, 1, 1, 0});
	set_up();
	out(0, 4, 0x11);
	out(0, 0x0B, 0x00);
	check_date(2 * SECOND, (const uint8_t[10]){0, 0, 0, 0, 0x92, 0, 4, 0x28, 2, 0x24});
}

TEST(clock_says_when_an_update_comes)
{
	set_up();
	CHECK_EQ(in(0, 0x0A), 0x26);
	CHECK_EQ(in(SECOND - 2300000, 0x0A), 0x26);
	CHECK_EQ(in(SECOND - 2200000, 0x0A), 0xA6);
	CHECK_EQ(in(SECOND - 1, 0x0A), 0xA6);
	CHECK_EQ(in(SECOND, 0x0A), 0x26);
	out(SECOND, 0x0B, 0x82);
	CHECK_EQ(in(2 * SECOND - 1, 0x0A), 0x26);
}

TEST(clock_set_stops_the_count_and_the_update_interrupt)
{
	set_up();
	out(0, 0x0B, 0x92);
	CHECK_EQ(in(0, 0x0B), 0x82);
	CHECK_EQ(in(10 * SECOND, 0), 0x58);
	CHECK_EQ(in(10 * SECOND, 0x0C) & 0x30, 0x00);
	out(10 * SECOND + 5, 0x0B, 0x02);
	CHECK_EQ(in(11 * SECOND, 0), 0x59);
}

TEST(clock_a_held_divider_starts_with_half_a_second)
{
	set_up();
	out(SECOND / 4, 0x0A, 0x70);
	CHECK_EQ(in(9 * SECOND, 0), 0x58);
	out(9 * SECOND + 100000, 0x0A, 0x26);
	CHECK_EQ(in(9 * SECOND + SECOND / 2, 0), 0x58);
	CHECK_EQ(in(9 * SECOND + SECOND / 2 + 200000, 0), 0x59);
	CHECK_EQ(in(10 * SECOND + SECOND / 2 + 200000, 0), 0x00);
}

TEST(clock_update_ended_interrupts_until_the_flags_are_read)
{
	set_up();
	CHECK_EQ(mc146818_next_due(&chip), VIRTUAL_TIME_NEVER);
	out(0, 0x0B, 0x12);
	CHECK_EQ(mc146818_next_due(&chip), SECOND);
	mc146818_advance(&chip, SECOND - 1);
	CHECK(!line);
	mc146818_advance(&chip, SECOND);
	CHECK(line);
	CHECK_EQ(mc146818_next_due(&chip), VIRTUAL_TIME_NEVER);
	mc146818_advance(&chip, 3 * SECOND);
	CHECK_EQ(in(3 * SECOND, 0x0C) & 0x90, 0x90);
	CHECK(!line);
	CHECK_EQ(in(3 * SECOND, 0x0C), 0x00);
	CHECK_EQ(mc146818_next_due(&chip), 4 * SECOND);
	CHECK_EQ(edges, 1);
}

TEST(clock_flags_are_kept_without_their_interrupts)
{
	set_up();
	mc146818_advance(&chip, SECOND);
	CHECK(!line);
	out(SECOND, 0x0B, 0x12);
	CHECK(line);
	out(SECOND, 0x0B, 0x02);
	CHECK(!line);
	CHECK_EQ(in(SECOND, 0x0C), 0x50);
}

TEST(clock_periodic_interrupt_has_the_rates_of_the_data_sheet)
{
	static const uint32_t rates[16] = {0,   256, 128, 8192, 4096, 2048, 1024, 512,
	                                   256, 128, 64,  32,   16,   8,    4,    2};

	for (uint8_t rate = 1; rate < 16; rate++) {
		set_up();
		out(0, 0x0A, 0x20 | rate);
		out(0, 0x0B, 0x42);
		uint64_t now = 0;
		for (unsigned i = 0; i < rates[rate]; i++) {
			now = mc146818_next_due(&chip);
			mc146818_advance(&chip, now - 1);
			CHECK(!line);
			mc146818_advance(&chip, now);
			CHECK(line);
			CHECK_EQ(in(now, 0x0C) & 0xC0, 0xC0);
		}
		CHECK_EQ(now, SECOND);
	}
	set_up();
	out(0, 0x0A, 0x20);
	out(0, 0x0B, 0x42);
	CHECK_EQ(mc146818_next_due(&chip), VIRTUAL_TIME_NEVER);
}

TEST(clock_periodic_interrupts_that_nobody_took_come_late)
{
	uint64_t now = SECOND;

	set_up();
	out(0, 0x0A, 0x2E); /* 4 a second */
	out(0, 0x0B, 0x42);
	mc146818_advance(&chip, now + 1);
	CHECK_EQ(edges, 1);
	for (unsigned i = 0; i < 4; i++) {
		CHECK(line);
		CHECK_EQ(in(now + 2, 0x0C) & 0x40, 0x40);
	}
	CHECK(!line);
	CHECK_EQ(edges, 4);
	/* Not so when they were off, and none is left when they have been. */
	mc146818_advance(&chip, now += SECOND);
	CHECK(line);
	out(now, 0x0B, 0x02);
	mc146818_advance(&chip, now += SECOND);
	CHECK_EQ(in(now, 0x0C) & 0x40, 0x40);
	CHECK_EQ(in(now, 0x0C) & 0x40, 0);
}

TEST(clock_periodic_interrupt_goes_on_while_the_date_is_set)
{
	set_up();
	out(0, 0x0B, 0xC2);
	mc146818_advance(&chip, mc146818_next_due(&chip));
	CHECK(line);
}

TEST(clock_alarm_comes_at_its_time)
{
	static const struct {
		uint8_t hour, minute, second;
		uint64_t due; /* 0: never */
	} rows[] = {
	        {0x00, 0x00, 0x00, 2},         {0x23, 0x59, 0x59, 1}, {0x23, 0x59, 0x58, 86400},
	        {0xFF, 0xC0, 0xD5, 1},         {0xFF, 0xFF, 0x00, 2}, {0xFF, 0x30, 0x05, 2 + 1805},
	        {0x12, 0xFF, 0xFF, 2 + 43200}, {0x24, 0x00, 0x00, 0}, {0x00, 0x60, 0x00, 0},
	        {0x13, 0xFF, 0x07, 2 + 46807},
	};

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		set_up();
		out(0, 5, rows[i].hour);
		out(0, 3, rows[i].minute);
		out(0, 1, rows[i].second);
		out(0, 0x0B, 0x22);
		uint64_t due = mc146818_next_due(&chip);
		if (!rows[i].due) {
			CHECK_EQ(due, VIRTUAL_TIME_NEVER);
			mc146818_advance(&chip, 200000 * SECOND);
			CHECK(!line);
			continue;
		}
		CHECK_EQ(due, rows[i].due * SECOND);
		mc146818_advance(&chip, due - 1);
		CHECK(!line);
		mc146818_advance(&chip, due);
		CHECK(line);
		CHECK_EQ(in(due, 0x0C) & 0xA0, 0xA0);
	}
}

TEST(clock_alarm_knows_the_twelve_hours)
{
	set_up();
	out(0, 0x0B, 0x80);
	out(0, 4, 0x91);
	out(0, 5, 0x12);
	out(0, 3, 0x00);
	out(0, 1, 0x00);
	out(0, 0x0B, 0x20);
	CHECK_EQ(mc146818_next_due(&chip), 2 * SECOND);
	out(0, 5, 0x92);
	CHECK_EQ(mc146818_next_due(&chip), (2 + 43200) * SECOND);
}

TEST(clock_registers_that_cannot_be_written)
{
	set_up();
	mc146818_advance(&chip, SECOND);
	out(SECOND, 0x0C, 0x00);
	out(SECOND, 0x0D, 0x00);
	CHECK_EQ(in(SECOND, 0x0D), 0x80);
	CHECK_EQ(in(SECOND, 0x0C), 0x50);
	out(SECOND, 0x0A, 0xA6);
	CHECK_EQ(in(SECOND, 0x0A), 0x26);
	CHECK_EQ(mc146818_read(&chip, SECOND, 0x70, 1), 0xFF);
}

TEST(clock_reset_keeps_date_and_memory)
{
	set_up();
	out(0, 0x40, 0xAB);
	out(0, 0x0B, 0x7A);
	mc146818_advance(&chip, SECOND);
	CHECK(line);
	mc146818_reset(&chip);
	CHECK(!line);
	CHECK_EQ(in(SECOND, 0x0B), 0x02);
	CHECK_EQ(in(SECOND, 0x0C), 0x00);
	CHECK_EQ(in(SECOND, 0x40), 0xAB);
	CHECK_EQ(in(SECOND, 0), 0x59);
}

TEST(clock_memory_holds_what_firmware_leaves)
{
	unsigned sum = 0;

	set_up();
	CHECK_EQ(in(0, 0x15) | in(0, 0x16) << 8, 640);
	CHECK_EQ(in(0, 0x17) | in(0, 0x18) << 8, 0xFFFF);
	CHECK_EQ(in(0, 0x30) | in(0, 0x31) << 8, 0xFFFF);
	CHECK_EQ(in(0, 0x34) | in(0, 0x35) << 8, (128 - 16) * 16);
	CHECK_EQ(in(0, 0x14), 0x02);
	CHECK_EQ(in(0, 0x10), 0);
	for (uint8_t i = 0x10; i <= 0x2D; i++)
		sum += in(0, i);
	CHECK_EQ(in(0, 0x2E) << 8 | in(0, 0x2F), sum);
	memset(&chip.memory, 0, sizeof(chip.memory));
	mc146818_start(&chip, 0, 8 << 20);
	CHECK_EQ(in(0, 0x17) | in(0, 0x18) << 8, 7 * 1024);
	CHECK_EQ(in(0, 0x34) | in(0, 0x35) << 8, 0);
	/* Bit 7 of the index masks the NMI on a PC and is no part of it. */
	CHECK_EQ(in(0, 0x80 | 0x15), 0x80);
}

UNIT_MAIN
