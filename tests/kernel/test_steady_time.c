#include "tests/unit.h"

#include "kernel/statistics.h"
#include "kernel/steady_time.h"

#define KHZ    2000000u /* two ticks a nanosecond */
#define SECOND 1000000000ull
#define START  0x123456789ABCull

static struct steady_time time;

static void start(uint64_t counter, uint32_t khz)
{
	statistics[STATISTIC_clock_jumps] = 0;
	steady_time_start(&time, counter, khz);
}

static uint64_t after(uint64_t counter)
{
	return steady_time_read(&time, counter);
}

TEST(it_begins_at_zero_and_follows_the_counter)
{
	start(START, KHZ);
	CHECK_EQ(after(START), 0);
	CHECK_EQ(after(START + 2), 1);
	CHECK_EQ(after(START + 2 * SECOND), SECOND);
	CHECK_EQ(statistics[STATISTIC_clock_jumps], 0);
}

TEST(a_pause_of_a_day_is_believed)
{
	uint64_t day = SECOND * STEADY_TIME_LONGEST_STEP;

	start(START, KHZ);
	CHECK_EQ(after(START + 2 * day), day);
	CHECK_EQ(statistics[STATISTIC_clock_jumps], 0);
}

TEST(a_counter_that_has_gone_back_is_counted_on_from_there)
{
	start(START, KHZ);
	after(START + 20);
	CHECK_EQ(after(START + 19), 10);
	CHECK_EQ(after(START + 29), 15);
	CHECK_EQ(after(0), 15);
	CHECK_EQ(after(2 * SECOND), 15 + SECOND);
	CHECK_EQ(statistics[STATISTIC_clock_jumps], 2);
}

TEST(a_leap_is_no_time)
{
	start(START, KHZ);
	after(START + 20);
	CHECK_EQ(after(START + 20 + 2 * SECOND * (STEADY_TIME_LONGEST_STEP + 1)), 10);
	CHECK_EQ(after(UINT64_MAX), 10);
	CHECK_EQ(after(1), 11); /* it has run over, two ticks later */
	CHECK_EQ(statistics[STATISTIC_clock_jumps], 2);
}

TEST(a_slow_counter_does_not_overflow)
{
	start(0, 1000);
	CHECK_EQ(after(UINT64_MAX), 0);
	CHECK_EQ(after(UINT64_MAX / 2), 0);
	CHECK_EQ(after(UINT64_MAX / 2 + 5), 5000);
}

UNIT_MAIN
