/* How many blocks translated code may go through before it asks the host again, for lockstep.
 *
 * Each block begins with a look at a number in the window, which changes no flag. Off, nothing of
 * this is emitted. It must not know why there is a limit. */
#ifndef MONITOR_TRANSLATOR_LIMIT_H
#define MONITOR_TRANSLATOR_LIMIT_H

#include "monitor/translator/emit.h"

/* At the start of a block. */
void limit_emit(struct emit *emit);

/* Before the cache is entered at `offset`: from there on up to `ends` ends of blocks are passed,
 * the next block is left before its first instruction. None is no limit that gets anywhere, so it
 * is one. */
void limit_set(struct translator *t, uint32_t offset, uint32_t ends);

#endif
