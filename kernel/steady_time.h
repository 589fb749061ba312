/* Nanoseconds out of a counter that may jump: they never go back, and never leap.
 *
 * A time-stamp counter can be written, by firmware that wakes up or by a machine that is moved. One
 * that has gone back, or forward by more than anybody leaves a clock unread, says nothing of the
 * time that has passed: none has, then, and it is counted on from where the counter is. A smaller
 * step forward is believed, for it cannot be told from a pause. Pure; whoever asks reads the
 * counter, and asks again with one that is no older. */
#ifndef KERNEL_STEADY_TIME_H
#define KERNEL_STEADY_TIME_H

#include <stdint.h>

#define STEADY_TIME_LONGEST_STEP 86400u /* seconds */

struct steady_time {
	uint64_t last,
	        from; /* of the counter: when it was last read, and where this stretch began */
	uint64_t nanoseconds; /* by then */
	uint64_t longest;     /* step of the counter that is believed */
	uint32_t khz;
};

void steady_time_start(struct steady_time *time, uint64_t counter, uint32_t khz);

uint64_t steady_time_read(struct steady_time *time, uint64_t counter);

#endif
