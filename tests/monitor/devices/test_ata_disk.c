/* The drive: its registers, its commands, and what it moves. */
#include "monitor/devices/ata_disk.h"
#include "tests/unit.h"

#define SECTORS 1024

static struct ata_disk disk;
static uint8_t image[SECTORS * ATA_SECTOR];

/* Each word says where it is. */
static void set_up(void)
{
	memset(&disk, 0, sizeof(disk));
	for (unsigned i = 0; i < sizeof(image); i++)
		image[i] = (uint8_t)(i % ATA_SECTOR ^ i / ATA_SECTOR ^ i / ATA_SECTOR / 256);
	disk.image = image;
	disk.sectors = SECTORS;
	ata_disk_reset(&disk);
}

static void put(enum ata_register number, uint8_t value)
{
	ata_disk_write(&disk, number, value);
}

static void put_28(uint32_t sector, uint8_t count)
{
	put(ATA_COUNT, count);
	put(ATA_LOW, (uint8_t)sector);
	put(ATA_MIDDLE, (uint8_t)(sector >> 8));
	put(ATA_HIGH, (uint8_t)(sector >> 16));
	put(ATA_DEVICE, ATA_DEVICE_LBA | (uint8_t)(sector >> 24 & 0xF));
}

static void put_48(uint64_t sector, uint16_t count)
{
	put(ATA_COUNT, (uint8_t)(count >> 8));
	for (unsigned i = 0; i < 3; i++)
		put(ATA_LOW + i, (uint8_t)(sector >> (24 + 8 * i)));
	put_28((uint32_t)sector & 0xFFFFFF, (uint8_t)count);
}

static uint8_t status(void)
{
	return ata_disk_read(&disk, ATA_STATUS);
}

/* So many bytes come out, and are those of the disk from there on. */
static void check_comes(uint32_t sector, uint32_t bytes, unsigned size)
{
	for (uint32_t i = 0; i < bytes; i += size) {
		uint32_t value = ata_disk_read_data(&disk, size);
		CHECK(memcmp(&value, image + sector * ATA_SECTOR + i, size) == 0);
	}
}

static void check_fails(uint8_t error)
{
	CHECK(disk.interrupt);
	CHECK_EQ(status(), 0x51);
	CHECK_EQ(ata_disk_read(&disk, ATA_ERROR), error);
	CHECK_EQ(ata_disk_read_data(&disk, 2), 0xFFFF);
}

TEST(signature_after_resets)
{
	set_up();
	put_28(0x123456, 9);
	ata_disk_control(&disk, ATA_CONTROL_RESET);
	CHECK_EQ(status(), 0x80);
	put(ATA_COUNT, 7); /* nobody listens */
	ata_disk_control(&disk, 0);
	CHECK_EQ(status(), 0x50);
	CHECK_EQ(ata_disk_read(&disk, ATA_ERROR), 1);
	CHECK_EQ(ata_disk_read(&disk, ATA_COUNT), 1);
	CHECK_EQ(ata_disk_read(&disk, ATA_LOW), 1);
	CHECK_EQ(ata_disk_read(&disk, ATA_MIDDLE), 0);
	CHECK_EQ(ata_disk_read(&disk, ATA_HIGH), 0);
	put_28(0x123456, 9);
	put(ATA_STATUS, 0x90);
	CHECK(disk.interrupt);
	CHECK_EQ(ata_disk_read(&disk, ATA_ERROR), 1);
	CHECK_EQ(ata_disk_read(&disk, ATA_MIDDLE), 0);
}

TEST(reading_by_sectors_interrupts_for_each)
{
	set_up();
	put_28(5, 3);
	put(ATA_STATUS, 0x20);
	for (unsigned i = 0; i < 3; i++) {
		CHECK(disk.interrupt);
		CHECK_EQ(status(), 0x58);
		CHECK(!disk.interrupt);
		check_comes(5 + i, ATA_SECTOR, i == 1 ? 4 : 2);
	}
	CHECK(!disk.interrupt);
	CHECK_EQ(status(), 0x50);
	CHECK_EQ(ata_disk_read_data(&disk, 4), 0xFFFFFFFF);
	CHECK_EQ(disk.sectors_read, 3);
}

TEST(writing_interrupts_after_each_sector)
{
	set_up();
	put_28(1022, 2);
	put(ATA_STATUS, 0x30);
	CHECK(!disk.interrupt);
	for (unsigned i = 0; i < 2; i++) {
		CHECK_EQ(status(), 0x58);
		for (unsigned j = 0; j < ATA_SECTOR; j += 2)
			ata_disk_write_data(&disk, 2, 0xC000 + i * 0x400 + j);
		CHECK(disk.interrupt);
	}
	CHECK_EQ(status(), 0x50);
	CHECK_EQ(image[1022 * ATA_SECTOR + 2], 0x02);
	CHECK_EQ(image[1023 * ATA_SECTOR + 511], 0xC5);
	CHECK_EQ(image[1022 * ATA_SECTOR - 1], (0x1FF ^ 1021 ^ 3) & 0xFF);
	CHECK_EQ(disk.sectors_written, 2);
	ata_disk_write_data(&disk, 2, 0);
}

TEST(multiple_commands_move_blocks)
{
	set_up();
	put_28(0, 10);
	put(ATA_STATUS, 0xC4);
	check_fails(ATA_ERROR_ABORTED);
	put(ATA_COUNT, 3);
	put(ATA_STATUS, 0xC6);
	check_fails(ATA_ERROR_ABORTED);
	put(ATA_COUNT, 4);
	put(ATA_STATUS, 0xC6);
	CHECK_EQ(status(), 0x50);
	put_28(100, 10);
	put(ATA_STATUS, 0xC4);
	for (unsigned i = 0; i < 3; i++) {
		CHECK(disk.interrupt);
		CHECK_EQ(status(), 0x58);
		check_comes(100 + 4 * i, (i < 2 ? 4 : 2) * ATA_SECTOR, 4);
	}
	CHECK_EQ(status(), 0x50);
	put_48(7, 5);
	put(ATA_STATUS, 0x39);
	for (unsigned i = 0; i < 5 * ATA_SECTOR; i += 4) {
		CHECK_EQ(disk.interrupt, i == 4 * ATA_SECTOR);
		if (i == 4 * ATA_SECTOR)
			status();
		ata_disk_write_data(&disk, 4, i);
	}
	CHECK(disk.interrupt);
	CHECK_EQ(image[11 * ATA_SECTOR + 5], 0x08);
}

TEST(addresses_of_48_bits)
{
	set_up();
	put_48(0x300, 0x100);
	ata_disk_control(&disk, ATA_CONTROL_HIGH_BYTE);
	CHECK_EQ(ata_disk_read(&disk, ATA_COUNT), 1);
	put(ATA_STATUS, 0x24); /* 256 sectors from 768 on: just to the end */
	CHECK_EQ(disk.left, 0x100);
	check_comes(0x300, 0x100 * ATA_SECTOR, 4);
	CHECK_EQ(status(), 0x50);
	put_48(0x1000300, 1); /* more than 28 bits would not see that it is far out */
	put(ATA_STATUS, 0x24);
	check_fails(ATA_ERROR_NOT_FOUND);
	put_48(0xFFFFFFFFFFFF, 0);
	put(ATA_STATUS, 0x25);
	check_fails(ATA_ERROR_NOT_FOUND);
}

TEST(what_reaches_past_the_end_is_not_found)
{
	set_up();
	put_28(1023, 2);
	put(ATA_STATUS, 0x20);
	check_fails(ATA_ERROR_NOT_FOUND);
	put_28(0, 0); /* 256 */
	put(ATA_STATUS, 0x40);
	CHECK_EQ(status(), 0x50);
	put_28(769, 0);
	put(ATA_STATUS, 0x40);
	check_fails(ATA_ERROR_NOT_FOUND);
	put_28(1024, 1);
	put(ATA_STATUS, 0x30);
	check_fails(ATA_ERROR_NOT_FOUND);
}

TEST(cylinders_heads_and_sectors)
{
	set_up();
	put(ATA_COUNT, 1);
	put(ATA_LOW, 3);
	put(ATA_MIDDLE, 0);
	put(ATA_HIGH, 0);
	put(ATA_DEVICE, 2);
	put(ATA_STATUS, 0x20);
	check_comes(2 * 63 + 2, ATA_SECTOR, 2);
	put(ATA_LOW, 0);
	put(ATA_STATUS, 0x20);
	check_fails(ATA_ERROR_NOT_FOUND);
	put(ATA_COUNT, 17);
	put(ATA_DEVICE, 3); /* four heads of 17 sectors */
	put(ATA_STATUS, 0x91);
	CHECK_EQ(status(), 0x50);
	put(ATA_COUNT, 1);
	put(ATA_LOW, 17);
	put(ATA_MIDDLE, 1);
	put(ATA_STATUS, 0x20);
	check_comes((4 + 3) * 17 + 16, ATA_SECTOR, 2);
	put(ATA_LOW, 18);
	put(ATA_STATUS, 0x20);
	check_fails(ATA_ERROR_NOT_FOUND);
}

static uint16_t page[256];

static void identify(void)
{
	put(ATA_STATUS, 0xEC);
	CHECK(disk.interrupt);
	CHECK_EQ(status(), 0x58);
	for (unsigned i = 0; i < 256; i++)
		page[i] = (uint16_t)ata_disk_read_data(&disk, 2);
	CHECK_EQ(status(), 0x50);
}

TEST(it_says_what_it_is)
{
	set_up();
	disk.sectors = 0x123456789; /* nothing of them is touched */
	identify();
	CHECK_EQ(page[0], 0x0040);
	CHECK_EQ(page[1], 16383);
	CHECK_EQ(page[3], 16);
	CHECK_EQ(page[6], 63);
	CHECK_EQ(page[27], 'R' << 8 | 'I');
	CHECK_EQ(page[47] & 0xFF, 16);
	CHECK_EQ(page[49] & 0x0300, 0x0300);
	CHECK_EQ(page[60] | page[61] << 16, 0x0FFFFFFF);
	CHECK_EQ(page[83] & 0xC400, 0x4400);
	CHECK_EQ(page[100], 0x6789);
	CHECK_EQ(page[101], 0x2345);
	CHECK_EQ(page[102], 1);
	CHECK_EQ(disk.sectors_read, 0);
	disk.sectors = SECTORS;
	identify();
	CHECK_EQ(page[60], SECTORS);
	CHECK_EQ(page[1], 1);
}

static void set_feature(uint8_t feature, uint8_t count)
{
	put(ATA_ERROR, feature);
	put(ATA_COUNT, count);
	put(ATA_STATUS, 0xEF);
}

TEST(features_that_can_be_set_are_seen)
{
	set_up();
	set_feature(0x03, 0x22);
	identify();
	CHECK_EQ(page[63], 0x0407);
	CHECK_EQ(page[88], 0x0007);
	set_feature(0x03, 0x41);
	identify();
	CHECK_EQ(page[63], 0x0007);
	CHECK_EQ(page[88], 0x0207);
	set_feature(0x03, 0x43);
	check_fails(ATA_ERROR_ABORTED);
	set_feature(0x03, 0x80);
	check_fails(ATA_ERROR_ABORTED);
	CHECK_EQ(page[85] & 0x60, 0x60);
	set_feature(0x82, 0);
	set_feature(0x55, 0);
	identify();
	CHECK_EQ(page[85] & 0x60, 0);
	set_feature(0x99, 0);
	check_fails(ATA_ERROR_ABORTED);
}

TEST(other_commands)
{
	static const uint8_t good[] = {0x10, 0x70, 0xE0, 0xE1, 0xE2, 0xE3, 0xE7, 0xEA};
	static const uint8_t bad[] = {0x00, 0x08, 0xA0, 0xA1, 0xB0, 0xFF};

	set_up();
	for (unsigned i = 0; i < sizeof(good); i++) {
		put(ATA_STATUS, good[i]);
		CHECK(disk.interrupt);
		CHECK_EQ(status(), 0x50);
	}
	for (unsigned i = 0; i < sizeof(bad); i++) {
		put(ATA_STATUS, bad[i]);
		check_fails(ATA_ERROR_ABORTED);
	}
	put(ATA_STATUS, 0xE5);
	CHECK_EQ(ata_disk_read(&disk, ATA_COUNT), 0xFF);
}

TEST(a_double_word_across_the_end_of_a_block)
{
	set_up();
	put_28(1023, 1);
	put(ATA_STATUS, 0x20);
	check_comes(1023, 510, 2);
	uint32_t value = ata_disk_read_data(&disk, 4);
	CHECK_EQ(value >> 16, 0xFFFF);
	CHECK_EQ(status(), 0x50);
	put(ATA_STATUS, 0x30);
	for (unsigned i = 0; i < 255; i++)
		ata_disk_write_data(&disk, 2, 0);
	ata_disk_write_data(&disk, 4, 0x12345678);
	CHECK_EQ(image[sizeof(image) - 1], 0x56);
	CHECK_EQ(status(), 0x50);
}

TEST(dma_gives_its_bytes_to_whoever_moves_them)
{
	uint32_t bytes;

	set_up();
	put_28(4, 2);
	put(ATA_STATUS, 0xC8);
	CHECK(!disk.interrupt);
	CHECK(ata_disk_dma(&disk, &bytes) == image + 4 * ATA_SECTOR);
	CHECK_EQ(bytes, 2 * ATA_SECTOR);
	ata_disk_dma_moved(&disk, 600);
	CHECK(ata_disk_dma(&disk, &bytes) == image + 4 * ATA_SECTOR + 600);
	CHECK_EQ(bytes, 424);
	ata_disk_dma_moved(&disk, 424);
	CHECK(!ata_disk_dma(&disk, &bytes));
	CHECK(disk.interrupt);
	CHECK_EQ(status(), 0x50);
}

UNIT_MAIN
