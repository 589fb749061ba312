/* The board: the chips as a guest meets them, through ports, interrupts and time. */
#include "monitor/devices/pc.h"
#include "monitor/devices/virtual_time.h"
#include "tests/unit.h"

struct outside {
	bool interrupt;
	char com1[64], debug[64];
	unsigned unknown;
};

static struct pc pc;
static struct outside seen;

static void see_interrupt(void *owner, unsigned input, bool level)
{
	((struct outside *)owner)->interrupt = level;
	CHECK_EQ(input, 0);
}

static void see_com1(void *owner, uint8_t byte)
{
	char *text = ((struct outside *)owner)->com1;
	size_t length = strlen(text);

	text[length] = (char)byte;
	text[length + 1] = 0;
}

static void see_debug(void *owner, const char *line, unsigned length)
{
	char *text = ((struct outside *)owner)->debug;

	snprintf(text, 64, "%.*s", (int)length, line);
}

static void see_unknown(void *owner, const struct bus_unknown *access)
{
	((struct outside *)owner)->unknown += access->port;
}

static uint8_t disk[4 * ATA_SECTOR], memory[0x2000];

static void read_memory(void *owner, uint32_t address, void *to, uint32_t size)
{
	(void)owner;
	memcpy(to, memory + address, size);
}

static void write_memory(void *owner, uint32_t address, const void *from, uint32_t size)
{
	(void)owner;
	memcpy(memory + address, from, size);
}

static void wire(struct pc *board, struct outside *outside)
{
	struct pc_outside connections = {.processor = {see_interrupt, outside, 0},
	                                 .com1_transmit = see_com1,
	                                 .debug_line = see_debug,
	                                 .unknown_port = see_unknown,
	                                 .read_memory = read_memory,
	                                 .write_memory = write_memory,
	                                 .owner = outside,
	                                 .disk = disk,
	                                 .disk_sectors = 4};

	pc_wire(board, &connections);
}

static void set_up(void)
{
	memset(&pc, 0, sizeof(pc));
	memset(&seen, 0, sizeof(seen));
	wire(&pc, &seen);
	pc_reset(&pc, 0);
	local_apic_start(&pc.local_apic);
}

static void out(uint16_t port, uint8_t value)
{
	pc_write(&pc, 0, port, 1, value);
}

/* A kernel's usual start: vectors from 0x20, everything open, counter 0 at 1000 ticks. */
static void set_up_kernel(void)
{
	static const uint8_t ports[] = {0x20, 0x21, 0x21, 0x21, 0xA0, 0xA1,
	                                0xA1, 0xA1, 0x43, 0x40, 0x40};
	static const uint8_t values[] = {0x11, 0x20, 4, 1, 0x11, 0x28, 2, 1, 0x34, 0xE8, 3};

	set_up();
	for (unsigned i = 0; i < sizeof(ports); i++)
		out(ports[i], values[i]);
}

TEST(pc_every_chip_answers_at_its_ports)
{
	set_up();
	CHECK_EQ(pc_read(&pc, 0, 0xE9, 1), 0xE9);
	CHECK_EQ(pc_read(&pc, 0, 0x3FD, 1), 0x60);
	out(0x3FB, 0x03);
	out(0x3F8, 'A');
	CHECK_STR(seen.com1, "A");
	out(0xE9, 'B');
	out(0xE9, '\n');
	CHECK_STR(seen.debug, "B");
	pc_write(&pc, 0, 0xF4, 4, 0x21);
	CHECK_EQ(pc.debug_exit.status, 0x43);
	out(0x4D0, 0x20);
	CHECK_EQ(pc_read(&pc, 0, 0x4D0, 2), 0x20);
	CHECK_EQ(pc_read(&pc, 0, 0x20, 4), 0xFFFF0000);
	CHECK_EQ(seen.unknown, 0x22);
	out(0x61, 1);
	CHECK_EQ(pc_read(&pc, 0, 0x61, 1), 0x01);
	CHECK(pc.timer.channel[2].gate);
}

TEST(pc_the_timer_interrupts_when_it_is_due)
{
	uint8_t vector = 0;

	set_up_kernel();
	/* From the control word on the output is high: that edge is the first request. */
	CHECK(pc_acknowledge(&pc, 0, &vector));
	CHECK_EQ(vector, 0x20);
	out(0x20, 0x20);
	for (uint64_t i = 1; i <= 50; i++) {
		uint64_t due = pc_next_due(&pc);
		CHECK_EQ(due, i8254_time_of(1 + 1000 * i));
		pc_advance(&pc, due - 1);
		CHECK(!seen.interrupt);
		pc_advance(&pc, due);
		CHECK(seen.interrupt);
		CHECK(pc_acknowledge(&pc, due, &vector));
		CHECK_EQ(vector, 0x20);
		CHECK(!pc_acknowledge(&pc, due, &vector));
		pc_write(&pc, due, 0x20, 1, 0x20);
	}
}

TEST(pc_the_request_register_shows_the_present)
{
	uint8_t vector;

	set_up_kernel();
	CHECK(pc_acknowledge(&pc, 0, &vector));
	CHECK_EQ(pc_read(&pc, i8254_time_of(500), 0x20, 1), 0);
	CHECK_EQ(pc_read(&pc, i8254_time_of(1001), 0x20, 1), 1);
}

TEST(pc_com1_interrupts_on_line_four)
{
	uint8_t vector = 0;

	set_up_kernel();
	CHECK(pc_acknowledge(&pc, 0, &vector));
	out(0x20, 0x20);
	out(0x3FB, 3);
	out(0x3FC, 8);
	out(0x3FA, 0xC1);
	out(0x3F9, 1);
	CHECK(ns16550_receive(&pc.com1, 0, 'x', 0));
	CHECK(!seen.interrupt);
	uint64_t due = 4 * 1041666;
	CHECK_EQ(pc_next_due(&pc), i8254_time_of(1001));
	out(0x21, 0xEF);
	pc_advance(&pc, due - 1);
	CHECK(!seen.interrupt);
	pc_advance(&pc, due);
	CHECK(pc_acknowledge(&pc, due, &vector));
	CHECK_EQ(vector, 0x24);
	CHECK_EQ(pc_read(&pc, due, 0x3F8, 1), 'x');
}

TEST(pc_the_clock_interrupts_on_line_eight)
{
	uint8_t vector = 0;

	set_up_kernel();
	CHECK(pc_acknowledge(&pc, 0, &vector));
	out(0x20, 0x20);
	out(0x21, 0xFB);
	out(0x70, 0x0A);
	out(0x71, 0x26);
	out(0x70, 0x0B);
	out(0x71, 0x42);
	uint64_t due = pc_next_due(&pc);
	CHECK(due < i8254_time_of(1001) + 976563);
	pc_advance(&pc, 976563);
	CHECK(pc_acknowledge(&pc, 976563, &vector));
	CHECK_EQ(vector, 0x28);
}

TEST(pc_the_keyboard_interrupts_on_line_one)
{
	uint8_t vector = 0;

	set_up_kernel();
	i8042_start(&pc.keyboard);
	CHECK(pc_acknowledge(&pc, 0, &vector));
	out(0x20, 0x20);
	CHECK(i8042_press(&pc.keyboard, 0x1C, true));
	CHECK(pc_acknowledge(&pc, 0, &vector));
	CHECK_EQ(vector, 0x21);
	CHECK_EQ(pc_read(&pc, 0, 0x60, 1), 0x1E);
}

TEST(pc_three_chips_pull_reset)
{
	set_up();
	CHECK(!pc.power.reset_requested);
	out(0x64, 0xFE);
	CHECK(pc.power.reset_requested);
	set_up();
	out(0x92, 0x01);
	CHECK(pc.power.reset_requested);
	set_up();
	out(0xCF9, 0x06);
	CHECK(pc.power.reset_requested);
}

TEST(pc_com2_is_there_and_nobody_listens)
{
	uint8_t vector = 0;

	set_up_kernel();
	CHECK(pc_acknowledge(&pc, 0, &vector));
	out(0x20, 0x20);
	out(0x2FB, 3);
	out(0x2F8, 'A');
	CHECK_STR(seen.com1, "");
	CHECK_EQ(pc_read(&pc, 0, 0x2FD, 1), 0x60);
	CHECK_EQ(pc_read(&pc, 0, 0x2FE, 1), 0x00);
	out(0x2FC, 8);
	out(0x2F9, 2);
	CHECK(pc_acknowledge(&pc, 0, &vector));
	CHECK_EQ(vector, 0x23);
	CHECK_EQ(seen.unknown, 0);
}

TEST(pc_starts_as_firmware_leaves_it)
{
	uint8_t vector = 0;

	set_up();
	pc_start(&pc, 0, 64 << 20);
	CHECK_EQ(pc_read(&pc, 0, 0x21, 1), 0xF8);
	CHECK_EQ(pc_read(&pc, 0, 0xA1, 1), 0xFF);
	CHECK_EQ(pc_read(&pc, 0, 0x3FB, 1), 0x03);
	CHECK(pc_acknowledge(&pc, 0, &vector));
	CHECK_EQ(vector, 0x08);
	CHECK_EQ(pc_next_due(&pc), i8254_time_of(65537));
	CHECK_EQ(seen.unknown, 0);
}

TEST(pc_a_copy_goes_its_own_way)
{
	static struct pc copy;
	struct outside other = {0};
	uint8_t vector;

	set_up_kernel();
	CHECK(pc_acknowledge(&pc, 0, &vector));
	out(0x20, 0x20);
	copy = pc;
	wire(&copy, &other);
	uint64_t due = pc_next_due(&pc);
	CHECK_EQ(pc_next_due(&copy), due);
	pc_advance(&copy, due);
	CHECK(other.interrupt);
	CHECK(!seen.interrupt);
	pc_write(&copy, due, 0x3FB, 1, 3);
	pc_write(&copy, due, 0x3F8, 1, 'c');
	CHECK_STR(other.com1, "c");
	CHECK_STR(seen.com1, "");
	pc_write(&copy, due, 0x61, 1, 1);
	CHECK(!pc.timer.channel[2].gate);
	pc_advance(&pc, due);
	CHECK(seen.interrupt);
	CHECK_EQ(copy.bus.ranges[0].writes, pc.bus.ranges[0].writes);
}

static void put_memory(uint32_t at, uint32_t value)
{
	CHECK(bus_write_memory(&pc.bus, 0, at, 4, value));
}

/* Counter 0 through pin 2 to vector 0x41, with the 8259 pair closed. */
TEST(pc_the_timer_goes_through_the_apics)
{
	uint8_t vector = 0;

	set_up_kernel();
	out(0x21, 0xFF);
	put_memory(0xFEE000F0, 0x1FF);
	put_memory(0xFEC00000, 0x14);
	put_memory(0xFEC00010, 0x41);
	CHECK(!seen.interrupt);
	uint64_t due = pc_next_due(&pc);
	CHECK_EQ(due, i8254_time_of(1001));
	pc_advance(&pc, due);
	CHECK(seen.interrupt);
	CHECK(pc_acknowledge(&pc, due, &vector));
	CHECK_EQ(vector, 0x41);
	CHECK(!pc_acknowledge(&pc, due, &vector));
	put_memory(0xFEE000B0, 0);
	uint32_t requests = 0;
	CHECK(bus_read_memory(&pc.bus, i8254_time_of(2001) - 1, 0xFEE00220, 4, &requests));
	CHECK_EQ(requests, 0);
	CHECK(bus_read_memory(&pc.bus, i8254_time_of(2001), 0xFEE00220, 4, &requests));
	CHECK_EQ(requests, 2); /* counter 0 has gone round once more */
	put_memory(0xFEE00320, 0x52);
	put_memory(0xFEE00380, 10);
	CHECK_EQ(pc_next_due(&pc), 20);
}

/* How many the guest gets, one after the other, with the end of each said by `end`. */
static unsigned count_interrupts(uint64_t now, void (*end)(void))
{
	unsigned count = 0;
	uint8_t vector;

	while (pc_acknowledge(&pc, now, &vector)) {
		end();
		count++;
	}
	return count;
}

static void end_8259(void)
{
	out(0x20, 0x20);
}

static void end_apic(void)
{
	put_memory(0xFEE000B0, 0);
}

TEST(pc_late_ticks_come_through_either_controller)
{
	set_up_kernel();
	CHECK_EQ(count_interrupts(0, end_8259), 1);
	CHECK_EQ(count_interrupts(i8254_time_of(10500), end_8259), 10);
	out(0x21, 0x01); /* masked: those have nobody to be late for */
	pc_advance(&pc, i8254_time_of(20500));
	out(0x21, 0x00);
	CHECK_EQ(count_interrupts(i8254_time_of(20500), end_8259), 1);
	out(0x21, 0xFF);
	put_memory(0xFEE000F0, 0x1FF);
	put_memory(0xFEC00000, 0x14);
	put_memory(0xFEC00010, 0x41);
	pc_advance(&pc, i8254_time_of(25500));
	CHECK_EQ(count_interrupts(i8254_time_of(30500), end_apic), 10);
}

TEST(pc_without_apics)
{
	uint32_t value;
	uint8_t vector = 0;

	memset(&pc, 0, sizeof(pc));
	memset(&seen, 0, sizeof(seen));
	pc.without.apic = true;
	wire(&pc, &seen);
	pc_reset(&pc, 0);
	pc_start(&pc, 0, 64 << 20);
	CHECK(!bus_read_memory(&pc.bus, 0, 0xFEE00030, 4, &value));
	CHECK(!bus_read_memory(&pc.bus, 0, 0xFEC00000, 4, &value));
	CHECK(seen.interrupt);
	CHECK(pc_acknowledge(&pc, 0, &vector));
	CHECK_EQ(vector, 0x08);
	CHECK(!seen.interrupt);
}

static void configure(uint32_t offset, uint32_t value)
{
	pc_write(&pc, 0, 0xCF8, 4, 0x80000900 | offset);
	pc_write(&pc, 0, 0xCFC, 4, value);
}

/* By the bus master to memory, with line 14, which is input 6 of the second 8259. */
TEST(pc_the_disk_reads_into_memory)
{
	static const uint8_t task[] = {0, 1, 2, 0, 0, 0x40, 0xC8};
	const uint32_t region[] = {0x1000, 0x80000000 | ATA_SECTOR};
	uint8_t vector = 0;

	set_up_kernel();
	memset(disk + 2 * ATA_SECTOR, 0x5A, ATA_SECTOR);
	memcpy(memory, region, sizeof(region));
	out(0x21, 0xFB);
	out(0xA1, 0xBF);
	pc_write(&pc, 0, 0xC004, 4, 0);
	pc_write(&pc, 0, 0xC000, 1, 9);
	for (unsigned i = 0; i < sizeof(task); i++)
		out((uint16_t)(0x1F1 + i), task[i]);
	CHECK(seen.interrupt);
	CHECK(pc_acknowledge(&pc, 0, &vector));
	CHECK_EQ(vector, 0x2E);
	CHECK_EQ(memory[0x1000], 0x5A);
	CHECK_EQ(memory[0x11FF], 0x5A);
	CHECK_EQ(pc_read(&pc, 0, 0x1F7, 1), 0x50);
}

TEST(pc_the_bus_masters_ports_follow_its_base)
{
	set_up();
	configure(0x20, 0xD000);
	CHECK_EQ(pc_read(&pc, 0, 0xC004, 4), 0xFFFFFFFF);
	pc_write(&pc, 0, 0xD004, 4, 0x1234);
	CHECK_EQ(pc_read(&pc, 0, 0xD004, 4), 0x1234);
	configure(4, 0); /* decodes no ports */
	CHECK_EQ(pc_read(&pc, 0, 0xD004, 4), 0xFFFFFFFF);
	configure(4, 5);
	CHECK_EQ(pc_read(&pc, 0, 0xD004, 4), 0x1234);
	configure(0x20, 0x3F0); /* COM1 is there */
	CHECK_EQ(pc_read(&pc, 0, 0x3FD, 1), 0x60);
	CHECK_EQ(pc_read(&pc, 0, 0xD004, 4), 0xFFFFFFFF);
	configure(0x20, 0xE000);
	CHECK_EQ(pc_read(&pc, 0, 0xE004, 4), 0x1234);
}

TEST(pc_the_reset_register_lies_in_pci)
{
	set_up();
	out(0xCF9, 0x02);
	CHECK_EQ(pc_read(&pc, 0, 0xCF9, 1), 0x02);
	CHECK_EQ(pc_read(&pc, 0, 0xCF8, 2), 0x02FF);
	CHECK_EQ(pc_read(&pc, 0, 0xCF8, 4), 0);
	out(0xCF8, 0x06);
	out(0xCFA, 0x06);
	CHECK(!pc.power.reset_requested);
	pc_write(&pc, 0, 0xCF8, 2, 0x0600);
	CHECK(pc.power.reset_requested);
}

TEST(pc_without_pci)
{
	memset(&pc, 0, sizeof(pc));
	pc.without.pci = true;
	wire(&pc, &seen);
	pc_reset(&pc, 0);
	pc_write(&pc, 0, 0xCF8, 4, 0x80000000);
	CHECK_EQ(pc_read(&pc, 0, 0xCFC, 4), 0xFFFFFFFF);
	CHECK_EQ(pc_read(&pc, 0, 0xC000, 4), 0xFFFFFFFF);
	CHECK_EQ(pc_read(&pc, 0, 0x1F7, 1), 0x50);
	out(0xCF9, 0x06);
	CHECK(pc.power.reset_requested);
}

UNIT_MAIN
