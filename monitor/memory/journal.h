/* A run that is taken back: what it writes to the guest's memory is noted, with what stood there.
 *
 * While vm->journal is set, memory/guest_memory.c writes through it. It promises that nothing
 * leaves the memory: what a device or a watcher would hear of is refused and not done, and so is
 * what there is no more room for. Whoever set it looks at `refused` after each instruction. It must
 * not know what runs. */
#ifndef MONITOR_MEMORY_JOURNAL_H
#define MONITOR_MEMORY_JOURNAL_H

#include <stddef.h>

#include "monitor/state/vm.h"

#define JOURNAL_PART 16

struct journal_entry {
	uint32_t at; /* guest-physical, in RAM */
	uint16_t size;
	bool marks; /* an accessed or dirty bit, which a look ahead may set or leave */
	uint8_t before[JOURNAL_PART], after[JOURNAL_PART];
	uint8_t found[JOURNAL_PART]; /* by journal_compare */
};

struct journal {
	struct journal_entry *entries;
	uint32_t count, max;
	bool refused;
	bool full; /* that was why */
};

/* All of it is RAM. `told` are the watchers who would be told. */
void journal_write(struct vm *vm, gpa_t at, const void *from, size_t size, unsigned int told);

/* In the place of a device: says whether one is to be left alone. */
static inline bool journal_refuses(struct vm *vm)
{
	if (vm->journal)
		vm->journal->refused = true;
	return vm->journal;
}

/* Memory is as it was when there were only `count` entries, and so is the journal. */
void journal_take_back(struct vm *vm, struct journal *journal, uint32_t count);

/* After all was taken back and somebody else has run. What is wanted wherever the journal has been:
 * memory as the first `done` entries leave it, of `all`. Those from there up to `begun` may have
 * been written or not, or something else in their place. */
struct journal_extent {
	uint32_t done, begun, all;
};

/* The first byte that differs: where it is, and what stands there. They are equal when none does.
 * Changes nothing. */
struct journal_difference {
	uint32_t at;
	uint8_t wanted, found;
};
struct journal_difference journal_compare(struct vm *vm, struct journal *journal,
                                          struct journal_extent extent);

#endif
