/* The port bus: who is asked, how wide accesses are cut, and what happens where nobody lives. */
#include "monitor/devices/bus.h"
#include "tests/unit.h"

struct probe {
	char log[256];
	uint8_t answer;
};

static uint32_t probe_read(void *chip, uint64_t now, uint16_t port, unsigned size)
{
	struct probe *probe = chip;
	size_t length = strlen(probe->log);

	snprintf(probe->log + length, sizeof(probe->log) - length, "r%x/%u@%u ", port, size,
	         (unsigned)now);
	return size == 1 ? (uint8_t)(probe->answer + port) : 0xA5A5A5A5U >> (32 - 8 * size);
}

static void probe_write(void *chip, uint64_t now, uint16_t port, unsigned size, uint32_t value)
{
	struct probe *probe = chip;
	size_t length = strlen(probe->log);

	snprintf(probe->log + length, sizeof(probe->log) - length, "w%x/%u=%x@%u ", port, size,
	         (unsigned)value, (unsigned)now);
}

static struct bus_range probe_range(struct probe *probe, uint16_t first, uint16_t last,
                                    uint8_t widest)
{
	return (struct bus_range){.first = first,
	                          .last = last,
	                          .widest = widest,
	                          .name = "probe",
	                          .read = probe_read,
	                          .write = probe_write,
	                          .chip = probe};
}

static bool steady;

static bool probe_steady(void *chip, uint64_t now, uint16_t port)
{
	(void)chip, (void)now;
	return steady && port == 0x61;
}

static char unknown_log[256];

static void unknown_port(void *owner, const struct bus_unknown *access)
{
	size_t length = strlen(unknown_log);

	CHECK(owner == unknown_log);
	snprintf(unknown_log + length, sizeof(unknown_log) - length, "%c%x/%u=%x ",
	         access->write ? 'w' : 'r', access->port, access->size, access->value);
}

static struct bus bus;
static struct probe eight, wide;

static void set_up(void)
{
	unknown_log[0] = eight.log[0] = wide.log[0] = 0;
	eight.answer = 0x10;
	bus.report = unknown_port;
	bus.owner = unknown_log;
	bus_reset(&bus);
	CHECK(bus_attach(&bus, &(struct bus_range){.first = 1, .last = 0}) == false);
	struct bus_range range = probe_range(&wide, 0xCF8, 0xCFF, 4);
	CHECK(bus_attach(&bus, &range));
	range = probe_range(&eight, 0x40, 0x43, 1);
	CHECK(bus_attach(&bus, &range));
}

TEST(bus_a_byte_reaches_its_chip_and_is_counted)
{
	set_up();
	CHECK_EQ(bus_read(&bus, 7, 0x43, 1), 0x53);
	bus_write(&bus, 8, 0x40, 1, 0x1FF);
	CHECK_STR(eight.log, "r43/1@7 w40/1=ff@8 ");
	CHECK_EQ(bus.ranges[0].reads, 1);
	CHECK_EQ(bus.ranges[0].writes, 1);
	CHECK_EQ(bus.unknown_reads + bus.unknown_writes, 0);
}

TEST(bus_a_wide_access_to_an_8_bit_chip_is_cut_into_bytes)
{
	set_up();
	CHECK_EQ(bus_read(&bus, 1, 0x40, 4), 0x53525150);
	bus_write(&bus, 2, 0x41, 2, 0xBEEF);
	CHECK_STR(eight.log, "r40/1@1 r41/1@1 r42/1@1 r43/1@1 w41/1=ef@2 w42/1=be@2 ");
}

TEST(bus_a_wide_chip_takes_aligned_accesses_whole)
{
	set_up();
	CHECK_EQ(bus_read(&bus, 0, 0xCF8, 4), 0xA5A5A5A5);
	CHECK_EQ(bus_read(&bus, 0, 0xCFE, 2), 0xA5A5);
	bus_write(&bus, 0, 0xCFD, 2, 0x1234);
	CHECK_STR(wide.log, "rcf8/4@0 rcfe/2@0 wcfd/1=34@0 wcfe/1=12@0 ");
}

TEST(bus_an_access_that_reaches_past_a_chip_is_answered_in_parts)
{
	set_up();
	CHECK_EQ(bus_read(&bus, 0, 0x42, 4), 0xFFFF5352);
	CHECK_EQ(bus_read(&bus, 0, 0x3F, 2), 0x50FF);
	CHECK_STR(unknown_log, "r44/2=0 r3f/1=0 ");
}

TEST(bus_unknown_ports_read_all_ones_and_are_reported_once)
{
	set_up();
	CHECK_EQ(bus_read(&bus, 0, 0x80, 1), 0xFF);
	CHECK_EQ(bus_read(&bus, 0, 0x80, 2), 0xFFFF);
	CHECK_EQ(bus_read(&bus, 0, 0x80, 4), 0xFFFFFFFF);
	bus_write(&bus, 0, 0x81, 1, 0x77);
	bus_write(&bus, 0, 0x81, 1, 0x78);
	CHECK_EQ(bus.unknown_reads, 3);
	CHECK_EQ(bus.unknown_writes, 2);
	CHECK_STR(unknown_log, "r80/1=0 w81/1=77 ");
}

TEST(bus_tells_what_stirs_a_chip)
{
	struct bus_range quiet = probe_range(&eight, 0x300, 0x301, 1);

	set_up();
	quiet.reads_quietly = true;
	CHECK(bus_attach(&bus, &quiet));
	bus.stirred = 0;
	bus_read(&bus, 0, 0x300, 2);
	bus_read(&bus, 0, 0x80, 4);
	bus_write(&bus, 0, 0x80, 4, 0);
	CHECK_EQ(bus.stirred, 0);
	bus_write(&bus, 0, 0x300, 1, 0);
	CHECK_EQ(bus.stirred, 1);
	bus_detach(&bus, 0x300);
	quiet.reads_quietly = false;
	CHECK(bus_attach(&bus, &quiet));
	bus_read(&bus, 0, 0x300, 1);
	CHECK_EQ(bus.stirred, 2);
	bus_detach(&bus, 0x300);
}

TEST(bus_the_last_port_does_not_wrap_to_the_first)
{
	set_up();
	struct bus_range range = probe_range(&eight, 0, 0, 1);
	CHECK(bus_attach(&bus, &range));
	range = probe_range(&eight, 0xFFFF, 0xFFFF, 1);
	CHECK(bus_attach(&bus, &range));
	CHECK_EQ(bus_read(&bus, 0, 0xFFFF, 4), 0xFFFFFF0F);
	CHECK_STR(eight.log, "rffff/1@0 ");
	CHECK_STR(unknown_log, "r10000/1=0 r10001/2=0 ");
}

TEST(bus_refuses_overlaps_and_a_range_too_many)
{
	set_up();
	struct bus_range range = probe_range(&eight, 0x43, 0x50, 1);
	CHECK(!bus_attach(&bus, &range));
	range = probe_range(&eight, 0x30, 0x40, 1);
	CHECK(!bus_attach(&bus, &range));
	range = probe_range(&eight, 0x40, 0x41, 1);
	CHECK(!bus_attach(&bus, &range));
	range = probe_range(&eight, 0x42, 0x43, 1);
	CHECK(!bus_attach(&bus, &range));
	for (uint16_t port = 0x100; bus.range_count < BUS_RANGES; port += 2) {
		range = probe_range(&eight, port, port, 1);
		CHECK(bus_attach(&bus, &range));
	}
	range = probe_range(&eight, 0x3000, 0x3000, 1);
	CHECK(!bus_attach(&bus, &range));
}

TEST(bus_ranges_are_found_in_whatever_order_they_came)
{
	static const uint16_t order[] = {5, 1, 9, 3, 7, 0, 8};

	set_up();
	for (unsigned i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
		uint16_t port = (uint16_t)(0x200 + 4 * order[i]);
		struct bus_range range = probe_range(&eight, port, (uint16_t)(port + 1), 1);
		CHECK(bus_attach(&bus, &range));
	}
	for (unsigned i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
		uint16_t port = (uint16_t)(0x200 + 4 * order[i]);
		CHECK_EQ(bus_read(&bus, 0, port, 1), (uint8_t)(0x10 + port));
		CHECK_EQ(bus_read(&bus, 0, (uint16_t)(port + 1), 1), (uint8_t)(0x11 + port));
		CHECK_EQ(bus_read(&bus, 0, (uint16_t)(port + 2), 1), 0xFF);
	}
}

TEST(bus_wiring_a_range_anew_keeps_its_counters)
{
	struct probe other = {.answer = 0x90};

	set_up();
	bus_read(&bus, 0, 0x40, 1);
	struct bus_range range = probe_range(&other, 0x40, 0x43, 1);
	CHECK(bus_attach(&bus, &range));
	CHECK_EQ(bus_read(&bus, 0, 0x40, 1), 0xD0);
	CHECK_EQ(bus.ranges[0].reads, 2);
	CHECK_EQ(bus.range_count, 2);
}

TEST(bus_a_range_that_is_taken_off_is_nobodys)
{
	struct bus_range low = probe_range(&eight, 0x10, 0x13, 1);
	struct bus_range high = probe_range(&wide, 0x20, 0x23, 4);

	set_up();
	bus_reset(&bus);
	CHECK(bus_attach(&bus, &low));
	CHECK(bus_attach(&bus, &high));
	bus_detach(&bus, 0x11);
	bus_detach(&bus, 0x30);
	CHECK_EQ(bus.range_count, 2);
	bus_detach(&bus, 0x10);
	CHECK_EQ(bus_read(&bus, 0, 0x10, 1), 0xFF);
	CHECK_STR(unknown_log, "r10/1=0 ");
	CHECK_EQ(bus_read(&bus, 0, 0x20, 4), 0xA5A5A5A5);
	CHECK(bus_attach(&bus, &low));
}

static uint32_t memory_read(void *chip, uint64_t now, uint32_t offset, unsigned size)
{
	return probe_read(chip, now, (uint16_t)offset, size);
}

static void memory_write(void *chip, uint64_t now, uint32_t offset, unsigned size, uint32_t value)
{
	probe_write(chip, now, (uint16_t)offset, size, value);
}

TEST(bus_memory_is_cut_as_ports_are_and_has_its_own_numbers)
{
	struct bus_memory_range range = {.first = 0xFEE00000,
	                                 .last = 0xFEE00FFF,
	                                 .widest = 4,
	                                 .read = memory_read,
	                                 .write = memory_write,
	                                 .chip = &wide};
	uint32_t value = 0;

	set_up();
	bus_reset(&bus);
	CHECK(bus_attach_memory(&bus, &range));
	CHECK(bus_read_memory(&bus, 5, 0xFEE00010, 4, &value));
	CHECK_EQ(value, 0xA5A5A5A5);
	CHECK(bus_write_memory(&bus, 6, 0xFEE00021, 2, 0x1234));
	CHECK_STR(wide.log, "r10/4@5 w21/1=34@6 w22/1=12@6 ");
	wide.log[0] = 0;
	CHECK(bus_read_memory(&bus, 5, 0xFEE00FFE, 4, &value));
	CHECK_EQ(value, 0xFFFFA5A5);
	CHECK_STR(wide.log, "rffe/2@5 ");
	CHECK(!bus_read_memory(&bus, 0, 0xFEE01000, 4, &value));
	CHECK_EQ(value, UINT32_MAX);
	CHECK(!bus_write_memory(&bus, 0, 0x1FEE00000ull, 4, 0));
	CHECK_STR(unknown_log, "");
	range.last++;
	CHECK(!bus_attach_memory(&bus, &range));
}

TEST(bus_remembers_an_answer_until_somebody_comes_near_the_chip)
{
	struct bus_range range = probe_range(&eight, 0x60, 0x67, 1);
	struct bus_range other = probe_range(&wide, 0x70, 0x71, 1);
	uint32_t number;

	set_up();
	bus_reset(&bus);
	range.steady = probe_steady;
	CHECK(bus_attach(&bus, &range) && bus_attach(&bus, &other));
	steady = true;
	CHECK(!bus.answer.holds);
	CHECK_EQ(bus_read(&bus, 5, 0x61, 1), 0x71u);
	CHECK(bus.answer.holds);
	CHECK_EQ(bus.answer.port, 0x61u);
	CHECK_EQ(bus.answer.value, 0x71u);

	/* A write to the chip asks it again; */
	number = bus.answer.number;
	eight.answer = 0x30;
	bus_write(&bus, 6, 0x60, 1, 0);
	CHECK(bus.answer.holds);
	CHECK_EQ(bus.answer.value, 0x91u);
	CHECK(bus.answer.number != number);

	/* one to another chip, or a read that may change something, ends it. */
	bus_write(&bus, 7, 0x70, 1, 0);
	CHECK(!bus.answer.holds);
	bus_read(&bus, 8, 0x61, 1);
	CHECK(bus.answer.holds);
	bus_read(&bus, 8, 0x62, 1);
	CHECK(!bus.answer.holds);
	bus_read(&bus, 8, 0x61, 1);
	steady = false;
	bus_write(&bus, 9, 0x60, 1, 0);
	CHECK(!bus.answer.holds);
	steady = true;
	bus_read(&bus, 9, 0x61, 1);
	bus_forget_answer(&bus);
	CHECK(!bus.answer.holds);
	bus_read(&bus, 9, 0x60, 2);
	CHECK(bus.answer.holds);
}

UNIT_MAIN
