/* The I/O APIC: its registers, edges, levels and where they go. */
#include "monitor/devices/io_apic.h"
#include "tests/unit.h"

static struct io_apic apic;
static char sent[256];
static bool refuses;

static bool see(void *owner, const struct local_apic_message *message)
{
	size_t length = strlen(sent);

	(void)owner;
	snprintf(sent + length, sizeof(sent) - length, "%02x.%u>%02x%s%s ", message->vector,
	         message->mode, message->destination, message->is_logical ? "l" : "",
	         message->is_level ? "=" : "^");
	return !refuses;
}

static void put(uint8_t number, uint32_t value)
{
	io_apic_write(&apic, 0, 0x00, 4, number);
	io_apic_write(&apic, 0, 0x10, 4, value);
}

static uint32_t get(uint8_t number)
{
	io_apic_write(&apic, 0, 0x00, 1, number);
	return io_apic_read(&apic, 0, 0x10, 4);
}

static void set_entry(unsigned pin, uint32_t low, uint32_t high)
{
	put((uint8_t)(0x11 + 2 * pin), high);
	put((uint8_t)(0x10 + 2 * pin), low);
}

static void set_up(void)
{
	memset(&apic, 0, sizeof(apic));
	apic.send = see;
	sent[0] = 0;
	refuses = false;
	io_apic_reset(&apic);
}

TEST(registers)
{
	set_up();
	CHECK_EQ(get(1), 0x170011);
	CHECK_EQ(get(0), 0);
	put(0, 0x0F000000);
	CHECK_EQ(get(0), 0x0F000000);
	CHECK_EQ(get(2), 0x0F000000);
	for (unsigned pin = 0; pin < 24; pin++) {
		CHECK_EQ(get((uint8_t)(0x10 + 2 * pin)), 0x10000);
		CHECK_EQ(get((uint8_t)(0x11 + 2 * pin)), 0);
	}
	put(0x3E, 0xFFFFFFFF);
	put(0x3F, 0xFFFFFFFF);
	CHECK_EQ(get(0x3E), 0x1AFFF);
	CHECK_EQ(get(0x3F), 0xFF000000);
	put(0x40, 0xFFFFFFFF);
	CHECK_EQ(get(0x40), 0);
	put(1, 0);
	CHECK_EQ(get(1), 0x170011);
	CHECK_EQ(io_apic_read(&apic, 0, 0x12, 2), 0x17);
	CHECK_EQ(io_apic_read(&apic, 0, 0x00, 4), 1);
	CHECK_EQ(io_apic_read(&apic, 0, 0x20, 4), 0);
	CHECK_STR(sent, "");
}

TEST(an_edge_sends_once_and_never_while_masked)
{
	set_up();
	set_entry(4, 0x34, 0);
	io_apic_set_line(&apic, 4, true);
	io_apic_set_line(&apic, 4, true);
	CHECK_STR(sent, "34.0>00^ ");
	io_apic_set_line(&apic, 4, false);
	io_apic_set_line(&apic, 4, true);
	CHECK_STR(sent, "34.0>00^ 34.0>00^ ");
	set_entry(4, 0x10034, 0);
	io_apic_set_line(&apic, 4, false);
	io_apic_set_line(&apic, 4, true);
	set_entry(4, 0x34, 0);
	CHECK_STR(sent, "34.0>00^ 34.0>00^ ");
}

TEST(a_level_sends_again_after_its_end)
{
	set_up();
	set_entry(9, 0x18939, 0x01000000);
	io_apic_set_line(&apic, 9, true);
	CHECK_STR(sent, "");
	set_entry(9, 0x8939, 0x01000000);
	CHECK_STR(sent, "39.1>01l= ");
	CHECK_EQ(get(0x22), 0xC939);
	io_apic_set_line(&apic, 9, false);
	io_apic_set_line(&apic, 9, true);
	CHECK_STR(sent, "39.1>01l= ");
	io_apic_end(&apic, 0x38);
	CHECK_EQ(get(0x22), 0xC939);
	io_apic_end(&apic, 0x39);
	CHECK_STR(sent, "39.1>01l= 39.1>01l= ");
	io_apic_set_line(&apic, 9, false);
	io_apic_end(&apic, 0x39);
	CHECK_EQ(get(0x22), 0x8939);
	CHECK_STR(sent, "39.1>01l= 39.1>01l= ");
}

TEST(making_it_an_edge_forgets_the_level)
{
	set_up();
	set_entry(9, 0x8039, 0);
	io_apic_set_line(&apic, 9, true);
	put(0x22, 0x10039);
	CHECK_EQ(get(0x22), 0x10039);
	put(0x22, 0x8039);
	CHECK_STR(sent, "39.0>00= 39.0>00= ");
}

TEST(a_level_that_nobody_took_is_not_awaited)
{
	set_up();
	refuses = true;
	set_entry(9, 0x8039, 0x05000000);
	io_apic_set_line(&apic, 9, true);
	CHECK_EQ(get(0x22), 0x8039);
	CHECK_EQ(apic.undelivered, 1);
	refuses = false;
	put(0x23, 0);
	CHECK_STR(sent, "39.0>05= 39.0>00= ");
	CHECK_EQ(get(0x22), 0xC039);
}

UNIT_MAIN
