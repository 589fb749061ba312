#include "tests/unit.h"

#include "monitor/devices/power.h"

static struct power power;

static void out(uint16_t port, unsigned int size, uint32_t value)
{
	power_write(&power, 0, port, size, value);
}

TEST(sleep_type_0_with_enable_is_off)
{
	power_reset(&power);
	out(POWER_CONTROL_PORT, 2, 0x0000);
	CHECK(!power.off_requested);
	out(POWER_CONTROL_PORT, 2, 0x2400);
	CHECK(!power.off_requested);
	out(POWER_CONTROL_PORT, 2, 0x2000);
	CHECK(power.off_requested && !power.reset_requested);
	CHECK_EQ(power_read(&power, 0, POWER_CONTROL_PORT, 2), 1);
}

TEST(reset_control_resets_on_bit_2)
{
	power_reset(&power);
	out(POWER_RESET_PORT, 1, 0x02);
	CHECK(!power.reset_requested);
	CHECK_EQ(power_read(&power, 0, POWER_RESET_PORT, 1), 0x02);
	out(POWER_RESET_PORT, 1, 0x06);
	CHECK(power.reset_requested);
}

TEST(keyboard_controller_pulls_reset_on_fe_alone)
{
	power_reset(&power);
	CHECK_EQ(power_read(&power, 0, POWER_KEYBOARD_PORT, 1), 0);
	out(POWER_KEYBOARD_PORT, 1, 0xD1);
	CHECK(!power.reset_requested);
	out(POWER_KEYBOARD_PORT, 1, 0xFE);
	CHECK(power.reset_requested);
}

TEST(the_first_request_counts)
{
	power_reset(&power);
	out(POWER_KEYBOARD_PORT, 1, 0xFE);
	out(POWER_CONTROL_PORT, 2, 0x2000);
	CHECK(power.reset_requested && !power.off_requested);
}

UNIT_MAIN
