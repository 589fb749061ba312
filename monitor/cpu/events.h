/* Exceptions and interrupts on their way into the guest: gates, stacks, error codes, and what
 * happens when delivering one runs into another. */
#ifndef MONITOR_CPU_EVENTS_H
#define MONITOR_CPU_EVENTS_H

#include "monitor/state/vm.h"

#define EVENTS_DR7_ON 0x000000FFu /* any L or G */

/* Delivers what is pending, faults of the delivery included: contributory ones become #DF, and a
 * fault on the way to #DF stops the guest with the chain of the three. */
void events_deliver(struct vcpu *vcpu);

bool events_take_interrupt_slowly(struct vcpu *vcpu);
void events_complete_slowly(struct vcpu *vcpu);

/* Before each instruction: takes an NMI or a hardware interrupt when the guest would. True when
 * one was delivered (or the machine ended). Nearly always there is nothing to take, and that is
 * decided here. */
static inline bool events_take_interrupt(struct vcpu *vcpu)
{
	if (!vcpu->interrupt_shadow && !vcpu->debug_shadow && !vcpu->nmi_pending &&
	    !(vcpu->vm->interrupt_waits && vcpu->eflags & VCPU_EFLAGS_IF) &&
	    !(vcpu->debug[7] & EVENTS_DR7_ON))
		return false;
	return events_take_interrupt_slowly(vcpu);
}

/* int n, int3, into: raised as software events; eip is already behind the instruction, and
 * instruction_eip is where a failing delivery goes back to. */
void events_raise_software(struct vcpu *vcpu, uint8_t vector);
/* int1 (opcode F1): a #DB that no gate's DPL holds off. */
void events_raise_int1(struct vcpu *vcpu);
/* int n, but not int3 and into, asks first: in virtual-8086 mode it takes IOPL 3, else #GP(0). */
bool events_check_int(struct vcpu *vcpu);

/* After an instruction has completed without a fault: single step, shadows, the chain forgotten. */
static inline void events_instruction_completed(struct vcpu *vcpu)
{
	if (vcpu->keeps_resume || vcpu->event.pending || vcpu->debug_trap || vcpu->debug_met ||
	    vcpu->eflags & (VCPU_EFLAGS_TF | VCPU_EFLAGS_RF))
		events_complete_slowly(vcpu);
}

#endif
