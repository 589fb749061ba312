#include "monitor/devices/port92.h"

enum { RESET_NOW = 0x01, ADDRESS_20 = 0x02 };

void port92_reset(struct port92 *port92)
{
	port92->control = ADDRESS_20;
}

uint32_t port92_read(void *chip, uint64_t now, uint16_t port, unsigned size)
{
	const struct port92 *port92 = chip;

	(void)now, (void)port, (void)size;
	return port92->control;
}

/* The reset comes with the edge of its bit. */
void port92_write(void *chip, uint64_t now, uint16_t port, unsigned size, uint32_t value)
{
	struct port92 *port92 = chip;
	bool pull = (value & RESET_NOW) && !(port92->control & RESET_NOW);

	(void)now, (void)port, (void)size;
	port92->control = value & (RESET_NOW | ADDRESS_20);
	if (pull)
		line_set(&port92->reset, true);
}
