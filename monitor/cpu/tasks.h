/* Hardware task switching: the state of one task into its TSS, that of another out of its.
 *
 * Whoever switches has checked the rights to do so. What faults before the new task's registers
 * are loaded leaves the processor as it was; what faults later belongs to the new task. */
#ifndef MONITOR_CPU_TASKS_H
#define MONITOR_CPU_TASKS_H

#include "monitor/state/vcpu.h"

enum tasks_cause { TASKS_JUMP, TASKS_CALL, TASKS_EVENT, TASKS_RETURN };

/* To the TSS that a selector in an instruction or a task gate names: busy raises #GP. The event is
 * what a task gate in the IDT delivers, NULL for an instruction. */
bool tasks_switch(struct vcpu *vcpu, uint16_t selector, enum tasks_cause cause,
                  const struct vcpu_event *event);
/* iret with NT: to the task that the back link names. */
bool tasks_return(struct vcpu *vcpu);

/* The stack for a more privileged level; raises #TS where the TSS has none. */
bool tasks_read_stack(struct vcpu *vcpu, unsigned int level, uint16_t *ss, uint32_t *esp);
/* The same in fewer steps. False, with nothing raised, where anything is unusual. */
bool tasks_recall_stack(struct vcpu *vcpu, unsigned int level, uint16_t *ss, uint32_t *esp);

#endif
