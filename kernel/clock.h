/* Time: the time-stamp counter, calibrated against the 8254, and one-shot timers.
 *
 * clock_now() is nanoseconds since the start, and never goes back: what becomes of a counter that
 * jumps, steady_time.h says. There is no tick: the 8254 is programmed for the
 * next timer that is due, and stays silent when there is none. */
#ifndef KERNEL_CLOCK_H
#define KERNEL_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

struct timer {
	uint64_t due;
	void (*expired)(struct timer *timer);
	struct timer *next;
};

/* Calibrates (about 30 ms) and connects the timer's interrupt; false when no 8254 answers. */
bool clock_start(void);

uint64_t clock_now(void);
uint64_t clock_tsc_frequency(void);

/* `expired` is called once, with interrupts off, as soon as clock_now() >= due. Setting a timer
 * again moves it. */
void clock_set_timer(struct timer *timer, uint64_t due);
void clock_cancel_timer(struct timer *timer);

/* Sleeps, with interrupts on. */
void clock_wait(uint64_t nanoseconds);

#endif
