/* A store of what is there already.
 *
 * Kernels write the same descriptors to their tables at every change of task. The page is watched,
 * so each of these stores faults; but one that changes nothing needs nobody to be told, and is over
 * as soon as it is recognised. Pure: from the frame of the fault and the bytes on both sides. */
#ifndef MONITOR_RUN_SILENT_STORE_H
#define MONITOR_RUN_SILENT_STORE_H

#include <stdint.h>

#include "kernel/traps.h"

#define SILENT_STORE_MAX 12 /* bytes of code that are looked at */

/* The length of the 32-bit mov in `code` if it would store to `there` what is there, else 0. */
uint32_t silent_store_length(const struct trap_frame *frame, const uint8_t *code,
                             const uint8_t *there);

#endif
