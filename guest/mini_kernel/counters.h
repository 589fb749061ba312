/*
 * What the mini kernel counts, for `mem` and for the programs that show how it works.
 * A task gets a copy through a system call.
 */
#pragma once

#include <stdint.h>

struct counters {
	uint32_t ticks;       /* of the timer */
	uint32_t switches;    /* from one task to another */
	uint32_t preemptions; /* of these, the ones that the task did not ask for */
	uint32_t system_calls;
	uint32_t page_faults;
	uint32_t zero_pages;   /* given on first touch */
	uint32_t pages_shared; /* left in common by fork */
	uint32_t pages_copied; /* parted again by a write */
	uint32_t pages_kept;   /* written by their last owner: no copy was needed */
	uint32_t upcalls;
	uint32_t tasks_started;
	uint32_t tasks_crashed;
	uint32_t frames_free;
	uint32_t frames_total;
};

extern struct counters counters;
