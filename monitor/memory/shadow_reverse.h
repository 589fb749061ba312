/* The reverse map: from a page of the guest to the shadow entries that can write to it, and from a
 * shadow table to the entries that point to it.
 *
 * Each shadow entry has its own two links, so there is nothing to allocate and nothing to run out
 * of. Every change of an entry but those of the slot goes through here. */
#ifndef MONITOR_MEMORY_SHADOW_REVERSE_H
#define MONITOR_MEMORY_SHADOW_REVERSE_H

#include "monitor/memory/shadow_state.h"

/* When nothing but the accessed bit differs, that bit stays: the processor has set it. */
void shadow_reverse_set(struct shadow *shadow, struct shadow_page *page, uint32_t index,
                        uint64_t entry);

/* All entries that point to this table are dropped. */
void shadow_reverse_cut_off(struct shadow *shadow, struct shadow_page *page);

/* Whether the processor has gone through this table since this was last asked. */
bool shadow_reverse_was_used(struct shadow *shadow, struct shadow_page *page);

/* For watch.c: the page gets its first watcher, has lost its last. */
void shadow_reverse_protect(struct vm *vm, gpa_t page);
void shadow_reverse_release(struct vm *vm, gpa_t page);
/* The same watcher looks again; meanwhile there was no large entry. */
void shadow_reverse_make_read_only(struct vm *vm, gpa_t page);

#endif
