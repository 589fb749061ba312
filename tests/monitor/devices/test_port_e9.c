/* The debug console: lines come out whole, at their end or when the buffer is full. */
#include "monitor/devices/port_e9.h"
#include "tests/unit.h"

static char said[4096];
static struct port_e9 console;

static void hear(void *owner, const char *line, unsigned length)
{
	size_t at = strlen(said);

	CHECK(owner == said);
	snprintf(said + at, sizeof(said) - at, "[%.*s]", (int)length, line);
}

static void set_up(void)
{
	said[0] = 0;
	console.hand_out = hear;
	console.owner = said;
	port_e9_reset(&console);
}

static void type(const char *text)
{
	for (; *text; text++)
		port_e9_write(&console, 0, PORT_E9, 1, (uint8_t)*text);
}

TEST(port_e9_reads_as_itself)
{
	set_up();
	CHECK_EQ(port_e9_read(&console, 0, PORT_E9, 1), 0xE9);
}

TEST(port_e9_hands_out_whole_lines)
{
	set_up();
	type("one");
	CHECK_STR(said, "");
	type("\ntwo\r\n\nthr\ree");
	CHECK_STR(said, "[one][two][]");
	port_e9_flush(&console);
	port_e9_flush(&console);
	CHECK_STR(said, "[one][two][][thr\ree]");
}

TEST(port_e9_hands_out_a_line_that_fills_the_buffer)
{
	char line[PORT_E9_LINE + 1], wanted[PORT_E9_LINE + 16];

	set_up();
	memset(line, 'x', PORT_E9_LINE);
	line[PORT_E9_LINE] = 0;
	type(line);
	CHECK_STR(said, "");
	type("y\n");
	snprintf(wanted, sizeof(wanted), "[%s][y]", line);
	CHECK_STR(said, wanted);
	said[0] = 0;
	type(line);
	type("\n");
	snprintf(wanted, sizeof(wanted), "[%s]", line);
	CHECK_STR(said, wanted);
}

TEST(port_e9_reset_forgets_an_unfinished_line)
{
	set_up();
	type("gone");
	port_e9_reset(&console);
	type("here\n");
	CHECK_STR(said, "[here]");
}

UNIT_MAIN
