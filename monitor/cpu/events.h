/* Exceptions and interrupts on their way into the guest: gates, stacks, error codes, and what
 * happens when delivering one runs into another. */
#ifndef MONITOR_CPU_EVENTS_H
#define MONITOR_CPU_EVENTS_H

#include "monitor/state/vcpu.h"

/* Delivers what is pending, faults of the delivery included: contributory ones become #DF, and a
 * fault on the way to #DF stops the guest with the chain of the three. */
void events_deliver(struct vcpu *vcpu);

/* Before each instruction: takes an NMI or a hardware interrupt when the guest would. True when
 * one was delivered (or the machine ended). */
bool events_take_interrupt(struct vcpu *vcpu);

/* int n, int3, into, int1: raised as software events; eip is already behind the instruction. */
void events_raise_software(struct vcpu *vcpu, uint8_t vector);

/* After an instruction has completed without a fault: single step, shadows, the chain forgotten. */
void events_instruction_completed(struct vcpu *vcpu);

#endif
