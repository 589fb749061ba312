/* An ATA disk: the command block of one drive, and the sectors behind it.
 *
 * Written to ATA/ATAPI-6 for a drive with the general command set, PIO, multiword and Ultra DMA,
 * and addresses of 28 and 48 bits and by cylinder, head and sector. Commands are done at once: BSY
 * shows only during a software reset. The sectors lie in memory that somebody else owns.
 * Whoever holds the drive reads its interrupt request after each call, and moves the bytes of a DMA
 * transfer with ata_disk_dma(). It must not know on which ports it is. */
#ifndef MONITOR_DEVICES_ATA_DISK_H
#define MONITOR_DEVICES_ATA_DISK_H

#include <stdbool.h>
#include <stdint.h>

#define ATA_SECTOR        512u
#define ATA_MULTIPLE_MOST 16u
#define ATA_HEADS         16u
#define ATA_TRACK         63u

/* The command block, in the order of its ports. */
enum ata_register {
	ATA_DATA,
	ATA_ERROR, /* written: features */
	ATA_COUNT,
	ATA_LOW,
	ATA_MIDDLE,
	ATA_HIGH,
	ATA_DEVICE,
	ATA_STATUS, /* written: command */
};

enum {
	ATA_STATUS_ERROR = 0x01,
	ATA_STATUS_DATA = 0x08,
	ATA_STATUS_SEEK_DONE = 0x10,
	ATA_STATUS_READY = 0x40,
	ATA_STATUS_BUSY = 0x80,
	ATA_ERROR_ABORTED = 0x04,
	ATA_ERROR_NOT_FOUND = 0x10,
	ATA_DEVICE_SECOND = 0x10,
	ATA_DEVICE_LBA = 0x40,
	ATA_CONTROL_NO_INTERRUPT = 0x02,
	ATA_CONTROL_RESET = 0x04,
	ATA_CONTROL_HIGH_BYTE = 0x80,
};

enum ata_transfer { ATA_NOTHING, ATA_PIO_IN, ATA_PIO_OUT, ATA_DMA_IN, ATA_DMA_OUT };

struct ata_disk {
	uint8_t status, error, features, device, control;
	/* Each of these remembers the value before the last one: the high bytes of 48 bits. */
	struct {
		uint8_t now, before;
	} registers[ATA_HIGH + 1]; /* ATA_COUNT to ATA_HIGH are used */
	bool interrupt;            /* INTRQ, before the control register's say */

	/* What is going on. */
	enum ata_transfer transfer;
	uint64_t sector;    /* of the present block */
	uint32_t left;      /* sectors, the present block included */
	uint32_t block, at; /* sectors of the present block, and bytes of it that are done */
	bool from_identity; /* the data is not the disk's */
	uint8_t identity[ATA_SECTOR];

	/* What can be set. */
	uint8_t multiple; /* sectors in a block of the MULTIPLE commands; 0: none are allowed */
	uint8_t mode;     /* the transfer mode, as SET FEATURES has it */
	uint8_t heads, track;
	bool write_cache, look_ahead;

	uint64_t sectors_read, sectors_written;

	/* The sectors themselves: wiring. */
	uint8_t *image;
	uint64_t sectors;
};

/* As the power comes on. */
void ata_disk_reset(struct ata_disk *disk);

/* Any register but the data; the status read takes the interrupt request back. */
uint8_t ata_disk_read(struct ata_disk *disk, enum ata_register number);
void ata_disk_write(struct ata_disk *disk, enum ata_register number, uint8_t value);
void ata_disk_control(struct ata_disk *disk, uint8_t value);

/* The data register, by the word or double word; of a word that is read by the byte, the rest is
 * gone. */
uint32_t ata_disk_read_data(struct ata_disk *disk, unsigned size);
void ata_disk_write_data(struct ata_disk *disk, unsigned size, uint32_t value);

/* The bytes that a DMA transfer is to move next, and how many; NULL when none is going on. After
 * some of them were moved they are to be reported. */
uint8_t *ata_disk_dma(struct ata_disk *disk, uint32_t *bytes);
void ata_disk_dma_moved(struct ata_disk *disk, uint32_t bytes);

#endif
