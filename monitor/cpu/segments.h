/* Segment registers: loading them with all checks, and turning an offset into a linear address.
 *
 * Real-address mode does not exist here; virtual-8086 mode does. */
#ifndef MONITOR_CPU_SEGMENTS_H
#define MONITOR_CPU_SEGMENTS_H

#include "monitor/memory/linear.h"
#include "monitor/state/fault.h"

enum segment_access { SEGMENT_READ, SEGMENT_WRITE, SEGMENT_EXECUTE };

/* What the attributes say. */
static inline unsigned int segments_dpl(const struct vcpu_segment_register *segment)
{
	return segment->attributes >> VCPU_ATTRIBUTE_DPL_SHIFT & 3;
}

static inline bool segments_has(const struct vcpu_segment_register *segment, uint16_t mask,
                                uint16_t value)
{
	return (segment->attributes & mask) == value;
}

static inline bool segments_is_code(const struct vcpu_segment_register *segment)
{
	return segments_has(segment, VCPU_ATTRIBUTE_S | VCPU_ATTRIBUTE_CODE,
	                    VCPU_ATTRIBUTE_S | VCPU_ATTRIBUTE_CODE);
}

static inline bool segments_is_conforming(const struct vcpu_segment_register *segment)
{
	return segments_is_code(segment) && segment->attributes & VCPU_ATTRIBUTE_CONFORMS;
}

static inline bool segments_is_writable(const struct vcpu_segment_register *segment)
{
	return segments_has(segment,
	                    VCPU_ATTRIBUTE_S | VCPU_ATTRIBUTE_CODE | VCPU_ATTRIBUTE_WRITABLE,
	                    VCPU_ATTRIBUTE_S | VCPU_ATTRIBUTE_WRITABLE);
}

static inline bool segments_is_readable(const struct vcpu_segment_register *segment)
{
	return segment->attributes & VCPU_ATTRIBUTE_S &&
	       (!(segment->attributes & VCPU_ATTRIBUTE_CODE) ||
	        segment->attributes & VCPU_ATTRIBUTE_READABLE);
}

static inline bool segments_is_present(const struct vcpu_segment_register *segment)
{
	return segment->attributes & VCPU_ATTRIBUTE_PRESENT;
}

/* The type of a system descriptor; 16 and more for code and data. */
static inline unsigned int segments_system_type(const struct vcpu_segment_register *segment)
{
	return segment->attributes & (VCPU_ATTRIBUTE_S | VCPU_ATTRIBUTE_TYPE);
}

#define SEGMENTS_TYPE_TSS16       1u
#define SEGMENTS_TYPE_LDT         2u
#define SEGMENTS_TYPE_TSS_BUSY    2u /* set in the type of a TSS */
#define SEGMENTS_TYPE_CALL_GATE16 4u
#define SEGMENTS_TYPE_TASK_GATE   5u
#define SEGMENTS_TYPE_32BIT       8u /* set in the type of a TSS or a gate */

/* Whether two registers hold the same; the selectors may differ. */
static inline bool segments_hold_the_same(const struct vcpu_segment_register *one,
                                          const struct vcpu_segment_register *other)
{
	return one->base == other->base && one->limit == other->limit &&
	       one->attributes == other->attributes && one->usable == other->usable;
}

static inline bool segments_is_null(uint16_t selector)
{
	return selector < 4;
}

static inline bool segments_is_v86(const struct vcpu *vcpu)
{
	return vcpu->eflags & VCPU_EFLAGS_VM;
}

/* Whether `size` bytes at `offset` may be accessed, by type and limit. Raises nothing. */
bool segments_allow(const struct vcpu_segment_register *segment, uint32_t offset, uint32_t size,
                    enum segment_access access);

/* Checks type, rights and limit for `size` bytes; raises #GP(0) or, for the stack, #SS(0). */
bool segments_translate(struct vcpu *vcpu, enum vcpu_segment segment, uint32_t offset,
                        uint32_t size, enum segment_access access, gva_t *linear);

/* mov, pop, lds and their kin; cs is not among them. Sets the descriptor's accessed bit. */
bool segments_load(struct vcpu *vcpu, enum vcpu_segment segment, uint16_t selector);

/* The same without checks: in virtual-8086 mode, and for a register that is made unusable. */
void segments_load_v86(struct vcpu *vcpu, enum vcpu_segment segment, uint16_t selector);
void segments_invalidate(struct vcpu *vcpu, enum vcpu_segment segment);

/* The checks alone, into `loaded`. The error code of a null selector is 0, and `vector` is what is
 * raised where mov would raise #GP: the others are #NP and #SS. */
bool segments_check_stack(struct vcpu *vcpu, uint16_t selector, unsigned int level, uint8_t vector,
                          struct vcpu_segment_register *loaded);
bool segments_check_data(struct vcpu *vcpu, uint16_t selector, unsigned int level, uint8_t vector,
                         struct vcpu_segment_register *loaded);
/* As a code segment that a return goes to: at the level of the selector's RPL. */
bool segments_check_code(struct vcpu *vcpu, uint16_t selector, uint8_t vector,
                         struct vcpu_segment_register *loaded);
/* Sets the accessed bit, in memory too if it is not there: only then the second function is needed.
 */
bool segments_touch_first(struct vcpu *vcpu, struct vcpu_segment_register *segment);

static inline bool segments_touch(struct vcpu *vcpu, struct vcpu_segment_register *segment)
{
	return segment->attributes & VCPU_ATTRIBUTE_ACCESSED || segments_touch_first(vcpu, segment);
}

bool segments_load_ldt(struct vcpu *vcpu, uint16_t selector);
bool segments_load_task(struct vcpu *vcpu, uint16_t selector);

/* A descriptor as memory has it, and as a register holds it. */
struct segments_descriptor {
	uint32_t low, high;
};

/* Reads it from the GDT or LDT; when the selector reaches past the table, raises `vector` with the
 * selector as error code. */
bool segments_read_descriptor(struct vcpu *vcpu, uint16_t selector, uint8_t vector,
                              struct segments_descriptor *descriptor);
struct vcpu_segment_register segments_unpack(uint16_t selector,
                                             struct segments_descriptor descriptor);
/* Both at once; a null selector raises `vector` with 0. */
bool segments_fetch(struct vcpu *vcpu, uint16_t selector, uint8_t vector,
                    struct vcpu_segment_register *segment);

/* What descriptors say is remembered by content, as decoded instructions are: it counts only while
 * the bytes in memory are those it was made from. */
#define SEGMENTS_MEMOS 32u
#define SEGMENTS_LOCAL 4u /* in a selector: the LDT */

struct segments_memo {
	struct segments_descriptor made_of;
	struct vcpu_segment_register segment; /* its selector is nobody's */
} __attribute__((aligned(32)));               /* a power of two is found without a multiplication */

extern struct segments_memo segments_memos[SEGMENTS_MEMOS];

bool segments_renew_memo(struct segments_memo *memo, struct segments_descriptor descriptor);

/* segments_fetch() in fewer steps for a descriptor of the GDT that is code or data, present and
 * accessed. NULL, with nothing raised, for whatever is unusual; then segments_fetch() finds out.
 * What is found holds until the next is, for both may have the same place. No right is checked. */
static inline const struct vcpu_segment_register *segments_recall(struct vcpu *vcpu,
                                                                  uint16_t selector)
{
	uint32_t offset = selector & ~7u;
	struct segments_memo *memo = &segments_memos[offset / 8 % SEGMENTS_MEMOS];
	const uint8_t *bytes = linear_find_span(vcpu, gva(vcpu->gdtr.base + offset), 8, LINEAR_READ,
	                                        LINEAR_AS_SUPERVISOR);
	struct segments_descriptor now;

	if (!bytes || selector & SEGMENTS_LOCAL || segments_is_null(selector) ||
	    offset + 7 > vcpu->gdtr.limit)
		return NULL;
	__builtin_memcpy(&now, bytes, sizeof(now));
	if ((memo->made_of.low != now.low || memo->made_of.high != now.high) &&
	    !segments_renew_memo(memo, now))
		return NULL;
	return &memo->segment;
}

/* Raises `vector` with the selector as error code; false, as fault_raise. */
bool segments_raise(struct vcpu *vcpu, uint8_t vector, uint16_t selector);
/* Writes the accessed bit (or, for a task, the busy bit) back to the table in memory. */
bool segments_mark_descriptor(struct vcpu *vcpu, uint16_t selector, uint32_t set, uint32_t clear);

/* Into CS or SS, at the end of a transfer that has checked everything. */
static inline void segments_put(struct vcpu *vcpu, enum vcpu_segment segment,
                                const struct vcpu_segment_register *found, uint16_t selector)
{
	vcpu->segments[segment] = *found;
	vcpu->segments[segment].selector = selector;
}

/* lar, lsl, verr, verw: never fault but for the memory. */
bool segments_query_rights(struct vcpu *vcpu, uint16_t selector, bool *good, uint32_t *rights);
bool segments_query_limit(struct vcpu *vcpu, uint16_t selector, bool *good, uint32_t *limit);
bool segments_query_access(struct vcpu *vcpu, uint16_t selector, bool write, bool *good);

#endif
