#include "kernel/clock.h"

#include "kernel/divide.h"
#include "kernel/interrupts.h"
#include "kernel/statistics.h"
#include "kernel/trace.h"
#include "kernel/x86.h"

#define PIT_HZ       1193182u
#define PIT_CHANNEL0 0x40
#define PIT_CHANNEL2 0x42
#define PIT_CONTROL  0x43
#define PIT_LINE     0

#define CONTROL_ONE_SHOT0 0x30 /* channel 0, both bytes, mode 0 */
#define CONTROL_ONE_SHOT2 0xB0

#define SPEAKER_PORT    0x61
#define SPEAKER_GATE2   0x01
#define SPEAKER_DATA    0x02
#define SPEAKER_OUTPUT2 0x20

#define SECOND             1000000000u
#define CALIBRATION_TICKS  11932u /* 10 ms */
#define LONGEST_TICKS      0xFFFFu
#define LONGEST_DELAY      54000000u /* a little less than LONGEST_TICKS */
#define CALIBRATION_ROUNDS 3
#define PATIENCE           50000000u /* reads of a port, some seconds for an interval of 10 ms */
#define NEVER              UINT64_MAX

static uint64_t tsc_start;
static uint32_t tsc_khz;
static struct timer *timers; /* the next one due comes first */

static uint64_t measure_calibration(void)
{
	uint8_t speaker = (uint8_t)(x86_in8(SPEAKER_PORT) & ~(SPEAKER_DATA | SPEAKER_GATE2));

	x86_out8(SPEAKER_PORT, speaker | SPEAKER_GATE2);
	x86_out8(PIT_CONTROL, CONTROL_ONE_SHOT2);
	x86_out8(PIT_CHANNEL2, CALIBRATION_TICKS & 0xFF);
	x86_out8(PIT_CHANNEL2, CALIBRATION_TICKS >> 8);
	uint64_t start = x86_read_tsc();
	uint32_t patience = PATIENCE;
	while (patience && !(x86_in8(SPEAKER_PORT) & SPEAKER_OUTPUT2))
		patience--;
	uint64_t took = x86_read_tsc() - start;
	x86_out8(SPEAKER_PORT, speaker);
	return patience ? took : NEVER;
}

/* Whatever disturbs a round makes it longer, so the shortest is the truest. */
static uint32_t calibrate(void)
{
	uint64_t shortest = NEVER;

	for (int i = 0; i < CALIBRATION_ROUNDS; i++) {
		uint64_t took = measure_calibration();
		if (took < shortest)
			shortest = took;
	}
	if (shortest == NEVER)
		return 0;
	return (uint32_t)(shortest * PIT_HZ / CALIBRATION_TICKS / 1000);
}

uint64_t clock_now(void)
{
	return divide_scaled(x86_read_tsc() - tsc_start, 1000000, tsc_khz);
}

uint64_t clock_tsc_frequency(void)
{
	return (uint64_t)tsc_khz * 1000;
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
	tsc_khz = calibrate();
	if (!tsc_khz)
		return false;
	tsc_start = x86_read_tsc();
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
