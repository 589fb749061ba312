#include "guest/library/cpu.h"
#include "guest/library/memory.h"
#include "guest/library/paging.h"
#include "guest/library/print.h"
#include "guest/library/start.h"
#include "guest/library/stop.h"
#include "guest/library/test.h"

/*
 * What one operation costs when there are many of what it works on: `what=NAME size=N`. Everything
 * is gone through twice, and each round is told in ticks for one: spaces   address spaces: CR3 is
 * loaded and one page is read pages    pages of one address space: each is read blocks   pieces of
 * code: each jumps to the next The first megabytes are mapped one to one by large pages; what is
 * made lies behind the image.
 */
#define HEAP        0x1000000u
#define IDENTITY    0x4000000u
#define LARGE       0x400000u
#define PAGE_AT     0x20000000u
#define ENTRIES     1024u
#define RIGHTS      (PAGE_PRESENT | PAGE_WRITE | PAGE_A | PAGE_D)
#define BLOCK_SIZE  16u
#define SPACES_MOST 2000u
#define PAGES_MOST  262144u
#define BLOCKS_MOST 1000000u

typedef void round_function(uint32_t size);

struct growth {
	const char *name;
	uint32_t most;
	round_function *make, *round;
};

static uint32_t heap = HEAP;
static uint32_t spaces[SPACES_MOST];

static uint32_t *growth_take_page(void)
{
	uint32_t *page = (uint32_t *)heap;
	heap += PAGE_SIZE;
	return memset(page, 0, PAGE_SIZE);
}

/* A directory with the first megabytes, and `pages` pages from PAGE_AT on, which are all one frame.
 */
static uint32_t growth_make_space(uint32_t pages)
{
	uint32_t *directory = growth_take_page(), *table = 0;
	for (uint32_t at = 0; at < IDENTITY; at += LARGE)
		directory[at / LARGE] = at | RIGHTS | PAGE_LARGE;
	for (uint32_t i = 0; i < pages; i++) {
		if (i % ENTRIES == 0) {
			table = growth_take_page();
			directory[PAGE_AT / LARGE + i / ENTRIES] = (uint32_t)table | RIGHTS;
		}
		table[i % ENTRIES] = HEAP | RIGHTS;
	}
	return (uint32_t)directory;
}

static void growth_enable(uint32_t root)
{
	const struct paging paging = {PAGING_TWO_LEVEL, root};
	cpu_write_cr4(cpu_read_cr4() | CR4_PSE);
	paging_enable(&paging, CR0_WP);
}

static void growth_make_spaces(uint32_t size)
{
	for (uint32_t i = 0; i < size; i++)
		spaces[i] = growth_make_space(1);
	growth_enable(spaces[0]);
}

static void growth_visit_spaces(uint32_t size)
{
	for (uint32_t i = 0; i < size; i++) {
		cpu_write_cr3(spaces[i]);
		(void)*(volatile uint32_t *)PAGE_AT;
	}
}

static void growth_make_pages(uint32_t size)
{
	growth_enable(growth_make_space(size));
}

static void growth_read_pages(uint32_t size)
{
	for (uint32_t i = 0; i < size; i++)
		(void)*(volatile uint32_t *)(PAGE_AT + i * PAGE_SIZE);
}

/* inc eax; jmp to the next one. Behind the last: ret. */
static void growth_make_blocks(uint32_t size)
{
	uint8_t *at = (uint8_t *)HEAP;
	const uint32_t distance = BLOCK_SIZE - 6;
	for (uint32_t i = 0; i < size; i++, at += BLOCK_SIZE) {
		at[0] = 0x40;
		at[1] = 0xE9;
		memcpy(at + 2, &distance, sizeof(distance));
	}
	*at = 0xC3;
	heap = (uint32_t)at + BLOCK_SIZE;
	heap = (heap + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1);
	growth_enable(growth_make_space(1));
}

static void growth_run_blocks(uint32_t size)
{
	(void)size;
	__asm__ volatile("call *%0" : : "r"(HEAP) : "eax", "cc", "memory");
}

static const struct growth growths[] = {
        {"spaces", SPACES_MOST, growth_make_spaces, growth_visit_spaces},
        {"pages", PAGES_MOST, growth_make_pages, growth_read_pages},
        {"blocks", BLOCKS_MOST, growth_make_blocks, growth_run_blocks},
};

static _Noreturn void growth_fail(const char *sentence)
{
	print("growth: %s\n", sentence);
	stop_with_value(TEST_ERROR);
}

static const struct growth *growth_find(const char *name)
{
	for (unsigned i = 0; name && i < sizeof(growths) / sizeof(*growths); i++) {
		uint32_t length = strlen(growths[i].name);
		if (!strncmp(name, growths[i].name, length) &&
		    (!name[length] || name[length] == ' '))
			return &growths[i];
	}
	growth_fail("what=NAME is spaces, pages or blocks");
}

static uint32_t growth_size(const char *text, uint32_t most)
{
	uint32_t size = 0;
	while (text && *text >= '0' && *text <= '9' && size <= most)
		size = size * 10 + (uint32_t)(*text++ - '0');
	if (!text || !size || size > most || (*text && *text != ' '))
		growth_fail("size=N is a number that is not too large for this");
	return size;
}

/* Hundredths of a tick for one. */
static uint32_t growth_time(const struct growth *growth, uint32_t size)
{
	uint64_t before = cpu_read_tsc();
	growth->round(size);
	uint32_t ticks = (uint32_t)(cpu_read_tsc() - before);
	return ticks / size * 100 + ticks % size * 100 / size;
}

void guest_main(const struct boot_info *boot)
{
	const struct growth *growth = growth_find(boot_find_option(boot, "what"));
	uint32_t size = growth_size(boot_find_option(boot, "size"), growth->most);
	growth->make(size);
	uint32_t first = growth_time(growth, size), again = growth_time(growth, size);
	print("growth %s size=%u first=%u.%02u again=%u.%02u\n", growth->name, size, first / 100,
	      first % 100, again / 100, again % 100);
}
