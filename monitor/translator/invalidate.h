/* When what was translated is no longer what the guest has: written, or mapped elsewhere. */
#ifndef MONITOR_TRANSLATOR_INVALIDATE_H
#define MONITOR_TRANSLATOR_INVALIDATE_H

#include "monitor/translator/translator.h"

/* A page that code is made of; it is watched from now on. There must be room for it. */
uint32_t invalidate_watch(struct translator *t, uint32_t linear, uint32_t physical, bool global);

/* Which bytes of its pages the block was made of. */
void invalidate_note_code(struct translator *t, uint32_t number);

/* Notes what changes of control registers and flushes mean for mappings, then asks the guest's
 * tables where they are in doubt. */
void invalidate_check_mappings(struct translator *t, struct vcpu *vcpu);

/* Drops a block; marks the pages of one as mapped where they are. */
void invalidate_drop(struct translator *t, uint32_t number);
void invalidate_mark_mapped(struct translator *t, uint32_t number);

/* Nothing is watched any more. */
void invalidate_all(struct translator *t);

#endif
