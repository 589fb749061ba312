/* The host kernel's stacks, each with an unmapped guard page below it.
 *
 * A stack that runs out hits its guard page instead of somebody's data, and the report can say
 * whose stack it was. */
#ifndef KERNEL_STACKS_H
#define KERNEL_STACKS_H

#include <stdint.h>

enum stack { STACK_HOST, STACK_DOUBLE_FAULT, STACKS };

/* Backs all stacks with frames. */
void stacks_start(void);

uint32_t stacks_top(enum stack stack);

/* "host" when the address lies in the guard page below the host stack; else NULL. */
const char *stacks_guard_owner(uint32_t address);

/* Goes on in `function` on another stack and forgets this one. */
_Noreturn void stacks_switch(enum stack stack, void (*function)(void));

#endif
