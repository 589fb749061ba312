/* The engine interpret: every instruction by the interpreter. The reference for the others.
 */
#ifndef MONITOR_RUN_ENGINE_INTERPRET_H
#define MONITOR_RUN_ENGINE_INTERPRET_H

#include "monitor/run/engine.h"

extern const struct engine engine_interpret;

#endif
