#include "monitor/devices/debug_exit.h"

void debug_exit_reset(struct debug_exit *exit)
{
	*exit = (struct debug_exit){0};
}

uint32_t debug_exit_read(void *exit, uint64_t now, uint16_t port, unsigned size)
{
	(void)exit, (void)now, (void)port, (void)size;
	return 0;
}

void debug_exit_write(void *chip, uint64_t now, uint16_t port, unsigned size, uint32_t value)
{
	struct debug_exit *exit = chip;

	(void)now, (void)port, (void)size;
	if (exit->requested)
		return;
	exit->requested = true;
	exit->status = value << 1 | 1;
}
