/* Somebody at a keyboard: characters from a terminal become keys of a US keyboard that go down and
 * up again.
 *
 * A key stays down for a while, because games look at what is down; the next one lets it go, and
 * the same one again repeats it, as a keyboard does. Shift and Control are pressed where a
 * character needs them; the arrows, Home and End come as a terminal's escape sequences. An escape
 * character that nothing follows is the Escape key. What has no key is passed over. It must not
 * know where the characters come from. */
#ifndef MONITOR_DEVICES_US_KEYBOARD_H
#define MONITOR_DEVICES_US_KEYBOARD_H

#include <stdbool.h>
#include <stdint.h>

#include "monitor/devices/i8042.h"

struct us_keyboard {
	uint8_t held; /* the last character of a sequence that has begun; 0 when none has */
	uint64_t held_until;
	uint16_t down, modifier; /* the key that is down, and the one with it; 0 for none */
	uint64_t down_until;

	/* Wiring. */
	struct i8042 *controller;
};

/* Whether the next character finds room for all its keys. */
bool us_keyboard_has_room(const struct us_keyboard *keyboard);
void us_keyboard_type(struct us_keyboard *keyboard, uint64_t now, uint8_t character);

void us_keyboard_advance(struct us_keyboard *keyboard, uint64_t now);
uint64_t us_keyboard_next_due(const struct us_keyboard *keyboard);

#endif
