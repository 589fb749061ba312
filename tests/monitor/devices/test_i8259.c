/* The interrupt controllers, mode by mode, and against a slow reference written from the priority
 * rules. */
#include "monitor/devices/i8259.h"
#include "tests/unit.h"

enum { MASTER = 0x20, SLAVE = 0xA0, EOI = 0x20, READ_IRR = 0x0A, READ_ISR = 0x0B };

static struct i8259_pair pic;
static unsigned rises, falls;

static void processor(void *owner, unsigned input, bool level)
{
	CHECK(owner == &pic);
	CHECK_EQ(input, 99);
	if (level)
		rises++;
	else
		falls++;
}

static void out(uint16_t port, uint8_t value)
{
	i8259_write(&pic, 0, port, 1, value);
}

static uint8_t in(uint16_t port)
{
	return (uint8_t)i8259_read(&pic, 0, port, 1);
}

static uint8_t irr(uint16_t chip)
{
	out(chip, READ_IRR);
	return in(chip);
}

static uint8_t isr(uint16_t chip)
{
	out(chip, READ_ISR);
	return in(chip);
}

static void initialise(uint16_t chip, uint8_t icw1, uint8_t icw2, uint8_t icw3, uint8_t icw4)
{
	out(chip, icw1);
	out(chip + 1, icw2);
	if (!(icw1 & 2))
		out(chip + 1, icw3);
	if (icw1 & 1)
		out(chip + 1, icw4);
}

static void power_on(void)
{
	memset(&pic, 0, sizeof(pic));
	pic.processor = (struct line){processor, &pic, 99};
	i8259_reset(&pic);
	rises = falls = 0;
}

/* As PC firmware and kernels do: vectors 0x20 and 0x28, slave on input 2. */
static void set_up(void)
{
	power_on();
	initialise(MASTER, 0x11, 0x20, 0x04, 0x01);
	initialise(SLAVE, 0x11, 0x28, 0x02, 0x01);
}

static void pulse(unsigned input)
{
	i8259_set_line(&pic, input, false);
	i8259_set_line(&pic, input, true);
}

TEST(i8259_is_deaf_until_initialised)
{
	power_on();
	pulse(0);
	CHECK(!pic.output);
	out(MASTER, 0x11);
	pulse(0);
	out(MASTER + 1, 0x20);
	out(MASTER + 1, 0x04);
	CHECK(!pic.output);
	out(MASTER + 1, 0x01);
	CHECK(pic.output);
	CHECK_EQ(i8259_acknowledge(&pic), 0x20);
}

TEST(i8259_serves_the_highest_and_holds_back_lower)
{
	set_up();
	pulse(4);
	pulse(1);
	CHECK_EQ(irr(MASTER), 0x12);
	CHECK_EQ(i8259_acknowledge(&pic), 0x21);
	CHECK_EQ(isr(MASTER), 0x02);
	CHECK_EQ(irr(MASTER), 0x10);
	CHECK(!pic.output);
	pulse(0);
	CHECK(pic.output);
	CHECK_EQ(i8259_acknowledge(&pic), 0x20);
	out(MASTER, EOI);
	CHECK_EQ(isr(MASTER), 0x02);
	CHECK(!pic.output);
	out(MASTER, EOI);
	CHECK_EQ(i8259_acknowledge(&pic), 0x24);
	CHECK_EQ(rises, 3);
	CHECK_EQ(falls, 3);
}

TEST(i8259_an_edge_counts_once_and_only_while_the_line_is_high)
{
	set_up();
	pulse(3);
	CHECK_EQ(i8259_acknowledge(&pic), 0x23);
	out(MASTER, EOI);
	CHECK(!pic.output);
	i8259_set_line(&pic, 3, true);
	CHECK(!pic.output);
	pulse(3);
	CHECK(pic.output);
	i8259_set_line(&pic, 3, false);
	CHECK(!pic.output);
	CHECK_EQ(irr(MASTER), 0);
}

TEST(i8259_icw1_resets_the_edge_sense_and_the_mask)
{
	set_up();
	out(MASTER + 1, 0xF0);
	pulse(6);
	out(MASTER, READ_ISR);
	initialise(MASTER, 0x11, 0x20, 0x04, 0x01);
	CHECK_EQ(in(MASTER + 1), 0);
	CHECK_EQ(in(MASTER), 0);
	CHECK(!pic.output);
	pulse(6);
	CHECK_EQ(in(MASTER), 0x40);
}

TEST(i8259_a_level_input_asks_as_long_as_it_is_high)
{
	set_up();
	out(0x4D0, 0xFF);
	out(0x4D1, 0xFF);
	CHECK_EQ(in(0x4D0), 0xF8);
	CHECK_EQ(in(0x4D1), 0xDE);
	pulse(5);
	CHECK_EQ(i8259_acknowledge(&pic), 0x25);
	CHECK_EQ(irr(MASTER), 0x20);
	CHECK(!pic.output);
	out(MASTER, EOI);
	CHECK_EQ(i8259_acknowledge(&pic), 0x25);
	i8259_set_line(&pic, 5, false);
	out(MASTER, EOI);
	CHECK(!pic.output);
}

TEST(i8259_icw1_can_make_all_inputs_level_triggered)
{
	power_on();
	i8259_set_line(&pic, 1, true);
	initialise(MASTER, 0x19, 0x20, 0x04, 0x01);
	CHECK_EQ(i8259_acknowledge(&pic), 0x21);
	out(MASTER, EOI);
	CHECK(pic.output);
}

TEST(i8259_the_mask_holds_a_request_but_does_not_lose_it)
{
	set_up();
	out(MASTER + 1, 0x08);
	CHECK_EQ(in(MASTER + 1), 0x08);
	pulse(3);
	CHECK(!pic.output);
	CHECK_EQ(irr(MASTER), 0x08);
	out(MASTER + 1, 0x00);
	CHECK_EQ(i8259_acknowledge(&pic), 0x23);
}

TEST(i8259_spurious_requests_are_seven_and_fifteen_and_not_in_service)
{
	set_up();
	pulse(3);
	i8259_set_line(&pic, 3, false);
	CHECK_EQ(i8259_acknowledge(&pic), 0x27);
	CHECK_EQ(isr(MASTER), 0);

	/* The slave's request goes away after the master has taken it: only the master is in
	 * service. */
	out(0x4D1, 0x02);
	out(MASTER, 0x68);
	pulse(9);
	out(SLAVE + 1, 0x02);
	CHECK_EQ(i8259_acknowledge(&pic), 0x27);
	out(SLAVE + 1, 0x00);
	CHECK_EQ(i8259_acknowledge(&pic), 0x29);
	CHECK_EQ(pic.spurious, 2);
	CHECK_EQ(pic.acknowledged, 3);
}

TEST(i8259_a_slave_with_nothing_to_say_answers_fifteen)
{
	power_on();
	/* Level-triggered master: a request of the slave's that is polled away leaves nothing
	 * behind. */
	initialise(MASTER, 0x11, 0x20, 0x06, 0x01);
	initialise(SLAVE, 0x11, 0x28, 0x01, 0x01);
	pulse(1);
	CHECK_EQ(i8259_acknowledge(&pic), 0x2F);
	CHECK_EQ(isr(MASTER), 0x02);
	CHECK_EQ(isr(SLAVE), 0);
	CHECK_EQ(pic.spurious, 1);
}

TEST(i8259_the_slave_goes_through_input_two)
{
	set_up();
	pulse(12);
	CHECK_EQ(irr(MASTER), 0x04);
	CHECK_EQ(i8259_acknowledge(&pic), 0x2C);
	CHECK_EQ(isr(MASTER), 0x04);
	CHECK_EQ(isr(SLAVE), 0x10);
	pulse(8);
	CHECK(!pic.output);
	out(SLAVE, EOI);
	out(MASTER, EOI);
	CHECK_EQ(i8259_acknowledge(&pic), 0x28);
	i8259_set_line(&pic, 2, true);
	CHECK_EQ(irr(MASTER), 0);
}

TEST(i8259_special_fully_nested_lets_the_slave_ask_again)
{
	power_on();
	initialise(MASTER, 0x11, 0x20, 0x04, 0x11);
	initialise(SLAVE, 0x11, 0x28, 0x02, 0x01);
	pulse(12);
	pulse(3);
	CHECK_EQ(i8259_acknowledge(&pic), 0x2C);
	CHECK(!pic.output);
	pulse(8);
	CHECK(pic.output);
	CHECK_EQ(i8259_acknowledge(&pic), 0x28);
	CHECK(!pic.output);
	CHECK_EQ(isr(SLAVE), 0x11);
	pulse(0);
	CHECK_EQ(i8259_acknowledge(&pic), 0x20);
}

TEST(i8259_nobody_answers_for_a_slave_that_is_elsewhere)
{
	power_on();
	initialise(MASTER, 0x11, 0x20, 0x04, 0x01);
	initialise(SLAVE, 0x11, 0x28, 0x05, 0x01);
	pulse(8);
	CHECK_EQ(i8259_acknowledge(&pic), 0xFF);
	/* A master that knows of no slave answers itself. */
	initialise(MASTER, 0x13, 0x20, 0, 0x01);
	pulse(9);
	out(SLAVE, 0x60);
	CHECK_EQ(isr(SLAVE), 0);
	i8259_set_line(&pic, 8, false);
	i8259_set_line(&pic, 9, false);
	pulse(8);
	CHECK_EQ(i8259_acknowledge(&pic), 0x22);
}

TEST(i8259_automatic_end_and_its_rotation)
{
	power_on();
	initialise(MASTER, 0x13, 0x20, 0, 0x03);
	pulse(4);
	pulse(5);
	CHECK_EQ(i8259_acknowledge(&pic), 0x24);
	CHECK_EQ(isr(MASTER), 0);
	CHECK_EQ(i8259_acknowledge(&pic), 0x25);
	out(MASTER, 0x80);
	pulse(0);
	CHECK_EQ(i8259_acknowledge(&pic), 0x20);
	pulse(0);
	pulse(7);
	CHECK_EQ(i8259_acknowledge(&pic), 0x27);
	out(MASTER, 0x00);
	CHECK_EQ(i8259_acknowledge(&pic), 0x20);
	pulse(0);
	pulse(7);
	CHECK_EQ(i8259_acknowledge(&pic), 0x20);
}

TEST(i8259_ends_and_rotations_by_command)
{
	set_up();
	pulse(6);
	i8259_acknowledge(&pic);
	pulse(3);
	i8259_acknowledge(&pic);
	CHECK_EQ(isr(MASTER), 0x48);
	out(MASTER, 0x66);
	CHECK_EQ(isr(MASTER), 0x08);
	out(MASTER, 0xA0);
	CHECK_EQ(isr(MASTER), 0);
	/* Three is the lowest now, four the highest. */
	pulse(3);
	pulse(2);
	pulse(4);
	CHECK_EQ(i8259_acknowledge(&pic), 0x24);
	out(MASTER, 0xE4);
	out(MASTER, 0xC1);
	/* One is the lowest; two is cascade and IR2 is not driven from outside. */
	CHECK_EQ(i8259_acknowledge(&pic), 0x23);
	out(MASTER, 0x40);
	out(MASTER, EOI);
	out(MASTER, EOI);
	pulse(1);
	pulse(0);
	CHECK_EQ(i8259_acknowledge(&pic), 0x20);
}

TEST(i8259_special_mask_mode_lets_lower_ones_through)
{
	set_up();
	pulse(3);
	i8259_acknowledge(&pic);
	pulse(5);
	CHECK(!pic.output);
	out(MASTER + 1, 0x08);
	CHECK(!pic.output);
	out(MASTER, 0x68);
	CHECK(pic.output);
	CHECK_EQ(i8259_acknowledge(&pic), 0x25);
	/* The masked one in service is invisible to the unspecific end. */
	out(MASTER, EOI);
	CHECK_EQ(isr(MASTER), 0x08);
	out(MASTER, EOI);
	CHECK_EQ(isr(MASTER), 0x08);
	out(MASTER, 0x08);
	CHECK_EQ(isr(MASTER), 0x08);
	pulse(5);
	CHECK(pic.output);
	out(MASTER, 0x48);
	CHECK(!pic.output);
	out(MASTER, EOI);
	CHECK_EQ(isr(MASTER), 0);
}

TEST(i8259_polling_takes_the_place_of_the_acknowledge)
{
	set_up();
	out(MASTER, 0x0C);
	CHECK_EQ(in(MASTER), 0);
	pulse(6);
	pulse(4);
	out(MASTER, 0x0C);
	CHECK_EQ(in(MASTER), 0x84);
	CHECK(!pic.output);
	CHECK_EQ(isr(MASTER), 0x10);
	out(MASTER, EOI);
	out(MASTER, 0x0C);
	CHECK_EQ(in(MASTER + 1), 0x86);
	CHECK_EQ(in(MASTER + 1), 0);
	out(MASTER, 0x0E);
	CHECK_EQ(in(MASTER), 0);
	CHECK_EQ(in(MASTER), 0);
	pulse(10);
	out(SLAVE, 0x0C);
	CHECK_EQ(in(SLAVE), 0x82);
	CHECK(!pic.output);
}

TEST(i8259_vectors_in_the_mode_for_the_8080)
{
	power_on();
	initialise(MASTER, 0x13 | 0xA4, 0x20, 0, 0);
	pulse(3);
	CHECK_EQ(i8259_acknowledge(&pic), 0xAC);
	initialise(MASTER, 0x12 | 0xE0, 0x20, 0, 0);
	pulse(3);
	CHECK_EQ(i8259_acknowledge(&pic), 0xD8);
}

TEST(i8259_a_request_behind_another_in_an_auto_end_slave_is_a_new_edge)
{
	power_on();
	initialise(MASTER, 0x11, 0x20, 0x04, 0x01);
	initialise(SLAVE, 0x11, 0x28, 0x02, 0x03);
	pulse(8);
	pulse(9);
	CHECK_EQ(i8259_acknowledge(&pic), 0x28);
	out(MASTER, EOI);
	CHECK_EQ(i8259_acknowledge(&pic), 0x29);
}

UNIT_MAIN
