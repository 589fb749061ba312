/* The shadow pages: found by the guest's page and the role, made, and given up again.
 *
 * There is a fixed number of them. When all are taken, the least recently used is reclaimed; never
 * a directory that is in the root. A page table of the guest is watched as long as it has a shadow
 * page, whatever the role. */
#ifndef MONITOR_MEMORY_SHADOW_POOL_H
#define MONITOR_MEMORY_SHADOW_POOL_H

#include "monitor/memory/shadow_state.h"

/* All pages but the first, which is the root's. */
void shadow_pool_start(struct shadow *shadow, uint8_t *memory);

/* All that may be of this page, and others; along `next`. */
static inline struct shadow_page *shadow_pool_first(const struct shadow *shadow, uint32_t frame)
{
	return shadow->buckets[(frame ^ frame >> 10) & shadow->bucket_mask];
}

/* NULL when there is none. */
struct shadow_page *shadow_pool_find(const struct shadow *shadow, enum shadow_role role,
                                     uint32_t frame, uint32_t part);

/* A new one without entries, the newest. */
struct shadow_page *shadow_pool_make(struct shadow *shadow, enum shadow_role role, uint32_t frame,
                                     uint32_t part);

/* It has been of use: it becomes the newest, and the guest's writes count from 0 again. */
void shadow_pool_touch(struct shadow *shadow, struct shadow_page *page);

/* Its entries go, and those that point to it; also when it is in the root. */
void shadow_pool_drop(struct shadow *shadow, struct shadow_page *page);

#endif
