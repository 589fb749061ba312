/* Breakpoints of our own in the translation cache: how translated code is left in the middle.
 *
 * For the stress option that puts an interruption at every boundary. Interrupts of the real machine
 * come where they like; these come where they are put, after a few instructions, in the block that
 * is entered, in the shared stubs, and in some block or landing on the way. They are there only
 * while translated code runs, so nobody else sees them. */
#ifndef MONITOR_TRANSLATOR_BREAKPOINTS_H
#define MONITOR_TRANSLATOR_BREAKPOINTS_H

#include "monitor/translator/translator.h"

/* Before the cache is entered at `offset`, where there is none: each time at other places. */
void breakpoints_set(struct translator *t, uint32_t offset);
/* After it was left. What stood there is there again. */
void breakpoints_clear(struct translator *t);
/* Between the two: whether the fault at this offset is one of them. */
bool breakpoints_is_one(const struct translator *t, uint32_t offset);

#endif
