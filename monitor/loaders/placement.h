/* Who has which part of guest memory while a kernel is loaded.
 *
 * The kernel claims the places it insists on; modules and boot information are given free ones,
 * whole pages. The hole of a PC below 1 MB is claimed from the start. It only keeps the book:
 * nothing is written to guest memory here. */
#ifndef MONITOR_LOADERS_PLACEMENT_H
#define MONITOR_LOADERS_PLACEMENT_H

#include <stdbool.h>
#include <stdint.h>

#define PLACEMENT_HOLE     0xA0000
#define PLACEMENT_HOLE_END 0x100000
#define PLACEMENT_PAGE     0x1000
#define PLACEMENT_RANGES   128

struct placement_range {
	uint32_t start, size;
};

struct placement {
	uint32_t memory_size;
	unsigned count;
	struct placement_range range[PLACEMENT_RANGES]; /* the first one is the hole */
};

void placement_start(struct placement *placement, uint32_t memory_size);
/* The first claimed range that has a byte in common with this one, or NULL. */
const struct placement_range *placement_overlap(const struct placement *placement, uint32_t start,
                                                uint32_t size);
/* For a range that overlaps nothing. At most PLACEMENT_RANGES - 1 claims. */
void placement_claim(struct placement *placement, uint32_t start, uint32_t size);
/* Claims the lowest free pages from `from` on that end at or below `to`. */
bool placement_find(struct placement *placement, uint32_t size, uint32_t from, uint32_t to,
                    uint32_t *start);
/* The same from above: the highest free pages that end at or below `to`, not below `from`. */
bool placement_find_highest(struct placement *placement, uint32_t size, uint32_t from, uint32_t to,
                            uint32_t *start);
/* The end of the highest claimed range. */
uint32_t placement_end(const struct placement *placement);

#endif
