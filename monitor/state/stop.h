/* How a virtual machine ends: somebody says why, and the first one to say so is believed.
 *
 * A guest can end only itself. Everything else goes on. */
#ifndef MONITOR_STATE_STOP_H
#define MONITOR_STATE_STOP_H

#include "kernel/print.h"
#include "monitor/state/vm.h"

/* The hypervisor can or will not go on with this guest: one sentence that says why. */
void vm_stop(struct vcpu *vcpu, const char *format, ...) PRINT_FORMAT(2, 3);

/* The guest has ended itself. */
void vm_end(struct vm *vm, enum exit_reason exit, uint32_t status);

#endif
