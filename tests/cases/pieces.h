/* The pieces that programs are made of, drawn at random from the table of opcodes.
 *
 * Most are one instruction of opcodes.def with whatever makes its operands good ones; what goes
 * elsewhere, loads segments, or changes the code is a few instructions that know where they lead.
 * It promises that a program ends, and that it ends in the same way on every machine, but for what
 * an emulator is known to do differently (is_wanted() and its kin name each, with the reason). */
#ifndef TESTS_CASES_PIECES_H
#define TESTS_CASES_PIECES_H

#include "tests/cases/program.h"

struct pieces_plan {
	uint8_t ring;
	bool branching;
	uint8_t unit;    /* CASE_UNIT_…, when x87, MMX and SSE are used */
	uint32_t count;  /* of pieces */
	uint32_t popped; /* bytes, so far: what lies above is not for this case */
	bool looping;    /* there is a jump back already */
};

/* Where the stack pointer begins, and is put again once it has been elsewhere. */
#define PIECES_STACK (CASE_STACK_MIDDLE - 0x20u)

/* Goes before the first piece. */
void pieces_put_beginning(struct program *program, const struct pieces_plan *plan);
/* The next one. */
void pieces_put(struct program *program, struct pieces_plan *plan);

#endif
