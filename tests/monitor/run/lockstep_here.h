/* Lockstep on the build machine: the runs are those of ring1.h. */
#ifndef TESTS_MONITOR_RUN_LOCKSTEP_HERE_H
#define TESTS_MONITOR_RUN_LOCKSTEP_HERE_H

#include "tests/monitor/translator/ring1.h"

#include "monitor/run/lockstep.h"

static struct lockstep lockstep;
static char lockstep_problem[200];
static bool lockstep_is_running;
static void (*lockstep_spoil)(uint32_t offset); /* between the two runs */

static const struct translator_options lockstep_options = {.repeatable = true, .limited = true};

static inline void lockstep_no_unit(void)
{
}

static inline void lockstep_entering(uint32_t offset)
{
	lockstep_rehearse(&lockstep, ring1_guest, offset);
	lockstep_is_running = true;
	if (lockstep_spoil)
		lockstep_spoil(offset);
}

/* The machines also meet at the end, when nothing was run. */
static inline void lockstep_left(void)
{
	if (lockstep_is_running &&
	    !lockstep_compare(&lockstep, ring1_guest, lockstep_problem, sizeof(lockstep_problem)))
		ring1.lost = true;
	lockstep_is_running = false;
}

/* In the place of ring1_start. */
static inline void lockstep_here(void)
{
	static uint64_t room[LOCKSTEP_ROOM / 8 + 1];

	ring1_start(&lockstep_options);
	lockstep_start(&lockstep, &ring1.t, room, lockstep_no_unit);
	lockstep_problem[0] = 0;
	lockstep_is_running = false;
	lockstep_spoil = NULL;
	ring1_entering = lockstep_entering;
	ring1_left = lockstep_left;
}

static inline void lockstep_gone(void)
{
	ring1_entering = NULL;
	ring1_left = NULL;
}

#endif
