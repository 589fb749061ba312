/* The keyboard controller: status, commands, translation, interrupts, reset. */
#include "monitor/devices/i8042.h"
#include "tests/unit.h"

static struct i8042 chip;
static unsigned keyboard_edges, mouse_edges, resets;
static bool keyboard_line, mouse_line;

static void see(void *owner, unsigned input, bool level)
{
	CHECK(owner == &chip);
	if (input == 1) {
		keyboard_line = level;
		keyboard_edges += level;
	} else if (input == 12) {
		mouse_line = level;
		mouse_edges += level;
	} else {
		resets += level;
	}
}

static void set_up(void)
{
	memset(&chip, 0, sizeof(chip));
	chip.keyboard_line = (struct line){see, &chip, 1};
	chip.mouse_line = (struct line){see, &chip, 12};
	chip.reset = (struct line){see, &chip, 0};
	keyboard_edges = mouse_edges = resets = 0;
	keyboard_line = mouse_line = false;
	i8042_reset(&chip);
	i8042_start(&chip);
}

static uint8_t status(void)
{
	return (uint8_t)i8042_read(&chip, 0, 0x64, 1);
}

static uint8_t data(void)
{
	return (uint8_t)i8042_read(&chip, 0, 0x60, 1);
}

static void command(uint8_t value)
{
	i8042_write(&chip, 0, 0x64, 1, value);
}

static void write(uint8_t value)
{
	i8042_write(&chip, 0, 0x60, 1, value);
}

TEST(controller_starts_as_firmware_leaves_it)
{
	set_up();
	CHECK_EQ(status(), 0x14);
	command(0x20);
	CHECK_EQ(status(), 0x1D);
	CHECK_EQ(data(), 0x65);
	CHECK_EQ(status(), 0x1C);
}

TEST(controller_passes_its_tests)
{
	set_up();
	command(0xAA);
	CHECK_EQ(data(), 0x55);
	command(0xAB);
	CHECK_EQ(data(), 0x00);
	command(0xA9);
	CHECK_EQ(data(), 0x00);
	command(0xC0);
	CHECK_EQ(data(), 0x80);
	command(0xE0);
	CHECK_EQ(data(), 0x00);
	memset(chip.memory, 0, sizeof(chip.memory));
	CHECK_EQ(status() & 0x04, 0);
	command(0xAA);
	CHECK_EQ(status() & 0x04, 0x04);
}

TEST(controller_has_a_memory_behind_the_command_byte)
{
	set_up();
	command(0x60);
	CHECK_EQ(status(), 0x1C);
	write(0x47);
	CHECK_EQ(status(), 0x14);
	command(0x20);
	CHECK_EQ(data(), 0x47);
	command(0x7F);
	write(0xAB);
	command(0x3F);
	CHECK_EQ(data(), 0xAB);
	CHECK_EQ(resets, 0);
}

TEST(controller_turns_its_ports_on_and_off)
{
	static const uint8_t rows[][2] = {{0xAD, 0x75}, {0xAE, 0x65}, {0xA8, 0x45}, {0xA7, 0x65}};

	set_up();
	for (unsigned i = 0; i < 4; i++) {
		command(rows[i][0]);
		command(0x20);
		CHECK_EQ(data(), rows[i][1]);
	}
}

TEST(controller_translates_keys_and_interrupts)
{
	set_up();
	CHECK(i8042_press(&chip, 0x1C, true));
	CHECK(i8042_press(&chip, 0xE075, false));
	CHECK(keyboard_line);
	CHECK_EQ(status(), 0x15);
	CHECK_EQ(data(), 0x1E);
	CHECK(keyboard_line);
	CHECK_EQ(keyboard_edges, 2);
	CHECK_EQ(data(), 0xE0);
	CHECK_EQ(data(), 0xC8);
	CHECK(!keyboard_line);
	CHECK_EQ(keyboard_edges, 3);
	CHECK_EQ(data(), 0xC8);
	command(0x60);
	write(0x04);
	CHECK(i8042_press(&chip, 0x1C, false));
	CHECK(!keyboard_line);
	CHECK_EQ(data(), 0xF0);
	CHECK_EQ(data(), 0x1C);
}

TEST(controller_interrupts_when_it_is_allowed_to)
{
	set_up();
	command(0x60);
	write(0x44);
	CHECK(i8042_press(&chip, 0x1C, true));
	CHECK(!keyboard_line);
	command(0x60);
	write(0x45);
	CHECK(keyboard_line);
}

TEST(controller_keeps_keys_back_while_the_keyboard_is_off)
{
	set_up();
	command(0xAD);
	CHECK(i8042_press(&chip, 0x1C, true));
	CHECK_EQ(status() & 1, 0);
	command(0xAE);
	CHECK_EQ(status() & 1, 1);
	CHECK_EQ(data(), 0x1E);
	command(0xAD);
	write(0xEE);
	CHECK_EQ(data(), 0xEE);
	command(0x20);
	CHECK_EQ(data(), 0x65);
}

/* A reply of the controller goes before what the keyboard has to say, and loses nothing. */
TEST(controller_its_own_replies_come_first)
{
	set_up();
	CHECK(i8042_press(&chip, 0x1C, true));
	CHECK(i8042_press(&chip, 0x32, true));
	command(0x20);
	CHECK_EQ(data(), 0x1E);
	CHECK_EQ(data(), 0x65);
	CHECK_EQ(data(), 0x30);
	CHECK_EQ(status() & 1, 0);
}

TEST(controller_identifies_a_translated_keyboard)
{
	set_up();
	write(0xF2);
	CHECK_EQ(data(), 0xFA);
	CHECK_EQ(data(), 0xAB);
	CHECK_EQ(data(), 0x41);
}

TEST(controller_nobody_answers_on_the_second_port)
{
	set_up();
	command(0x60);
	write(0x47);
	command(0xD4);
	write(0xF2);
	CHECK_EQ(status(), 0x75);
	CHECK(mouse_line);
	CHECK(!keyboard_line);
	CHECK_EQ(data(), 0xFE);
	CHECK(!mouse_line);
	command(0xD3);
	write(0x5A);
	CHECK_EQ(status(), 0x35);
	CHECK_EQ(data(), 0x5A);
	command(0xD2);
	write(0xA5);
	CHECK_EQ(status(), 0x15);
	CHECK(keyboard_line);
	CHECK_EQ(data(), 0xA5);
}

TEST(controller_output_port_has_the_gate_and_the_reset)
{
	set_up();
	command(0xD0);
	CHECK_EQ(data(), 0xC3);
	command(0xDD);
	command(0xD0);
	CHECK_EQ(data(), 0xC1);
	command(0xDF);
	command(0xD0);
	CHECK_EQ(data(), 0xC3);
	command(0xD1);
	write(0xC1);
	CHECK_EQ(resets, 0);
	command(0xD0);
	CHECK_EQ(data(), 0xC1);
	command(0xD1);
	write(0xC2);
	CHECK_EQ(resets, 1);
}

TEST(controller_pulses_the_reset_line)
{
	set_up();
	command(0xFF);
	command(0xF1);
	CHECK_EQ(resets, 0);
	command(0xFE);
	CHECK_EQ(resets, 1);
	command(0xF0);
	CHECK_EQ(resets, 2);
}

TEST(controller_a_new_command_takes_the_place_of_one_that_waits)
{
	set_up();
	command(0x60);
	command(0xAB);
	CHECK_EQ(data(), 0x00);
	write(0xEE);
	CHECK_EQ(data(), 0xEE);
	command(0x20);
	CHECK_EQ(data(), 0x65);
}

UNIT_MAIN
