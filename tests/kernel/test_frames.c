#include "tests/unit.h"

#include "kernel/frames.h"

#define FRAMES 4096

static uint8_t table[FRAMES];

static void start_with_free(uint32_t first, uint32_t last)
{
	frames_start(table, FRAMES);
	frames_change_range((uint64_t)first * PAGE_SIZE, (uint64_t)last * PAGE_SIZE, FRAME_absent,
	                    FRAME_free);
}

TEST(memory_that_was_never_there_is_not_handed_out)
{
	frames_start(table, FRAMES);
	CHECK(frames_is_none(frames_allocate(FRAME_test)));
	CHECK(frames_is_none(frames_allocate_run(1, 1, FRAME_test)));
	CHECK_EQ(frames_count(FRAME_absent), FRAMES);
}

TEST(a_range_in_use_covers_only_whole_frames)
{
	frames_start(table, FRAMES);
	frames_change_range(100, 3 * PAGE_SIZE + 100, FRAME_absent, FRAME_free);
	CHECK_EQ(frames_count(FRAME_free), 2);
	frames_claim_range(PAGE_SIZE + 1, PAGE_SIZE + 2, FRAME_module);
	CHECK_EQ(frames_count(FRAME_module), 1);
	CHECK(frames_check());
}

TEST(ranges_past_the_table_are_clipped)
{
	frames_start(table, FRAMES);
	frames_change_range(0, UINT64_MAX - PAGE_SIZE, FRAME_absent, FRAME_free);
	CHECK_EQ(frames_count(FRAME_free), FRAMES);
	frames_claim_range(1ull << 40, 1ull << 41, FRAME_module);
	CHECK_EQ(frames_count(FRAME_module), 0);
}

TEST(single_frames_come_from_the_top_and_runs_from_the_bottom)
{
	start_with_free(16, FRAMES);
	CHECK_EQ(frames_allocate(FRAME_test).value, (FRAMES - 1) * PAGE_SIZE);
	CHECK_EQ(frames_allocate_run(4, 1, FRAME_test).value, 16 * PAGE_SIZE);
	CHECK_EQ(frames_allocate_run(4, 512, FRAME_test).value, 512 * PAGE_SIZE);
	CHECK(frames_check());
}

TEST(runs_go_round_obstacles)
{
	start_with_free(0, FRAMES);
	frames_claim_range(100 * PAGE_SIZE, 101 * PAGE_SIZE, FRAME_module);
	CHECK_EQ(frames_allocate_run(200, 1, FRAME_test).value, 101 * PAGE_SIZE);
	CHECK_EQ(frames_allocate_run(64, 64, FRAME_test).value, 0);
	CHECK(frames_is_none(frames_allocate_run(FRAMES, 1, FRAME_test)));
	CHECK(frames_is_none(frames_allocate_run(0, 1, FRAME_test)));
}

TEST(freeing_what_is_not_owned_does_nothing)
{
	start_with_free(0, FRAMES);
	mpa_t run = frames_allocate_run(8, 1, FRAME_test);
	CHECK(!frames_free_run(run, 9, FRAME_test));
	CHECK(!frames_free_run(run, 8, FRAME_stack));
	CHECK(!frames_free_run(mpa(1ull << 40), 1, FRAME_test));
	CHECK(!frames_free_run(run, UINT32_MAX, FRAME_test));
	CHECK_EQ(frames_count(FRAME_test), 8);
	CHECK(frames_free_run(run, 8, FRAME_test));
	CHECK(!frames_free_run(run, 8, FRAME_test));
	CHECK_EQ(frames_count(FRAME_free), FRAMES);
}

TEST(every_frame_can_be_taken_and_given_back_in_any_order)
{
	uint32_t seed = 1, taken = 0;
	static mpa_t held[FRAMES];

	start_with_free(0, FRAMES);
	for (int round = 0; round < 100000; round++) {
		seed = seed * 1664525 + 1013904223;
		if (seed >> 31 || !taken) {
			mpa_t frame = frames_allocate(FRAME_test);
			if (frames_is_none(frame))
				CHECK_EQ(taken, FRAMES);
			else
				held[taken++] = frame;
		} else {
			uint32_t which = (seed >> 8) % taken;
			CHECK(frames_free_run(held[which], 1, FRAME_test));
			held[which] = held[--taken];
		}
	}
	CHECK_EQ(frames_count(FRAME_test), taken);
	CHECK(frames_check());
	while (taken)
		CHECK(frames_free_run(held[--taken], 1, FRAME_test));
	CHECK_EQ(frames_count(FRAME_free), FRAMES);
}

TEST(the_allocation_with_a_number_fails)
{
	start_with_free(0, FRAMES);
	frames_fail_at(2);
	CHECK(!frames_is_none(frames_allocate(FRAME_test)));
	CHECK(frames_is_none(frames_allocate_run(2, 1, FRAME_test)));
	CHECK(!frames_is_none(frames_allocate_run(2, 1, FRAME_test)));
	frames_fail_at(1);
	CHECK(frames_is_none(frames_allocate(FRAME_test)));
	CHECK(!frames_is_none(frames_allocate(FRAME_test)));
	CHECK_EQ(frames_count(FRAME_test), 4);
}

UNIT_MAIN
