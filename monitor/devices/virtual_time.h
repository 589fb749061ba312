/* The one clock of a virtual machine, as every chip of it counts: nanoseconds in 64 bits.
 *
 * The time is passed in with each call; it never runs backwards, and a chip that has something to
 * do later says when. VIRTUAL_TIME_NEVER stands for "nothing is due".
 * It must not know where the time comes from. */
#ifndef MONITOR_DEVICES_VIRTUAL_TIME_H
#define MONITOR_DEVICES_VIRTUAL_TIME_H

#include <stdint.h>

#define VIRTUAL_TIME_NEVER UINT64_MAX

static inline uint64_t virtual_time_earlier(uint64_t one, uint64_t other)
{
	return one < other ? one : other;
}

#endif
