/* The book of guest memory while a kernel is loaded. */
#include "monitor/loaders/placement.h"
#include "tests/unit.h"

static struct placement placement;

TEST(placement_the_hole_is_taken_from_the_start)
{
	placement_start(&placement, 0x400000);
	CHECK(!placement_overlap(&placement, 0, 0xA0000));
	CHECK(placement_overlap(&placement, 0, 0xA0001) == &placement.range[0]);
	CHECK(placement_overlap(&placement, 0xFFFFF, 1) == &placement.range[0]);
	CHECK(!placement_overlap(&placement, 0x100000, 0x300000));
	CHECK_EQ(placement_end(&placement), 0x100000);
}

TEST(placement_finds_the_lowest_free_pages)
{
	uint32_t start = 0;

	placement_start(&placement, 0x400000);
	placement_claim(&placement, 0x101000, 0x10);
	CHECK(placement_find(&placement, 0x1000, 0x90001, 0x400000, &start));
	CHECK_EQ(start, 0x91000);
	CHECK(placement_find(&placement, 1, 0x9F800, 0x400000, &start));
	CHECK_EQ(start, 0x100000);
	CHECK(placement_find(&placement, 0x1001, 0x9F800, 0x400000, &start));
	CHECK_EQ(start, 0x102000);
	CHECK(placement_find(&placement, 0x1000, 0x100000, 0x400000, &start));
	CHECK_EQ(start, 0x104000);
	CHECK_EQ(placement_end(&placement), 0x105000);
}

TEST(placement_gives_nothing_past_the_end)
{
	uint32_t start = 0;

	placement_start(&placement, 0x200800);
	CHECK(!placement_find(&placement, 0x100001, 0x100000, UINT32_MAX, &start));
	CHECK(!placement_find(&placement, 0xFFFFFFFF, 0x100000, UINT32_MAX, &start));
	CHECK(!placement_find(&placement, 0x1000, 0xFFFFFFFF, UINT32_MAX, &start));
	CHECK(!placement_find(&placement, 0x2000, 0x9E000, 0x9F000, &start));
	CHECK(placement_find(&placement, 0x100000, 0x100000, UINT32_MAX, &start));
	CHECK_EQ(start, 0x100000);
	/* Half a page at the end is no page. */
	CHECK(!placement_find(&placement, 0x800, 0x200000, UINT32_MAX, &start));
}

TEST(placement_finds_the_highest_free_pages)
{
	uint32_t start = 0;

	placement_start(&placement, 0x400800);
	placement_claim(&placement, 0x3FE010, 0x10);
	CHECK(placement_find_highest(&placement, 0x1001, 0x100000, UINT32_MAX, &start));
	CHECK_EQ(start, 0x3FC000);
	CHECK(placement_find_highest(&placement, 1, 0x100000, UINT32_MAX, &start));
	CHECK_EQ(start, 0x3FF000);
	CHECK(placement_find_highest(&placement, 0x2FC000, 0x100000, UINT32_MAX, &start));
	CHECK_EQ(start, 0x100000);
	CHECK(!placement_find_highest(&placement, 1, 0x100000, UINT32_MAX, &start));
	CHECK(placement_find_highest(&placement, 1, 0x9F000, UINT32_MAX, &start));
	CHECK_EQ(start, 0x9F000);
	CHECK(!placement_find_highest(&placement, 0xFFFFFFFF, 0, UINT32_MAX, &start));
}

UNIT_MAIN
