/* libFuzzer's entry for the decoder: the first byte chooses the code size, the rest is code.
 *
 * Beyond what the sanitizers see, it checks that a verdict does not depend on bytes that the
 * instruction has not got, and that the text of whatever was decoded fits its buffer. */
#include "monitor/instructions/disassemble.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct instruction instruction, shorter;
	char text[DISASSEMBLE_TEXT_SIZE];
	unsigned int code_size;

	if (size == 0)
		return 0;
	code_size = data[0] & 1 ? 32 : 16;
	if (instruction_decode(data + 1, size - 1, code_size, &instruction) != DECODE_OK)
		return 0;
	MUST(instruction.length <= size - 1 && instruction.length <= INSTRUCTION_MAX_LENGTH);
	MUST(instruction_decode(data + 1, instruction.length, code_size, &shorter) == DECODE_OK);
	MUST(shorter.row == instruction.row && shorter.length == instruction.length);
	MUST(instruction_decode(data + 1, instruction.length - 1, code_size, &shorter) ==
	     DECODE_TRUNCATED);
	MUST(instruction_disassemble(&instruction, 0, text, sizeof(text)) < sizeof(text) - 1);
	return 0;
}
