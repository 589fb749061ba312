/* Characters of a terminal as keys: what the guest reads at port 0x60. */
#include "monitor/devices/us_keyboard.h"
#include "monitor/devices/virtual_time.h"
#include "tests/unit.h"

#define SECOND 1000000000ull

static struct i8042 controller;
static struct us_keyboard keyboard;

static void set_up(void)
{
	memset(&controller, 0, sizeof(controller));
	i8042_reset(&controller);
	i8042_start(&controller);
	keyboard = (struct us_keyboard){.controller = &controller};
}

static const char *read_keys(void)
{
	static char text[200];

	text[0] = 0;
	for (size_t length = 0; i8042_read(&controller, 0, 0x64, 1) & 1; length = strlen(text))
		snprintf(text + length, sizeof(text) - length, "%s%02x", length ? " " : "",
		         i8042_read(&controller, 0, 0x60, 1));
	return text;
}

static const char *typed(const char *characters)
{
	set_up();
	for (; *characters; characters++)
		us_keyboard_type(&keyboard, 0, (uint8_t)*characters);
	return read_keys();
}

/* The same, and the last key is up again. */
static const char *typed_and_let_go(const char *characters)
{
	set_up();
	for (; *characters; characters++)
		us_keyboard_type(&keyboard, 0, (uint8_t)*characters);
	us_keyboard_advance(&keyboard, SECOND);
	return read_keys();
}

TEST(typist_presses_and_lets_go)
{
	CHECK_STR(typed("a1"), "1e 9e 02");
	CHECK_STR(typed_and_let_go("a1"), "1e 9e 02 82");
	CHECK_STR(typed_and_let_go(" \r\n"), "39 b9 1c 1c 9c");
	CHECK_STR(typed_and_let_go("\t\b\x7f"), "0f 8f 0e 0e 8e");
}

TEST(typist_holds_a_key_for_a_while)
{
	CHECK_STR(typed("a"), "1e");
	uint64_t due = us_keyboard_next_due(&keyboard);
	CHECK(due > SECOND / 50 && due < SECOND / 4);
	us_keyboard_advance(&keyboard, due - 1);
	CHECK_STR(read_keys(), "");
	us_keyboard_type(&keyboard, due - 1, 'a');
	us_keyboard_advance(&keyboard, due);
	CHECK_STR(read_keys(), "1e");
	us_keyboard_advance(&keyboard, us_keyboard_next_due(&keyboard));
	CHECK_STR(read_keys(), "9e");
	CHECK_EQ(us_keyboard_next_due(&keyboard), VIRTUAL_TIME_NEVER);
}

TEST(typist_holds_shift_and_control)
{
	CHECK_STR(typed_and_let_go("A"), "2a 1e 9e aa");
	CHECK_STR(typed_and_let_go("aA"), "1e 9e 2a 1e 9e aa");
	CHECK_STR(typed_and_let_go("?"), "2a 35 b5 aa");
	CHECK_STR(typed_and_let_go("\x03"), "1d 2e ae 9d");
	CHECK_STR(typed("\x80\x1f"), "");
}

TEST(typist_has_a_key_for_every_character)
{
	for (uint8_t character = ' '; character <= '~'; character++) {
		const char text[] = {(char)character, 0};
		CHECK(typed(text)[0]);
	}
}

TEST(typist_knows_the_sequences_of_terminals)
{
	CHECK_STR(typed_and_let_go("\x1b[A\x1b[D"), "e0 48 e0 c8 e0 4b e0 cb");
	CHECK_STR(typed_and_let_go("\x1bOC"), "e0 4d e0 cd");
	CHECK_STR(typed_and_let_go("\x1b[Zx"), "2d ad");
	CHECK_STR(typed_and_let_go("\x1bx"), "01 81 2d ad");
	CHECK_STR(typed_and_let_go("\x1b\x1b[A"), "01 81 e0 48 e0 c8");
}

TEST(typist_a_lone_escape_is_a_key_after_a_while)
{
	CHECK_STR(typed("\x1b"), "");
	uint64_t due = us_keyboard_next_due(&keyboard);
	CHECK(due < SECOND / 10);
	us_keyboard_advance(&keyboard, due - 1);
	CHECK_STR(read_keys(), "");
	us_keyboard_advance(&keyboard, due);
	CHECK_STR(read_keys(), "01");
	CHECK_STR(typed("\x1b["), "");
	us_keyboard_advance(&keyboard, due);
	CHECK_STR(read_keys(), "01 81 1a");
}

/* Whatever is typed while there is said to be room arrives whole. */
TEST(typist_says_when_there_is_no_room)
{
	static const char text[] = "A?\x1b[H\x1bZz";
	static char keys[200];

	set_up();
	for (unsigned i = 0; i < sizeof(text) - 1;) {
		if (us_keyboard_has_room(&keyboard))
			us_keyboard_type(&keyboard, 0, (uint8_t)text[i++]);
		else
			strcat(strcat(keys, read_keys()), " ");
	}
	us_keyboard_advance(&keyboard, SECOND);
	strcat(keys, read_keys());
	CHECK_STR(keys, "2a 1e 9e aa 2a 35 b5 aa e0 47 e0 c7 01 81 2a 2c ac aa 2c ac");
}

UNIT_MAIN
