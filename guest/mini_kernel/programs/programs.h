/*
 * The programs of ring 3: each is a function that gets its argument and never returns.
 * The kernel starts them by name and must not call them.
 */
#pragma once

#define PROGRAM(name, argument, text) _Noreturn void program_##name(const char *argument_text);
#include "guest/mini_kernel/programs/programs.def"
#undef PROGRAM
