/* The guest's physical memory: the only place where it is touched by its own addresses.
 *
 * RAM starts at 0 and has holes. What is not RAM goes to the device on the bus that claims it, in
 * accesses of four, two and one bytes; where there is none, reads give all ones and writes go
 * nowhere, as on a bus that nobody answers, and both are counted. Whoever watches a page of RAM
 * (memory/watch.c) is told of what was written. */
#ifndef MONITOR_MEMORY_GUEST_MEMORY_H
#define MONITOR_MEMORY_GUEST_MEMORY_H

#include <stddef.h>

#include "monitor/memory/watch.h"
#include "monitor/state/vm.h"

void guest_memory_read(struct vm *vm, gpa_t at, void *to, size_t size);

/* Only the watchers in `told` are told: bits of enum watcher. */
void guest_memory_write_telling(struct vm *vm, gpa_t at, const void *from, size_t size,
                                unsigned int told);

static inline void guest_memory_write(struct vm *vm, gpa_t at, const void *from, size_t size)
{
	guest_memory_write_telling(vm, at, from, size, WATCH_ALL);
}

/* The page in our memory, NULL where the guest has no RAM: then the two above must be asked, for
 * each access of the guest's anew and with its size. */
uint8_t *guest_memory_page(const struct vm *vm, gpa_t page);

#endif
