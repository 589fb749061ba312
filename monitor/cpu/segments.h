/* Segment registers: loading them with all checks, and turning an offset into a linear address.
 *
 * Real-address mode does not exist here; virtual-8086 mode does. */
#ifndef MONITOR_CPU_SEGMENTS_H
#define MONITOR_CPU_SEGMENTS_H

#include "monitor/state/vcpu.h"

enum segment_access { SEGMENT_READ, SEGMENT_WRITE, SEGMENT_EXECUTE };

/* Checks type, rights and limit for `size` bytes; raises #GP(0) or, for the stack, #SS(0). */
bool segments_translate(struct vcpu *vcpu, enum vcpu_segment segment, uint32_t offset,
                        uint32_t size, enum segment_access access, gva_t *linear);

/* mov, pop, lds and their kin; cs is not among them. Sets the descriptor's accessed bit. */
bool segments_load(struct vcpu *vcpu, enum vcpu_segment segment, uint16_t selector);
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
/* Writes the accessed bit (or, for a task, the busy bit) back to the table in memory. */
bool segments_mark_descriptor(struct vcpu *vcpu, uint16_t selector, uint32_t set, uint32_t clear);

/* lar, lsl, verr, verw: never fault but for the memory. */
bool segments_query_rights(struct vcpu *vcpu, uint16_t selector, bool *good, uint32_t *rights);
bool segments_query_limit(struct vcpu *vcpu, uint16_t selector, bool *good, uint32_t *limit);
bool segments_query_access(struct vcpu *vcpu, uint16_t selector, bool write, bool *good);

#endif
