/* The host kernel's GDT and task states.
 *
 * Flat code and data, one task state for ordinary traps, one for the double fault (which has its
 * own stack, because the usual reason for one is that a stack ran out), and one free slot that
 * probes and tests may fill. */
#ifndef KERNEL_SEGMENTS_H
#define KERNEL_SEGMENTS_H

#include <stdint.h>

#include "kernel/descriptors.h"

#define SEGMENT_CODE         0x08
#define SEGMENT_DATA         0x10
#define SEGMENT_TSS          0x18
#define SEGMENT_DOUBLE_FAULT 0x20
#define SEGMENT_SPARE        0x28

#define SEGMENTS_MAX 8192u /* that a table can have */

/* The same code as SEGMENT_CODE, under the last number, which means that in every table that is
 * ever in use: so an NMI finds it, also between the loads of one table and of another. */
#define SEGMENT_CODE_ALWAYS (8 * (SEGMENTS_MAX - 1))

/* Loads the tables; the double fault goes to `handler` on its own stack. */
void segments_start(void (*handler)(void), uint32_t double_fault_stack_top);

/* From now on the table is of full size, and SEGMENT_CODE_ALWAYS is in it; of its pages, only the
 * first and the last are there. */
void segments_extend(void);

/* Loads the tables again, after somebody else's. */
void segments_reload(void);

/* From now on the processor's task state is this one, NULL for our own: where it finds the stack
 * for a trap from an outer ring. It is also what a double fault interrupts. */
void segments_use_task(const struct task_state *state);

/* After a double fault: the registers that the processor put away. */
const struct task_state *segments_interrupted_task(void);

/* New page tables: the double fault must find its stack in them, too. */
void segments_follow_cr3(uint32_t cr3);

void segments_set_spare(struct descriptor descriptor);

#endif
