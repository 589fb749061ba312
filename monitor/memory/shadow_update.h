/* What a shadow entry must be, from what the guest's tables say now.
 *
 * Working an entry out anew never makes a shadow page and never fails: what is not possible is left
 * out, and a fault will ask for it. Here also come the guest's writes to its tables. */
#ifndef MONITOR_MEMORY_SHADOW_UPDATE_H
#define MONITOR_MEMORY_SHADOW_UPDATE_H

#include "monitor/memory/shadow_state.h"

void shadow_update_entry(struct shadow *shadow, struct shadow_page *page, uint32_t index);

/* All entries of a directory that has none yet but the slot's. */
void shadow_update_fresh(struct shadow *shadow, struct shadow_page *directory);

/* The table behind an entry of a directory, made if need be, with the entry pointing to it. NULL
 * when the entry is a large one, or the guest's entry leads nowhere. */
struct shadow_page *shadow_update_descend(struct shadow *shadow, struct shadow_page *directory,
                                          uint32_t index);

/* As watch.c calls it: the guest has written to one of its tables. */
void shadow_update_written(struct vm *vm, gpa_t at, uint32_t size);

#endif
