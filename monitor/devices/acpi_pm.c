#include "monitor/devices/acpi_pm.h"

#include "kernel/divide.h"
#include "monitor/devices/virtual_time.h"

enum {
	EVENT_TIMER = 1 << 0,
	EVENTS_ENABLED = 0x0721, /* timer, global lock, two buttons, alarm */
	EVENTS_CLEARED = 0x8731, /* the same with bus master and wake */
	TIMER_HALF_SHIFT = 23,
	TIMER_BITS = 0xFFFFFF,
};

/* 315/88 MHz: a tick lasts 17600/63 ns. 64 bits of nanoseconds times 63 last for nine years. */
enum { TICKS = 63, TICKS_NANOSECONDS = 17600 };

static uint64_t tick_at(uint64_t now)
{
	uint32_t rest;

	return divide_by_word(now * TICKS, TICKS_NANOSECONDS, &rest);
}

static uint64_t time_of(uint64_t tick)
{
	uint32_t rest;

	return divide_by_word(tick * TICKS_NANOSECONDS + TICKS - 1, TICKS, &rest);
}

static void update(struct acpi_pm *pm)
{
	line_set(&pm->line, pm->status & pm->enabled);
}

void acpi_pm_reset(struct acpi_pm *pm, uint64_t now)
{
	pm->status = pm->enabled = 0;
	pm->halves = tick_at(now) >> TIMER_HALF_SHIFT;
	update(pm);
}

void acpi_pm_advance(struct acpi_pm *pm, uint64_t now)
{
	uint64_t halves = tick_at(now) >> TIMER_HALF_SHIFT;

	if (halves == pm->halves)
		return;
	pm->halves = halves;
	pm->status |= EVENT_TIMER;
	update(pm);
}

uint64_t acpi_pm_next_due(const struct acpi_pm *pm)
{
	if (!(pm->enabled & EVENT_TIMER) || pm->status & EVENT_TIMER)
		return VIRTUAL_TIME_NEVER;
	return time_of((pm->halves + 1) << TIMER_HALF_SHIFT);
}

uint32_t acpi_pm_read(void *chip, uint64_t now, uint16_t port, unsigned size)
{
	struct acpi_pm *pm = chip;
	uint32_t value;

	(void)size;
	acpi_pm_advance(pm, now);
	if (port >= ACPI_PM_TIMER_PORT)
		value = (uint32_t)tick_at(now) & TIMER_BITS;
	else
		value = pm->status | (uint32_t)pm->enabled << 16;
	return value >> 8 * (port & 3);
}

/* Status bits are cleared by writing them; the timer cannot be written. */
void acpi_pm_write(void *chip, uint64_t now, uint16_t port, unsigned size, uint32_t value)
{
	struct acpi_pm *pm = chip;
	unsigned shift = 8 * (port & 3);
	uint32_t mask = UINT32_MAX >> (32 - 8 * size) << shift;
	uint32_t both = value << shift & mask;

	acpi_pm_advance(pm, now);
	if (port >= ACPI_PM_TIMER_PORT)
		return;
	pm->status &= (uint16_t) ~(both & EVENTS_CLEARED);
	pm->enabled = (uint16_t)((pm->enabled & ~(mask >> 16)) | (both >> 16 & EVENTS_ENABLED));
	update(pm);
}
