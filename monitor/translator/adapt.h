/* What traps again and again is translated anew, into something that does not; and back, when that
 * has become needless.
 *
 * Known are instructions by their eip, a few at a time. A store that finds there what it stores
 * becomes a comparison (silent.h), which is right for any store, so there is no way back. What
 * reaches a device, or memory beyond the cut of the segments, becomes a callout, which is less than
 * a fault whose cause has to be found; but it costs where it goes elsewhere, so it is copied again
 * once it does. */
#ifndef MONITOR_TRANSLATOR_ADAPT_H
#define MONITOR_TRANSLATOR_ADAPT_H

#include "monitor/translator/emit.h"

/* After rules_choose, for a block that begins at eip: the rules of instructions that are known. */
void adapt_choose(const struct translator *t, struct scan *scan, uint32_t eip);

#endif
