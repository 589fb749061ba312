/* The end for a bug of our own: a report in fixed sections, on the console and in the log.
 *
 * Sections: reason, registers, backtrace, code, guest, trace, counters. A guest can never cause
 * one; for a guest's faults there is vm_stop, for bad input there is machine_refuse. */
#ifndef KERNEL_PANIC_H
#define KERNEL_PANIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel/print.h"

struct task_state;
struct trap_frame;

/* Before this, a panic can only say its reason. Needs traps_start(). */
void panic_start(void);

_Noreturn void panic(const char *format, ...) PRINT_FORMAT(1, 2);

/* What stands in the section "guest": this floor knows no guest, so whoever runs one says so. */
typedef void (*panic_line)(const char *text);
void panic_set_guest(void (*describe)(panic_line line));

/* This floor cannot read instructions either. False when the bytes are none. */
typedef bool (*panic_disassembler)(const uint8_t *bytes, size_t count, uint32_t address, char *text,
                                   size_t size);
void panic_set_disassembler(panic_disassembler disassemble);

/* A trap that nobody has dealt with. */
_Noreturn void panic_trap(const struct trap_frame *frame);
_Noreturn void panic_double_fault(const struct task_state *interrupted);

#define panic_unless(condition)                                                                  \
	do {                                                                                     \
		if (!(condition))                                                                \
			panic("failed assertion: %s, at %s:%d", #condition, __FILE__, __LINE__); \
	} while (0)

#endif
