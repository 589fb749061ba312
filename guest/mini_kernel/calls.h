/*
 * The system calls by `int 0x80`: checks what ring 3 asks for, and does it.
 */
#pragma once

#define CALL_VECTOR 0x80

enum call {
#define CALL(name, text) CALL_##name,
#include "guest/mini_kernel/calls.def"
#undef CALL
	CALL_COUNT
};

void calls_init(void);
