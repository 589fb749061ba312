#include "monitor/devices/ata_identify.h"

#include "kernel/divide.h"

/* Words by their number in the standard. */
enum {
	CONFIGURATION = 0,
	CYLINDERS = 1,
	HEADS = 3,
	TRACK = 6,
	SERIAL_NUMBER = 10,
	FIRMWARE = 23,
	MODEL = 27,
	MULTIPLE_MOST = 47,
	CAPABILITIES = 49,
	PIO_MODE = 51,
	VALID = 53,
	CURRENT_CYLINDERS = 54,
	MULTIPLE = 59,
	SECTORS_28 = 60,
	MULTIWORD_MODES = 63,
	PIO_MODES = 64,
	CYCLE_TIMES = 65,
	VERSIONS = 80,
	COMMANDS = 82,
	COMMANDS_ENABLED = 85,
	ULTRA_MODES = 88,
	RESET_RESULT = 93,
	SECTORS_48 = 100,
};

enum { MOST_CYLINDERS = 16383, MOST_28 = 0x0FFFFFFF };

static void put(uint8_t *page, unsigned word, uint32_t value)
{
	page[2 * word] = (uint8_t)value;
	page[2 * word + 1] = (uint8_t)(value >> 8);
}

static void put_long(uint8_t *page, unsigned word, uint64_t value, unsigned words)
{
	for (; words--; value >>= 16)
		put(page, word++, (uint32_t)value & 0xFFFF);
}

/* Two characters a word, the first one in the high byte, filled with spaces. */
static void put_text(uint8_t *page, unsigned word, const char *text, unsigned words)
{
	for (unsigned i = 0; i < 2 * words; i++)
		page[(2 * word + i) ^ 1] = *text ? (uint8_t)*text++ : ' ';
}

static uint32_t cylinders(const struct ata_disk *disk, uint32_t heads, uint32_t track)
{
	uint32_t rest;
	uint64_t count = divide_by_word(disk->sectors, heads * track, &rest);

	return count > MOST_CYLINDERS ? MOST_CYLINDERS : (uint32_t)count;
}

/* The mode that is set, if it is of this kind: its bit in the high byte. */
static uint32_t mode_bit(const struct ata_disk *disk, uint8_t kind)
{
	return (disk->mode & 0xF8) == kind ? 0x100u << (disk->mode & 7) : 0;
}

static void put_geometry(const struct ata_disk *disk, uint8_t *page)
{
	uint32_t now = cylinders(disk, disk->heads, disk->track);

	put(page, CYLINDERS, cylinders(disk, ATA_HEADS, ATA_TRACK));
	put(page, HEADS, ATA_HEADS);
	put(page, TRACK, ATA_TRACK);
	put(page, CURRENT_CYLINDERS, now);
	put(page, CURRENT_CYLINDERS + 1, disk->heads);
	put(page, CURRENT_CYLINDERS + 2, disk->track);
	put_long(page, CURRENT_CYLINDERS + 3, (uint64_t)now * disk->heads * disk->track, 2);
	put_long(page, SECTORS_28, disk->sectors > MOST_28 ? MOST_28 : disk->sectors, 2);
	put_long(page, SECTORS_48, disk->sectors, 4);
}

/* Flush and flush of 48 bits, addresses of 48 bits; write cache, look-ahead, power management. */
static void put_commands(const struct ata_disk *disk, uint8_t *page)
{
	put(page, COMMANDS, 0x0068);
	put(page, COMMANDS + 1, 0x7400);
	put(page, COMMANDS + 2, 0x4000);
	put(page, COMMANDS_ENABLED,
	    0x0008 | (disk->write_cache ? 0x20u : 0) | (disk->look_ahead ? 0x40u : 0));
	put(page, COMMANDS_ENABLED + 1, 0x3400);
	put(page, COMMANDS_ENABLED + 2, 0x4000);
}

void ata_identify(const struct ata_disk *disk, uint8_t page[ATA_SECTOR])
{
	for (unsigned i = 0; i < ATA_SECTOR; i++)
		page[i] = 0;
	put(page, CONFIGURATION, 0x0040); /* fixed */
	put_geometry(disk, page);
	put_text(page, SERIAL_NUMBER, "RF00000001", 10);
	put_text(page, FIRMWARE, "1.0", 4);
	put_text(page, MODEL, "RINGFENCE DISK IN MEMORY", 20);
	put(page, MULTIPLE_MOST, 0x8000 | ATA_MULTIPLE_MOST);
	put(page, CAPABILITIES, 0x0F00); /* IORDY, which may be switched off, LBA, DMA */
	put(page, CAPABILITIES + 1, 0x4000);
	put(page, PIO_MODE, 0x0200);
	put(page, VALID, 0x0007);
	put(page, MULTIPLE, disk->multiple ? 0x0100u | disk->multiple : 0);
	put(page, MULTIWORD_MODES, 0x0007 | mode_bit(disk, 0x20));
	put(page, PIO_MODES, 0x0003);
	for (unsigned i = 0; i < 4; i++)
		put(page, CYCLE_TIMES + i, 120); /* nanoseconds */
	put(page, VERSIONS, 0x007E);             /* ATA-1 to ATA-6 */
	put_commands(disk, page);
	put(page, ULTRA_MODES, 0x0007 | mode_bit(disk, 0x40));
	put(page, RESET_RESULT, 0x4001);
}
