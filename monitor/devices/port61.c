#include "monitor/devices/port61.h"

#include "kernel/divide.h"
enum {
	GATE_2 = 0x01,
	WRITABLE = 0x0F,
	REFRESH = 0x10,
	OUTPUT_2 = 0x20,
	SPEAKER_CHANNEL = 2,
	REFRESH_TICKS = 18, /* 15 microseconds, what firmware programs into counter 1 */
};

void port61_reset(struct port61 *port61, uint64_t now)
{
	port61_write(port61, now, PORT61, 1, 0);
}

uint32_t port61_read(void *chip, uint64_t now, uint16_t port, unsigned size)
{
	struct port61 *port61 = chip;
	uint32_t value = port61->control, rest;

	(void)port, (void)size;
	if (divide_by_word(i8254_tick_at(now), REFRESH_TICKS, &rest) & 1)
		value |= REFRESH;
	if (i8254_output(port61->timer, now, SPEAKER_CHANNEL))
		value |= OUTPUT_2;
	return value;
}

void port61_write(void *chip, uint64_t now, uint16_t port, unsigned size, uint32_t value)
{
	struct port61 *port61 = chip;

	(void)port, (void)size;
	port61->control = value & WRITABLE;
	i8254_set_gate(port61->timer, now, SPEAKER_CHANNEL, value & GATE_2);
}
