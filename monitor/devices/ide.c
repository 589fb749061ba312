#include "monitor/devices/ide.h"

enum {
	MASTER_COMMAND = 0,
	MASTER_STATUS = 2,
	MASTER_LIST = 4,
	MASTER_END = 8, /* what follows is the second channel's */
	COMMAND_START = 0x01,
	COMMAND_TO_MEMORY = 0x08,
	STATUS_ACTIVE = 0x01,
	STATUS_ERROR = 0x02,
	STATUS_INTERRUPT = 0x04,
	STATUS_KEPT = 0x60, /* the drives can do DMA: for the driver to note */
	REGION_LAST = 1u << 31,
	REGION_BYTES = 0xFFFE,
	REGION_MOST = 0x10000,
};

struct region {
	uint32_t address, size;
};

static bool is_second(const struct ide *ide)
{
	return ide->disk.device & ATA_DEVICE_SECOND;
}

/* A drive that is not selected does not drive the line. */
static void update(struct ide *ide)
{
	bool interrupt = ide->disk.interrupt && !is_second(ide) &&
	                 !(ide->disk.control & ATA_CONTROL_NO_INTERRUPT);

	if (interrupt == ide->interrupt)
		return;
	ide->interrupt = interrupt;
	if (interrupt)
		ide->status |= STATUS_INTERRUPT;
	line_set(&ide->line, interrupt);
}

void ide_reset(struct ide *ide)
{
	ata_disk_reset(&ide->disk);
	ide->command = ide->status = 0;
	ide->list = 0;
	update(ide);
}

/* Of a region what the drive wants; gives the bytes that were moved. */
static uint32_t move_region(struct ide *ide, const struct region *region)
{
	uint32_t moved = 0, size = region->size & REGION_BYTES, bytes;
	uint8_t *data;

	if (!size)
		size = REGION_MOST;
	while (moved < size && (data = ata_disk_dma(&ide->disk, &bytes))) {
		if (bytes > size - moved)
			bytes = size - moved;
		if (ide->disk.transfer == ATA_DMA_IN)
			ide->write_memory(ide->owner, region->address + moved, data, bytes);
		else
			ide->read_memory(ide->owner, region->address + moved, data, bytes);
		ata_disk_dma_moved(&ide->disk, bytes);
		moved += bytes;
	}
	return moved == size ? size : 0;
}

static bool directions_agree(const struct ide *ide)
{
	return !!(ide->command & COMMAND_TO_MEMORY) == (ide->disk.transfer == ATA_DMA_IN);
}

/* Goes through the list while the drive has or wants data. It is inactive when the list has come to
 * its end; with regions left over it stays active until it is stopped. */
static void run_master(struct ide *ide)
{
	uint32_t at = ide->list, bytes;
	struct region region = {0, 0};

	if (!(ide->status & STATUS_ACTIVE) || !ata_disk_dma(&ide->disk, &bytes))
		return;
	if (!directions_agree(ide)) {
		ide->status = (ide->status & (uint8_t)~STATUS_ACTIVE) | STATUS_ERROR;
		return;
	}
	while (!(region.size & REGION_LAST) && ata_disk_dma(&ide->disk, &bytes)) {
		ide->read_memory(ide->owner, at, &region, sizeof(region));
		at += sizeof(region);
		if (!move_region(ide, &region))
			return;
	}
	if (region.size & REGION_LAST)
		ide->status &= (uint8_t)~STATUS_ACTIVE;
}

static uint8_t read_byte(struct ide *ide, uint16_t port)
{
	if (port == IDE_CONTROL_PORT)
		return is_second(ide) ? 0 : ide->disk.status;
	if (port == IDE_PORT + ATA_STATUS && is_second(ide))
		return 0;
	return ata_disk_read(&ide->disk, (enum ata_register)(port - IDE_PORT));
}

/* Only the data register is wider than a byte. */
uint32_t ide_read(void *chip, uint64_t now, uint16_t port, unsigned size)
{
	struct ide *ide = chip;
	uint32_t value = 0;

	(void)now;
	if (port == IDE_PORT) {
		value = is_second(ide) ? UINT32_MAX : ata_disk_read_data(&ide->disk, size);
	} else {
		for (unsigned i = 0; i < size; i++)
			value |= (uint32_t)read_byte(ide, (uint16_t)(port + i)) << 8 * i;
	}
	update(ide);
	return value;
}

/* Both drives take what is written to the task file; a command only the one that is selected, but
 * for the diagnostic. */
static void write_task_file(struct ide *ide, enum ata_register number, uint8_t value)
{
	enum { DIAGNOSTIC = 0x90 };

	if (number == ATA_STATUS && is_second(ide) && value != DIAGNOSTIC)
		return;
	if (number == ATA_STATUS) {
		/* The request of the command before falls first, so that the next is an edge. */
		ide->disk.interrupt = false;
		update(ide);
	}
	ata_disk_write(&ide->disk, number, value);
}

static void write_byte(struct ide *ide, uint16_t port, uint8_t value)
{
	if (port == IDE_CONTROL_PORT)
		ata_disk_control(&ide->disk, value);
	else
		write_task_file(ide, (enum ata_register)(port - IDE_PORT), value);
}

void ide_write(void *chip, uint64_t now, uint16_t port, unsigned size, uint32_t value)
{
	struct ide *ide = chip;

	(void)now;
	if (port != IDE_PORT) {
		for (unsigned i = 0; i < size; i++, value >>= 8)
			write_byte(ide, (uint16_t)(port + i), (uint8_t)value);
	} else if (!is_second(ide)) {
		ata_disk_write_data(&ide->disk, size, value);
	}
	run_master(ide);
	update(ide);
}

uint32_t ide_read_master(struct ide *ide, unsigned offset, unsigned size)
{
	uint32_t registers[] = {ide->command | (uint32_t)ide->status << 16, ide->list};
	uint32_t value = offset < MASTER_END ? registers[offset / 4] >> 8 * (offset % 4) : 0;

	return value & UINT32_MAX >> (32 - 8 * size);
}

static void write_command(struct ide *ide, uint8_t value)
{
	ide->command = value & (COMMAND_START | COMMAND_TO_MEMORY);
	if (value & COMMAND_START)
		ide->status |= STATUS_ACTIVE;
	else
		ide->status &= (uint8_t)~STATUS_ACTIVE;
}

static void write_status(struct ide *ide, uint8_t value)
{
	uint8_t cleared = value & (STATUS_ERROR | STATUS_INTERRUPT);

	ide->status = (ide->status & (uint8_t) ~(cleared | STATUS_KEPT)) | (value & STATUS_KEPT);
}

static void write_master_byte(struct ide *ide, unsigned offset, uint8_t value)
{
	unsigned shift = 8 * (offset % 4);

	if (offset == MASTER_COMMAND)
		write_command(ide, value);
	else if (offset == MASTER_STATUS)
		write_status(ide, value);
	else if (offset >= MASTER_LIST && offset < MASTER_END)
		ide->list = (ide->list & ~(0xFFu << shift)) | (uint32_t)value << shift;
	ide->list &= ~3u;
}

void ide_write_master(struct ide *ide, unsigned offset, unsigned size, uint32_t value)
{
	for (unsigned i = 0; i < size; i++)
		write_master_byte(ide, offset + i, (uint8_t)(value >> 8 * i));
	run_master(ide);
	update(ide);
}
