/* Ticks of a periodic timer that came due while an earlier one had not been taken: how many are to
 * be made up for.
 *
 * A wire knows no count, so on silicon such ticks are one, and a system that counts them falls
 * behind. There it is the system's own doing; here it may be that the computer had no time for the
 * guest. So a timer hands them out one after the other, each as soon as the last one was taken.
 * There are at most a second's worth of them, and not for longer than two seconds: a guest to whom
 * a tick costs more than the time between two would do nothing else any more. Times and periods are
 * in the chip's own unit. It must not know what a tick is made of. */
#ifndef MONITOR_DEVICES_LATE_TICKS_H
#define MONITOR_DEVICES_LATE_TICKS_H

#include <stdbool.h>
#include <stdint.h>

struct late_ticks {
	uint32_t count;
	uint64_t since; /* when there were none */
	uint64_t made_up, lost;
};

/* So many more. `second` is how long one is. */
void late_ticks_add(struct late_ticks *late, uint64_t now, uint64_t more, uint64_t period,
                    uint32_t second);

/* Those that are too old are lost. */
void late_ticks_limit(struct late_ticks *late, uint64_t now, uint32_t second);

/* One of them comes now. */
static inline bool late_ticks_take(struct late_ticks *late)
{
	if (!late->count)
		return false;
	late->count--;
	late->made_up++;
	return true;
}

/* The timer has been set anew: what was due before is nobody's any more. */
static inline void late_ticks_forget(struct late_ticks *late)
{
	late->lost += late->count;
	late->count = 0;
}

#endif
