/* What an ATA disk says of itself: the 256 words of IDENTIFY DEVICE. */
#ifndef MONITOR_DEVICES_ATA_IDENTIFY_H
#define MONITOR_DEVICES_ATA_IDENTIFY_H

#include "monitor/devices/ata_disk.h"

void ata_identify(const struct ata_disk *disk, uint8_t page[ATA_SECTOR]);

#endif
