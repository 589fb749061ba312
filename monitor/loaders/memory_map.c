#include "monitor/loaders/memory_map.h"

enum {
	CONVENTIONAL = 0x9FC00,
	CONVENTIONAL_END = 0xA0000,
	FIRMWARE = 0xF0000,
	EXTENDED = 0x100000,
};

unsigned memory_map_fill(struct memory_map_range ranges[MEMORY_MAP_RANGES], uint32_t memory_size)
{
	ranges[0] = (struct memory_map_range){0, CONVENTIONAL, MEMORY_MAP_USABLE};
	ranges[1] = (struct memory_map_range){CONVENTIONAL, CONVENTIONAL_END - CONVENTIONAL,
	                                      MEMORY_MAP_RESERVED};
	ranges[2] = (struct memory_map_range){FIRMWARE, EXTENDED - FIRMWARE, MEMORY_MAP_RESERVED};
	if (memory_size <= EXTENDED)
		return 3;
	ranges[3] = (struct memory_map_range){EXTENDED, memory_size - EXTENDED, MEMORY_MAP_USABLE};
	return 4;
}

uint32_t memory_map_lower(void)
{
	return CONVENTIONAL / 1024;
}

uint32_t memory_map_upper(uint32_t memory_size)
{
	return memory_size > EXTENDED ? (memory_size - EXTENDED) / 1024 : 0;
}
