/* Control and debug registers: which values a guest may load, and what a load does. */
#ifndef MONITOR_CPU_CONTROL_H
#define MONITOR_CPU_CONTROL_H

#include "monitor/state/vcpu.h"

/* The state after a reset, as a Multiboot or Linux loader then changes it. */
void control_reset(struct vcpu *vcpu);

/* Each raises #GP(0) (or #UD for a register that does not exist) and returns false. */
bool control_write_cr(struct vcpu *vcpu, unsigned int number, uint32_t value);
bool control_read_cr(struct vcpu *vcpu, unsigned int number, uint32_t *value);
bool control_write_debug(struct vcpu *vcpu, unsigned int number, uint32_t value);
bool control_read_debug(struct vcpu *vcpu, unsigned int number, uint32_t *value);
bool control_load_machine_status(struct vcpu *vcpu, uint16_t value);

/* Whether in, out, ins, outs may reach the ports: IOPL, else the task's bitmap. Raises #GP(0). */
bool control_check_port(struct vcpu *vcpu, uint16_t port, unsigned int size);

/* The new flags after popf or iret at the current CPL and IOPL: what may not change does not. */
uint32_t control_merge_eflags(const struct vcpu *vcpu, uint32_t wanted, unsigned int size);

#endif
