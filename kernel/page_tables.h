/* The host kernel's own page tables: the image, a direct map of memory, and the stacks.
 *
 * The direct map shows memory at its own machine address from 64 KB up to DIRECT_MAP_END, so
 * that a pointer and an address are the same number there; the lowest 64 KB stay unmapped and
 * catch null pointers, and the image is not in it at all: code has no writable second name.
 * All tables are PAE; data cannot be executed where the processor knows NX. */
#ifndef KERNEL_PAGE_TABLES_H
#define KERNEL_PAGE_TABLES_H

#include <stdbool.h>
#include <stdint.h>

#include "kernel/address.h"

#define DIRECT_MAP_START 0x00010000u
#define DIRECT_MAP_END   0xE0000000u

#define PTE_PRESENT  (1ull << 0)
#define PTE_WRITABLE (1ull << 1)
#define PTE_UNCACHED (1ull << 4)
#define PTE_LARGE    (1ull << 7)
#define PTE_NX       (1ull << 63)
#define PTE_ADDRESS  0x000FFFFFFFFFF000ull

/* Builds the tables for `memory_end` bytes of memory, leaves the way in's, frees its frames. */
void page_tables_start(uint64_t memory_end);

/* Data, not executable. The frames of a table that is missing come from the frame allocator. */
/* Makes the tables that mapping anything in [start, end) takes; false when there is no memory. */
bool page_tables_prepare(uint32_t start, uint32_t end);

void page_tables_map(uint32_t linear, mpa_t frame, uint64_t flags);
/* Code that is made while we run: executable here, and writable only through the direct map. */
void page_tables_map_code(uint32_t linear, mpa_t frame);
void page_tables_unmap(uint32_t linear);

/* Memory below DIRECT_MAP_END as a pointer. */
static inline void *page_tables_direct(mpa_t at)
{
	return (void *)(uint32_t)at.value;
}

#endif
