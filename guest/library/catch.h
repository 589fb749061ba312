/*
 * Running something that may fault, in any ring, and learning what became of it.
 * Every trap without a handler of its own ends what is run, and is the outcome.
 * What is run may ruin registers, flags, segment registers and its stack, but not memory.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "guest/library/traps.h"

struct outcome {
	bool trapped;   /* otherwise it returned, and only value counts */
	uint32_t value; /* what it returned */
	uint32_t cr2;   /* as it was at the trap */
	struct trap_frame frame;
};

typedef uint32_t catch_function(uint32_t argument);

/* Runs a function in the ring of the caller. */
struct outcome catch_call(catch_function *function, uint32_t argument);

/* Runs a function in a ring, on that ring's stack and with its flat segments; outside ring 0 with
 * interrupts on. */
struct outcome call_in_ring(unsigned ring, catch_function *function, uint32_t argument);

/* The same with chosen flags: IF, IOPL, TF, AC and so on. */
struct outcome call_in_ring_with_flags(unsigned ring, uint32_t eflags, catch_function *function,
                                       uint32_t argument);

/* For traps.c: does not return if somebody is catching. */
bool catch_trap(struct trap_frame *frame);

/*
 * A few instructions of assembly as a function: the argument is in EAX and ECX, what is in EAX
 * at the end is returned. NAME_at is the address of the first instruction of `text`.
 */
#define SNIPPET_BEFORE(name, before, text)                                                    \
	uint32_t name(uint32_t argument);                                                     \
	extern const char name##_at[];                                                        \
	__asm__(".pushsection .text\n"                                                        \
	        ".globl " #name ", " #name "_at\n" #name ":\n\t"                              \
	        "movl 4(%esp), %eax\n\tmovl %eax, %ecx\n\t" before "\n" #name "_at:\n\t" text \
	        "\n\tret\n"                                                                   \
	        ".popsection")
#define SNIPPET(name, text)   SNIPPET_BEFORE(name, "", text)
#define SNIPPET_ADDRESS(name) ((uint32_t)(uintptr_t)name##_at)
