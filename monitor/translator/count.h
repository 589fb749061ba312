/* How often each piece of guest code of ring 0 has run, for coverage and profiles.
 *
 * Each block begins with an increment of a counter of its own, which changes no flag. A block that
 * is left in the middle has been counted as a whole: then what it has not done is taken back, and
 * given again when it is resumed. What the interpreter has done counts by itself. So the sum over
 * all ranges that hold the first byte of an instruction is how often it has been completed.
 *
 * Off, nothing of this is emitted. It must not know where the counters are shown. */
#ifndef MONITOR_TRANSLATOR_COUNT_H
#define MONITOR_TRANSLATOR_COUNT_H

#include <stdbool.h>
#include <stdint.h>

#include "monitor/translator/block.h"

#define COUNT_MOST 0xFFFFFFFFu /* where a counter stays */

struct emit;
struct translator;

/* Linear addresses, the last one exclusive; a place is free where they are equal. */
struct count_range {
	uint32_t from, to;
	int64_t times;
};

struct count {
	uint32_t *counters;         /* as the host sees them, zeros at first */
	uint32_t blocks;            /* how many there are */
	uint32_t offset;            /* of the first one in the window's segment */
	struct count_range *ranges; /* zeros at first */
	uint32_t range_count;       /* a power of two */
	uint32_t used;
	uint64_t lost; /* additions for which there was no range any more */
};

/* At the start of a block. */
void count_emit(struct emit *emit);

/* A block is left at this offset, before the instruction at eip. */
void count_left(const struct translator *t, uint32_t offset, const struct block *block,
                const struct block_entry *entry, uint32_t eip);
/* It goes on after all. */
void count_resumed(const struct translator *t, uint32_t block, uint32_t eip);

/* The counters go into the ranges, and begin anew; before blocks are forgotten, and at the end. */
void translator_count_collect(const struct translator *t);
/* The interpreter has completed an instruction of ring 0 that begins at this linear address. */
void translator_count_interpreted(const struct translator *t, uint32_t at);

#endif
