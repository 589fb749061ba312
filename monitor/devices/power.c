#include "monitor/devices/power.h"

#define CONTROL_INTERRUPTS (1u << 0)  /* SCI_EN: there is no other mode than ACPI's */
#define CONTROL_SLEEP      (1u << 13) /* SLP_EN */
#define CONTROL_SLEEP_TYPE (7u << 10)
#define RESET_NOW          (1u << 2)

void power_reset(struct power *power)
{
	*power = (struct power){0};
}

static void request(bool *what, const struct power *power)
{
	if (!power->off_requested && !power->reset_requested)
		*what = true;
}

uint32_t power_read(void *chip, uint64_t now, uint16_t port, unsigned size)
{
	const struct power *power = chip;

	(void)now;
	(void)size;
	return port == POWER_CONTROL_PORT ? power->control | CONTROL_INTERRUPTS
	                                  : power->reset_control;
}

void power_pull_reset(void *chip, unsigned input, bool level)
{
	struct power *power = chip;

	(void)input;
	if (level)
		request(&power->reset_requested, power);
}

/* Sleep type 0 is what the firmware's tables call "off" here; no other one exists. */
static void write_control(struct power *power, uint16_t value)
{
	power->control = value & (uint16_t)~CONTROL_SLEEP;
	if ((value & CONTROL_SLEEP) && !(value & CONTROL_SLEEP_TYPE))
		request(&power->off_requested, power);
}

void power_write(void *chip, uint64_t now, uint16_t port, unsigned size, uint32_t value)
{
	struct power *power = chip;

	(void)now;
	if (port == POWER_CONTROL_PORT) {
		if (size == 2)
			write_control(power, (uint16_t)value);
		return;
	}
	power->reset_control = (uint8_t)(value & ~RESET_NOW);
	if (value & RESET_NOW)
		request(&power->reset_requested, power);
}
