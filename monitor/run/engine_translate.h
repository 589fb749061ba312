/* The engine translate: guest ring 0 from the translation cache, guest ring 3 directly.
 */
#ifndef MONITOR_RUN_ENGINE_TRANSLATE_H
#define MONITOR_RUN_ENGINE_TRANSLATE_H

#include "monitor/run/engine.h"

extern const struct engine engine_translate;

#endif
