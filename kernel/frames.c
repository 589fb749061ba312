#include "kernel/frames.h"

#include "kernel/statistics.h"
#include "kernel/string.h"

static uint8_t *owners;
static uint32_t total;
static uint32_t counts[FRAME_OWNERS];

/* No frame is free at or above the first, none below the second. */
static uint32_t free_top, free_bottom;

/* Allocations until one fails; 0: none will. */
static uint32_t until_failure;

const char *const frame_owner_names[FRAME_OWNERS] = {
#define FRAME_OWNER(name, text) text,
#include "kernel/frame_owners.def"
#undef FRAME_OWNER
};

void frames_start(uint8_t *table, uint32_t frames)
{
	owners = table;
	total = frames;
	memset(owners, FRAME_absent, frames);
	memset(counts, 0, sizeof(counts));
	counts[FRAME_absent] = frames;
	free_top = 0;
	free_bottom = frames;
}

static void set_owner(uint32_t frame, enum frame_owner owner)
{
	counts[owners[frame]]--;
	counts[owner]++;
	owners[frame] = (uint8_t)owner;
	if (owner != FRAME_free)
		return;
	if (frame >= free_top)
		free_top = frame + 1;
	if (frame < free_bottom)
		free_bottom = frame;
}

static uint32_t clip(uint64_t frame)
{
	return frame < total ? (uint32_t)frame : total;
}

void frames_change_range(uint64_t start, uint64_t end, enum frame_owner from, enum frame_owner to)
{
	uint32_t last = clip(end >> PAGE_SHIFT);

	for (uint32_t i = clip(page_round_up(start) >> PAGE_SHIFT); i < last; i++)
		if (owners[i] == from)
			set_owner(i, to);
}

void frames_claim_range(uint64_t start, uint64_t end, enum frame_owner owner)
{
	uint32_t last = clip(page_round_up(end) >> PAGE_SHIFT);

	for (uint32_t i = clip(start >> PAGE_SHIFT); i < last; i++)
		set_owner(i, owner);
}

static mpa_t frame_address(uint32_t frame)
{
	return mpa((uint64_t)frame << PAGE_SHIFT);
}

void frames_fail_at(uint32_t number)
{
	until_failure = number;
}

static bool fails_now(void)
{
	return until_failure && --until_failure == 0;
}

mpa_t frames_allocate(enum frame_owner owner)
{
	if (fails_now())
		return FRAMES_NONE;
	for (; free_top > free_bottom; free_top--) {
		if (owners[free_top - 1] != FRAME_free)
			continue;
		set_owner(--free_top, owner);
		statistics_count(frames_allocated);
		return frame_address(free_top);
	}
	return FRAMES_NONE;
}

/* Where in the run, from the end, something is in the way; count when nothing is. */
static uint32_t find_obstacle(uint32_t first, uint32_t count)
{
	for (uint32_t i = count; i > 0; i--)
		if (owners[first + i - 1] != FRAME_free)
			return i - 1;
	return count;
}

static uint32_t align_up(uint32_t frame, uint32_t alignment)
{
	return (frame + alignment - 1) & ~(alignment - 1);
}

mpa_t frames_allocate_run(uint32_t count, uint32_t alignment, enum frame_owner owner)
{
	uint32_t first = align_up(free_bottom, alignment);

	if (fails_now())
		return FRAMES_NONE;
	while (count && first < free_top && count <= free_top - first) {
		uint32_t obstacle = find_obstacle(first, count);
		if (obstacle < count) {
			first = align_up(first + obstacle + 1, alignment);
			continue;
		}
		for (uint32_t i = 0; i < count; i++)
			set_owner(first + i, owner);
		statistics[STATISTIC_frames_allocated] += count;
		return frame_address(first);
	}
	return FRAMES_NONE;
}

bool frames_free_run(mpa_t first, uint32_t count, enum frame_owner owner)
{
	uint64_t frame = first.value >> PAGE_SHIFT;

	if (frame >= total || count > total - frame)
		return false;
	for (uint32_t i = 0; i < count; i++)
		if (owners[frame + i] != owner)
			return false;
	for (uint32_t i = 0; i < count; i++)
		set_owner((uint32_t)frame + i, FRAME_free);
	statistics[STATISTIC_frames_freed] += count;
	return true;
}

uint32_t frames_count(enum frame_owner owner)
{
	return counts[owner];
}

uint32_t frames_total(void)
{
	return total;
}

enum frame_owner frames_owner(mpa_t frame)
{
	uint64_t index = frame.value >> PAGE_SHIFT;

	return index < total ? owners[index] : FRAME_absent;
}

bool frames_check(void)
{
	uint32_t found[FRAME_OWNERS] = {0};

	for (uint32_t i = 0; i < total; i++)
		found[owners[i]]++;
	return memcmp(found, counts, sizeof(found)) == 0;
}
