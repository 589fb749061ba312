#include "monitor/devices/port_e9.h"

void port_e9_reset(struct port_e9 *console)
{
	console->length = 0;
}

static void port_e9_hand_out(struct port_e9 *console)
{
	if (console->hand_out)
		console->hand_out(console->owner, console->line, console->length);
	console->length = 0;
}

void port_e9_flush(struct port_e9 *console)
{
	if (console->length)
		port_e9_hand_out(console);
}

uint32_t port_e9_read(void *console, uint64_t now, uint16_t port, unsigned size)
{
	(void)console, (void)now, (void)port, (void)size;
	return PORT_E9;
}

void port_e9_write(void *chip, uint64_t now, uint16_t port, unsigned size, uint32_t value)
{
	struct port_e9 *console = chip;

	(void)now, (void)port, (void)size;
	if ((char)value == '\n') {
		if (console->length && console->line[console->length - 1] == '\r')
			console->length--;
		port_e9_hand_out(console);
		return;
	}
	/* Room is made before a character comes, so that a full line is not followed by an empty
	 * one. */
	if (console->length == PORT_E9_LINE)
		port_e9_hand_out(console);
	console->line[console->length++] = (char)value;
}
