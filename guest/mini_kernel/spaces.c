#include "guest/mini_kernel/spaces.h"

#include <stddef.h>

#include "guest/library/cpu.h"
#include "guest/library/memory.h"
#include "guest/mini_kernel/counters.h"
#include "guest/mini_kernel/frames.h"
#include "guest/mini_kernel/layout.h"

extern uint32_t kernel_directory[1024];
extern char program_load[], program_data_start[], program_end[];

static uint32_t *space_directory(const struct space *space)
{
	return layout_virtual(space->directory);
}

/* The entry of an address; NULL if its table is missing and not wanted, or memory used up. */
static uint32_t *space_entry(const struct space *space, uint32_t address, bool wanted)
{
	uint32_t *directory = &space_directory(space)[address >> 22];
	if (!(*directory & PAGE_PRESENT)) {
		uint32_t table = wanted ? frame_take_zeroed() : 0;
		if (!table)
			return NULL;
		*directory = table | PAGE_PRESENT | PAGE_WRITE | PAGE_USER;
	}
	uint32_t *table = layout_virtual(*directory & PAGE_ADDRESS);
	return &table[address >> 12 & 1023];
}

static bool space_add_region(struct space *space, uint32_t start, uint32_t end, bool writable)
{
	for (unsigned i = 0; i < SPACE_REGIONS; i++)
		if (!space->regions[i].end) {
			space->regions[i] = (struct region){start, end, writable};
			return true;
		}
	return false;
}

/* The frames into which the loader put the programs are never freed: they belong to the image. */
static bool space_is_image(uint32_t frame)
{
	uint32_t start = (uint32_t)(uintptr_t)program_load;
	return frame >= start && frame < start + (uint32_t)(uintptr_t)program_end - PROGRAM_BASE;
}

static void space_hold(uint32_t frame)
{
	if (!space_is_image(frame))
		frame_share(frame);
}

static void space_release(uint32_t frame)
{
	if (!space_is_image(frame))
		frame_drop(frame);
}

bool space_create(struct space *space)
{
	*space = (struct space){.directory = frame_take_zeroed()};
	if (!space->directory)
		return false;
	memcpy(&space_directory(space)[KERNEL_DIRECTORY], &kernel_directory[KERNEL_DIRECTORY],
	       (1024 - KERNEL_DIRECTORY) * sizeof(uint32_t));
	uint32_t data = (uint32_t)(uintptr_t)program_data_start;
	uint32_t end = (uint32_t)(uintptr_t)program_end;
	space_add_region(space, PROGRAM_BASE, data, false);
	space_add_region(space, data, end, true);
	space_add_region(space, STACK_TOP - STACK_SIZE, STACK_TOP, true);
	return true;
}

static void space_drop_page(uint32_t *entry)
{
	if (*entry & PAGE_PRESENT)
		space_release(*entry & PAGE_ADDRESS);
	*entry = 0;
}

void space_destroy(struct space *space)
{
	uint32_t *directory = space_directory(space);
	for (unsigned i = 0; i < KERNEL_DIRECTORY; i++) {
		if (!(directory[i] & PAGE_PRESENT))
			continue;
		uint32_t *table = layout_virtual(directory[i] & PAGE_ADDRESS);
		for (unsigned j = 0; j < 1024; j++)
			space_drop_page(&table[j]);
		frame_drop(directory[i] & PAGE_ADDRESS);
	}
	frame_drop(space->directory);
	*space = (struct space){0};
}

void space_use(const struct space *space)
{
	cpu_write_cr3(space->directory);
}

static bool space_copy_region(struct space *to, struct space *from, const struct region *region)
{
	for (uint32_t at = region->start; at < region->end; at += PAGE_SIZE) {
		uint32_t *source = space_entry(from, at, false);
		if (!source || !(*source & PAGE_PRESENT))
			continue;
		uint32_t *target = space_entry(to, at, true);
		if (!target)
			return false;
		if (region->writable)
			*source = (*source & ~PAGE_WRITE) | PAGE_COPY;
		*target = *source;
		space_hold(*source & PAGE_ADDRESS);
		counters.pages_shared++;
	}
	return true;
}

bool space_copy(struct space *to, struct space *from)
{
	if (!space_create(to))
		return false;
	memcpy(to->regions, from->regions, sizeof(to->regions));
	bool copied = true;
	for (unsigned i = 0; i < SPACE_REGIONS && copied; i++)
		copied = space_copy_region(to, from, &from->regions[i]);
	/* The old rights of the pages that are now shared may still be in the TLB. */
	space_use(from);
	if (!copied)
		space_destroy(to);
	return copied;
}

static const struct region *space_region(const struct space *space, uint32_t address)
{
	for (unsigned i = 0; i < SPACE_REGIONS; i++)
		if (address >= space->regions[i].start && address < space->regions[i].end)
			return &space->regions[i];
	return NULL;
}

static bool space_range_is_sound(uint32_t start, uint32_t size)
{
	return size && !(start & ~PAGE_ADDRESS) && !(size & ~PAGE_ADDRESS) && start >= MAP_BASE &&
	       start < MAP_END && size <= MAP_END - start;
}

bool space_map(struct space *space, uint32_t start, uint32_t size)
{
	if (!space_range_is_sound(start, size))
		return false;
	for (unsigned i = 0; i < SPACE_REGIONS; i++)
		if (start < space->regions[i].end && space->regions[i].start < start + size)
			return false;
	return space_add_region(space, start, start + size, true);
}

bool space_unmap(struct space *space, uint32_t start, uint32_t size)
{
	struct region *region = (struct region *)space_region(space, start);
	if (!space_range_is_sound(start, size) || !region || region->start != start ||
	    region->end != start + size)
		return false;
	for (uint32_t at = start; at < start + size; at += PAGE_SIZE) {
		uint32_t *entry = space_entry(space, at, false);
		if (!entry)
			continue;
		space_drop_page(entry);
		cpu_flush_page(at);
	}
	*region = (struct region){0};
	return true;
}

bool space_allows(const struct space *space, uint32_t start, uint32_t size, bool write)
{
	if (start + size < start)
		return false;
	for (uint32_t at = start; at < start + size; at = (at & PAGE_ADDRESS) + PAGE_SIZE) {
		const struct region *region = space_region(space, at);
		if (!region || (write && !region->writable))
			return false;
	}
	return true;
}

/* A page of the programs is shared with the image, and copied only when it is written. */
static void space_fill_from_image(uint32_t *entry, uint32_t address, bool writable)
{
	uint32_t frame =
	        (uint32_t)(uintptr_t)program_load + (address & PAGE_ADDRESS) - PROGRAM_BASE;
	*entry = frame | PAGE_PRESENT | PAGE_USER | (writable ? PAGE_COPY : 0);
}

static bool space_fill_with_zeros(uint32_t *entry)
{
	uint32_t frame = frame_take_zeroed();
	if (!frame)
		return false;
	*entry = frame | PAGE_PRESENT | PAGE_WRITE | PAGE_USER;
	counters.zero_pages++;
	return true;
}

static bool space_part(uint32_t *entry)
{
	uint32_t old = *entry & PAGE_ADDRESS;
	if (!space_is_image(old) && frame_owners(old) == 1) {
		*entry = (*entry & ~PAGE_COPY) | PAGE_WRITE;
		counters.pages_kept++;
		return true;
	}
	uint32_t copy = frame_take();
	if (!copy)
		return false;
	memcpy(layout_virtual(copy), layout_virtual(old), PAGE_SIZE);
	*entry = copy | PAGE_PRESENT | PAGE_WRITE | PAGE_USER;
	space_release(old);
	counters.pages_copied++;
	return true;
}

bool space_fault(struct space *space, uint32_t address, bool write)
{
	const struct region *region = space_region(space, address);
	if (!region || (write && !region->writable))
		return false;
	uint32_t *entry = space_entry(space, address, true);
	if (!entry)
		return false;
	if (!(*entry & PAGE_PRESENT)) {
		if (address < PROGRAM_BASE || address >= (uint32_t)(uintptr_t)program_end)
			return space_fill_with_zeros(entry);
		space_fill_from_image(entry, address, region->writable);
		return true;
	}
	/* If the page is writable by now, the TLB remembered less, and has let go of it. */
	bool mended = !write || !(*entry & PAGE_COPY) || space_part(entry);
	cpu_flush_page(address);
	return mended;
}

uint32_t space_pages(const struct space *space)
{
	uint32_t pages = 0;
	for (unsigned i = 0; i < SPACE_REGIONS; i++)
		for (uint32_t at = space->regions[i].start; at < space->regions[i].end;
		     at += PAGE_SIZE) {
			uint32_t *entry = space_entry(space, at, false);
			pages += entry && (*entry & PAGE_PRESENT);
		}
	return pages;
}
