/* Control and debug registers: which values a guest may load, and what a load does.
 *
 * Whether the current ring may do it at all is for the caller to ask. */
#ifndef MONITOR_CPU_CONTROL_H
#define MONITOR_CPU_CONTROL_H

#include "monitor/state/vcpu.h"

/* The state after a reset, in protected mode with flat segments and without paging, as a
 * Multiboot or Linux loader then changes it. Keeps vcpu->vm and nothing else. */
void control_reset(struct vcpu *vcpu);

/* Each raises #GP(0) (or #UD for a register that does not exist, or #DB where DR7 asks for it) and
 * returns false; then nothing has changed. Leaving protected mode stops the guest. */
bool control_write_cr(struct vcpu *vcpu, unsigned int number, uint32_t value);
bool control_read_cr(struct vcpu *vcpu, unsigned int number, uint32_t *value);
bool control_write_debug(struct vcpu *vcpu, unsigned int number, uint32_t value);
bool control_read_debug(struct vcpu *vcpu, unsigned int number, uint32_t *value);
bool control_load_machine_status(struct vcpu *vcpu, uint16_t value);

/* Whether in, out, ins, outs may reach the ports: IOPL, else the task's bitmap. Raises #GP(0). */
bool control_check_port(struct vcpu *vcpu, uint16_t port, unsigned int size);

/* The new flags after popf or iret at the current CPL and IOPL: what may not change does not. With
 * size 4, RF is taken from `wanted` (popf clears it there first). VM never changes: a return to
 * virtual-8086 mode sets it by itself. */
uint32_t control_merge_eflags(const struct vcpu *vcpu, uint32_t wanted, unsigned int size);

#endif
