/* A PS/2 keyboard: the commands it knows, and the codes of the keys that are pressed.
 *
 * Keys are given by their codes in set 2, which is what a keyboard sends unless it is told to use
 * set 1; a key with the prefix E0 is 0xE0xx. Set 3 is declined. What is to be sent waits in sixteen
 * bytes; whoever presses keys waits while they are full. It must not know the controller. */
#ifndef MONITOR_DEVICES_PS2_KEYBOARD_H
#define MONITOR_DEVICES_PS2_KEYBOARD_H

#include <stdbool.h>
#include <stdint.h>

#define PS2_KEYBOARD_QUEUE 16

struct ps2_keyboard {
	uint8_t queue[PS2_KEYBOARD_QUEUE];
	unsigned first, count;
	uint8_t last;    /* the last byte sent, for "resend" */
	uint8_t command; /* it waits for its parameter; 0 when none does */
	uint8_t code_set, leds, rate;
	bool scanning;
};

/* As the power comes on, its self test passed and reported long ago. */
void ps2_keyboard_reset(struct ps2_keyboard *keyboard);

/* A byte from the controller. */
void ps2_keyboard_write(struct ps2_keyboard *keyboard, uint8_t byte);

/* The next byte for the controller, if there is one. */
bool ps2_keyboard_take(struct ps2_keyboard *keyboard, uint8_t *byte);

/* How many bytes can still wait. */
unsigned ps2_keyboard_room(const struct ps2_keyboard *keyboard);

/* A key goes down or up. False: there is no room, and it is still the caller's. A keyboard that
 * was told not to scan forgets it. */
bool ps2_keyboard_press(struct ps2_keyboard *keyboard, uint16_t key, bool down);

/* The code of set 1 for one of set 2; others stay what they are. */
uint8_t ps2_keyboard_in_set_1(uint8_t code);

#endif
