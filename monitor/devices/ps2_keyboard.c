#include "monitor/devices/ps2_keyboard.h"

enum {
	SET_LEDS = 0xED,
	ECHO = 0xEE,
	CHOOSE_SET = 0xF0,
	IDENTIFY = 0xF2,
	SET_RATE = 0xF3,
	ENABLE = 0xF4,
	DISABLE = 0xF5,
	SET_DEFAULTS = 0xF6,
	RESEND = 0xFE,
	RESET = 0xFF,
	ACKNOWLEDGE = 0xFA,
	TEST_PASSED = 0xAA,
	BREAK_PREFIX = 0xF0,
	SET_1_BREAK = 0x80,
	DEFAULT_SET = 2,
	DEFAULT_RATE = 0x2B, /* 10.9 characters a second after half a second */
};

/* Set 2 to set 1: what the controller of a PC/AT had in its ROM, so that programs for the older
 * keyboard went on working. */
static const uint8_t set_1[0x85] = {
        0xFF, 0x43, 0x41, 0x3F, 0x3D, 0x3B, 0x3C, 0x58, 0x64, 0x44, 0x42, 0x40, 0x3E, 0x0F, 0x29,
        0x59, 0x65, 0x38, 0x2A, 0x70, 0x1D, 0x10, 0x02, 0x5A, 0x66, 0x71, 0x2C, 0x1F, 0x1E, 0x11,
        0x03, 0x5B, 0x67, 0x2E, 0x2D, 0x20, 0x12, 0x05, 0x04, 0x5C, 0x68, 0x39, 0x2F, 0x21, 0x14,
        0x13, 0x06, 0x5D, 0x69, 0x31, 0x30, 0x23, 0x22, 0x15, 0x07, 0x5E, 0x6A, 0x72, 0x32, 0x24,
        0x16, 0x08, 0x09, 0x5F, 0x6B, 0x33, 0x25, 0x17, 0x18, 0x0B, 0x0A, 0x60, 0x6C, 0x34, 0x35,
        0x26, 0x27, 0x19, 0x0C, 0x61, 0x6D, 0x73, 0x28, 0x74, 0x1A, 0x0D, 0x62, 0x6E, 0x3A, 0x36,
        0x1C, 0x1B, 0x75, 0x2B, 0x63, 0x76, 0x55, 0x56, 0x77, 0x78, 0x79, 0x7A, 0x0E, 0x7B, 0x7C,
        0x4F, 0x7D, 0x4B, 0x47, 0x7E, 0x7F, 0x6F, 0x52, 0x53, 0x50, 0x4C, 0x4D, 0x48, 0x01, 0x45,
        0x57, 0x4E, 0x51, 0x4A, 0x37, 0x49, 0x46, 0x54, 0x80, 0x81, 0x82, 0x41, 0x54,
};

uint8_t ps2_keyboard_in_set_1(uint8_t code)
{
	return code < sizeof(set_1) ? set_1[code] : code;
}

static void set_defaults(struct ps2_keyboard *keyboard)
{
	keyboard->code_set = DEFAULT_SET;
	keyboard->rate = DEFAULT_RATE;
	keyboard->leds = 0;
}

void ps2_keyboard_reset(struct ps2_keyboard *keyboard)
{
	*keyboard = (struct ps2_keyboard){.scanning = true};
	set_defaults(keyboard);
}

/* Answers always find room: a command empties the queue first. */
static void send(struct ps2_keyboard *keyboard, uint8_t byte)
{
	unsigned at = (keyboard->first + keyboard->count++) % PS2_KEYBOARD_QUEUE;

	keyboard->queue[at] = byte;
}

bool ps2_keyboard_take(struct ps2_keyboard *keyboard, uint8_t *byte)
{
	if (!keyboard->count)
		return false;
	*byte = keyboard->last = keyboard->queue[keyboard->first];
	keyboard->first = (keyboard->first + 1) % PS2_KEYBOARD_QUEUE;
	keyboard->count--;
	return true;
}

static void choose_set(struct ps2_keyboard *keyboard, uint8_t wanted)
{
	if (wanted > DEFAULT_SET) {
		send(keyboard, RESEND);
		return;
	}
	send(keyboard, ACKNOWLEDGE);
	if (wanted)
		keyboard->code_set = wanted;
	else
		send(keyboard, keyboard->code_set);
}

static void take_parameter(struct ps2_keyboard *keyboard, uint8_t command, uint8_t value)
{
	if (command == CHOOSE_SET) {
		choose_set(keyboard, value);
		return;
	}
	if (command == SET_LEDS)
		keyboard->leds = value;
	else
		keyboard->rate = value;
	send(keyboard, ACKNOWLEDGE);
}

static void identify(struct ps2_keyboard *keyboard)
{
	send(keyboard, ACKNOWLEDGE);
	send(keyboard, 0xAB);
	send(keyboard, 0x83);
}

static void restart(struct ps2_keyboard *keyboard)
{
	keyboard->scanning = true;
	set_defaults(keyboard);
	send(keyboard, ACKNOWLEDGE);
	send(keyboard, TEST_PASSED);
}

static void take_command(struct ps2_keyboard *keyboard, uint8_t byte)
{
	switch (byte) {
	case SET_LEDS:
	case CHOOSE_SET:
	case SET_RATE:
		keyboard->command = byte;
		break;
	case ENABLE:
		keyboard->scanning = true;
		break;
	case DISABLE:
		keyboard->scanning = false;
		set_defaults(keyboard);
		break;
	case SET_DEFAULTS:
		set_defaults(keyboard);
		break;
	case ECHO:
		send(keyboard, ECHO);
		return;
	case IDENTIFY:
		identify(keyboard);
		return;
	case RESEND:
		send(keyboard, keyboard->last);
		return;
	case RESET:
		restart(keyboard);
		return;
	default:
		send(keyboard, RESEND);
		return;
	}
	send(keyboard, ACKNOWLEDGE);
}

/* A command in place of a parameter takes the command's place. */
void ps2_keyboard_write(struct ps2_keyboard *keyboard, uint8_t byte)
{
	uint8_t command = keyboard->command;

	keyboard->command = 0;
	keyboard->count = 0;
	if (command && byte < SET_LEDS)
		take_parameter(keyboard, command, byte);
	else
		take_command(keyboard, byte);
}

unsigned ps2_keyboard_room(const struct ps2_keyboard *keyboard)
{
	return PS2_KEYBOARD_QUEUE - keyboard->count;
}

bool ps2_keyboard_press(struct ps2_keyboard *keyboard, uint16_t key, bool down)
{
	uint8_t code = (uint8_t)key, prefix = (uint8_t)(key >> 8);

	if (!keyboard->scanning)
		return true;
	if (ps2_keyboard_room(keyboard) < 3)
		return false;
	if (prefix)
		send(keyboard, prefix);
	if (keyboard->code_set == 1) {
		send(keyboard, ps2_keyboard_in_set_1(code) | (down ? 0 : SET_1_BREAK));
		return true;
	}
	if (!down)
		send(keyboard, BREAK_PREFIX);
	send(keyboard, code);
	return true;
}
