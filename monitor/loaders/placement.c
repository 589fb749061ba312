#include "monitor/loaders/placement.h"

#include <stddef.h>

void placement_start(struct placement *placement, uint32_t memory_size)
{
	placement->memory_size = memory_size;
	placement->count = 0;
	placement_claim(placement, PLACEMENT_HOLE, PLACEMENT_HOLE_END - PLACEMENT_HOLE);
}

const struct placement_range *placement_overlap(const struct placement *placement, uint32_t start,
                                                uint32_t size)
{
	uint64_t end = (uint64_t)start + size;

	for (unsigned i = 0; i < placement->count; i++) {
		const struct placement_range *range = &placement->range[i];
		if (range->start < end && (uint64_t)range->start + range->size > start)
			return range;
	}
	return NULL;
}

void placement_claim(struct placement *placement, uint32_t start, uint32_t size)
{
	if (placement->count < PLACEMENT_RANGES)
		placement->range[placement->count++] = (struct placement_range){start, size};
}

static uint64_t page_up(uint64_t address)
{
	return (address + PLACEMENT_PAGE - 1) & ~(uint64_t)(PLACEMENT_PAGE - 1);
}

bool placement_find(struct placement *placement, uint32_t size, uint32_t from, uint32_t to,
                    uint32_t *start)
{
	uint64_t candidate = page_up(from), whole = page_up(size);
	const struct placement_range *taken;

	if (to > placement->memory_size)
		to = placement->memory_size;
	while (candidate + whole <= to) {
		taken = placement_overlap(placement, (uint32_t)candidate, (uint32_t)whole);
		if (!taken) {
			*start = (uint32_t)candidate;
			placement_claim(placement, *start, (uint32_t)whole);
			return true;
		}
		candidate = page_up((uint64_t)taken->start + taken->size);
	}
	return false;
}

bool placement_find_highest(struct placement *placement, uint32_t size, uint32_t from, uint32_t to,
                            uint32_t *start)
{
	uint64_t whole = page_up(size),
	         end = to < placement->memory_size ? to : placement->memory_size;
	const struct placement_range *taken;

	end &= ~(uint64_t)(PLACEMENT_PAGE - 1);
	while (end >= page_up(from) + whole) {
		uint32_t candidate = (uint32_t)(end - whole);
		taken = placement_overlap(placement, candidate, (uint32_t)whole);
		if (!taken) {
			*start = candidate;
			placement_claim(placement, *start, (uint32_t)whole);
			return true;
		}
		end = taken->start & ~(uint64_t)(PLACEMENT_PAGE - 1);
	}
	return false;
}

uint32_t placement_end(const struct placement *placement)
{
	uint32_t end = 0;

	for (unsigned i = 0; i < placement->count; i++) {
		uint32_t range_end = placement->range[i].start + placement->range[i].size;
		if (range_end > end)
			end = range_end;
	}
	return end;
}
