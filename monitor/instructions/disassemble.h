/* From an instruction to text that a person reads.
 *
 * Writes one decoded instruction in Intel's syntax as NASM has it, in lower case: reports, traces
 * and the translator's listing show it. It promises to stay within the buffer it is given and to
 * end the text with a zero. It must not know where the text goes, nor read guest memory. */
#ifndef MONITOR_INSTRUCTIONS_DISASSEMBLE_H
#define MONITOR_INSTRUCTIONS_DISASSEMBLE_H

#include <stddef.h>
#include <stdint.h>

#include "monitor/instructions/decode.h"

/* Enough for every instruction there is. */
#define DISASSEMBLE_TEXT_SIZE 96

/* address is that of the instruction, for the targets of jumps. The instruction must be decoded
 * with its operands. Returns the length of the text. */
size_t instruction_disassemble(const struct instruction *instruction, uint32_t address, char *text,
                               size_t size);

#endif
