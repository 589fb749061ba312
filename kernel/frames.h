/* The frames of the machine's memory: who owns each, and handing them out.
 *
 * One byte a frame names its owner, and that table is the whole truth: what is free, what a run
 * for guest memory may take, and what each owner holds. Single frames come from the top of
 * memory and runs from the bottom, so that small things do not break up large runs. Pure: the
 * table is handed in. It must not know what is done with a frame. */
#ifndef KERNEL_FRAMES_H
#define KERNEL_FRAMES_H

#include <stdbool.h>
#include <stdint.h>

#include "kernel/address.h"

enum frame_owner {
#define FRAME_OWNER(name, text) FRAME_##name,
#include "kernel/frame_owners.def"
#undef FRAME_OWNER
	FRAME_OWNERS
};

extern const char *const frame_owner_names[FRAME_OWNERS];

/* What a failed allocation returns: no frame has this address. */
#define FRAMES_NONE mpa(UINT64_MAX)

static inline bool frames_is_none(mpa_t frame)
{
	return frame.value == UINT64_MAX;
}

/* Takes a table of one byte for each frame below frames * PAGE_SIZE; all are absent at first. */
void frames_start(uint8_t *table, uint32_t frames);

/* Every frame wholly inside [start, end) that has the owner `from` gets the owner `to`. */
void frames_change_range(uint64_t start, uint64_t end, enum frame_owner from, enum frame_owner to);

/* Every frame touched by [start, end) gets the owner, whatever it was before. */
void frames_claim_range(uint64_t start, uint64_t end, enum frame_owner owner);

/* To try out what becomes of whoever asks: the allocation with this number, counted from now and
 * from 1, finds nothing. */
void frames_fail_at(uint32_t number);

mpa_t frames_allocate(enum frame_owner owner);

/* A run of contiguous frames, the first a multiple of `alignment` frames (a power of two). */
mpa_t frames_allocate_run(uint32_t count, uint32_t alignment, enum frame_owner owner);

/* False, and nothing is done, when a frame of the run does not belong to the owner. */
bool frames_free_run(mpa_t first, uint32_t count, enum frame_owner owner);

uint32_t frames_count(enum frame_owner owner);
uint32_t frames_total(void);
enum frame_owner frames_owner(mpa_t frame);

/* Counts the table anew; false when it does not agree with the counts kept. */
bool frames_check(void);

#endif
