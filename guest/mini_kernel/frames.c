#include "guest/mini_kernel/frames.h"

#include <stdbool.h>

#include "guest/library/memory.h"
#include "guest/mini_kernel/layout.h"
#include "guest/mini_kernel/panic.h"

#define FRAMES (KERNEL_MEMORY / PAGE_SIZE)

extern uint32_t kernel_directory[1024];
extern char kernel_end[];

static uint16_t owners[FRAMES];
static uint32_t free_frames[FRAMES];
static uint32_t free_count, total;

static uint32_t frames_first(const struct boot_info *boot)
{
	uint32_t first = layout_physical(kernel_end);
	if (boot->information_end > first)
		first = boot->information_end;
	for (unsigned i = 0; i < boot->module_count; i++)
		if (boot->modules[i].end > first)
			first = boot->modules[i].end;
	return (first + PAGE_SIZE - 1) & PAGE_ADDRESS;
}

/* The tables of the direct map come from the first frames, which entry.asm has mapped. */
static uint32_t frames_map_memory(uint32_t next, uint32_t end)
{
	for (uint32_t at = BOOT_MEMORY; at < end; at += PAGE_SIZE) {
		uint32_t *entry = &kernel_directory[(KERNEL_BASE + at) >> 22];
		if (!*entry) {
			memset(layout_virtual(next), 0, PAGE_SIZE);
			*entry = next | PAGE_PRESENT | PAGE_WRITE;
			next += PAGE_SIZE;
		}
		uint32_t *table = layout_virtual(*entry & PAGE_ADDRESS);
		table[at >> 12 & 1023] = at | PAGE_PRESENT | PAGE_WRITE;
	}
	return next;
}

/* The end of the usable range with that address; 0 if there is none. */
static uint64_t frames_range_end(const struct boot_info *boot, uint32_t address)
{
	for (unsigned i = 0; i < boot->range_count; i++) {
		const struct boot_range *range = &boot->ranges[i];
		if (range->type == BOOT_RANGE_USABLE && range->base <= address &&
		    address < range->base + range->size)
			return range->base + range->size;
	}
	return 0;
}

void frames_init(const struct boot_info *boot)
{
	uint32_t first = frames_first(boot);
	uint64_t range_end = frames_range_end(boot, first);
	if (!range_end)
		panic("the loader's memory map has no usable memory behind the kernel");
	uint32_t end = range_end > KERNEL_MEMORY ? KERNEL_MEMORY : (uint32_t)range_end;
	end &= PAGE_ADDRESS;
	first = frames_map_memory(first, end);
	if (first >= BOOT_MEMORY)
		panic("a module reaches past the first 16 MB");
	while (end > first) {
		end -= PAGE_SIZE;
		free_frames[free_count++] = end;
	}
	total = free_count;
}

uint32_t frame_take(void)
{
	if (!free_count)
		return 0;
	uint32_t frame = free_frames[--free_count];
	owners[frame / PAGE_SIZE] = 1;
	return frame;
}

uint32_t frame_take_zeroed(void)
{
	uint32_t frame = frame_take();
	if (frame)
		memset(layout_virtual(frame), 0, PAGE_SIZE);
	return frame;
}

void frame_share(uint32_t frame)
{
	owners[frame / PAGE_SIZE]++;
}

void frame_drop(uint32_t frame)
{
	if (!owners[frame / PAGE_SIZE])
		panic("a frame was dropped more often than it was taken");
	if (--owners[frame / PAGE_SIZE] == 0)
		free_frames[free_count++] = frame;
}

unsigned frame_owners(uint32_t frame)
{
	return owners[frame / PAGE_SIZE];
}

uint32_t frames_free(void)
{
	return free_count;
}

uint32_t frames_total(void)
{
	return total;
}
