/* From a place in the cache to the guest's exact state there: what the maps are for. */
#ifndef MONITOR_TRANSLATOR_FAULT_H
#define MONITOR_TRANSLATOR_FAULT_H

#include "monitor/translator/translator.h"

/* The entry that holds at this offset, with its block; NULL in a stub or where nothing is. */
const struct block_entry *fault_find_entry(const struct translator *t, uint32_t offset,
                                           const struct block **block);
/* translator_recover; and the entry with its block, or NULL where no block is alive. */
const struct block_entry *fault_recover(const struct translator *t, uint32_t offset,
                                        struct vcpu *vcpu, const struct block **block);
/* The guest eip that it means for this offset. */
uint32_t fault_eip(const struct translator *t, const struct block *block,
                   const struct block_entry *entry, uint32_t offset);

/* What the upper half of the guest's time-stamp counter has more than the real one. */
static inline uint32_t fault_tsc_high(const struct translator *t)
{
	return t->setup.options.tsc_high + (uint32_t)(t->tsc_offset >> 32);
}

#endif
