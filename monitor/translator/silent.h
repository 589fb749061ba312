/* Stores that mostly find there what they store, where stores trap: descriptors that a kernel loads
 * again at each switch of tasks lie in a page that is watched. What has done so (adapt.h) is
 * translated into a comparison, with the store behind it; that is right for any store, so nothing
 * has to be known of where it goes. */
#ifndef MONITOR_TRANSLATOR_SILENT_H
#define MONITOR_TRANSLATOR_SILENT_H

#include "monitor/translator/emit.h"

/* Whether it can be compared before. */
bool silent_is_store(const struct instruction *in, const uint8_t *bytes);

/* A row of the emitters' table. */
bool silent_mov(struct emit *emit, const struct instruction *in, const uint8_t *bytes);

#endif
