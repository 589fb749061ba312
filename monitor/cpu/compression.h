/* Ring compression, descriptor by descriptor: what the processor is given for what a guest has.
 *
 * Guest ring 0 runs in ring 1, so its descriptors get DPL 1. Those of guest rings 1 and 2 stay as
 * they are: no code runs there, and as data they are as far from rings 1 and 3 as they were from 0
 * and 3. A segment must end below `cut`, where the monitor begins; bases stay. Pure arithmetic:
 * whether the descriptor is the right one is for cpu/shadow_tables.c. */
#ifndef MONITOR_CPU_COMPRESSION_H
#define MONITOR_CPU_COMPRESSION_H

#include "kernel/descriptors.h"
#include "monitor/cpu/segments.h"

/* No cut: this processor does not enforce limits, and the monitor is out of the guest's way. */
#define COMPRESSION_NO_CUT 0u

/* False for what has no equivalent that is safe and exact: system descriptors, absent or untouched
 * ones, segments that begin behind the cut or expand down across it. */
bool compression_make(struct segments_descriptor guest, uint32_t cut, struct descriptor *shadow);

/* The same for what a segment register holds, whatever its descriptor says by now, for ring 1
 * alone: a twin that only the monitor hands out. */
bool compression_make_twin(const struct vcpu_segment_register *segment, uint32_t cut,
                           struct descriptor *twin);

/* The selector to load for the guest's, in CS and SS, whose RPL is the real ring. */
static inline uint16_t compression_selector(uint16_t selector, uint8_t cpl)
{
	return cpl == 3 ? selector : (uint16_t)((selector & ~3u) | 1);
}

#endif
