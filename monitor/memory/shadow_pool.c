#include "monitor/memory/shadow_pool.h"

#include "kernel/statistics.h"
#include "kernel/string.h"
#include "monitor/memory/shadow_loose.h"
#include "monitor/memory/shadow_reverse.h"
#include "monitor/memory/shadow_slot.h"
#include "monitor/memory/watch.h"

static struct shadow_page **bucket_of(const struct shadow *shadow, uint32_t frame)
{
	return &shadow->buckets[(frame ^ frame >> 10) & shadow->bucket_mask];
}

void shadow_pool_start(struct shadow *shadow, uint8_t *memory)
{
	shadow->ring.newer = shadow->ring.older = &shadow->ring;
	for (uint32_t i = shadow->page_count - 1; i > 0; i--) {
		struct shadow_page *page = &shadow->pages[i];

		page->entries = (uint64_t *)(void *)(memory + i * (size_t)GUEST_PAGE_SIZE);
		page->machine = shadow->pages_machine + (i << SHADOW_FRAME_BIT);
		page->first_id = i * SHADOW_ENTRIES;
		page->next = shadow->free;
		shadow->free = page;
	}
}

struct shadow_page *shadow_pool_find(const struct shadow *shadow, enum shadow_role role,
                                     uint32_t frame, uint32_t part)
{
	struct shadow_page *page = shadow_pool_first(shadow, frame);

	while (page && (page->frame != frame || page->role != role || page->part != part))
		page = page->next;
	return page;
}

static void take_out_of_ring(struct shadow_page *page)
{
	page->newer->older = page->older;
	page->older->newer = page->newer;
}

static void make_newest(struct shadow *shadow, struct shadow_page *page)
{
	struct shadow_page *newest = shadow->ring.older;

	page->older = newest;
	page->newer = &shadow->ring;
	newest->newer = page;
	shadow->ring.older = page;
}

void shadow_pool_touch(struct shadow *shadow, struct shadow_page *page)
{
	page->writes = 0;
	if (shadow->ring.older == page)
		return;
	take_out_of_ring(page);
	make_newest(shadow, page);
}

static bool has_other_role(const struct shadow *shadow, uint32_t frame)
{
	for (const struct shadow_page *page = shadow_pool_first(shadow, frame); page;
	     page = page->next)
		if (page->frame == frame && shadow_is_of_table(page))
			return true;
	return false;
}

static void take_out_of_bucket(struct shadow *shadow, const struct shadow_page *page)
{
	struct shadow_page **at = bucket_of(shadow, page->frame);

	while (*at != page)
		at = &(*at)->next;
	*at = page->next;
}

static void take_out_of_root(struct shadow *shadow, const struct shadow_page *page)
{
	if (!shadow_is_in_root(shadow, page))
		return;
	shadow->directories[page->part] = NULL;
	shadow->root[page->part] = 0;
	shadow->root_is_good = false;
}

static void drop_entries(struct shadow *shadow, struct shadow_page *page)
{
	shadow_slot_take_out(shadow, page);
	for (uint32_t i = 0; i < SHADOW_ENTRIES; i++)
		if (!shadow_has_group(page, i / SHADOW_GROUP))
			i += SHADOW_GROUP - 1;
		else if ((uint32_t)page->entries[i])
			shadow_reverse_set(shadow, page, i, 0);
	memset(page->groups, 0, sizeof(page->groups));
}

void shadow_pool_drop(struct shadow *shadow, struct shadow_page *page)
{
	if (page->loose)
		shadow_loose_leave(shadow, page);
	take_out_of_root(shadow, page);
	shadow_reverse_cut_off(shadow, page);
	drop_entries(shadow, page);
	take_out_of_ring(page);
	take_out_of_bucket(shadow, page);
	if (shadow_is_of_table(page) && !has_other_role(shadow, page->frame))
		watch_stop(shadow->vm, gpa((uint64_t)page->frame << SHADOW_FRAME_BIT),
		           WATCH_PAGE_TABLE);
	page->next = shadow->free;
	shadow->free = page;
}

/* Ends, as there are more pages than can be in the root and the question about the use takes the
 * answer away. */
static void reclaim(struct shadow *shadow)
{
	struct shadow_page *page = shadow->ring.newer;

	while (shadow_is_in_root(shadow, page) || shadow_reverse_was_used(shadow, page)) {
		shadow_pool_touch(shadow, page);
		page = shadow->ring.newer;
	}
	shadow_pool_drop(shadow, page);
	statistics_count(shadow_pages_reclaimed);
}

struct shadow_page *shadow_pool_make(struct shadow *shadow, enum shadow_role role, uint32_t frame,
                                     uint32_t part)
{
	struct shadow_page *page, **bucket = bucket_of(shadow, frame);

	if (!shadow->free)
		reclaim(shadow);
	page = shadow->free;
	shadow->free = page->next;
	page->role = (uint8_t)role;
	page->part = (uint8_t)part;
	page->frame = frame;
	page->writes = 0;
	page->next = *bucket;
	*bucket = page;
	make_newest(shadow, page);
	if (shadow_is_of_table(page))
		shadow_loose_start(shadow, page);
	statistics_count(shadow_pages_made);
	return page;
}
