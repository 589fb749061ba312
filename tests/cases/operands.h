/* Makes the operands of an instruction good ones: most addresses lie where the case may write.
 *
 * It promises that an instruction that it accepts reaches memory nowhere else, but for a few that
 * are meant to fault, and that it repeats a few times at most. It must not know which instructions
 * are wanted. */
#ifndef TESTS_CASES_OPERANDS_H
#define TESTS_CASES_OPERANDS_H

#include "tests/cases/program.h"

/* Puts what prepares it, and mends its bytes. False: no good operands can be had. */
bool operands_prepare(struct program *program, struct instruction *in, uint8_t *bytes);

#endif
