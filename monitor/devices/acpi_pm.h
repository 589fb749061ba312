/* ACPI's fixed hardware of a PC's chipset: the power management timer, and the event registers with
 * their interrupt.
 *
 * The timer has 24 bits at 3.579545 MHz; each change of its highest bit is an event. The other
 * events of the block (buttons, alarm, global lock) never happen on this board, but their bits can
 * be enabled. The control register, which switches the machine off, is in power.c.
 * It must not know what its line is used for. */
#ifndef MONITOR_DEVICES_ACPI_PM_H
#define MONITOR_DEVICES_ACPI_PM_H

#include <stdint.h>

#include "monitor/devices/line.h"

#define ACPI_PM_EVENT_PORT  0x600
#define ACPI_PM_EVENT_PORTS 4
#define ACPI_PM_TIMER_PORT  0x608
#define ACPI_PM_TIMER_PORTS 4

struct acpi_pm {
	uint16_t status, enabled;
	uint64_t halves; /* how often the timer's highest bit had changed when somebody looked */

	/* Wiring. */
	struct line line; /* the system control interrupt, a level */
};

void acpi_pm_reset(struct acpi_pm *pm, uint64_t now);
void acpi_pm_advance(struct acpi_pm *pm, uint64_t now);
uint64_t acpi_pm_next_due(const struct acpi_pm *pm);

uint32_t acpi_pm_read(void *pm, uint64_t now, uint16_t port, unsigned size);
void acpi_pm_write(void *pm, uint64_t now, uint16_t port, unsigned size, uint32_t value);

#endif
