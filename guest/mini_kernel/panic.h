/*
 * The end of the mini kernel when it finds a mistake of its own.
 */
#pragma once

#include "guest/library/traps.h"

_Noreturn void panic(const char *reason);
_Noreturn void panic_at(const char *reason, const struct trap_frame *frame);
