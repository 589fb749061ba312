/*
 * A case: a few instructions, with the registers that they begin with. Cases come in a module, one
 * behind the other, made by tests/cases/ on the build machine; this is the form they have, and
 * where in linear memory what they use lies.
 */
#pragma once

#include <stdint.h>

/* The module as a whole; code runs where it lies in it, and may change itself. */
#define CASE_MODULE 0x10000000u

/* Five pages: two that may be written, one that may be read, one for ring 0 alone, and none. The
 * first two have a second name that 16-bit addresses reach. */
#define CASE_DATA      0x08000000u
#define CASE_DATA_LOW  0x00008000u
#define CASE_READ_ONLY (CASE_DATA + 0x2000u)
#define CASE_PRIVATE   (CASE_DATA + 0x3000u)
#define CASE_ABSENT    (CASE_DATA + 0x4000u)

/* Four pages of stack, for both rings; the stack pointer begins near its middle. */
#define CASE_STACK        0x09000000u
#define CASE_STACK_MIDDLE (CASE_STACK + 0x2000u)

/* What is filled before and looked at behind each case: so many bytes from there on. Of the stack
 * only what lies above the stack pointer is looked at, since interrupts use the rest. */
#define CASE_WINDOW       (CASE_DATA + 0xFC0u)
#define CASE_WINDOW_SIZE  0x80u
#define CASE_EDGE         (CASE_DATA + 0x1FE0u)
#define CASE_EDGE_SIZE    0x20u
#define CASE_EDGE0        (CASE_DATA + 0x3FE0u)
#define CASE_FILLED_STACK (CASE_STACK_MIDDLE - 0x40u)
#define CASE_STACK_SIZE   0x80u

/* Segments that a case may load, with RPL 3: flat ones of each ring stand in segments.h. */
#define CASE_FS      0x63u
#define CASE_GS      0x6Bu
#define CASE_MISSING 0x73u
#define CASE_FS_BASE 0x00010000u
#define CASE_GS_BASE 0xFFF00000u

/* `int` with this vector ends a case. */
#define CASE_END 0x81u

/* A case that uses x87, MMX and SSE begins with a state of theirs made from its seed, with CR0 and
 * CR4 as these say, and that state is looked at behind it. */
#define CASE_UNIT            0x01u
#define CASE_UNIT_MP         0x02u
#define CASE_UNIT_TS         0x04u
#define CASE_UNIT_EM         0x08u
#define CASE_UNIT_NO_SSE     0x10u
#define CASE_UNIT_SSE_ERRORS 0x20u

/* From byte `offset` of the code on, these flags are undefined. */
struct case_mark {
	uint16_t offset;
	uint16_t undefined;
};

/* Followed by the marks and by the code, then padded to the next case. */
struct case_head {
	uint32_t size; /* of all of it */
	uint32_t number;
	uint32_t seed; /* what memory is filled from */
	uint32_t eflags;
	uint32_t registers[8]; /* as popad takes them: EDI first */
	uint32_t code_at;      /* counted from here */
	uint16_t code_size;
	uint8_t ring : 2;
	uint8_t unit : 6; /* CASE_UNIT_… */
	uint8_t mark_count;
};
_Static_assert(sizeof(struct case_head) == 56, "a case's head, which tests/cases/run packs");
