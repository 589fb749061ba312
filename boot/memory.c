#include "boot/memory.h"

#include "kernel/address.h"
#include "kernel/frames.h"
#include "kernel/layout.h"
#include "kernel/page_tables.h"
#include "kernel/print.h"

enum { WAY_IN, IMAGE, RESERVED };

/* What is taken from the start: the image, the way in. */
struct memory_reserved {
	uint64_t start, end;
};

static uint64_t lower(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

uint64_t memory_direct_end(const struct boot_info *info)
{
	uint64_t end = 0;

	for (uint32_t i = 0; i < info->range_count; i++) {
		const struct boot_range *range = &info->ranges[i];
		if (range->type == BOOT_RANGE_USABLE && range->start < DIRECT_MAP_END &&
		    range->end > end)
			end = range->end;
	}
	return page_round_down(lower(end, DIRECT_MAP_END));
}

/* The start of whatever lies in [start, end), or `end` when nothing does. */
static uint64_t find_obstacle(const struct boot_info *info, const struct memory_reserved *reserved,
                              size_t reserved_count, uint64_t start, uint64_t end)
{
	for (size_t i = 0; i < reserved_count; i++)
		if (start < reserved[i].end && reserved[i].start < end)
			return reserved[i].start;
	for (uint32_t i = 0; i < info->module_count; i++)
		if (start < info->modules[i].end && info->modules[i].start < end)
			return info->modules[i].start;
	for (uint32_t i = 0; i < info->range_count; i++)
		if (info->ranges[i].type != BOOT_RANGE_USABLE && start < info->ranges[i].end &&
		    info->ranges[i].start < end)
			return info->ranges[i].start;
	return end;
}

/* Where `bytes` fit below `limit` without touching what is reserved or a module; 0 for nowhere.
 * As high as possible. */
static uint64_t find_room(const struct boot_info *info, const struct memory_reserved *reserved,
                          size_t reserved_count, uint64_t bytes, uint64_t limit)
{
	uint64_t best = 0;

	for (uint32_t i = 0; i < info->range_count; i++) {
		const struct boot_range *range = &info->ranges[i];
		uint64_t end = page_round_down(lower(range->end, limit));

		while (range->type == BOOT_RANGE_USABLE && end >= bytes &&
		       end - bytes >= range->start && end - bytes >= DIRECT_MAP_START) {
			uint64_t start = page_round_down(end - bytes);
			uint64_t obstacle =
			        find_obstacle(info, reserved, reserved_count, start, end);
			if (obstacle == end) {
				best = start >= range->start && start > best ? start : best;
				break;
			}
			end = page_round_down(obstacle);
		}
	}
	return best;
}

static bool check_modules(const struct boot_info *info, const struct memory_reserved *image,
                          char *problem, size_t size)
{
	for (uint32_t i = 0; i < info->module_count; i++) {
		const struct boot_module *module = &info->modules[i];
		if (module->start >= image->end || image->start >= module->end)
			continue;
		print_to_buffer(problem, size,
		                "module %u \"%s\" at 0x%llx to 0x%llx overlaps the hypervisor "
		                "itself at 0x%llx to 0x%llx",
		                i, module->name, module->start, module->end, image->start,
		                image->end);
		return false;
	}
	return true;
}

static void fill_table(const struct boot_info *info, const struct memory_reserved *reserved)
{
	for (uint32_t i = 0; i < info->range_count; i++)
		if (info->ranges[i].type == BOOT_RANGE_USABLE)
			frames_change_range(info->ranges[i].start, info->ranges[i].end,
			                    FRAME_absent, FRAME_free);
	for (uint32_t i = 0; i < info->range_count; i++)
		if (info->ranges[i].type != BOOT_RANGE_USABLE)
			frames_claim_range(info->ranges[i].start, info->ranges[i].end,
			                   FRAME_absent);
	frames_change_range(0, DIRECT_MAP_START, FRAME_free, FRAME_low);
	frames_claim_range(reserved[WAY_IN].start, reserved[WAY_IN].end, FRAME_way_in);
	frames_claim_range(reserved[IMAGE].start, reserved[IMAGE].end, FRAME_image);
	for (uint32_t i = 0; i < info->module_count; i++)
		frames_claim_range(info->modules[i].start, info->modules[i].end, FRAME_module);
}

bool memory_start(const struct boot_info *info, char *problem, size_t size)
{
	const struct memory_reserved reserved[RESERVED] = {
	        [WAY_IN] = {layout_address(way_in_start), layout_address(way_in_end)},
	        [IMAGE] = {layout_image_machine(layout_image), layout_image_machine(image_end)},
	};
	uint64_t end = memory_direct_end(info);
	uint64_t frames = end >> PAGE_SHIFT;
	uint64_t table = find_room(info, reserved, RESERVED, frames, end);

	if (!check_modules(info, &reserved[WAY_IN], problem, size) ||
	    !check_modules(info, &reserved[IMAGE], problem, size))
		return false;
	if (!table) {
		print_to_buffer(problem, size,
		                "the memory map has no free range of %llu bytes for the table of "
		                "frames",
		                frames);
		return false;
	}
	frames_start(page_tables_direct(mpa(table)), (uint32_t)frames);
	fill_table(info, reserved);
	frames_claim_range(table, table + frames, FRAME_frame_table);
	return true;
}
