/* Shadow paging: the tables that the real processor walks while a guest runs directly.
 *
 * They hold the composition of the guest's own tables with the place of its memory in the machine,
 * always in PAE format, filled when a fault asks for an entry. docs/shadow-paging.md has the idea.
 *
 * It promises that the shadow never allows what the guest's tables forbid, never leads elsewhere
 * than they do, and never lets a write reach a watched page. Whatever is missing costs a fault and
 * nothing else, so entries may be dropped at any time; running out of shadow pages drops the least
 * recently used. It must not know how a fault arrives nor how an instruction is emulated. */
#ifndef MONITOR_MEMORY_SHADOW_H
#define MONITOR_MEMORY_SHADOW_H

#include <stddef.h>

#include "monitor/state/vm.h"

/* The root, its four directories, and the tables that one instruction may need at once, so that it
 * completes however few pages there are. */
#define SHADOW_PAGES_MIN 24u

struct shadow_setup {
	uint8_t *pages;         /* page_count shadow pages, on a page boundary */
	uint64_t pages_machine; /* their machine address: in one piece, below 4 GB */
	uint32_t page_count;    /* at least SHADOW_PAGES_MIN */
	uint64_t ram_machine;   /* of guest-physical 0; RAM is in one piece, below 4 GB */
	bool no_execute;        /* the real processor has NX and it is on */
	void *storage;          /* for everything else, on a boundary of 8 */
	size_t storage_size;    /* shadow_storage_size() */
};

enum shadow_result { SHADOW_MAPPED, SHADOW_TRUE_FAULT, SHADOW_EMULATE };

size_t shadow_storage_size(uint32_t page_count, uint64_t ram_size);

/* vm->watchers is there already, and what it says is respected. Sets vm->shadow. False, and nothing
 * is done, when the set-up is not as said above. */
bool shadow_start(struct vm *vm, const struct shadow_setup *setup);

/* The machine address of the page-directory pointers for the guest's present control registers. To
 * be asked before each entry into the guest: what the four pointers say changes under way. */
uint32_t shadow_root(struct vcpu *vcpu);

/* A page fault that the real processor raised under shadow_root(). `access` is of PAGE_WALK_WRITE,
 * _USER and _FETCH. SHADOW_MAPPED: mended, try again. SHADOW_TRUE_FAULT: it is the guest's own,
 * with *error. SHADOW_EMULATE: the access is allowed, but only the interpreter can do it. */
enum shadow_result shadow_fault(struct vcpu *vcpu, gva_t at, uint32_t access, uint32_t *error);

/* After SHADOW_EMULATE: the page that a write could not go to because it is watched and nothing
 * else, as the host sees it. NULL: there was another reason. */
const uint8_t *shadow_watched_page(const struct vm *vm);

/* These two directory entries are in every root at `slot`, which is a multiple of 4 MB, and nothing
 * that the guest maps there. It may be moved at any time. */
void shadow_set_slot(struct vm *vm, uint32_t slot, const uint64_t directory_entries[2]);

/* From now on no table of the guest's is let loose: each write to one is followed at once. */
void shadow_keep_watched(struct vm *vm);

void shadow_forget_all(struct vm *vm);

/* The guest has executed invlpg: the entry is worked out anew, for the table may be loose. */
void shadow_invalidate_page(struct vcpu *vcpu, gva_t at);

#endif
