/* The guest's page tables, read as the guest's processor would read them.
 *
 * Knows the formats: paging off, two levels with 4 MB pages, PAE with 2 MB pages and no-execute.
 * Judges one access and sets the accessed and dirty bits that it sets on silicon. It remembers
 * nothing and raises nothing: buffers and faults are for memory/linear.c. */
#ifndef MONITOR_MEMORY_PAGE_WALK_H
#define MONITOR_MEMORY_PAGE_WALK_H

#include "monitor/state/vcpu.h"

/* Physical addresses have as many bits as CPUID tells the guest. */
#define PAGE_WALK_ADDRESS_BITS 36

/* What an access is, and what was wrong with it: the bits of a page fault's error code. */
#define PAGE_WALK_PRESENT  (1u << 0)
#define PAGE_WALK_WRITE    (1u << 1)
#define PAGE_WALK_USER     (1u << 2)
#define PAGE_WALK_RESERVED (1u << 3)
#define PAGE_WALK_FETCH    (1u << 4)
/* No access, but the question whether one could be made again without a bit being set. */
#define PAGE_WALK_AGAIN (1u << 5)

/* What the tables say about the page, whoever asked. */
struct page_walk {
	gpa_t page;
	bool user, writable, executable; /* by the entries alone, before CR0.WP */
	bool dirty, global, large;
};

/* `access` is of PAGE_WALK_WRITE, _USER, _FETCH and _AGAIN. When the access is not allowed, sets
 * `error` to the error code of its page fault, and no bit in the tables. */
bool page_walk(struct vcpu *vcpu, gva_t at, uint32_t access, struct page_walk *found,
               uint32_t *error);

/* The bits that must be 0 in an entry of the format that CR4 and EFER choose; `large`: in one that
 * maps a large page. */
uint64_t page_walk_reserved(const struct vcpu *vcpu, bool large);

/* Reads the four page-directory pointers for a CR3. False when one of them has a reserved bit:
 * then `pdptes` is as it was. */
bool page_walk_read_pdptes(struct vcpu *vcpu, uint32_t cr3, uint64_t pdptes[4]);

#endif
