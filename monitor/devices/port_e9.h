/* Port 0xE9, the debug console of Bochs and QEMU: a guest writes characters, we collect lines.
 *
 * A line is handed out when it ends, when the buffer is full, and when the machine ends
 * (port_e9_flush); the bytes are the guest's own, without the line feed and without a carriage
 * return right before it. Reading the port gives 0xE9, by which a guest knows that it is there.
 * It must not know where the lines go. */
#ifndef MONITOR_DEVICES_PORT_E9_H
#define MONITOR_DEVICES_PORT_E9_H

#include <stdint.h>

#define PORT_E9      0xE9
#define PORT_E9_LINE 256

struct port_e9 {
	char line[PORT_E9_LINE];
	unsigned length;

	/* Wiring. */
	void (*hand_out)(void *owner, const char *line, unsigned length);
	void *owner;
};

void port_e9_reset(struct port_e9 *console);
/* Hands out what stands of an unfinished line. */
void port_e9_flush(struct port_e9 *console);
uint32_t port_e9_read(void *console, uint64_t now, uint16_t port, unsigned size);
void port_e9_write(void *console, uint64_t now, uint16_t port, unsigned size, uint32_t value);

#endif
