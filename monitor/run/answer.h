/* What a trap out of directly running guest code means.
 *
 * It may be the guest's own fault, or one of ours: a page that its shadow tables do not show yet,
 * an instruction that ring 1 may not execute, a segment that was cut. Before, struct vcpu is
 * exactly at the instruction that trapped; afterwards the guest can go on. */
#ifndef MONITOR_RUN_ANSWER_H
#define MONITOR_RUN_ANSWER_H

#include "kernel/traps.h"
#include "monitor/memory/shadow.h"

/* A page fault, looked up in the guest's tables. */
struct answer_look {
	enum shadow_result result;
	uint32_t error; /* of SHADOW_TRUE_FAULT */
};
struct answer_look answer_look(struct vcpu *vcpu, gva_t at, uint32_t error);

void answer_page_fault(struct vcpu *vcpu, gva_t at, const struct answer_look *look);

/* For vectors of exceptions; interrupts belong to the host kernel. `address` is CR2. */
void answer_trap(struct vcpu *vcpu, struct trap_frame *frame, gva_t address);

#endif
