#include "monitor/memory/shadow_reverse.h"

static struct shadow_page *page_of(const struct shadow *shadow, uint32_t id)
{
	return &shadow->pages[id / SHADOW_ENTRIES];
}

static uint64_t *entry_of(const struct shadow *shadow, uint32_t id)
{
	return &page_of(shadow, id)->entries[id % SHADOW_ENTRIES];
}

static void drop(struct shadow *shadow, uint32_t id)
{
	shadow_reverse_set(shadow, page_of(shadow, id), id % SHADOW_ENTRIES, 0);
}

/* The list that an entry of this page belongs to, if any. Its low half says it all. */
static inline uint32_t *head_of(struct shadow *shadow, const struct shadow_page *page,
                                uint32_t entry)
{
	uint32_t frame = (entry - shadow->ram_machine) >> SHADOW_FRAME_BIT;

	if (!shadow_is_directory(page))
		return entry & ENTRY_WRITABLE ? &shadow->page_writers[frame] : NULL;
	if (!(entry & ENTRY_PRESENT))
		return NULL;
	if (!(entry & ENTRY_LARGE))
		return &shadow_child(shadow, entry)->parents;
	return entry & ENTRY_WRITABLE ? &shadow->region_writers[frame / SHADOW_ENTRIES] : NULL;
}

static inline void link_in(struct shadow *shadow, uint32_t *head, uint32_t id)
{
	shadow->links[id] = (struct shadow_link){.next = *head};
	if (*head)
		shadow->links[*head].previous = id;
	*head = id;
}

static inline void unlink(struct shadow *shadow, uint32_t *head, uint32_t id)
{
	struct shadow_link link = shadow->links[id];

	if (link.previous)
		shadow->links[link.previous].next = link.next;
	else
		*head = link.next;
	if (link.next)
		shadow->links[link.next].previous = link.previous;
}

void shadow_reverse_set(struct shadow *shadow, struct shadow_page *page, uint32_t index,
                        uint64_t entry)
{
	uint64_t old = page->entries[index];
	uint32_t *head;

	if (!((old ^ entry) & ~(uint64_t)ENTRY_ACCESSED))
		return;
	head = head_of(shadow, page, (uint32_t)old);
	if (head)
		unlink(shadow, head, page->first_id + index);
	page->entries[index] = entry;
	if (entry)
		shadow_note_group(page, index);
	head = head_of(shadow, page, (uint32_t)entry);
	if (head)
		link_in(shadow, head, page->first_id + index);
}

void shadow_reverse_cut_off(struct shadow *shadow, struct shadow_page *page)
{
	while (page->parents)
		drop(shadow, page->parents);
}

bool shadow_reverse_was_used(struct shadow *shadow, struct shadow_page *page)
{
	bool used = false;

	for (uint32_t id = page->parents; id; id = shadow->links[id].next) {
		used |= *entry_of(shadow, id) & ENTRY_ACCESSED;
		*entry_of(shadow, id) &= ~(uint64_t)ENTRY_ACCESSED;
	}
	return used;
}

void shadow_reverse_make_read_only(struct vm *vm, gpa_t page)
{
	struct shadow *shadow = vm->shadow;
	uint32_t *head = &shadow->page_writers[page.value >> SHADOW_FRAME_BIT];

	for (uint32_t id = *head; id; id = shadow->links[id].next)
		*entry_of(shadow, id) &= ~(uint64_t)ENTRY_WRITABLE;
	*head = 0;
}

/* Large entries that may write to the region go; small ones lose the right to write. */
void shadow_reverse_protect(struct vm *vm, gpa_t page)
{
	struct shadow *shadow = vm->shadow;
	uint32_t region = (uint32_t)(page.value >> SHADOW_FRAME_BIT) / SHADOW_ENTRIES;

	shadow->region_watched[region]++;
	while (shadow->region_writers[region])
		drop(shadow, shadow->region_writers[region]);
	shadow_reverse_make_read_only(vm, page);
}

void shadow_reverse_release(struct vm *vm, gpa_t page)
{
	vm->shadow->region_watched[(page.value >> SHADOW_FRAME_BIT) / SHADOW_ENTRIES]--;
}
