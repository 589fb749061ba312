/* From the boot loader's memory map to the table of frames. */
#ifndef BOOT_MEMORY_H
#define BOOT_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "boot/boot_info.h"

/* What is taken from the start: the image, the way in. */
struct memory_reserved {
	uint64_t start, end;
};

/* The end of the usable memory that can be mapped directly. */
uint64_t memory_direct_end(const struct boot_info *info);

/* Where `bytes` fit below `limit` without touching what is reserved or a module; 0 for nowhere.
 * As high as possible. */
uint64_t memory_find_room(const struct boot_info *info, const struct memory_reserved *reserved,
                          size_t reserved_count, uint64_t bytes, uint64_t limit);

/* Fills the table of frames; false, with one sentence, when a module overlaps the image or there
 * is no room for the table. */
bool memory_start(const struct boot_info *info, char *problem, size_t size);

#endif
