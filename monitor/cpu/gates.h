/* Gates: call gates, and the interrupt, trap and task gates of the IDT.
 *
 * Both ways lead to code at the same or a more privileged level, there with a stack from the TSS.
 * Whether and when an event is delivered, and what becomes of one that cannot be, is for events.c.
 */
#ifndef MONITOR_CPU_GATES_H
#define MONITOR_CPU_GATES_H

#include "monitor/cpu/segments.h"

/* The selector and the offset that a gate's descriptor names, and how wide it pushes. */
struct gates_target {
	uint16_t selector;
	uint32_t offset;
	unsigned int size; /* 2 or 4 */
};

struct gates_target gates_unpack(struct segments_descriptor descriptor);

/* Through a call gate whose own rights and presence have been checked. */
bool gates_jump(struct vcpu *vcpu, struct segments_descriptor gate);
bool gates_call(struct vcpu *vcpu, struct segments_descriptor gate);

/* Through the IDT. Error codes come without EXT: the caller knows whether it has to be set. */
bool gates_deliver(struct vcpu *vcpu, const struct vcpu_event *event);

/* The end of every transfer to code that has been checked: CS, CPL and eip. */
void gates_enter(struct vcpu *vcpu, const struct vcpu_segment_register *code, unsigned int level,
                 uint32_t eip);

/* Raises #GP(0). */
static inline bool gates_check_eip(struct vcpu *vcpu, const struct vcpu_segment_register *code,
                                   uint32_t eip)
{
	return eip <= code->limit || fault_raise_with_error(vcpu, FAULT_GP, 0);
}

#endif
