#include "monitor/memory/shadow_update.h"

#include "kernel/statistics.h"
#include "monitor/memory/shadow_loose.h"
#include "monitor/memory/shadow_pool.h"
#include "monitor/memory/shadow_reverse.h"
#include "monitor/memory/watch.h"

/* Entries written in a row, without a use, after which a table has stopped being one. A directory
 * that is not in the root comes back with all it points to; a table costs a fault for each of its
 * pages. */
#define DIRECTORY_WRITES_MAX 4
#define TABLE_WRITES_MAX     64

#define PRESENT_ACCESSED (ENTRY_PRESENT | ENTRY_ACCESSED)
#define WRITABLE_DIRTY   (ENTRY_WRITABLE | ENTRY_DIRTY)

/* What one quarter has of a two-level directory. */
#define HALF (SHADOW_ENTRIES / 2)

/* What an entry of a directory leads to, and with which rights. */
struct target {
	uint64_t rights; /* of the shadow entry; 0 when it leads nowhere */
	bool large;
	enum shadow_role role; /* of the table, if it is not large */
	uint32_t frame, part;
};

static bool is_wide(const struct shadow_page *page)
{
	return page->role == SHADOW_TABLE_PAE || page->role == SHADOW_DIRECTORY_PAE;
}

/* A table is always in RAM: nothing else gets a shadow page. */
static inline const uint8_t *table_of(const struct shadow *shadow, const struct shadow_page *page)
{
	return shadow->vm->ram + ((size_t)page->frame << SHADOW_FRAME_BIT);
}

static inline uint32_t narrow_entry(const uint8_t *table, uint32_t index)
{
	uint32_t entry;

	__builtin_memcpy(&entry, table + index * sizeof(entry), sizeof(entry));
	return entry;
}

static inline uint64_t wide_entry(const uint8_t *table, uint32_t index)
{
	uint64_t entry;

	__builtin_memcpy(&entry, table + index * sizeof(entry), sizeof(entry));
	return entry;
}

static inline bool is_live(uint32_t entry)
{
	return (entry & PRESENT_ACCESSED) == PRESENT_ACCESSED;
}

static inline bool is_watched(const struct shadow *shadow, uint32_t frame)
{
	if (frame < shadow->holes_end &&
	    watch_is_rom(shadow->vm, gpa((uint64_t)frame << SHADOW_FRAME_BIT)))
		return true;
	return shadow->vm->watchers[frame] & WATCH_ALL;
}

/* The accessed and dirty bits are there from the start, so that the processor need not set them. */
static inline uint32_t leaf_entry(const struct shadow *shadow, uint32_t frame)
{
	return (shadow->ram_machine + (frame << SHADOW_FRAME_BIT)) | PRESENT_ACCESSED | ENTRY_DIRTY;
}

/* Writable only with the dirty bit set, so that the write that sets it is seen. */
static inline uint32_t rights_of_leaf(uint32_t guest)
{
	uint32_t user = guest & ENTRY_USER;

	return (guest & WRITABLE_DIRTY) == WRITABLE_DIRTY ? user | ENTRY_WRITABLE : user;
}

/* The low half of the entry for a live one of the guest without reserved bits. */
static inline uint32_t wanted_for(const struct shadow *shadow, uint32_t guest)
{
	uint32_t frame = guest >> SHADOW_FRAME_BIT, rights = rights_of_leaf(guest);

	if (!shadow_has_frame(shadow, frame))
		return 0;
	if (is_watched(shadow, frame))
		rights &= ~ENTRY_WRITABLE;
	return leaf_entry(shadow, frame) | rights;
}

static inline uint64_t wanted_in_table(const struct shadow *shadow, const struct shadow_page *page,
                                       uint32_t index)
{
	const uint8_t *table = table_of(shadow, page);
	uint64_t guest;
	uint32_t low;

	if (page->role == SHADOW_TABLE_TWO_LEVEL) {
		low = narrow_entry(table, page->part * SHADOW_ENTRIES + index);
		return is_live(low) ? wanted_for(shadow, low) : 0;
	}
	guest = wide_entry(table, index);
	if (!is_live((uint32_t)guest) || (guest & shadow->reserved))
		return 0;
	low = wanted_for(shadow, (uint32_t)guest);
	return low ? low | (guest & shadow->no_execute_bit) : 0;
}

/* The rights are those of the directory's entry, so everybody can share it. */
static uint64_t wanted_in_split(const struct shadow *shadow, const struct shadow_page *page,
                                uint32_t index)
{
	uint32_t frame = page->frame + index;

	if (!shadow_has_frame(shadow, frame))
		return 0;
	return leaf_entry(shadow, frame) | ENTRY_USER |
	       (is_watched(shadow, frame) ? 0 : ENTRY_WRITABLE);
}

static struct target large_target(const struct shadow *shadow, uint32_t frame, uint64_t rights)
{
	if (frame >= shadow->frames)
		return (struct target){0};
	return (struct target){.rights = rights | ENTRY_PRESENT,
	                       .large = shadow_may_be_large(shadow, frame),
	                       .role = SHADOW_SPLIT,
	                       .frame = frame};
}

/* A guest's entry of either format; `second`: of the two halves of a two-level one. */
static struct target target_of(const struct shadow *shadow, uint64_t guest, bool wide, bool second)
{
	uint32_t low = (uint32_t)guest, frame = low >> SHADOW_FRAME_BIT;
	uint64_t no_execute = guest & shadow->no_execute_bit;

	if (!is_live(low) || (guest & shadow->reserved))
		return (struct target){0};
	if ((low & ENTRY_LARGE) && shadow->large_is_known) {
		if (guest & shadow->reserved_large)
			return (struct target){0};
		frame &= ~(SHADOW_ENTRIES - 1);
		return large_target(shadow, frame + (second ? SHADOW_ENTRIES : 0),
		                    rights_of_leaf(low) | no_execute);
	}
	if (!shadow_has_frame(shadow, frame))
		return (struct target){0};
	return (struct target){
	        .rights = ENTRY_PRESENT | (low & (ENTRY_USER | ENTRY_WRITABLE)) | no_execute,
	        .role = wide ? SHADOW_TABLE_PAE : SHADOW_TABLE_TWO_LEVEL,
	        .frame = frame,
	        .part = second,
	};
}

static struct target target_in(const struct shadow *shadow, const struct shadow_page *directory,
                               uint32_t index)
{
	const uint8_t *table = table_of(shadow, directory);
	uint32_t first = directory->part * HALF;

	switch (directory->role) {
	case SHADOW_DIRECTORY_TWO_LEVEL:
		return target_of(shadow, narrow_entry(table, first + index / 2), false, index % 2);
	case SHADOW_DIRECTORY_PAE:
		return target_of(shadow, wide_entry(table, index), true, false);
	case SHADOW_DIRECTORY_DIRECT:
		return large_target(shadow, (directory->part << 9 | index) * SHADOW_ENTRIES,
		                    ENTRY_USER | ENTRY_WRITABLE);
	default:
		return (struct target){0};
	}
}

static uint64_t large_entry(const struct shadow *shadow, const struct target *target)
{
	return leaf_entry(shadow, target->frame) | target->rights | ENTRY_LARGE;
}

static bool leads_to(const struct shadow_page *directory, uint32_t index,
                     const struct shadow_page *table)
{
	return (uint32_t)directory->entries[index] & ENTRY_PRESENT &&
	       ((uint32_t)directory->entries[index] & SHADOW_ADDRESS) == table->machine;
}

static uint64_t entry_for(struct shadow *shadow, const struct shadow_page *directory,
                          uint32_t index, struct shadow_page *table, uint64_t rights)
{
	if (table->loose && !leads_to(directory, index, table))
		shadow_loose_refresh(shadow, table);
	return table->machine | rights;
}

static uint64_t wanted_in_directory(struct shadow *shadow, const struct shadow_page *directory,
                                    uint32_t index)
{
	struct target target = target_in(shadow, directory, index);
	struct shadow_page *table;

	if (!target.rights)
		return 0;
	if (target.large)
		return large_entry(shadow, &target);
	table = shadow_pool_find(shadow, target.role, target.frame, target.part);
	return table ? entry_for(shadow, directory, index, table, target.rights) : 0;
}

static inline void update_in_table(struct shadow *shadow, struct shadow_page *table, uint32_t index)
{
	shadow_reverse_set(shadow, table, index, wanted_in_table(shadow, table, index));
}

static void update_in_directory(struct shadow *shadow, struct shadow_page *directory,
                                uint32_t index)
{
	if (!shadow_is_slot(shadow, directory, index))
		shadow_reverse_set(shadow, directory, index,
		                   wanted_in_directory(shadow, directory, index));
}

void shadow_update_entry(struct shadow *shadow, struct shadow_page *page, uint32_t index)
{
	if (shadow_is_directory(page))
		update_in_directory(shadow, page, index);
	else if (page->role == SHADOW_SPLIT)
		shadow_reverse_set(shadow, page, index, wanted_in_split(shadow, page, index));
	else
		update_in_table(shadow, page, index);
}

static bool leads_nowhere(const uint8_t *table, const struct shadow_page *directory, uint32_t index)
{
	if (directory->role == SHADOW_DIRECTORY_TWO_LEVEL)
		return !is_live(narrow_entry(table, directory->part * HALF + index / 2));
	return directory->role == SHADOW_DIRECTORY_PAE &&
	       !is_live((uint32_t)wide_entry(table, index));
}

/* Most entries of a directory are empty, so these are passed over quickly. */
void shadow_update_fresh(struct shadow *shadow, struct shadow_page *directory)
{
	const uint8_t *table = table_of(shadow, directory);

	for (uint32_t i = 0; i < SHADOW_ENTRIES; i++)
		if (!leads_nowhere(table, directory, i))
			update_in_directory(shadow, directory, i);
}

static void fill_split(struct shadow *shadow, struct shadow_page *split)
{
	for (uint32_t i = 0; i < SHADOW_ENTRIES; i++)
		shadow_reverse_set(shadow, split, i, wanted_in_split(shadow, split, i));
}

static struct shadow_page *find_or_make(struct shadow *shadow, const struct target *target)
{
	struct shadow_page *table =
	        shadow_pool_find(shadow, target->role, target->frame, target->part);

	if (table)
		return table;
	table = shadow_pool_make(shadow, target->role, target->frame, target->part);
	if (table->role == SHADOW_SPLIT)
		fill_split(shadow, table);
	return table;
}

/* A table of the guest's that is there already needs no second look: each write to the directory
 * has been seen. A split one does, as it has the dirty bit in the directory.
 *
 * Making a table may reclaim another and watch a page, but never changes this entry: its directory
 * is in the root, and the entry is only set now. */
struct shadow_page *shadow_update_descend(struct shadow *shadow, struct shadow_page *directory,
                                          uint32_t index)
{
	uint32_t entry = (uint32_t)directory->entries[index];
	struct target target;
	struct shadow_page *table;

	if ((entry & (ENTRY_PRESENT | ENTRY_LARGE)) == ENTRY_PRESENT) {
		table = shadow_child(shadow, entry);
		if (table->role != SHADOW_SPLIT)
			return table;
	}
	target = target_in(shadow, directory, index);
	if (!target.rights || target.large) {
		shadow_update_entry(shadow, directory, index);
		return NULL;
	}
	table = find_or_make(shadow, &target);
	shadow_reverse_set(shadow, directory, index,
	                   entry_for(shadow, directory, index, table, target.rights));
	return table;
}

/* Bytes out of the middle of an entry, or the end of one and the start of the next. A byte at the
 * start of an entry is how kernels change its low bits. */
static bool is_misaligned(const struct shadow_page *page, uint32_t offset, uint32_t size)
{
	if (size < sizeof(uint32_t))
		return offset % (is_wide(page) ? 8 : 4) != 0;
	return offset % sizeof(uint32_t) != 0;
}

static bool is_written_too_often(struct shadow *shadow, struct shadow_page *page, uint32_t size)
{
	uint32_t max = shadow_is_directory(page) ? DIRECTORY_WRITES_MAX : TABLE_WRITES_MAX;
	uint32_t entries = (size + sizeof(uint32_t) - 1) / sizeof(uint32_t);

	if (page->writes + entries <= max) {
		page->writes += (uint8_t)entries;
		return false;
	}
	page->writes = 0;
	return !shadow_reverse_was_used(shadow, page);
}

/* A table that nothing points to is about to become something else. What is in the root stays. */
static bool has_stopped_being_one(struct shadow *shadow, struct shadow_page *page, uint32_t offset,
                                  uint32_t size)
{
	if (!shadow_is_directory(page))
		return !page->parents || is_misaligned(page, offset, size) ||
		       is_written_too_often(shadow, page, size);
	return !shadow_is_in_root(shadow, page) &&
	       (is_misaligned(page, offset, size) || is_written_too_often(shadow, page, size));
}

/* `index` is the guest's: some of them are of this shadow page, and one may give two entries. */
static void update_guest_index(struct shadow *shadow, struct shadow_page *page, uint32_t index)
{
	switch (page->role) {
	case SHADOW_TABLE_TWO_LEVEL:
		if (index / SHADOW_ENTRIES == page->part)
			update_in_table(shadow, page, index % SHADOW_ENTRIES);
		break;
	case SHADOW_TABLE_PAE:
		update_in_table(shadow, page, index);
		break;
	case SHADOW_DIRECTORY_PAE:
		update_in_directory(shadow, page, index);
		break;
	default:
		if (index / HALF != page->part)
			break;
		update_in_directory(shadow, page, index % HALF * 2);
		update_in_directory(shadow, page, index % HALF * 2 + 1);
	}
}

static void written(struct shadow *shadow, struct shadow_page *page, uint32_t offset, uint32_t size)
{
	uint32_t shift = is_wide(page) ? 3 : 2, last = (offset + size - 1) >> shift;

	if (has_stopped_being_one(shadow, page, offset, size)) {
		shadow_pool_drop(shadow, page);
		statistics_count(shadow_pages_dropped);
		return;
	}
	for (uint32_t i = offset >> shift; i <= last; i++)
		update_guest_index(shadow, page, i);
}

/* Dropping one role leaves the others of the same page in their places. */
void shadow_update_written(struct vm *vm, gpa_t at, uint32_t size)
{
	struct shadow *shadow = vm->shadow;
	uint32_t low = (uint32_t)at.value, frame = low >> SHADOW_FRAME_BIT;
	struct shadow_page *next;

	statistics_count(shadow_updates);
	shadow->slot_is_free = false;
	for (struct shadow_page *page = shadow_pool_first(shadow, frame); page; page = next) {
		next = page->next;
		if (page->frame == frame && shadow_is_of_table(page))
			written(shadow, page, low % GUEST_PAGE_SIZE, size);
	}
}
