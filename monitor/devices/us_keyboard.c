#include "monitor/devices/us_keyboard.h"

#include "monitor/devices/virtual_time.h"

enum {
	ESCAPE = 0x1B,
	KEY_ESCAPE = 0x76,
	KEY_ENTER = 0x5A,
	KEY_BACKSPACE = 0x66,
	KEY_TAB = 0x0D,
	KEY_SHIFT = 0x12,
	KEY_CONTROL = 0x14,
};

/* To let a key and its modifier go is five bytes, to press the next two; a held Escape between them
 * is three. */
#define ROOM 10

/* Longer than a terminal takes between the bytes of one key, shorter than people. */
#define PATIENCE 50000000u

/* As long as a light touch, and shorter than the first repetition. */
#define HOLD 80000000u

/* The keys from left to right, row by row: their codes, and what they give without and with
 * Shift. */
static const uint8_t keys[] = {
        0x0E, 0x16, 0x1E, 0x26, 0x25, 0x2E, 0x36, 0x3D, 0x3E, 0x46, 0x45, 0x4E,
        0x55, 0x15, 0x1D, 0x24, 0x2D, 0x2C, 0x35, 0x3C, 0x43, 0x44, 0x4D, 0x54,
        0x5B, 0x5D, 0x1C, 0x1B, 0x23, 0x2B, 0x34, 0x33, 0x3B, 0x42, 0x4B, 0x4C,
        0x52, 0x1A, 0x22, 0x21, 0x2A, 0x32, 0x31, 0x3A, 0x41, 0x49, 0x4A, 0x29,
};
static const char plain[] = "`1234567890-=qwertyuiop[]\\asdfghjkl;'zxcvbnm,./ ";
static const char shifted[] = "~!@#$%^&*()_+QWERTYUIOP{}|ASDFGHJKL:\"ZXCVBNM<>? ";
_Static_assert(sizeof(plain) == sizeof(keys) + 1, "a character for each key");
_Static_assert(sizeof(shifted) == sizeof(plain), "two characters for each key");

static uint16_t find_key(const char *characters, uint8_t wanted)
{
	for (unsigned i = 0; i < sizeof(keys); i++)
		if ((uint8_t)characters[i] == wanted)
			return keys[i];
	return 0;
}

static void let_go(struct us_keyboard *keyboard)
{
	if (keyboard->down)
		i8042_press(keyboard->controller, keyboard->down, false);
	if (keyboard->modifier)
		i8042_press(keyboard->controller, keyboard->modifier, false);
	keyboard->down = keyboard->modifier = 0;
}

static void press(struct us_keyboard *keyboard, uint64_t now, uint16_t modifier, uint16_t key)
{
	if (!key)
		return;
	if (key != keyboard->down || modifier != keyboard->modifier) {
		let_go(keyboard);
		if (modifier)
			i8042_press(keyboard->controller, modifier, true);
	}
	i8042_press(keyboard->controller, key, true);
	keyboard->down = key;
	keyboard->modifier = modifier;
	keyboard->down_until = now + HOLD;
}

static void type_character(struct us_keyboard *keyboard, uint64_t now, uint8_t character)
{
	uint16_t key = find_key(plain, character);

	if (key)
		press(keyboard, now, 0, key);
	else if (character == '\r' || character == '\n')
		press(keyboard, now, 0, KEY_ENTER);
	else if (character == '\t')
		press(keyboard, now, 0, KEY_TAB);
	else if (character == '\b' || character == 0x7F)
		press(keyboard, now, 0, KEY_BACKSPACE);
	else if (character == ESCAPE)
		press(keyboard, now, 0, KEY_ESCAPE);
	else if (character < ' ')
		press(keyboard, now, KEY_CONTROL, find_key(plain, character | 0x60));
	else
		press(keyboard, now, KEY_SHIFT, find_key(shifted, character));
}

static uint16_t sequence_key(uint8_t last)
{
	switch (last) {
	case 'A':
		return 0xE075; /* up */
	case 'B':
		return 0xE072; /* down */
	case 'C':
		return 0xE074; /* right */
	case 'D':
		return 0xE06B; /* left */
	case 'H':
		return 0xE06C; /* Home */
	case 'F':
		return 0xE069; /* End */
	default:
		return 0;
	}
}

bool us_keyboard_has_room(const struct us_keyboard *keyboard)
{
	return i8042_room(keyboard->controller) >= ROOM;
}

static void hold(struct us_keyboard *keyboard, uint64_t now, uint8_t character)
{
	keyboard->held = character;
	keyboard->held_until = now + PATIENCE;
}

void us_keyboard_type(struct us_keyboard *keyboard, uint64_t now, uint8_t character)
{
	uint8_t held = keyboard->held;

	keyboard->held = 0;
	if (held == ESCAPE && (character == '[' || character == 'O')) {
		hold(keyboard, now, character);
		return;
	}
	if (held == '[' || held == 'O') {
		press(keyboard, now, 0, sequence_key(character));
		return;
	}
	if (held == ESCAPE)
		press(keyboard, now, 0, KEY_ESCAPE);
	if (character == ESCAPE)
		hold(keyboard, now, character);
	else
		type_character(keyboard, now, character);
}

/* A sequence that is not finished was none. */
static void give_up_sequence(struct us_keyboard *keyboard, uint64_t now)
{
	uint8_t held = keyboard->held;

	keyboard->held = 0;
	press(keyboard, now, 0, KEY_ESCAPE);
	if (held != ESCAPE)
		type_character(keyboard, now, held);
}

void us_keyboard_advance(struct us_keyboard *keyboard, uint64_t now)
{
	if (keyboard->held && now >= keyboard->held_until)
		give_up_sequence(keyboard, now);
	if (keyboard->down && now >= keyboard->down_until)
		let_go(keyboard);
}

uint64_t us_keyboard_next_due(const struct us_keyboard *keyboard)
{
	return virtual_time_earlier(keyboard->held ? keyboard->held_until : VIRTUAL_TIME_NEVER,
	                            keyboard->down ? keyboard->down_until : VIRTUAL_TIME_NEVER);
}
