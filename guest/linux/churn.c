/* Maps, fills, protects, forks and unmaps memory inside Linux, again and again in an order that
 * looks like chance, and checks after each step that every page still has what was put there. For
 * the stress (guest/linux/stress). Ends with status 0 and "churn: right", or with 1 and "churn:
 * WRONG". */
#include <stdbool.h>
#include <stdint.h>

#include "guest/linux/calls.h"

#define PAGE      4096u
#define REGIONS   24
#define PAGES_MAX 64
#define STEPS     4000
#define FORKS     32 /* one of so many steps */

enum { READ = 1, WRITE = 2, PRIVATE = 2, ANONYMOUS = 0x20 };

/* As the system call takes it. */
struct mapping {
	uint32_t address, size, protection, flags, file, offset;
};

struct region {
	uint8_t *at; /* NULL: not mapped */
	uint32_t pages, tag;
};

static struct region regions[REGIONS];
static uint32_t state = 1;

static uint32_t random_below(uint32_t limit)
{
	state = state * 1664525 + 1013904223;
	return (state >> 8) % limit;
}

static _Noreturn void end(bool right)
{
	static const char said[2][14] = {"churn: WRONG\n", "churn: right\n"};

	CALL(write, 1, said[right], sizeof(said[right]) - 1);
	CALL(exit, !right, 0, 0);
	__builtin_unreachable();
}

/* Near both ends of each page, each word its own. */
static void fill(struct region *region)
{
	region->tag = random_below(1u << 24);
	for (uint32_t i = 0; i < region->pages; i++) {
		uint32_t *page = (uint32_t *)(void *)(region->at + i * PAGE);
		page[0] = region->tag + i;
		page[PAGE / sizeof(*page) - 1] = ~(region->tag + i);
	}
}

static bool is_right(const struct region *region)
{
	for (uint32_t i = 0; i < region->pages; i++) {
		const uint32_t *page = (const uint32_t *)(const void *)(region->at + i * PAGE);
		if (page[0] != region->tag + i ||
		    page[PAGE / sizeof(*page) - 1] != ~(region->tag + i))
			return false;
	}
	return true;
}

static void map(struct region *region)
{
	struct mapping mapping = {.protection = READ | WRITE, .flags = PRIVATE | ANONYMOUS};

	region->pages = 1 + random_below(PAGES_MAX);
	mapping.size = region->pages * PAGE;
	region->at = (uint8_t *)CALL(mmap, &mapping, 0, 0);
	if ((uint32_t)region->at > UINT32_MAX - PAGE)
		end(false);
	for (uint32_t i = 0; i < mapping.size; i += sizeof(uint32_t))
		if (*(uint32_t *)(void *)(region->at + i))
			end(false);
	fill(region);
}

static void unmap(struct region *region)
{
	if (CALL(munmap, region->at, region->pages * PAGE, 0))
		end(false);
	region->at = (void *)0;
}

/* The pages change their rights and keep what they have. */
static void protect(struct region *region)
{
	if (CALL(mprotect, region->at, region->pages * PAGE, READ) || !is_right(region) ||
	    CALL(mprotect, region->at, region->pages * PAGE, READ | WRITE))
		end(false);
	fill(region);
}

static bool are_right(void)
{
	for (uint32_t i = 0; i < REGIONS; i++)
		if (regions[i].at && !is_right(&regions[i]))
			return false;
	return true;
}

/* The child has what the parent has, and what it writes is its own. */
static void divide(void)
{
	int32_t child = CALL(fork, 0, 0, 0), status = 1;

	if (child == 0) {
		bool right = are_right();
		for (uint32_t i = 0; i < REGIONS; i++)
			if (regions[i].at)
				fill(&regions[i]);
		CALL(exit, !(right && are_right()), 0, 0);
	}
	if (child < 0 || CALL(waitpid, child, &status, 0) != child || status || !are_right())
		end(false);
}

static void step(struct region *region)
{
	if (!region->at) {
		map(region);
		return;
	}
	if (!is_right(region))
		end(false);
	if (random_below(2))
		unmap(region);
	else
		protect(region);
}

_Noreturn void _start(void);
_Noreturn void _start(void)
{
	for (uint32_t i = 0; i < STEPS; i++) {
		step(&regions[random_below(REGIONS)]);
		if (random_below(FORKS) == 0)
			divide();
	}
	end(are_right());
}
