/* Far control transfers: jumps, calls and returns between segments, rings and tasks.
 *
 * Everything is checked in the manual's order before anything is changed; what faults leaves the
 * processor as it was. operand_size is 2 or 4. */
#ifndef MONITOR_CPU_TRANSFER_H
#define MONITOR_CPU_TRANSFER_H

#include "monitor/cpu/returns.h"

/* vcpu->eip is that of the next instruction: what a call pushes. */
bool transfer_far_jump(struct vcpu *vcpu, uint16_t selector, uint32_t offset,
                       unsigned int operand_size);
bool transfer_far_call(struct vcpu *vcpu, uint16_t selector, uint32_t offset,
                       unsigned int operand_size);

/* Pushes and pops on the current stack, 2 or 4 bytes, by the size that SS says. */
bool transfer_push(struct vcpu *vcpu, uint32_t value, unsigned int size);
bool transfer_pop(struct vcpu *vcpu, uint32_t *value, unsigned int size);

#endif
