#include "monitor/devices/late_ticks.h"

#define SECONDS_MAX 2

void late_ticks_limit(struct late_ticks *late, uint64_t now, uint32_t second)
{
	if (late->count && now - late->since >= (uint64_t)SECONDS_MAX * second)
		late_ticks_forget(late);
}

/* None, where a period is longer than a second: a wait, and no clock. */
static uint32_t most(uint64_t period, uint32_t second)
{
	return period && period < second ? second / (uint32_t)period : 0;
}

void late_ticks_add(struct late_ticks *late, uint64_t now, uint64_t more, uint64_t period,
                    uint32_t second)
{
	uint64_t count;

	late_ticks_limit(late, now, second);
	if (!late->count)
		late->since = now;
	count = late->count + more;
	if (count > most(period, second)) {
		late->lost += count - most(period, second);
		count = most(period, second);
	}
	late->count = (uint32_t)count;
}
