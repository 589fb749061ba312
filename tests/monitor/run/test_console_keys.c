/* Which bytes of the console are for us, and which for the guest. */
#include "tests/unit.h"

#include "monitor/run/console_keys.h"

static struct console_keys keys;

static enum console_key type(const char *text)
{
	enum console_key last = CONSOLE_KEY_NONE;

	for (; *text; text++)
		last = console_keys_type(&keys, *text);
	return last;
}

static const char *guest_reads(void)
{
	static char text[CONSOLE_KEYS_WAITING + 1];
	uint32_t n = 0;

	while (console_keys_read(&keys, &text[n]))
		n++;
	text[n] = 0;
	return text;
}

TEST(what_is_typed_is_the_guests)
{
	keys = (struct console_keys){0};
	CHECK_EQ(type("a c\r"), CONSOLE_KEY_NONE);
	CHECK_STR(guest_reads(), "a c\r");
}

TEST(a_key_is_not)
{
	keys = (struct console_keys){0};
	CHECK_EQ(type("x\x01"), CONSOLE_KEY_NONE);
	CHECK_EQ(type("c"), CONSOLE_KEY_COUNTERS);
	CHECK_EQ(type("c"), CONSOLE_KEY_NONE);
	CHECK_STR(guest_reads(), "xc");
	CHECK_EQ(type("\x01y"), CONSOLE_KEY_UNKNOWN);
	CHECK_STR(guest_reads(), "");
}

TEST(the_prefix_twice_is_one_for_the_guest)
{
	keys = (struct console_keys){0};
	CHECK_EQ(type("\x01\x01"), CONSOLE_KEY_NONE);
	CHECK_EQ(type("c"), CONSOLE_KEY_NONE);
	CHECK_STR(guest_reads(), "\x01"
	                         "c");
}

TEST(a_guest_that_does_not_read_keeps_no_key_away)
{
	keys = (struct console_keys){0};
	for (uint32_t i = 0; i < CONSOLE_KEYS_WAITING - 1; i++)
		CHECK_EQ(type("z"), CONSOLE_KEY_NONE);
	CHECK(console_keys_has_room(&keys));
	CHECK_EQ(type("\x01"
	              "c"),
	         CONSOLE_KEY_COUNTERS);
	CHECK(console_keys_has_room(&keys));
	type("z");
	CHECK(!console_keys_has_room(&keys));
	CHECK_EQ(strlen(guest_reads()), CONSOLE_KEYS_WAITING);
	CHECK(console_keys_has_room(&keys));
}

UNIT_MAIN
