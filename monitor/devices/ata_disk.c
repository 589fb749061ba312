#include "monitor/devices/ata_disk.h"

#include <stddef.h>

#include "monitor/devices/ata_identify.h"

enum {
	STATUS_IDLE = ATA_STATUS_READY | ATA_STATUS_SEEK_DONE,
	DIAGNOSTIC_PASSED = 0x01,
	FEATURE_WRITE_CACHE_ON = 0x02,
	FEATURE_MODE = 0x03,
	FEATURE_LOOK_AHEAD_OFF = 0x55,
	FEATURE_KEEP_SETTINGS = 0x66,
	FEATURE_WRITE_CACHE_OFF = 0x82,
	FEATURE_LOOK_AHEAD_ON = 0xAA,
	FEATURE_DROP_SETTINGS = 0xCC,
	MODE_AT_RESET = 0x0C, /* PIO mode 4 */
	POWER_ACTIVE = 0xFF,
};

/* How a command moves data, if it does, and what it may be given. */
enum kind {
	KIND_NO_DATA,
	KIND_SECTOR_IN,
	KIND_SECTOR_OUT,
	KIND_MULTIPLE_IN,
	KIND_MULTIPLE_OUT,
	KIND_DMA_IN,
	KIND_DMA_OUT,
	KIND_VERIFY
};

struct command {
	uint8_t code;
	uint8_t kind;
	bool is_48;
	bool (*run)(struct ata_disk *disk); /* without data; false: aborted */
};

static void finish(struct ata_disk *disk)
{
	disk->transfer = ATA_NOTHING;
	disk->status = STATUS_IDLE;
}

static void fail(struct ata_disk *disk, uint8_t error)
{
	disk->transfer = ATA_NOTHING;
	disk->status = STATUS_IDLE | ATA_STATUS_ERROR;
	disk->error = error;
	disk->interrupt = true;
}

/* After every kind of reset, and after the diagnostic: what tells a disk from other devices. */
static void sign(struct ata_disk *disk)
{
	for (unsigned i = ATA_COUNT; i <= ATA_HIGH; i++)
		disk->registers[i].now = disk->registers[i].before = i <= ATA_LOW;
	disk->device = 0;
	disk->error = DIAGNOSTIC_PASSED;
	finish(disk);
}

void ata_disk_reset(struct ata_disk *disk)
{
	disk->interrupt = false;
	disk->control = disk->features = 0;
	disk->multiple = 0;
	disk->mode = MODE_AT_RESET;
	disk->heads = ATA_HEADS;
	disk->track = ATA_TRACK;
	disk->write_cache = disk->look_ahead = true;
	sign(disk);
}

void ata_disk_control(struct ata_disk *disk, uint8_t value)
{
	bool was_reset = disk->control & ATA_CONTROL_RESET;

	disk->control = value;
	if (value & ATA_CONTROL_RESET) {
		disk->interrupt = false;
		disk->transfer = ATA_NOTHING;
		disk->status = ATA_STATUS_BUSY;
	} else if (was_reset) {
		disk->multiple = 0;
		sign(disk);
	}
}

/* The registers as one number: of 48 bits their values before come first. */
static uint64_t logical_sector(const struct ata_disk *disk, bool is_48)
{
	uint64_t low = 0, high = 0;

	for (unsigned i = ATA_HIGH; i >= ATA_LOW; i--) {
		low = low << 8 | disk->registers[i].now;
		high = high << 8 | disk->registers[i].before;
	}
	return is_48 ? high << 24 | low : low | (uint64_t)(disk->device & 0xF) << 24;
}

/* UINT64_MAX, which no disk has, for a place that no track has. */
static uint64_t first_sector(const struct ata_disk *disk, bool is_48)
{
	uint32_t number = disk->registers[ATA_LOW].now, head = disk->device & 0xF;
	uint32_t cylinder = disk->registers[ATA_HIGH].now << 8 | disk->registers[ATA_MIDDLE].now;

	if (is_48 || disk->device & ATA_DEVICE_LBA)
		return logical_sector(disk, is_48);
	if (number == 0 || number > disk->track || head >= disk->heads)
		return UINT64_MAX;
	return ((uint64_t)cylinder * disk->heads + head) * disk->track + number - 1;
}

static uint32_t sector_count(const struct ata_disk *disk, bool is_48)
{
	uint32_t now = disk->registers[ATA_COUNT].now, before = disk->registers[ATA_COUNT].before;

	if (!is_48)
		return now ? now : 0x100;
	return now | before ? before << 8 | now : 0x10000;
}

static void begin_block(struct ata_disk *disk)
{
	disk->at = 0;
	if (disk->block > disk->left)
		disk->block = disk->left;
	disk->status = STATUS_IDLE | ATA_STATUS_DATA;
}

static void begin_transfer(struct ata_disk *disk, enum ata_transfer transfer, uint32_t block)
{
	disk->transfer = transfer;
	disk->block = block;
	disk->from_identity = false;
	begin_block(disk);
	/* A block that is to be read is announced; the first one that is to be written is not. */
	disk->interrupt = transfer == ATA_PIO_IN;
}

static void start_transfer(struct ata_disk *disk, const struct command *command)
{
	disk->sector = first_sector(disk, command->is_48);
	disk->left = sector_count(disk, command->is_48);
	if (disk->sector >= disk->sectors || disk->left > disk->sectors - disk->sector) {
		fail(disk, ATA_ERROR_NOT_FOUND);
		return;
	}
	switch ((enum kind)command->kind) {
	case KIND_SECTOR_IN:
		begin_transfer(disk, ATA_PIO_IN, 1);
		break;
	case KIND_SECTOR_OUT:
		begin_transfer(disk, ATA_PIO_OUT, 1);
		break;
	case KIND_MULTIPLE_IN:
		begin_transfer(disk, ATA_PIO_IN, disk->multiple);
		break;
	case KIND_MULTIPLE_OUT:
		begin_transfer(disk, ATA_PIO_OUT, disk->multiple);
		break;
	case KIND_DMA_IN:
		begin_transfer(disk, ATA_DMA_IN, disk->left);
		break;
	case KIND_DMA_OUT:
		begin_transfer(disk, ATA_DMA_OUT, disk->left);
		break;
	case KIND_NO_DATA:
	case KIND_VERIFY:
		finish(disk);
		disk->interrupt = true;
	}
}

static bool run_nothing(struct ata_disk *disk)
{
	(void)disk;
	return true;
}

static bool run_diagnostic(struct ata_disk *disk)
{
	sign(disk);
	return true;
}

static bool run_parameters(struct ata_disk *disk)
{
	if (!disk->registers[ATA_COUNT].now)
		return false;
	disk->track = disk->registers[ATA_COUNT].now;
	disk->heads = (disk->device & 0xF) + 1;
	return true;
}

static bool run_power_mode(struct ata_disk *disk)
{
	disk->registers[ATA_COUNT].now = POWER_ACTIVE;
	return true;
}

static bool run_set_multiple(struct ata_disk *disk)
{
	uint8_t count = disk->registers[ATA_COUNT].now;

	if (count > ATA_MULTIPLE_MOST || count & (count - 1))
		return false;
	disk->multiple = count;
	return true;
}

/* PIO without a number, PIO with flow control to mode 4, multiword DMA and Ultra DMA to mode 2. */
static bool set_mode(struct ata_disk *disk, uint8_t mode)
{
	uint8_t number = mode & 7;

	switch (mode & 0xF8) {
	case 0x00:
		if (number > 1)
			return false;
		disk->mode = MODE_AT_RESET;
		return true;
	case 0x08:
		if (number > 4)
			return false;
		break;
	case 0x20:
	case 0x40:
		if (number > 2)
			return false;
		break;
	default:
		return false;
	}
	disk->mode = mode;
	return true;
}

static bool run_set_features(struct ata_disk *disk)
{
	switch (disk->features) {
	case FEATURE_WRITE_CACHE_ON:
	case FEATURE_WRITE_CACHE_OFF:
		disk->write_cache = disk->features == FEATURE_WRITE_CACHE_ON;
		return true;
	case FEATURE_LOOK_AHEAD_ON:
	case FEATURE_LOOK_AHEAD_OFF:
		disk->look_ahead = disk->features == FEATURE_LOOK_AHEAD_ON;
		return true;
	case FEATURE_MODE:
		return set_mode(disk, disk->registers[ATA_COUNT].now);
	case FEATURE_KEEP_SETTINGS:
	case FEATURE_DROP_SETTINGS:
		return true;
	default:
		return false;
	}
}

/* The page goes out like a sector that was read. */
static bool run_identify(struct ata_disk *disk)
{
	ata_identify(disk, disk->identity);
	disk->left = 1;
	begin_transfer(disk, ATA_PIO_IN, 1);
	disk->from_identity = true;
	return true;
}

static const struct command commands[] = {
        {0x10, KIND_NO_DATA, false, run_nothing}, /* RECALIBRATE */
        {0x20, KIND_SECTOR_IN, false, NULL},      /* READ SECTORS, and its obsolete twin */
        {0x21, KIND_SECTOR_IN, false, NULL},
        {0x24, KIND_SECTOR_IN, true, NULL},
        {0x25, KIND_DMA_IN, true, NULL},
        {0x29, KIND_MULTIPLE_IN, true, NULL},
        {0x30, KIND_SECTOR_OUT, false, NULL}, /* WRITE SECTORS */
        {0x31, KIND_SECTOR_OUT, false, NULL},
        {0x34, KIND_SECTOR_OUT, true, NULL},
        {0x35, KIND_DMA_OUT, true, NULL},
        {0x39, KIND_MULTIPLE_OUT, true, NULL},
        {0x40, KIND_VERIFY, false, NULL}, /* READ VERIFY SECTORS */
        {0x41, KIND_VERIFY, false, NULL},
        {0x42, KIND_VERIFY, true, NULL},
        {0x70, KIND_NO_DATA, false, run_nothing},    /* SEEK */
        {0x90, KIND_NO_DATA, false, run_diagnostic}, /* EXECUTE DEVICE DIAGNOSTIC */
        {0x91, KIND_NO_DATA, false, run_parameters}, /* INITIALIZE DEVICE PARAMETERS */
        {0xC4, KIND_MULTIPLE_IN, false, NULL},
        {0xC5, KIND_MULTIPLE_OUT, false, NULL},
        {0xC6, KIND_NO_DATA, false, run_set_multiple},
        {0xC8, KIND_DMA_IN, false, NULL},
        {0xC9, KIND_DMA_IN, false, NULL},
        {0xCA, KIND_DMA_OUT, false, NULL},
        {0xCB, KIND_DMA_OUT, false, NULL},
        {0xE0, KIND_NO_DATA, false, run_nothing}, /* STANDBY IMMEDIATE, and other rests */
        {0xE1, KIND_NO_DATA, false, run_nothing},
        {0xE2, KIND_NO_DATA, false, run_nothing},
        {0xE3, KIND_NO_DATA, false, run_nothing},
        {0xE5, KIND_NO_DATA, false, run_power_mode},
        {0xE6, KIND_NO_DATA, false, run_nothing},
        {0xE7, KIND_NO_DATA, false, run_nothing}, /* FLUSH CACHE: everything is written */
        {0xEA, KIND_NO_DATA, true, run_nothing},
        {0xEC, KIND_NO_DATA, false, run_identify},
        {0xEF, KIND_NO_DATA, false, run_set_features},
};

static const struct command *find_command(uint8_t code)
{
	for (unsigned i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (commands[i].code == code)
			return &commands[i];
	return NULL;
}

/* Whether it exists, and blocks have been allowed if it moves them. */
static bool is_allowed(const struct ata_disk *disk, const struct command *command)
{
	return command && (disk->multiple || (command->kind != KIND_MULTIPLE_IN &&
	                                      command->kind != KIND_MULTIPLE_OUT));
}

static void start_command(struct ata_disk *disk, uint8_t code)
{
	const struct command *command = find_command(code);

	disk->interrupt = false;
	disk->error = 0;
	finish(disk);
	if (is_allowed(disk, command) && !command->run)
		start_transfer(disk, command);
	else if (is_allowed(disk, command) && command->run(disk))
		disk->interrupt = true;
	else
		fail(disk, ATA_ERROR_ABORTED);
}

uint8_t ata_disk_read(struct ata_disk *disk, enum ata_register number)
{
	switch (number) {
	case ATA_STATUS:
		disk->interrupt = false;
		return disk->status;
	case ATA_ERROR:
		return disk->error;
	case ATA_DEVICE:
		return disk->device | 0xA0; /* two bits that are always set */
	default:
		return disk->control & ATA_CONTROL_HIGH_BYTE ? disk->registers[number].before
		                                             : disk->registers[number].now;
	}
}

void ata_disk_write(struct ata_disk *disk, enum ata_register number, uint8_t value)
{
	if (disk->status & ATA_STATUS_BUSY)
		return;
	disk->control &= (uint8_t)~ATA_CONTROL_HIGH_BYTE;
	switch (number) {
	case ATA_STATUS:
		start_command(disk, value);
		break;
	case ATA_ERROR:
		disk->features = value;
		break;
	case ATA_DEVICE:
		disk->device = value;
		break;
	default:
		disk->registers[number].before = disk->registers[number].now;
		disk->registers[number].now = value;
	}
}

static uint8_t *data(struct ata_disk *disk)
{
	if (disk->from_identity)
		return disk->identity + disk->at;
	return disk->image + (size_t)(disk->sector * ATA_SECTOR) + disk->at;
}

/* What is announced after a block: the next one, or that all was written. */
static void end_block(struct ata_disk *disk)
{
	bool is_in = disk->transfer == ATA_PIO_IN || disk->transfer == ATA_DMA_IN;
	bool is_dma = disk->transfer == ATA_DMA_IN || disk->transfer == ATA_DMA_OUT;

	if (is_in && !disk->from_identity)
		disk->sectors_read += disk->block;
	else if (!is_in)
		disk->sectors_written += disk->block;
	disk->left -= disk->block;
	disk->sector += disk->block;
	disk->interrupt = disk->left || !is_in || is_dma;
	if (disk->left)
		begin_block(disk);
	else
		finish(disk);
}

static void move(struct ata_disk *disk, uint32_t bytes)
{
	disk->at += bytes;
	if (disk->at == disk->block * ATA_SECTOR)
		end_block(disk);
}

static uint32_t read_word(struct ata_disk *disk)
{
	uint16_t value;

	if (disk->transfer != ATA_PIO_IN)
		return 0xFFFF;
	__builtin_memcpy(&value, data(disk), sizeof(value));
	move(disk, sizeof(value));
	return value;
}

/* A double word is two words, which may lie in two blocks. */
uint32_t ata_disk_read_data(struct ata_disk *disk, unsigned size)
{
	uint32_t low = read_word(disk);

	return size == 4 ? low | read_word(disk) << 16 : low;
}

static void write_word(struct ata_disk *disk, uint16_t value)
{
	if (disk->transfer != ATA_PIO_OUT)
		return;
	__builtin_memcpy(data(disk), &value, sizeof(value));
	move(disk, sizeof(value));
}

void ata_disk_write_data(struct ata_disk *disk, unsigned size, uint32_t value)
{
	write_word(disk, (uint16_t)value);
	if (size == 4)
		write_word(disk, (uint16_t)(value >> 16));
}

uint8_t *ata_disk_dma(struct ata_disk *disk, uint32_t *bytes)
{
	if (disk->transfer != ATA_DMA_IN && disk->transfer != ATA_DMA_OUT)
		return NULL;
	*bytes = disk->block * ATA_SECTOR - disk->at;
	return data(disk);
}

void ata_disk_dma_moved(struct ata_disk *disk, uint32_t bytes)
{
	move(disk, bytes);
}
