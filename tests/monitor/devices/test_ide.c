/* The channel: two drives of which one is there, its interrupt, and the bus master. */
#include "monitor/devices/ide.h"
#include "tests/unit.h"

#define SECTORS 64

static struct ide ide;
static uint8_t image[SECTORS * ATA_SECTOR], memory[0x10000];
static bool line;
static unsigned edges;

static void see_line(void *owner, unsigned input, bool level)
{
	(void)owner;
	(void)input;
	edges += level && !line;
	line = level;
}

static void read_memory(void *owner, uint32_t address, void *to, uint32_t size)
{
	(void)owner;
	CHECK(address + size <= sizeof(memory));
	memcpy(to, memory + address, size);
}

static void write_memory(void *owner, uint32_t address, const void *from, uint32_t size)
{
	(void)owner;
	CHECK(address + size <= sizeof(memory));
	memcpy(memory + address, from, size);
}

static void out(uint16_t port, uint32_t value)
{
	ide_write(&ide, 0, port, 1, value);
}

static uint8_t in(uint16_t port)
{
	return (uint8_t)ide_read(&ide, 0, port, 1);
}

static void set_up(void)
{
	memset(&ide, 0, sizeof(ide));
	memset(memory, 0, sizeof(memory));
	for (unsigned i = 0; i < sizeof(image); i++)
		image[i] = (uint8_t)(i ^ i >> 8);
	ide.disk.image = image;
	ide.disk.sectors = SECTORS;
	ide.line = (struct line){see_line, NULL, 14};
	ide.read_memory = read_memory;
	ide.write_memory = write_memory;
	line = false;
	edges = 0;
	ide_reset(&ide);
}

static void command(uint8_t code, uint8_t sector, uint8_t count)
{
	out(0x1F2, count);
	out(0x1F3, sector);
	out(0x1F4, 0);
	out(0x1F5, 0);
	out(0x1F6, 0x40);
	out(0x1F7, code);
}

static void put_region(unsigned index, uint32_t address, uint32_t size)
{
	memcpy(memory + 0x100 + 8 * index, &address, 4);
	memcpy(memory + 0x104 + 8 * index, &size, 4);
}

static void master(unsigned offset, unsigned size, uint32_t value)
{
	ide_write_master(&ide, offset, size, value);
}

TEST(pio_through_the_ports)
{
	set_up();
	command(0x20, 3, 1);
	CHECK(line);
	CHECK_EQ(in(0x3F6), 0x58); /* the alternate status leaves the interrupt alone */
	CHECK(line);
	CHECK_EQ(in(0x1F7), 0x58);
	CHECK(!line);
	for (unsigned i = 0; i < ATA_SECTOR; i += 4) {
		uint32_t value = ide_read(&ide, 0, 0x1F0, 4);
		CHECK(memcmp(&value, image + 3 * ATA_SECTOR + i, 4) == 0);
	}
	CHECK_EQ(in(0x1F7), 0x50);
	CHECK_EQ(ide_read(&ide, 0, 0x1F2, 2), 0x0301);
	ide_write(&ide, 0, 0x1F2, 2, 0x0705);
	CHECK_EQ(ide_read(&ide, 0, 0x1F2, 2), 0x0705);
}

TEST(the_second_drive_is_not_there)
{
	set_up();
	out(0x1F6, 0xB0);
	CHECK_EQ(in(0x1F7), 0);
	CHECK_EQ(in(0x3F6), 0);
	out(0x1F7, 0xEC);
	CHECK(!line);
	CHECK_EQ(ide_read(&ide, 0, 0x1F0, 2) & 0xFFFF, 0xFFFF);
	out(0x1F7, 0x90); /* the diagnostic is for both, and selects the first */
	CHECK(line);
	CHECK_EQ(in(0x1F7), 0x50);
}

TEST(the_interrupt_can_be_held_back)
{
	set_up();
	out(0x3F6, 2);
	command(0xE7, 0, 0);
	CHECK(!line);
	out(0x3F6, 0);
	CHECK(line);
	out(0x1F6, 0x10);
	CHECK(!line);
	out(0x1F6, 0x00);
	CHECK(line);
	edges = 0;
	out(0x1F7, 0xE7); /* without looking at the first: an edge all the same */
	CHECK_EQ(edges, 1);
}

TEST(the_bus_master_scatters_what_is_read)
{
	set_up();
	put_region(0, 0x1000, 0x300);
	put_region(1, 0x2000, 0x80000000 | 0x100);
	master(4, 4, 0x103); /* two bits do not exist */
	CHECK_EQ(ide_read_master(&ide, 4, 4), 0x100);
	master(0, 1, 8);
	command(0xC8, 2, 2);
	CHECK(!line);
	master(0, 1, 9);
	CHECK(line);
	CHECK_EQ(ide_read_master(&ide, 2, 1), 4);
	CHECK(memcmp(memory + 0x1000, image + 2 * ATA_SECTOR, 0x300) == 0);
	CHECK(memcmp(memory + 0x2000, image + 2 * ATA_SECTOR + 0x300, 0x100) == 0);
	master(2, 1, 0x64);
	CHECK_EQ(ide_read_master(&ide, 2, 1), 0x60);
	CHECK_EQ(ide_read_master(&ide, 0, 4), 0x600009);
	CHECK_EQ(ide_read_master(&ide, 8, 4), 0);
	CHECK_EQ(in(0x1F7), 0x50);
}

TEST(the_bus_master_may_be_started_first)
{
	set_up();
	put_region(0, 0x4000, 0x80000000 | ATA_SECTOR);
	memset(memory + 0x4000, 0x77, ATA_SECTOR);
	master(4, 4, 0x100);
	master(0, 1, 1);
	CHECK_EQ(ide_read_master(&ide, 2, 1), 1);
	command(0xCA, 9, 1);
	CHECK(line);
	CHECK_EQ(ide_read_master(&ide, 2, 1), 4);
	CHECK_EQ(image[9 * ATA_SECTOR + 511], 0x77);
	CHECK_EQ(image[10 * ATA_SECTOR], (10 * ATA_SECTOR >> 8 ^ 0) & 0xFF);
}

TEST(a_list_that_is_too_short_leaves_the_drive_waiting)
{
	set_up();
	put_region(0, 0x4000, 0x80000000 | 0x100);
	master(4, 4, 0x100);
	command(0xC8, 0, 1);
	master(0, 1, 9);
	CHECK(!line);
	CHECK_EQ(ide_read_master(&ide, 2, 1), 0);
	CHECK_EQ(in(0x3F6), 0x58);
	master(0, 1, 0);
	master(0, 1, 9); /* the list begins anew, the transfer goes on */
	CHECK(line);
	CHECK(memcmp(memory + 0x4000, image + 0x100, 0x100) == 0);
}

TEST(a_list_that_is_too_long_stays_active)
{
	set_up();
	put_region(0, 0x4000, 0x80000000); /* 64 KB */
	master(4, 4, 0x100);
	command(0xC8, 0, 1);
	master(0, 1, 9);
	CHECK(line);
	CHECK_EQ(ide_read_master(&ide, 2, 1), 5);
	master(0, 1, 0);
	CHECK_EQ(ide_read_master(&ide, 2, 1), 4);
}

TEST(the_wrong_direction_is_an_error)
{
	set_up();
	put_region(0, 0x4000, 0x80000000 | ATA_SECTOR);
	master(4, 4, 0x100);
	command(0xC8, 0, 1);
	master(0, 1, 1);
	CHECK_EQ(ide_read_master(&ide, 2, 1), 2);
	CHECK(!line);
	master(2, 1, 2);
	CHECK_EQ(ide_read_master(&ide, 2, 1), 0);
}

UNIT_MAIN
