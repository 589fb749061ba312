#include "tests/unit.h"

#include "monitor/devices/port92.h"

static struct port92 port92;
static unsigned resets;

static void see_reset(void *owner, unsigned input, bool level)
{
	CHECK(owner == &port92);
	CHECK_EQ(input, 0);
	resets += level;
}

static void out(uint8_t value)
{
	port92_write(&port92, 0, PORT92, 1, value);
}

TEST(port92_keeps_the_gate_and_resets_on_the_edge)
{
	port92 = (struct port92){.reset = {see_reset, &port92, 0}};
	resets = 0;
	port92_reset(&port92);
	CHECK_EQ(port92_read(&port92, 0, PORT92, 1), 0x02);
	out(0xFC);
	CHECK_EQ(port92_read(&port92, 0, PORT92, 1), 0x00);
	CHECK_EQ(resets, 0);
	out(0x03);
	CHECK_EQ(resets, 1);
	out(0x03);
	CHECK_EQ(resets, 1);
	out(0x02);
	out(0x03);
	CHECK_EQ(resets, 2);
}

UNIT_MAIN
