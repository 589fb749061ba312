/* With what a guest switches its machine off or asks for a reset.
 *
 * The power management control register of a PC's chipset (ACPI's PM1a control, at 0x604 where
 * QEMU's firmware puts it), the chipset's reset control register at 0xCF9, and the reset line that
 * other chips pull. The first request counts. It must not know how a machine is stopped. */
#ifndef MONITOR_DEVICES_POWER_H
#define MONITOR_DEVICES_POWER_H

#include <stdbool.h>
#include <stdint.h>

#define POWER_CONTROL_PORT 0x604
#define POWER_RESET_PORT   0xCF9

struct power {
	uint16_t control;
	uint8_t reset_control;
	bool off_requested, reset_requested;
};

void power_reset(struct power *power);
/* What hangs on the reset line: struct line's function. */
void power_pull_reset(void *power, unsigned input, bool level);
uint32_t power_read(void *power, uint64_t now, uint16_t port, unsigned size);
void power_write(void *power, uint64_t now, uint16_t port, unsigned size, uint32_t value);

#endif
