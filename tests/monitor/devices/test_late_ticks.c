/* How many ticks of a timer are made up for, and for how long. */
#include "monitor/devices/late_ticks.h"
#include "tests/unit.h"

#define SECOND 1000u

TEST(each_comes_once)
{
	struct late_ticks late = {0};

	CHECK(!late_ticks_take(&late));
	late_ticks_add(&late, 50, 2, 10, SECOND);
	late_ticks_add(&late, 60, 1, 10, SECOND);
	for (unsigned i = 0; i < 3; i++)
		CHECK(late_ticks_take(&late));
	CHECK(!late_ticks_take(&late));
	CHECK_EQ(late.made_up, 3);
	CHECK_EQ(late.lost, 0);
}

TEST(more_than_a_second_is_lost)
{
	struct late_ticks late = {0};

	late_ticks_add(&late, 0, 90, 10, SECOND);
	late_ticks_add(&late, 0, 30, 10, SECOND);
	CHECK_EQ(late.count, 100);
	CHECK_EQ(late.lost, 20);
	late_ticks_add(&late, 0, UINT64_MAX / 2, 10, SECOND);
	CHECK_EQ(late.count, 100);
	late_ticks_forget(&late);
	late_ticks_add(&late, 0, 1, 2 * SECOND, SECOND);
	CHECK_EQ(late.count, 0);
}

/* The time counts from when there were none, not from the last one. */
TEST(who_stays_behind_for_two_seconds_is_let_off)
{
	struct late_ticks late = {0};

	for (uint64_t now = 100; now < 2100; now += 10) {
		late_ticks_add(&late, now, 2, 10, SECOND);
		CHECK(late_ticks_take(&late));
	}
	late_ticks_limit(&late, 2099, SECOND);
	CHECK(late.count > 0);
	late_ticks_limit(&late, 2100, SECOND);
	CHECK_EQ(late.count, 0);
	late_ticks_add(&late, 2200, 1, 10, SECOND);
	late_ticks_limit(&late, 4199, SECOND);
	CHECK_EQ(late.count, 1);
}

UNIT_MAIN
