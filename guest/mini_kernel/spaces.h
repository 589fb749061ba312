/*
 * Address spaces: which regions a task may touch, and the page tables that fill as it does.
 * Pages appear on first touch; after a fork both tasks keep them until one writes.
 * Must not know tasks; a space is only given, copied, touched and destroyed.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define SPACE_REGIONS 12

struct region {
	uint32_t start, end;
	bool writable;
};

struct space {
	uint32_t directory; /* its frame; 0: no space */
	struct region regions[SPACE_REGIONS];
};

/* A space with the programs and a stack. False when memory is used up; nothing is then left. */
bool space_create(struct space *space);
bool space_copy(struct space *to, struct space *from);
void space_destroy(struct space *space);

void space_use(const struct space *space);

/* A region of a task's own, whole pages between MAP_BASE and MAP_END. False if it cannot be. */
bool space_map(struct space *space, uint32_t start, uint32_t size);
bool space_unmap(struct space *space, uint32_t start, uint32_t size);

/* Whether all of it may be touched that way. */
bool space_allows(const struct space *space, uint32_t start, uint32_t size, bool write);

/* Mends a page fault of the space in use. False if the access is forbidden or memory used up. */
bool space_fault(struct space *space, uint32_t address, bool write);

/* How many pages are there at the moment. */
uint32_t space_pages(const struct space *space);
