/* The 8042 keyboard controller of a PC, with a keyboard on its first port and nothing on its
 * second.
 *
 * Ports 0x60 and 0x64: commands, the command byte and the memory behind it, translation to scan
 * code set 1, interrupts 1 and 12, the output port with the processor's reset and the gate of
 * address line 20. A byte is there the moment the last one was read. It must not know who presses
 * the keys, nor how a machine is reset. */
#ifndef MONITOR_DEVICES_I8042_H
#define MONITOR_DEVICES_I8042_H

#include <stdbool.h>
#include <stdint.h>

#include "monitor/devices/line.h"
#include "monitor/devices/ps2_keyboard.h"

#define I8042_DATA_PORT    0x60
#define I8042_COMMAND_PORT 0x64
#define I8042_MEMORY       32

struct i8042 {
	uint8_t memory[I8042_MEMORY]; /* the first is the command byte */
	uint8_t command;              /* it waits for its data; 0 when none does */
	bool wrote_command;           /* the last write was to the command port */
	uint8_t output_port;

	uint8_t output; /* the output buffer, and what the status says of it: */
	uint8_t output_status;
	uint8_t reply; /* of the controller, while the buffer holds another byte */
	uint8_t reply_status;
	bool broken;                              /* translation: the byte F0 was seen */
	bool keyboard_interrupt, mouse_interrupt; /* the lines as they were last driven */
	struct ps2_keyboard keyboard;

	/* Wiring. */
	struct line keyboard_line, mouse_line, reset;
};

void i8042_reset(struct i8042 *controller);
/* What firmware leaves: translation and the keyboard's interrupt on. */
void i8042_start(struct i8042 *controller);

/* As ps2_keyboard_room and ps2_keyboard_press. */
unsigned i8042_room(const struct i8042 *controller);
bool i8042_press(struct i8042 *controller, uint16_t key, bool down);

uint32_t i8042_read(void *controller, uint64_t now, uint16_t port, unsigned size);
/* As bus.h has it. */
bool i8042_steady(void *controller, uint64_t now, uint16_t port);
void i8042_write(void *controller, uint64_t now, uint16_t port, unsigned size, uint32_t value);

#endif
