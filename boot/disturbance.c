#include "boot/disturbance.h"

#include "kernel/clock.h"
#include "kernel/machine.h"
#include "kernel/options.h"
#include "kernel/windows.h"
#include "kernel/x86.h"

#define SECOND         1000000000u /* nanoseconds */
#define STORM_MOST     1000000u
#define JUMPS_A_SECOND 10u
#define HOUR           3600u
#define YEARS_AWAY     (1ull << 62)
#define MSR_TSC        0x10u

#define IO_APIC         0xFEC00000u
#define IO_APIC_SELECT  0x00 /* in bytes */
#define IO_APIC_WINDOW  0x10
#define IO_APIC_VERSION 1
#define IO_APIC_ROUTES  0x10 /* two registers for each pin */
#define ROUTE_NMI       0x400u
#define ROUTE_MASKED    0x10000u
#define NOTHING_THERE   0xFFFFFFFFu

/* To which of the pins the timer is wired, machines do not agree. */
static const uint32_t timer_pins[] = {0, 2};

static struct timer storm, jumps;

static void on_storm(struct timer *timer)
{
	clock_set_timer(timer, clock_now() + SECOND / options.storm);
}

static uint64_t jumped(uint64_t now)
{
	if (options.clock_jumps == OPTION_CLOCK_JUMPS_HOUR)
		return now + clock_tsc_frequency() * HOUR;
	return options.clock_jumps == OPTION_CLOCK_JUMPS_BACK ? 0 : YEARS_AWAY;
}

static void on_jump(struct timer *timer)
{
	x86_write_msr(MSR_TSC, jumped(x86_read_tsc()));
	clock_set_timer(timer, clock_now() + SECOND / JUMPS_A_SECOND);
}

static void write_io_apic(volatile uint8_t *chip, uint32_t number, uint32_t value)
{
	*(volatile uint32_t *)(chip + IO_APIC_SELECT) = number;
	*(volatile uint32_t *)(chip + IO_APIC_WINDOW) = value;
}

static bool is_there(volatile uint8_t *chip)
{
	*(volatile uint32_t *)(chip + IO_APIC_SELECT) = IO_APIC_VERSION;
	return *(volatile uint32_t *)(chip + IO_APIC_WINDOW) != NOTHING_THERE;
}

/* The destination is the processor that we run on. */
static void route_timer(uint32_t how)
{
	volatile uint8_t *chip = windows_open(mpa(IO_APIC));
	uint32_t processor = x86_cpuid(1).ebx & 0xFF000000u;

	if (!is_there(chip))
		machine_refuse("boot", "nmis=yes needs an I/O APIC at fec00000, and none answers");
	for (unsigned int i = 0; i < sizeof(timer_pins) / sizeof(timer_pins[0]); i++) {
		write_io_apic(chip, IO_APIC_ROUTES + 2 * timer_pins[i] + 1, processor);
		write_io_apic(chip, IO_APIC_ROUTES + 2 * timer_pins[i], how);
	}
	windows_close((const void *)chip);
}

void disturbance_start(void)
{
	if (options.storm > STORM_MOST)
		machine_refuse("boot", "storm= is a number of interrupts a second up to 1000000");
	if (options.nmis)
		route_timer(ROUTE_NMI);
	storm.expired = on_storm;
	if (options.storm)
		clock_set_timer(&storm, clock_now());
	jumps.expired = on_jump;
	if (options.clock_jumps)
		clock_set_timer(&jumps, clock_now());
}

void disturbance_stop(void)
{
	clock_cancel_timer(&storm);
	clock_cancel_timer(&jumps);
	if (options.nmis)
		route_timer(ROUTE_MASKED);
}
