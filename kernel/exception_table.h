/* Accesses that may fault and then report it instead of ending everything.
 *
 * Each is one instruction whose address stands in a table beside the place where to go on.
 * Everything that reads memory or registers on somebody else's word goes through here. */
#ifndef KERNEL_EXCEPTION_TABLE_H
#define KERNEL_EXCEPTION_TABLE_H

#include <stdbool.h>
#include <stdint.h>

struct trap_frame;

/* In a template after the instruction at label 1: on a fault go on at label `to`. */
#define EXCEPTION_TABLE_ENTRY(to)                  \
	".pushsection .exception_table, \"a\"\n\t" \
	".long 1b, " #to "\n\t"                    \
	".popsection\n\t"

/* When the interrupted instruction is in the table, makes the frame go on where it says. */
bool exception_table_recover(struct trap_frame *frame);

/* The exception that was recovered from last. */
extern uint8_t exception_table_vector;

/* Each returns false when the access faulted. */
bool recoverable_read8(const volatile void *at, uint8_t *value);
bool recoverable_write8(volatile void *at, uint8_t value);
bool recoverable_read_msr(uint32_t number, uint64_t *value);

#endif
