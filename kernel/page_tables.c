#include "kernel/page_tables.h"

#include "kernel/frames.h"
#include "kernel/layout.h"
#include "kernel/panic.h"
#include "kernel/processor.h"
#include "kernel/segments.h"
#include "kernel/string.h"
#include "kernel/x86.h"

#define ENTRIES     512
#define DIRECTORIES 4

#define VGA_START 0xA0000u
#define ROM_END   0x100000u

typedef uint64_t page_table[ENTRIES] __attribute__((aligned(PAGE_SIZE)));

static page_table directories[DIRECTORIES];
static uint64_t pointers[DIRECTORIES] __attribute__((aligned(32)));
_Static_assert(sizeof(page_table) == PAGE_SIZE, "a PAE page table fills a page");

static uint64_t no_execute(void)
{
	return processor_has(PROCESSOR_NX) ? PTE_NX : 0;
}

static uint64_t *directory_entry(uint32_t linear)
{
	return &directories[linear >> 30][(linear >> 21) % ENTRIES];
}

static uint64_t *table_of(uint64_t directory_value)
{
	return page_tables_direct(mpa(directory_value & PTE_ADDRESS));
}

static bool make_table(uint64_t *directory)
{
	mpa_t frame = frames_allocate(FRAME_page_table);

	if (frames_is_none(frame))
		return false;
	memset(page_tables_direct(frame), 0, PAGE_SIZE);
	*directory = frame.value | PTE_PRESENT | PTE_WRITABLE;
	return true;
}

static uint64_t *table_entry(uint32_t linear)
{
	uint64_t *directory = directory_entry(linear);

	panic_unless(*directory & PTE_PRESENT || make_table(directory));
	panic_unless(!(*directory & PTE_LARGE));
	return &table_of(*directory)[(linear >> PAGE_SHIFT) % ENTRIES];
}

bool page_tables_prepare(uint32_t start, uint32_t end)
{
	for (uint64_t at = start; at < end; at = (at | (LARGE_PAGE_SIZE - 1)) + 1) {
		uint64_t *directory = directory_entry((uint32_t)at);

		if (!(*directory & PTE_PRESENT) && !make_table(directory))
			return false;
	}
	return true;
}

static void set_entry(uint32_t linear, uint64_t value)
{
	*table_entry(linear) = value;
	x86_invalidate_page(linear);
}

void page_tables_map(uint32_t linear, mpa_t frame, uint64_t flags)
{
	set_entry(linear, frame.value | flags | no_execute() | PTE_PRESENT);
}

void page_tables_map_code(uint32_t linear, mpa_t frame)
{
	set_entry(linear, frame.value | PTE_PRESENT);
}

void page_tables_unmap(uint32_t linear)
{
	set_entry(linear, 0);
}

static void map_image_part(const char *start, const char *end, uint64_t flags)
{
	for (const char *at = start; at < end; at += PAGE_SIZE)
		set_entry(layout_address(at), layout_image_machine(at) | flags | PTE_PRESENT);
}

static bool is_direct(uint64_t at)
{
	enum frame_owner owner = frames_owner(mpa(at));

	return owner != FRAME_absent && owner != FRAME_image && owner != FRAME_low;
}

static bool is_direct_large(uint64_t at)
{
	for (uint64_t page = at; page < at + LARGE_PAGE_SIZE; page += PAGE_SIZE)
		if (!is_direct(page))
			return false;
	return true;
}

static void map_direct(uint64_t end)
{
	for (uint64_t large = 0; large < end; large += LARGE_PAGE_SIZE) {
		if (is_direct_large(large)) {
			*directory_entry((uint32_t)large) =
			        large | PTE_PRESENT | PTE_WRITABLE | PTE_LARGE | no_execute();
			continue;
		}
		for (uint64_t at = large; at < large + LARGE_PAGE_SIZE; at += PAGE_SIZE)
			if (is_direct(at))
				page_tables_map((uint32_t)at, mpa(at), PTE_WRITABLE);
	}
}

static void map_legacy_area(void)
{
	for (uint32_t at = VGA_START; at < ROM_END; at += PAGE_SIZE)
		page_tables_map(at, mpa(at), PTE_WRITABLE | PTE_UNCACHED);
}

static mpa_t machine_address_of(const void *in_image)
{
	return mpa(layout_image_machine(in_image));
}

void page_tables_start(uint64_t memory_end)
{
	for (int i = 0; i < DIRECTORIES; i++)
		pointers[i] = machine_address_of(directories[i]).value | PTE_PRESENT;
	if (no_execute())
		x86_write_msr(MSR_EFER, x86_read_msr(MSR_EFER) | EFER_NXE);

	map_image_part(layout_image, image_code_end, 0);
	map_image_part(image_code_end, image_const_end, no_execute());
	map_image_part(image_const_end, image_end, PTE_WRITABLE | no_execute());
	map_direct(memory_end < DIRECT_MAP_END ? memory_end : DIRECT_MAP_END);
	map_legacy_area();

	uint32_t cr3 = (uint32_t)machine_address_of(pointers).value;
	x86_write_cr3(cr3);
	segments_follow_cr3(cr3);
	frames_change_range(layout_address(way_in_start), layout_address(way_in_end), FRAME_way_in,
	                    FRAME_free);
}
