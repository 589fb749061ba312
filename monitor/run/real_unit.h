/* The real x87, MMX and SSE unit, for guests: runs one instruction on a guest's state.
 *
 * The host kernel uses none of these registers, so nothing of its own has to be kept. A fault of
 * the instruction is recovered from and told. It must not know what the instruction is. */
#ifndef MONITOR_RUN_REAL_UNIT_H
#define MONITOR_RUN_REAL_UNIT_H

#include "monitor/state/vm.h"

/* Makes the unit ready, and tells monitor/cpu/identity.c what it has. Once is enough.
 * NULL: there is not enough memory. */
const struct vm_unit *real_unit_start(void);

/* Before a guest runs directly: its state is in the unit, or the unit faults where the guest's own
 * would. The next instruction that is interpreted there takes it back. */
void real_unit_lend(struct vcpu *vcpu);

/* Whatever was lent is back in vcpu->fpu, for whoever wants to look at it. */
void real_unit_take_back(void);

#endif
