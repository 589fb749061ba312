/* The slot: the 4 MB of a guest's linear address space that are ours, and all that is mapped there.
 *
 * What the processor must find while a guest runs lies here: the code that crosses between the
 * worlds, the GDT, LDT, IDT and task state, the stack that a trap lands on, and the window that
 * ring 1 code of ours reaches through GS. Nothing of the host kernel does. The host world shows the
 * slot at the same addresses. Where segment limits are enforced it is the top of the address space,
 * and every guest segment ends below; elsewhere it can move to wherever the guest has nothing. */
#ifndef MONITOR_RUN_SLOT_H
#define MONITOR_RUN_SLOT_H

#include <stdbool.h>
#include <stdint.h>

#include "kernel/address.h"
#include "kernel/descriptors.h"

#define SLOT_SIZE (4u << 20)
#define SLOT_TOP  0xFFC00000u

/* Where things are in it. The first page is where linker.ld puts .cross in the image; what follows
 * lies behind the room that the image takes at the top of the host world. */
#define SLOT_IDT           0x101000u
#define SLOT_TASKS         0x102000u
#define SLOT_AREA          0x103000u
#define SLOT_WINDOW        0x104000u /* struct translator_window */
#define SLOT_FLAG          0x105000u /* its second page, which can be made read-only */
#define SLOT_FLAG_AGAIN    0x106000u /* the same page to the guest world, always writable */
#define SLOT_GDT           0x190000u
#define SLOT_LDT           0x1A0000u
#define SLOT_END           0x1B0000u
#define SLOT_COUNTERS      0x1B0000u /* of blocks, where they are counted */
#define SLOT_COUNTERS_SIZE (SLOT_CACHE - SLOT_COUNTERS)
#define SLOT_PAGES         ((SLOT_END - SLOT_IDT) / PAGE_SIZE)
#define SLOT_CACHE         0x1C0000u /* only the guest world shows it; we write through the direct map */
#define SLOT_CACHE_SIZE    (SLOT_SIZE - PAGE_SIZE - SLOT_CACHE)
#define TABLE_PAGES        16u /* of a descriptor table of full size */

/* Our own descriptors are the last of the GDT; the ones before may be a guest's. */
#define SLOT_CODE         (8191u * 8) /* flat, ring 0 */
#define SLOT_DATA         (8190u * 8)
#define SLOT_DOUBLE_FAULT (8189u * 8)
#define SLOT_LOCAL_TABLE  (8188u * 8)
#define SLOT_CACHE_CODE   (8187u * 8 + 1)
#define SLOT_WINDOW_DATA  (8186u * 8 + 1)
#define SLOT_TWINS        8140u /* what ring 1 is given for the guest's segments in the cache */
#define SLOT_TWIN_COUNT   40u
#define SLOT_GUEST_LAST   8139u /* the last index that can hold a guest's descriptor */

struct slot {
	uint32_t base;
	uint32_t cross;  /* the way over, in the slot */
	mpa_t first;     /* SLOT_PAGES frames: what lies from SLOT_IDT on */
	mpa_t tables[2]; /* page tables of the guest world's view */
	mpa_t cache_frames, counter_frames;
	uint32_t open_vectors[8];
	uint32_t moves;         /* with each, gates for ring 3 are closed */
	struct descriptor *gdt; /* through the direct map: the guest world may not write them */
	struct descriptor *ldt;
	struct gate *idt;
	struct task_state *tasks; /* the guest's way in; the double fault's */
	struct world_area *area;
	uint8_t *window, *cache; /* the cache is NULL where nothing is translated */
	uint32_t *counters;      /* NULL where nothing is counted */
	bool flag_is_writable;
};

/* False when there are not enough frames. */
bool slot_create(struct slot *slot, uint32_t base, bool with_cache);

/* Ring 1 of the guest world can write SLOT_FLAG, or faults when it does. */
void slot_open_flag(struct slot *slot, bool writable);

/* Gives ring 1 counters behind the window, in its segment. False when there are not enough frames.
 */
bool slot_add_counters(struct slot *slot);

/* From now on ring 1 may use `int` with this vector. */
void slot_open_vector(struct slot *slot, uint8_t vector);

/* Ring 3 may use `int` with this vector: it lands at this offset of the cache, in ring 1, on a
 * stack at the end of the window's struct window_frame. Or may no longer. */
void slot_open_gate(struct slot *slot, uint8_t vector, uint32_t offset);
void slot_close_gate(struct slot *slot, uint8_t vector);

/* Puts it somewhere else. Every root of shadow tables must be told its slot_directory() entries.
 * False, and nothing is done, when there is no memory for our own tables. */
bool slot_move(struct slot *slot, uint32_t base);

/* The two page-directory entries that show the slot in a guest world. */
void slot_directory(const struct slot *slot, uint64_t entries[2]);

/* The address in the slot of something in .cross. */
uint32_t slot_cross_address(const struct slot *slot, const void *in_image);

void slot_destroy(struct slot *slot);

#endif
