/* The memory map of the virtual PC, as firmware would report it to a boot loader.
 *
 * Conventional memory with the top kilobyte kept as PCs keep it, the firmware's 64 KB, and
 * everything from 1 MB on. It must not know in which form a protocol hands it over. */
#ifndef MONITOR_LOADERS_MEMORY_MAP_H
#define MONITOR_LOADERS_MEMORY_MAP_H

#include <stdint.h>

#define MEMORY_MAP_RANGES 4

enum { MEMORY_MAP_USABLE = 1, MEMORY_MAP_RESERVED = 2 };

struct memory_map_range {
	uint64_t start, size;
	uint32_t type;
};

/* Gives the number of ranges, at most MEMORY_MAP_RANGES. Memory is at least 1 MB. */
unsigned memory_map_fill(struct memory_map_range ranges[MEMORY_MAP_RANGES], uint32_t memory_size);

/* In kilobytes, from 0 and from 1 MB on. */
uint32_t memory_map_lower(void);
uint32_t memory_map_upper(uint32_t memory_size);

#endif
