/* The ways back: far return, iret, and the pair sysenter and sysexit.
 *
 * As in monitor/cpu/transfer.h, which has the ways in: all checks first, then all changes. */
#ifndef MONITOR_CPU_RETURNS_H
#define MONITOR_CPU_RETURNS_H

#include "monitor/state/vcpu.h"

bool transfer_far_return(struct vcpu *vcpu, unsigned int operand_size, uint16_t drop);
bool transfer_interrupt_return(struct vcpu *vcpu, unsigned int operand_size);
bool transfer_sysenter(struct vcpu *vcpu);
bool transfer_sysexit(struct vcpu *vcpu);

#endif
