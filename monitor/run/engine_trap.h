/* The engine trap: guest ring 0 in ring 1, guest ring 3 in ring 3, and every trap emulated.
 *
 * What x86 does not trap gives what ring 1 sees: docs/limitations.md has the rows.
 */
#ifndef MONITOR_RUN_ENGINE_TRAP_H
#define MONITOR_RUN_ENGINE_TRAP_H

#include "monitor/run/engine.h"

extern const struct engine engine_trap;

#endif
