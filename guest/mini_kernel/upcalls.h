/*
 * Upcalls: the kernel calls a function of a program between two of its instructions, as Unix does
 * with a signal. The interrupted registers lie on the task's own stack and come back by `resume`.
 */
#pragma once

#include <stdbool.h>

#include "guest/mini_kernel/tasks.h"

/* Before a return to ring 3: if an upcall is due, the frame is bent to go there first. */
void upcall_deliver(struct task *task, struct trap_frame *frame);

/* The end of an upcall: the registers that ESP of the frame points to. False if it points wrong. */
bool upcall_resume(struct task *task, struct trap_frame *frame, uint32_t saved);
