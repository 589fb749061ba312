/* The keyboard: its commands, and what keys send. */
#include "monitor/devices/ps2_keyboard.h"
#include "tests/unit.h"

static struct ps2_keyboard keyboard;

/* What it has to say, as hexadecimal text. */
static const char *said(void)
{
	static char text[3 * PS2_KEYBOARD_QUEUE + 1];
	uint8_t byte;

	text[0] = 0;
	for (size_t length = 0; ps2_keyboard_take(&keyboard, &byte); length = strlen(text))
		snprintf(text + length, sizeof(text) - length, "%s%02x", length ? " " : "", byte);
	return text;
}

static const char *asked(uint8_t command)
{
	ps2_keyboard_write(&keyboard, command);
	return said();
}

TEST(keyboard_answers_its_commands)
{
	ps2_keyboard_reset(&keyboard);
	CHECK_STR(said(), "");
	CHECK_STR(asked(0xFF), "fa aa");
	CHECK_STR(asked(0xF2), "fa ab 83");
	CHECK_STR(asked(0xEE), "ee");
	CHECK_STR(asked(0xF4), "fa");
	CHECK_STR(asked(0xF6), "fa");
	CHECK_STR(asked(0xEF), "fe");
	CHECK_STR(asked(0x12), "fe");
}

TEST(keyboard_commands_with_a_parameter)
{
	ps2_keyboard_reset(&keyboard);
	CHECK_STR(asked(0xED), "fa");
	CHECK_STR(asked(0x07), "fa");
	CHECK_EQ(keyboard.leds, 7);
	CHECK_STR(asked(0xF3), "fa");
	CHECK_STR(asked(0x20), "fa");
	CHECK_EQ(keyboard.rate, 0x20);
	CHECK_STR(asked(0xED), "fa");
	CHECK_STR(asked(0xF2), "fa ab 83");
	CHECK_STR(asked(0x07), "fe");
}

TEST(keyboard_says_and_changes_its_code_set)
{
	ps2_keyboard_reset(&keyboard);
	CHECK_STR(asked(0xF0), "fa");
	CHECK_STR(asked(0), "fa 02");
	CHECK_STR(asked(0xF0), "fa");
	CHECK_STR(asked(3), "fe");
	CHECK_STR(asked(0xF0), "fa");
	CHECK_STR(asked(1), "fa");
	CHECK(ps2_keyboard_press(&keyboard, 0x1C, true));
	CHECK(ps2_keyboard_press(&keyboard, 0x1C, false));
	CHECK(ps2_keyboard_press(&keyboard, 0xE075, false));
	CHECK_STR(said(), "1e 9e e0 c8");
	CHECK_STR(asked(0xF6), "fa");
	CHECK_EQ(keyboard.code_set, 2);
}

TEST(keyboard_sends_keys_in_set_2)
{
	ps2_keyboard_reset(&keyboard);
	CHECK(ps2_keyboard_press(&keyboard, 0x1C, true));
	CHECK(ps2_keyboard_press(&keyboard, 0x1C, false));
	CHECK(ps2_keyboard_press(&keyboard, 0xE075, true));
	CHECK(ps2_keyboard_press(&keyboard, 0xE075, false));
	CHECK_STR(said(), "1c f0 1c e0 75 e0 f0 75");
	CHECK_STR(asked(0xFE), "75");
}

TEST(keyboard_that_does_not_scan_forgets_keys)
{
	ps2_keyboard_reset(&keyboard);
	CHECK_STR(asked(0xF5), "fa");
	CHECK(ps2_keyboard_press(&keyboard, 0x1C, true));
	CHECK_STR(said(), "");
	CHECK_STR(asked(0xF4), "fa");
	CHECK(ps2_keyboard_press(&keyboard, 0x1C, true));
	CHECK_STR(said(), "1c");
}

TEST(keyboard_takes_no_key_that_it_has_no_room_for)
{
	unsigned pressed = 0;

	ps2_keyboard_reset(&keyboard);
	while (ps2_keyboard_press(&keyboard, 0x1C, false))
		pressed++;
	CHECK_EQ(pressed, 7);
	CHECK_STR(said(), "f0 1c f0 1c f0 1c f0 1c f0 1c f0 1c f0 1c");
	/* A command throws away what waits. */
	CHECK(ps2_keyboard_press(&keyboard, 0x1C, true));
	CHECK_STR(asked(0xEE), "ee");
}

TEST(keyboard_every_code_of_set_2_has_its_own_in_set_1)
{
	bool seen[256] = {false};

	for (unsigned code = 1; code < 0x80; code++) {
		uint8_t other = ps2_keyboard_in_set_1((uint8_t)code);
		CHECK(other < 0x80 && !seen[other]);
		seen[other] = true;
	}
	CHECK_EQ(ps2_keyboard_in_set_1(0x76), 0x01);
	CHECK_EQ(ps2_keyboard_in_set_1(0x5A), 0x1C);
	CHECK_EQ(ps2_keyboard_in_set_1(0x83), 0x41);
	CHECK_EQ(ps2_keyboard_in_set_1(0xFA), 0xFA);
}

UNIT_MAIN
