/* The translator's work as lines of the log, while it happens: boot option trace=translate.
 *
 * Each block beside its translation when it is made, and each jump when it is chained. It must not
 * change anything. */
#ifndef MONITOR_RUN_LISTING_H
#define MONITOR_RUN_LISTING_H

#include "monitor/translator/translator.h"

extern const struct translator_observer listing_observer;

#endif
