/* Memory by linear address, as an instruction sees it: translated, checked, and faulting.
 *
 * Goes through the guest's page tables (memory/page_walk.c) and a translation buffer that is as
 * stale as a real one may be and no more. A fault is raised with its error code and CR2; nothing of
 * a faulting access has been done, also where it crosses a page. What is aligned and in the buffer
 * is done inline; the rest by the functions named _slow, which nobody else calls. */
#ifndef MONITOR_MEMORY_LINEAR_H
#define MONITOR_MEMORY_LINEAR_H

#include <stddef.h>

#include "monitor/state/vcpu.h"

/* An access is the current instruction's own, at the current CPL, or one that the processor makes
 * for itself (descriptor tables, task states): as supervisor whatever the CPL. Only the former is
 * checked for its alignment, where CR0.AM, EFLAGS.AC and CPL 3 ask for it. */
enum linear_as { LINEAR_AS_CPL, LINEAR_AS_SUPERVISOR };

/* The rights of a buffered page: what can be done without another walk. Writing only once the dirty
 * bit is set, and never where a write is watched (memory/watch.h). Shifted to the left for user
 * accesses. */
#define LINEAR_READ       1u
#define LINEAR_WRITE      2u
#define LINEAR_EXECUTE    4u
#define LINEAR_USER_SHIFT 3

static inline unsigned int linear_right(const struct vcpu *vcpu, unsigned int right,
                                        enum linear_as as)
{
	return vcpu->cpl == 3 && as == LINEAR_AS_CPL ? right << LINEAR_USER_SHIFT : right;
}

static inline struct vcpu_tlb_entry *linear_entry(struct vcpu *vcpu, gva_t at)
{
	return &vcpu->tlb[at.value / GUEST_PAGE_SIZE % VCPU_TLB_SIZE];
}

static inline uint32_t linear_tag(gva_t at)
{
	return (at.value & ~(GUEST_PAGE_SIZE - 1)) | 1;
}

/* Where the byte is in our memory, NULL when the buffer does not know or there is no RAM. */
static inline uint8_t *linear_find(struct vcpu *vcpu, gva_t at, unsigned int right)
{
	const struct vcpu_tlb_entry *entry = linear_entry(vcpu, at);

	if (entry->tag != linear_tag(at) || !(entry->rights & right) || !entry->ram)
		return NULL;
	return entry->ram + at.value % GUEST_PAGE_SIZE;
}

/* The same for `size` bytes at any place. NULL also where they are not all in one page, and where
 * an alignment may have to be checked. */
static inline uint8_t *linear_find_span(struct vcpu *vcpu, gva_t at, size_t size,
                                        unsigned int right, enum linear_as as)
{
	if (at.value % GUEST_PAGE_SIZE > GUEST_PAGE_SIZE - size ||
	    (vcpu->cpl == 3 && as == LINEAR_AS_CPL && vcpu->cr0 & VCPU_CR0_AM))
		return NULL;
	return linear_find(vcpu, at, linear_right(vcpu, right, as));
}

/* RAM that the current level may read or write, though somebody may have to be told of a write:
 * only linear_write does that. NULL also for writes in lockstep, which wants to see each. */
uint8_t *linear_look_for(struct vcpu *vcpu, gva_t at, unsigned int right);

/* An aligned access of 1, 2 or 4 bytes neither crosses a page nor can it be misaligned. */
static inline bool linear_is_simple(gva_t at, size_t size)
{
	return (size == 1 || size == 2 || size == 4) && !(at.value & (size - 1));
}

static inline void linear_copy_simple(void *to, const void *from, size_t size)
{
	if (size == 4)
		__builtin_memcpy(to, from, 4);
	else if (size == 1)
		__builtin_memcpy(to, from, 1);
	else
		__builtin_memcpy(to, from, 2);
}

bool linear_read_slow(struct vcpu *vcpu, gva_t at, void *to, size_t size, enum linear_as as);
bool linear_write_slow(struct vcpu *vcpu, gva_t at, const void *from, size_t size,
                       enum linear_as as);
bool linear_check_write_slow(struct vcpu *vcpu, gva_t at, size_t size, enum linear_as as);

/* At most a page at a time. */
static inline bool linear_read(struct vcpu *vcpu, gva_t at, void *to, size_t size,
                               enum linear_as as)
{
	const uint8_t *from = linear_find(vcpu, at, linear_right(vcpu, LINEAR_READ, as));

	if (!from || !linear_is_simple(at, size))
		return linear_read_slow(vcpu, at, to, size, as);
	linear_copy_simple(to, from, size);
	return true;
}

/* A descriptor, a gate, what a processor reads for itself in one go: eight bytes. */
static inline bool linear_read_descriptor(struct vcpu *vcpu, gva_t at, void *to)
{
	const uint8_t *from = linear_find_span(vcpu, at, 8, LINEAR_READ, LINEAR_AS_SUPERVISOR);

	if (!from)
		return linear_read_slow(vcpu, at, to, 8, LINEAR_AS_SUPERVISOR);
	__builtin_memcpy(to, from, 8);
	return true;
}

static inline bool linear_write(struct vcpu *vcpu, gva_t at, const void *from, size_t size,
                                enum linear_as as)
{
	uint8_t *to = linear_find(vcpu, at, linear_right(vcpu, LINEAR_WRITE, as));

	if (!to || !linear_is_simple(at, size))
		return linear_write_slow(vcpu, at, from, size, as);
	linear_copy_simple(to, from, size);
	return true;
}

/* Whether a write would be allowed; raises the fault if not. Read-modify-write asks first. */
static inline bool linear_check_write(struct vcpu *vcpu, gva_t at, size_t size, enum linear_as as)
{
	if (linear_is_simple(at, size) &&
	    linear_find(vcpu, at, linear_right(vcpu, LINEAR_WRITE, as)))
		return true;
	return linear_check_write_slow(vcpu, at, size, as);
}

/* Up to `wanted` bytes of code. Returns how many were readable without a fault, none after the
 * first page that faults; only when not even one was, the fault is raised. */
size_t linear_fetch(struct vcpu *vcpu, gva_t at, uint8_t *to, size_t wanted);

/* The same without a copy: `wanted` bytes of code where they lie, when they lie in one page of RAM
 * that the buffer knows. NULL otherwise; then linear_fetch answers. */
static inline const uint8_t *linear_find_code(struct vcpu *vcpu, gva_t at, size_t wanted)
{
	if (at.value % GUEST_PAGE_SIZE > GUEST_PAGE_SIZE - wanted)
		return NULL;
	return linear_find(vcpu, at, linear_right(vcpu, LINEAR_EXECUTE, LINEAR_AS_CPL));
}

/* Reads as supervisor without raising anything, and tells where in the guest's memory it is. All of
 * it must lie in one page. */
bool linear_look_at(struct vcpu *vcpu, gva_t at, void *to, size_t size, gpa_t *source);

/* The guest's own page fault: CR2; and its error code as well. The second is always false. */
void linear_note_page_fault(struct vcpu *vcpu, gva_t at);
bool linear_raise_page_fault(struct vcpu *vcpu, gva_t at, uint32_t error);
/* No entry lets a write to this page of RAM by any more without being looked at. */
void linear_forget_writes(struct vcpu *vcpu, gpa_t page);

void linear_flush_page(struct vcpu *vcpu, gva_t at);
void linear_flush(struct vcpu *vcpu, bool globals_too);

#endif
