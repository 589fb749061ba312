/* Raising a fault: noting in the virtual processor what its current instruction has run into.
 *
 * Every function that can fault returns false after it has raised one, and its caller returns at
 * once. Delivery, double faults and the rest is for monitor/cpu/events.c. */
#ifndef MONITOR_STATE_FAULT_H
#define MONITOR_STATE_FAULT_H

#include "monitor/state/vcpu.h"

enum fault_vector {
	FAULT_DE = 0,
	FAULT_DB = 1,
	FAULT_NMI = 2,
	FAULT_BP = 3,
	FAULT_OF = 4,
	FAULT_BR = 5,
	FAULT_UD = 6,
	FAULT_NM = 7,
	FAULT_DF = 8,
	FAULT_TS = 10,
	FAULT_NP = 11,
	FAULT_SS = 12,
	FAULT_GP = 13,
	FAULT_PF = 14,
	FAULT_MF = 16,
	FAULT_AC = 17,
	FAULT_XM = 19
};

/* Always false, so that `return fault_raise(…)` reads as what it does. */
static inline bool fault_raise(struct vcpu *vcpu, enum fault_vector vector)
{
	vcpu->event =
	        (struct vcpu_event){.pending = true, .vector = (uint8_t)vector, .is_fault = true};
	return false;
}

static inline bool fault_raise_with_error(struct vcpu *vcpu, enum fault_vector vector,
                                          uint32_t error)
{
	vcpu->event = (struct vcpu_event){.pending = true,
	                                  .vector = (uint8_t)vector,
	                                  .has_error = true,
	                                  .is_fault = true,
	                                  .error = error};
	return false;
}

#endif
