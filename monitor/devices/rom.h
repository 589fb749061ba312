/* The firmware's memory, F0000 to FFFFF: tables for the guest, and nothing that could be run.
 *
 * It is filled before the guest starts and takes no writes afterwards. What is not filled reads as
 * ones, like an empty part. It must not know what the tables say. */
#ifndef MONITOR_DEVICES_ROM_H
#define MONITOR_DEVICES_ROM_H

#include <stdint.h>

#define ROM_ADDRESS 0xF0000u
#define ROM_SIZE    0x10000u
#define ROM_END     (ROM_ADDRESS + ROM_SIZE)
#define ROM_FILLED  0x1000u /* as much of it may hold something */

/* From here on there is room for the ROMs of adapters; there are none. */
#define ROM_ADAPTERS 0xC0000u

struct rom {
	uint8_t bytes[ROM_FILLED];
	uint32_t used;
};

void rom_reset(struct rom *rom);

/* Room for a table on a boundary of 16 bytes, zeroed, and its guest-physical address. The tables
 * are few and of known size; asking for more than there is gives NULL. */
void *rom_take(struct rom *rom, uint32_t size, uint32_t *address);

/* Puts it in a guest's memory, where it is to be read, and ones where adapters would have theirs.
 */
void rom_copy(const struct rom *rom, uint8_t *ram);

uint32_t rom_read(void *rom, uint64_t now, uint32_t offset, unsigned size);
void rom_write(void *rom, uint64_t now, uint32_t offset, unsigned size, uint32_t value);

#endif
