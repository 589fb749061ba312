/* Pages that are watched: page tables, descriptor tables, translated code.
 *
 * One mechanism serves every watcher, and a page knows who watches it. Whoever watches a page is
 * told of each write to it after the bytes are there, whether the interpreter wrote, a loader, or
 * the processor its accessed and dirty bits. It is not told of writes before it began to watch.
 *
 * It promises that no write goes by: a page with a watcher is writable neither in the interpreter's
 * buffer (memory/linear.c) nor in a shadow page table. It must not know what is in the pages. */
#ifndef MONITOR_MEMORY_WATCH_H
#define MONITOR_MEMORY_WATCH_H

#include <stddef.h>

#include "monitor/state/vm.h"

#define WATCH_ALL ((1u << WATCHERS) - 1)

/* Beside the watchers: the interpreter's buffer may hold a right to write to the page. Kept when
 * the buffer is flushed, so it is at most a search too many. */
#define WATCH_BUFFERED 0x80u
_Static_assert(!(WATCH_BUFFERED & WATCH_ALL), "it is not a watcher");

/* How many bytes vm->watchers needs, all 0 at first. */
static inline size_t watch_storage_size(uint64_t ram_size)
{
	return (size_t)((ram_size + GUEST_PAGE_SIZE - 1) / GUEST_PAGE_SIZE);
}

/* The part of RAM that takes no writes. */
static inline bool watch_is_rom(const struct vm *vm, gpa_t at)
{
	return at.value - vm->rom.start < vm->rom.end - vm->rom.start;
}

/* Whether a write must be looked at. What lies outside RAM is never watched: nothing changes there.
 */
static inline bool watch_is_watched(const struct vm *vm, gpa_t at)
{
	return watch_is_rom(vm, at) ||
	       (vm->watchers && at.value < vm->ram_size &&
	        (vm->watchers[(size_t)(at.value / GUEST_PAGE_SIZE)] & WATCH_ALL));
}

/* For linear.c alone, of a page of RAM that is not watched. */
static inline void watch_note_buffered(struct vm *vm, gpa_t page)
{
	if (vm->watchers)
		vm->watchers[(size_t)(page.value / GUEST_PAGE_SIZE)] |= WATCH_BUFFERED;
}

/* Which function is told. Once for each watcher, before it starts to watch. */
void watch_register(struct vm *vm, enum watcher who, watch_written_t *written);

/* `page` is in RAM. Starting twice is as starting once. */
void watch_start(struct vm *vm, gpa_t page, enum watcher who);
void watch_stop(struct vm *vm, gpa_t page, enum watcher who);

/* For a while the watcher is not told of writes to a page that it watches; large shadow entries do
 * not come back. Only shadow_loose.c may miss some. */
void watch_pause(struct vm *vm, gpa_t page, enum watcher who);
void watch_resume(struct vm *vm, gpa_t page, enum watcher who);

/* For guest_memory.c alone: these bytes of RAM have been written; `told` are the watchers who care.
 * The first of the two wants them in one page. */
void watch_tell_page(struct vm *vm, gpa_t at, uint32_t size, unsigned int told);
void watch_tell_pages(struct vm *vm, gpa_t at, size_t size, unsigned int told);

static inline void watch_tell(struct vm *vm, gpa_t at, size_t size, unsigned int told)
{
	size_t first = (size_t)at.value / GUEST_PAGE_SIZE;

	if (((size_t)at.value + size - 1) / GUEST_PAGE_SIZE != first)
		watch_tell_pages(vm, at, size, told);
	else if (vm->watchers[first] & told)
		watch_tell_page(vm, at, (uint32_t)size, told);
}

#endif
