/* Stores that mostly find there what they store, where stores trap: descriptors that a kernel loads
 * again at each switch of tasks lie in a page that is watched. Once the host has seen a few such
 * traps of one instruction, it is translated into a comparison, with the store behind it; that is
 * right for any store, so nothing has to be known of where it goes. */
#ifndef MONITOR_TRANSLATOR_SILENT_H
#define MONITOR_TRANSLATOR_SILENT_H

#include "monitor/translator/emit.h"

/* After rules_choose, for a block that begins at eip: the rule of stores that are known. */
void silent_choose(const struct translator *t, struct scan *scan, uint32_t eip);

/* A row of the emitters' table. */
bool silent_mov(struct emit *emit, const struct instruction *in, const uint8_t *bytes);

#endif
