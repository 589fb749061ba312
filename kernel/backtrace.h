/* Who called whom, from the chain of frame pointers. */
#ifndef KERNEL_BACKTRACE_H
#define KERNEL_BACKTRACE_H

#include <stdint.h>

/* Gives `line` the text for eip and then for each caller; stops at a frame that makes no sense. */
void backtrace_walk(uint32_t eip, uint32_t ebp, uint32_t esp, void (*line)(const char *text));

#endif
