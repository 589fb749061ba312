/* The one clock of a virtual machine, as every chip of it counts: nanoseconds in 64 bits.
 *
 * The time is passed in with each call; it never runs backwards, and a chip that has something to
 * do later says when. VIRTUAL_TIME_NEVER stands for "nothing is due". The division is here because
 * the hypervisor has no 64-bit division of its own and a processor of 32 bits has none either.
 * It must not know where the time comes from. */
#ifndef MONITOR_DEVICES_VIRTUAL_TIME_H
#define MONITOR_DEVICES_VIRTUAL_TIME_H

#include <stdint.h>

#define VIRTUAL_TIME_NEVER UINT64_MAX

/* The quotient; *remainder gets the rest. The divisor is not zero and below 2^24. */
uint64_t virtual_time_divide(uint64_t dividend, uint32_t divisor, uint32_t *remainder);

static inline uint64_t virtual_time_earlier(uint64_t one, uint64_t other)
{
	return one < other ? one : other;
}

#endif
