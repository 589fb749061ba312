#include "kernel/clock.h"

#include "kernel/interrupts.h"
#include "kernel/statistics.h"
#include "kernel/steady_time.h"
#include "kernel/trace.h"
#include "kernel/x86.h"

#define PIT_HZ       1193182u
#define PIT_CHANNEL0 0x40
#define PIT_CHANNEL2 0x42
#define PIT_CONTROL  0x43
#define PIT_LINE     0

#define CONTROL_ONE_SHOT0 0x30 /* channel 0, both bytes, mode 0 */
#define CONTROL_ONE_SHOT2 0xB0
#define CONTROL_LATCH2    0x80

#define SPEAKER_PORT    0x61
#define SPEAKER_GATE2   0x01
#define SPEAKER_DATA    0x02
#define SPEAKER_OUTPUT2 0x20

#define SECOND            1000000000u
#define CALIBRATION_TICKS 11932u /* 10 ms */
#define LONGEST_TICKS     0xFFFFu
#define LONGEST_DELAY     54000000u /* a little less than LONGEST_TICKS */
#define SAMPLES           8
#define ROUNDS            3
#define ROUNDS_MAX        30
#define PATIENCE          50000000u /* reads of a port, some seconds for an interval of 10 ms */
#define NEVER             UINT64_MAX

static struct steady_time time;
static struct timer *timers; /* the next one due comes first */

static uint32_t read_channel2(void)
{
	uint32_t low = x86_in8(PIT_CHANNEL2);

	return low | (uint32_t)x86_in8(PIT_CHANNEL2) << 8;
}

/* What channel 2 shows at a time, and how uncertain that time is. */
struct sample {
	uint64_t tsc, width;
	uint32_t left;
};

static struct sample take_sample(void)
{
	uint64_t before = x86_read_tsc(), after;

	x86_out8(PIT_CONTROL, CONTROL_LATCH2);
	after = x86_read_tsc();
	return (struct sample){before, after - before, read_channel2()};
}

static struct sample take_best_sample(void)
{
	struct sample best = take_sample();

	for (int i = 0; i < SAMPLES; i++) {
		struct sample sample = take_sample();
		if (sample.width < best.width)
			best = sample;
	}
	return best;
}

/* From somewhere near its beginning to somewhere behind CALIBRATION_TICKS; false when channel 2 has
 * run out before, or does not count at all. */
static bool measure(struct sample *first, struct sample *last)
{
	uint32_t patience = PATIENCE;

	x86_out8(PIT_CONTROL, CONTROL_ONE_SHOT2);
	x86_out8(PIT_CHANNEL2, LONGEST_TICKS & 0xFF);
	x86_out8(PIT_CHANNEL2, LONGEST_TICKS >> 8);
	take_sample(); /* in the first tick the count may not be loaded yet */
	*first = take_best_sample();
	while (patience && take_sample().left > LONGEST_TICKS - CALIBRATION_TICKS)
		patience--;
	*last = take_best_sample();
	return patience && first->left >= last->left + CALIBRATION_TICKS / 2 &&
	       !(x86_in8(SPEAKER_PORT) & SPEAKER_OUTPUT2);
}

/* What disturbs a sample makes it wider, so the tightest two are the truest: the processor may have
 * been away at any time, as that of a virtual machine often is. */
static uint32_t calibrate(void)
{
	uint8_t speaker = (uint8_t)(x86_in8(SPEAKER_PORT) & ~(SPEAKER_DATA | SPEAKER_GATE2));
	uint64_t narrowest = NEVER;
	uint32_t khz = 0;

	x86_out8(SPEAKER_PORT, speaker | SPEAKER_GATE2);
	for (int good = 0, i = 0; good < ROUNDS && i < ROUNDS_MAX; i++) {
		struct sample first, last;
		if (!measure(&first, &last))
			continue;
		good++;
		if (first.width + last.width >= narrowest)
			continue;
		narrowest = first.width + last.width;
		khz = (uint32_t)((last.tsc - first.tsc) * PIT_HZ / (first.left - last.left) / 1000);
	}
	x86_out8(SPEAKER_PORT, speaker);
	return khz;
}

/* With interrupts off: a handler that reads the clock in between would make the reading an old one.
 */
uint64_t clock_now(void)
{
	uint32_t flags = x86_save_and_disable_interrupts();
	uint64_t now = steady_time_read(&time, x86_read_tsc());

	x86_restore_interrupts(flags);
	return now;
}

uint64_t clock_tsc_frequency(void)
{
	return (uint64_t)time.khz * 1000;
}

static void program(void)
{
	if (!timers)
		return;

	uint64_t now = clock_now();
	uint64_t delay = timers->due > now ? timers->due - now : 0;
	uint32_t ticks = LONGEST_TICKS;
	if (delay < LONGEST_DELAY)
		ticks = (uint32_t)(delay * PIT_HZ / SECOND) + 1;
	statistics_count(timer_programmings);
	trace_add(TRACE_timer, (uint32_t)delay, 0, 0);
	x86_out8(PIT_CONTROL, CONTROL_ONE_SHOT0);
	x86_out8(PIT_CHANNEL0, (uint8_t)ticks);
	x86_out8(PIT_CHANNEL0, (uint8_t)(ticks >> 8));
}

static void on_timer(void)
{
	while (timers && timers->due <= clock_now()) {
		struct timer *timer = timers;
		timers = timer->next;
		statistics_count(timer_expirations);
		timer->expired(timer);
	}
	program();
}

bool clock_start(void)
{
	uint32_t khz = calibrate();

	if (!khz)
		return false;
	steady_time_start(&time, x86_read_tsc(), khz);
	interrupts_connect(PIT_LINE, on_timer);
	return true;
}

static void unlink(const struct timer *timer)
{
	for (struct timer **at = &timers; *at; at = &(*at)->next) {
		if (*at == timer) {
			*at = timer->next;
			return;
		}
	}
}

void clock_set_timer(struct timer *timer, uint64_t due)
{
	uint32_t flags = x86_save_and_disable_interrupts();

	unlink(timer);
	timer->due = due;
	struct timer **at = &timers;
	while (*at && (*at)->due <= due)
		at = &(*at)->next;
	timer->next = *at;
	*at = timer;
	if (timers == timer)
		program();
	x86_restore_interrupts(flags);
}

void clock_cancel_timer(struct timer *timer)
{
	uint32_t flags = x86_save_and_disable_interrupts();

	unlink(timer);
	x86_restore_interrupts(flags);
}

static void do_nothing(struct timer *timer)
{
	(void)timer;
}

void clock_wait(uint64_t nanoseconds)
{
	struct timer timer = {.expired = do_nothing};
	uint64_t due = clock_now() + nanoseconds;

	clock_set_timer(&timer, due);
	while (clock_now() < due)
		x86_wait_for_interrupt();
	clock_cancel_timer(&timer);
}
