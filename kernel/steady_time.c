#include "kernel/steady_time.h"

#include "kernel/divide.h"
#include "kernel/statistics.h"

#define NANOSECONDS_A_MILLISECOND 1000000u

void steady_time_start(struct steady_time *time, uint64_t counter, uint32_t khz)
{
	*time = (struct steady_time){
	        .last = counter,
	        .from = counter,
	        .longest = (uint64_t)khz * 1000 * STEADY_TIME_LONGEST_STEP,
	        .khz = khz,
	};
}

static uint64_t at(const struct steady_time *time, uint64_t counter)
{
	return time->nanoseconds +
	       divide_scaled(counter - time->from, NANOSECONDS_A_MILLISECOND, time->khz);
}

static void take_up(struct steady_time *time, uint64_t counter)
{
	time->nanoseconds = at(time, time->last);
	time->from = counter;
	statistics_count(clock_jumps);
}

uint64_t steady_time_read(struct steady_time *time, uint64_t counter)
{
	/* A step back is a very long one forward. */
	if (counter - time->last > time->longest)
		take_up(time, counter);
	time->last = counter;
	return at(time, counter);
}
