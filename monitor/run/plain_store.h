/* What a 32-bit mov to memory does, read from the frame of the fault that it raised.
 *
 * Such a store to a watched page is most of what faults in a kernel and is none of its own faults.
 * With its value and its address known it can be done, or left undone, in the place where it has
 * faulted. Pure: from the frame and the bytes of code, as translated code has them. */
#ifndef MONITOR_RUN_PLAIN_STORE_H
#define MONITOR_RUN_PLAIN_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "kernel/traps.h"

#define PLAIN_STORE_MAX 12 /* bytes of code that are looked at */

struct plain_store {
	uint32_t length;   /* of the instruction */
	uint32_t value;    /* that is stored */
	uint32_t offset;   /* in the segment */
	uint32_t selector; /* of that, as the frame has it */
};

/* False when the code is no such mov. */
bool plain_store_read(const struct trap_frame *frame, const uint8_t *code,
                      struct plain_store *store);

#endif
