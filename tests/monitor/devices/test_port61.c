/* Port 0x61 in the two ways guests measure time with it. */
#include "monitor/devices/port61.h"
#include "tests/unit.h"

static struct i8254 timer;
static struct port61 port61;

static uint8_t in(uint64_t tick)
{
	return (uint8_t)port61_read(&port61, i8254_time_of(tick), PORT61, 1);
}

static void out(uint64_t tick, uint8_t value)
{
	port61_write(&port61, i8254_time_of(tick), PORT61, 1, value);
}

static void set_up(void)
{
	memset(&timer, 0, sizeof(timer));
	port61.timer = &timer;
	i8254_reset(&timer, 0);
	port61_reset(&port61, 0);
}

TEST(port61_keeps_the_four_bits_that_can_be_written)
{
	set_up();
	CHECK_EQ(in(0), 0x00);
	out(0, 0xFF);
	CHECK_EQ(in(0), 0x0F);
	out(0, 0x02);
	CHECK_EQ(in(0), 0x02);
}

TEST(port61_the_refresh_bit_changes_every_18_ticks)
{
	set_up();
	for (uint64_t tick = 0; tick < 1000; tick++)
		CHECK_EQ(in(tick)&0x10, tick / 18 % 2 ? 0x10 : 0);
}

TEST(port61_gates_counter_2_and_shows_its_output)
{
	set_up();
	/* As Linux calibrates: speaker off, gate on, mode 0, wait for the output. */
	out(0, 0x01);
	i8254_write(&timer, 0, 0x43, 1, 0xB0);
	i8254_write(&timer, 0, 0x42, 1, 0x00);
	i8254_write(&timer, 0, 0x42, 1, 0x10);
	CHECK_EQ(in(0x1000) & 0x21, 0x01);
	CHECK_EQ(in(0x1001) & 0x21, 0x21);
	i8254_write(&timer, i8254_time_of(0x2000), 0x42, 1, 0x00);
	i8254_write(&timer, i8254_time_of(0x2000), 0x42, 1, 0x10);
	out(0x2001, 0x00);
	CHECK_EQ(in(0x4000) & 0x20, 0);
	out(0x4000, 0x01);
	CHECK_EQ(in(0x4FFF) & 0x20, 0);
	CHECK_EQ(in(0x5000) & 0x20, 0x20);
}

UNIT_MAIN
