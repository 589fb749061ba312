/* Samples of where a guest is, for boot option profile=: so many times a second its eip and the
 * chain of its frame pointers, as lines of the log that `./ringfence profile` reads.
 *
 * A sample is taken at the first boundary between instructions after the timer has rung, whatever
 * runs the guest. Looking changes nothing the guest could see: no accessed bit is set. */
#ifndef MONITOR_RUN_SAMPLER_H
#define MONITOR_RUN_SAMPLER_H

#include <stdbool.h>

#include "kernel/clock.h"

struct machine;

struct sampler {
	struct timer timer;
	uint64_t interval; /* nanoseconds; 0: no samples */
	bool is_due;
};

void sampler_start(struct sampler *sampler, uint32_t per_second);
void sampler_stop(struct sampler *sampler);

/* Between instructions. */
void sampler_look(struct machine *machine);

#endif
