/* The memory map of the virtual PC: in order, without overlap, and all of the memory. */
#include "monitor/loaders/memory_map.h"
#include "tests/unit.h"

TEST(memory_map_is_ordered_and_complete)
{
	static const uint32_t sizes[] = {0x100000, 0x100001, 0x4000000, 0xFFFFFFFF};
	struct memory_map_range ranges[MEMORY_MAP_RANGES];

	for (unsigned i = 0; i < 4; i++) {
		unsigned count = memory_map_fill(ranges, sizes[i]);
		CHECK_EQ(count, i ? 4 : 3);
		for (unsigned j = 1; j < count; j++) {
			CHECK(ranges[j].start >= ranges[j - 1].start + ranges[j - 1].size);
			CHECK(ranges[j].size > 0);
		}
		CHECK_EQ(ranges[0].start, 0);
		CHECK_EQ(ranges[0].type, MEMORY_MAP_USABLE);
		CHECK_EQ(ranges[count - 1].start + ranges[count - 1].size, sizes[i]);
	}
}

TEST(memory_map_sizes_in_kilobytes)
{
	CHECK_EQ(memory_map_lower(), 639);
	CHECK_EQ(memory_map_upper(0x100000), 0);
	CHECK_EQ(memory_map_upper(0x4000000), 63 * 1024);
}

UNIT_MAIN
