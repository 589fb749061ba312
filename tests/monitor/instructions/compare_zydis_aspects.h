/* What the decoder and Zydis must agree about when both find an instruction valid.
 *
 * It promises to judge each aspect by itself. It must not know which bytes are compared, nor which
 * differences are forgiven. */
#ifndef TESTS_MONITOR_INSTRUCTIONS_COMPARE_ZYDIS_ASPECTS_H
#define TESTS_MONITOR_INSTRUCTIONS_COMPARE_ZYDIS_ASPECTS_H

#include <Zydis/Zydis.h>

#include "monitor/instructions/decode.h"

enum aspect {
	VERDICT,
	LENGTH,
	MNEMONIC,
	OPERANDS,
	MEMORY,
	PARTS,
	CLASS,
	FLAGS,
	LOCKING,
	ASPECT_COUNT
};

struct theirs {
	ZydisDecodedInstruction instruction;
	ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
};

/* Fills in all aspects but MNEMONIC. */
void aspects_compare(const struct instruction *ours, const struct theirs *theirs,
                     bool agrees[ASPECT_COUNT]);

#endif
