/* Port 0x61 of a PC: the gate of timer counter 2, the speaker switch, and what can be seen of both.
 *
 * Guests use it to measure time: they open the gate and poll the output of counter 2, or they watch
 * the refresh bit, which changes every 18 ticks of the timer as on PC chipsets, whatever counter 1
 * is programmed to. There is no speaker, no parity and no channel check. It must not know how time
 * is measured; the timer does. */
#ifndef MONITOR_DEVICES_PORT61_H
#define MONITOR_DEVICES_PORT61_H

#include <stdint.h>

#include "monitor/devices/i8254.h"

#define PORT61 0x61

struct port61 {
	uint8_t control; /* the four bits that can be written */

	/* Wiring. */
	struct i8254 *timer;
};

void port61_reset(struct port61 *port61, uint64_t now);
uint32_t port61_read(void *port61, uint64_t now, uint16_t port, unsigned size);
void port61_write(void *port61, uint64_t now, uint16_t port, unsigned size, uint32_t value);

#endif
