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

TEST(other_chips_pull_the_reset_line)
{
	power_reset(&power);
	power_pull_reset(&power, 0, false);
	CHECK(!power.reset_requested);
	power_pull_reset(&power, 0, true);
	CHECK(power.reset_requested);
}

TEST(the_first_request_counts)
{
	power_reset(&power);
	power_pull_reset(&power, 0, true);
	out(POWER_CONTROL_PORT, 2, 0x2000);
	CHECK(power.reset_requested && !power.off_requested);
}

UNIT_MAIN
