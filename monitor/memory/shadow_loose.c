#include "monitor/memory/shadow_loose.h"

#include "kernel/statistics.h"
#include "monitor/memory/shadow_pool.h"
#include "monitor/memory/shadow_update.h"
#include "monitor/memory/watch.h"

#define GROUPS (SHADOW_ENTRIES / SHADOW_GROUP)

static gpa_t address_of(uint32_t frame)
{
	return gpa((uint64_t)frame << SHADOW_FRAME_BIT);
}

static bool is_of(const struct shadow_page *page, uint32_t frame)
{
	return page->frame == frame && shadow_is_of_table(page);
}

static void let_loose(struct shadow *shadow, struct shadow_page *page)
{
	page->loose = true;
	page->next_loose = shadow->loose;
	shadow->loose = page;
}

/* Whether all that the page is can be loose, and whether anything points to it. */
static bool may_be_loose(const struct shadow *shadow, uint32_t frame, bool *is_used)
{
	*is_used = false;
	if ((shadow->vm->watchers[frame] & WATCH_ALL) != WATCH_PAGE_TABLE)
		return false;
	for (const struct shadow_page *page = shadow_pool_first(shadow, frame); page;
	     page = page->next) {
		if (!is_of(page, frame))
			continue;
		if (shadow_is_directory(page))
			return false;
		*is_used |= page->parents != 0;
	}
	return true;
}

bool shadow_loosen(struct shadow *shadow, uint32_t frame)
{
	struct shadow_page *next;
	bool is_used;

	if (shadow->never_loose || !may_be_loose(shadow, frame, &is_used))
		return false;
	for (struct shadow_page *page = shadow_pool_first(shadow, frame); page; page = next) {
		next = page->next;
		if (!is_of(page, frame))
			continue;
		if (is_used)
			let_loose(shadow, page);
		else
			shadow_pool_drop(shadow, page);
	}
	if (is_used) {
		watch_pause(shadow->vm, address_of(frame), WATCH_PAGE_TABLE);
		statistics_count(shadow_loosened);
	} else {
		statistics_count(shadow_pages_dropped);
	}
	return true;
}

/* Only what is there can be wrong. */
static void update(struct shadow *shadow, struct shadow_page *page, uint32_t group)
{
	uint32_t first = group * SHADOW_GROUP, live = 0;

	for (uint32_t i = first; i < first + SHADOW_GROUP; i++) {
		if ((uint32_t)page->entries[i])
			shadow_update_entry(shadow, page, i);
		live |= (uint32_t)page->entries[i];
	}
	if (!live)
		shadow_forget_group(page, group);
}

void shadow_loose_refresh(struct shadow *shadow, struct shadow_page *page)
{
	for (uint32_t group = 0; group < GROUPS; group++)
		if (shadow_has_group(page, group))
			update(shadow, page, group);
}

static void tighten(struct shadow *shadow, struct shadow_page *page)
{
	if (page->parents) {
		shadow_loose_refresh(shadow, page);
	} else {
		shadow_pool_drop(shadow, page);
		statistics_count(shadow_pages_dropped);
	}
}

/* All are watched again before the first entry is worked out: they may map each other. */
void shadow_tighten_all(struct shadow *shadow)
{
	struct shadow_page *first = shadow->loose, *next;

	shadow->loose = NULL;
	for (struct shadow_page *page = first; page; page = page->next_loose) {
		page->loose = false;
		watch_resume(shadow->vm, address_of(page->frame), WATCH_PAGE_TABLE);
	}
	for (struct shadow_page *page = first; page; page = next) {
		next = page->next_loose;
		tighten(shadow, page);
	}
}

static bool is_loose(const struct shadow *shadow, uint32_t frame)
{
	const struct shadow_page *page = shadow_pool_first(shadow, frame);

	while (page && !(is_of(page, frame) && page->loose))
		page = page->next;
	return page;
}

void shadow_loose_start(struct shadow *shadow, struct shadow_page *page)
{
	if (is_loose(shadow, page->frame)) {
		if (!shadow_is_directory(page)) {
			let_loose(shadow, page);
			return;
		}
		shadow_tighten_all(shadow);
	}
	watch_start(shadow->vm, address_of(page->frame), WATCH_PAGE_TABLE);
}

void shadow_loose_leave(struct shadow *shadow, struct shadow_page *page)
{
	struct shadow_page **at = &shadow->loose;

	while (*at != page)
		at = &(*at)->next_loose;
	*at = page->next_loose;
	page->loose = false;
	if (!is_loose(shadow, page->frame))
		watch_resume(shadow->vm, address_of(page->frame), WATCH_PAGE_TABLE);
}
