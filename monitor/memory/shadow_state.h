/* What the shadow of a virtual machine IS: its pages, how they are found, and who points to whom.
 *
 * No behaviour beyond arithmetic. Sections are named after the file that owns them. Machine
 * addresses fit 32 bits, since all of it lies below 4 GB. */
#ifndef MONITOR_MEMORY_SHADOW_STATE_H
#define MONITOR_MEMORY_SHADOW_STATE_H

#include "monitor/memory/page_entry.h"
#include "monitor/memory/shadow.h"

#define SHADOW_ENTRIES   512u
#define SHADOW_QUARTERS  4u
#define SHADOW_GROUP     8u /* entries that are looked for together */
#define SHADOW_FRAME_BIT 12
#define SHADOW_LARGE_BIT 21
#define SHADOW_ADDRESS   0xFFFFF000u

/* What a shadow page stands for. The same page of the guest may have several roles, and its part
 * says which piece of it: a two-level table gives two shadow tables, a directory four. Directories
 * have the quarter of the linear space as their part, also where the contents do not depend on it,
 * because the slot is in one of them. From SHADOW_DIRECTORY_TWO_LEVEL on, they are directories. */
enum shadow_role {
	SHADOW_SPLIT, /* a guest's large page, or a piece without paging, page by page */
	SHADOW_TABLE_TWO_LEVEL,
	SHADOW_TABLE_PAE,
	SHADOW_DIRECTORY_TWO_LEVEL,
	SHADOW_DIRECTORY_PAE,
	SHADOW_DIRECTORY_DIRECT, /* without paging */
	SHADOW_DIRECTORY_EMPTY,  /* the guest has none here; only the slot is in it */
};

struct shadow_page {
	uint64_t *entries;
	struct shadow_page *next;          /* in its bucket, or of the free ones */
	struct shadow_page *newer, *older; /* in the order of last use */
	uint32_t machine;                  /* its own address */
	uint32_t first_id;                 /* that of its first entry: see struct shadow_link */
	uint32_t frame;                    /* the guest's page; of a split one the first */
	uint32_t parents;                  /* the entries that point here: a list */
	uint8_t role, part;
	uint8_t writes; /* by the guest, without a use in between */
	bool loose;
	struct shadow_page *next_loose;
	uint32_t groups[SHADOW_ENTRIES / SHADOW_GROUP / 32]; /* those that may have entries */
};

/* An entry is in at most one list: a writable one in that of the page it maps (of the region, if it
 * is large), one that points to a table in that of the table. Named by the number of its shadow
 * page times 512 plus its index; 0, which would be in the root, is nobody. */
struct shadow_link {
	uint32_t next, previous;
};

struct shadow {
	struct vm *vm;

	/* shadow.c: what is given. The first page holds the four pointers. */
	uint64_t *root;
	uint32_t root_machine;
	uint32_t pages_machine, ram_machine;
	bool no_execute;
	bool large_pages;   /* RAM is aligned in the machine so that they are possible */
	uint32_t frames;    /* whole pages of RAM */
	uint32_t holes_end; /* the first page behind all holes in RAM, and ROM */

	/* shadow.c: what the root is for. */
	bool root_is_good;
	struct {
		uint32_t flushes, cr0, cr3, cr4;
	} seen; /* of the vcpu, when the root was known to be good */
	uint32_t mode, cr3;
	uint64_t pdptes[SHADOW_QUARTERS];
	struct shadow_page *directories[SHADOW_QUARTERS]; /* NULL: not made yet */
	uint64_t reserved, reserved_large; /* in the guest's entries: these, and addresses beyond */
	uint64_t no_execute_bit;           /* 0 when it is off or ignored */
	bool large_is_known;               /* the guest's PS bit means something */
	const uint8_t *watched_page;       /* what the last emulated access was a write to */

	/* shadow_slot.c */
	bool has_slot;
	bool slot_is_free; /* known to be, until a table is written or anything is flushed */
	uint32_t flushes;
	uint32_t slot;
	uint64_t slot_entries[2];

	/* shadow_pool.c */
	struct shadow_page *pages;
	uint32_t page_count;
	struct shadow_page *free;
	struct shadow_page ring; /* newer of it is the oldest, older of it the newest */
	struct shadow_page **buckets;
	uint32_t bucket_mask;

	/* shadow_loose.c */
	struct shadow_page *loose; /* a list */
	bool never_loose;
	uint32_t full_flushes; /* of the vcpu, when all of them were watched last */

	/* shadow_reverse.c: heads of lists, by page and by region of 512; watched pages of a
	 * region.
	 */
	struct shadow_link *links;
	uint32_t *page_writers, *region_writers;
	uint16_t *region_watched;
};

static inline bool shadow_is_directory(const struct shadow_page *page)
{
	return page->role >= SHADOW_DIRECTORY_TWO_LEVEL;
}

/* Made from a page table of the guest, which is watched for that. */
static inline bool shadow_is_of_table(const struct shadow_page *page)
{
	return page->role >= SHADOW_TABLE_TWO_LEVEL && page->role <= SHADOW_DIRECTORY_PAE;
}

/* The slot's entries are in no group. */
static inline void shadow_note_group(struct shadow_page *page, uint32_t index)
{
	page->groups[index / SHADOW_GROUP / 32] |= 1u << index / SHADOW_GROUP % 32;
}

static inline void shadow_forget_group(struct shadow_page *page, uint32_t group)
{
	page->groups[group / 32] &= ~(1u << group % 32);
}

static inline bool shadow_has_group(const struct shadow_page *page, uint32_t group)
{
	return page->groups[group / 32] >> group % 32 & 1;
}

/* The table that a directory's entry points to. */
static inline struct shadow_page *shadow_child(const struct shadow *shadow, uint64_t entry)
{
	return &shadow->pages[((uint32_t)entry - shadow->pages_machine) >> SHADOW_FRAME_BIT];
}

/* In the root now: what the processor may be walking from. */
static inline bool shadow_is_in_root(const struct shadow *shadow, const struct shadow_page *page)
{
	return shadow_is_directory(page) && shadow->directories[page->part] == page;
}

/* One of the two directory entries that are not the guest's. */
static inline bool shadow_is_slot(const struct shadow *shadow, const struct shadow_page *page,
                                  uint32_t index)
{
	return shadow->has_slot && shadow_is_directory(page) &&
	       ((uint32_t)page->part << 9 | (index & ~1u)) == shadow->slot >> SHADOW_LARGE_BIT;
}

/* Whether the page is RAM: it may be shown to the processor. */
static inline bool shadow_has_frame(const struct shadow *shadow, uint64_t frame)
{
	const struct vm *vm = shadow->vm;

	if (frame >= shadow->holes_end)
		return frame < shadow->frames;
	for (uint32_t i = 0; i < vm->hole_count; i++)
		if (frame >= vm->holes[i].start >> SHADOW_FRAME_BIT &&
		    frame < vm->holes[i].end >> SHADOW_FRAME_BIT)
			return false;
	return frame < shadow->frames;
}

/* In the SHADOW_ENTRIES pages from this one on. Holes lie low, so one number is enough. */
static inline bool shadow_has_hole(const struct shadow *shadow, uint32_t frame)
{
	return frame < shadow->holes_end;
}

/* Large pages only where all of it is RAM and nobody watches any of it. */
static inline bool shadow_may_be_large(const struct shadow *shadow, uint32_t frame)
{
	return shadow->large_pages && frame < shadow->frames &&
	       shadow->frames - frame >= SHADOW_ENTRIES && !shadow_has_hole(shadow, frame) &&
	       !shadow->region_watched[frame / SHADOW_ENTRIES];
}

#endif
