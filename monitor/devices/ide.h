/* The first channel of a PC's IDE controller with one disk on it, and its bus master.
 *
 * The task file decodes the drive: the second drive is not there, so its status reads 0 and its
 * commands go nowhere. The bus master follows a list of regions in guest memory, as the PIIX family
 * has it; both it and the drive have to be started, in whichever order. The second channel has no
 * ports; its half of the bus master reads 0. It must not know whose memory it reads. */
#ifndef MONITOR_DEVICES_IDE_H
#define MONITOR_DEVICES_IDE_H

#include "monitor/devices/ata_disk.h"
#include "monitor/devices/line.h"

#define IDE_PORT         0x1F0
#define IDE_PORTS        8
#define IDE_CONTROL_PORT 0x3F6
#define IDE_INTERRUPT    14
#define IDE_MASTER_PORTS 16

struct ide {
	struct ata_disk disk;
	uint8_t command, status; /* the bus master's */
	uint32_t list;           /* of regions */
	bool interrupt;          /* the line, as last driven */

	/* Wiring. */
	struct line line;
	void (*read_memory)(void *owner, uint32_t address, void *to, uint32_t size);
	void (*write_memory)(void *owner, uint32_t address, const void *from, uint32_t size);
	void *owner;
};

void ide_reset(struct ide *ide);

/* For the task file and the control port. */
uint32_t ide_read(void *ide, uint64_t now, uint16_t port, unsigned size);
void ide_write(void *ide, uint64_t now, uint16_t port, unsigned size, uint32_t value);

/* For the bus master, by the offset from its base. */
uint32_t ide_read_master(struct ide *ide, unsigned offset, unsigned size);
void ide_write_master(struct ide *ide, unsigned offset, unsigned size, uint32_t value);

#endif
