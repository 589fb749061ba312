/* Port 0x92 of a PC: the chipset's quick ways to the gate of address line 20 and to a reset.
 *
 * The gate is kept and read back, and closes nothing: docs/limitations.md. It must not know how a
 * machine is reset. */
#ifndef MONITOR_DEVICES_PORT92_H
#define MONITOR_DEVICES_PORT92_H

#include <stdint.h>

#include "monitor/devices/line.h"

#define PORT92 0x92

struct port92 {
	uint8_t control;

	/* Wiring. */
	struct line reset;
};

void port92_reset(struct port92 *port92);
uint32_t port92_read(void *port92, uint64_t now, uint16_t port, unsigned size);
void port92_write(void *port92, uint64_t now, uint16_t port, unsigned size, uint32_t value);

#endif
