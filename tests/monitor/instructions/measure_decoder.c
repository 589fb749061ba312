/* Decodes a file of 32-bit code from one end to the other, for measure-decoder to count the
 * processor's instructions meanwhile. Prints how many instructions the file has. */
#include <stdio.h>

#include "monitor/instructions/decode.h"

static uint8_t code[1 << 20];

int main(int argc, char **argv)
{
	FILE *file = argc == 2 ? fopen(argv[1], "rb") : NULL;
	unsigned long instructions = 0;
	struct instruction instruction;
	size_t size;

	if (!file) {
		fprintf(stderr, "measure_decoder: give it a file of 32-bit code\n");
		return 2;
	}
	/* What lies behind the end is zero, and enough for the decoder not to copy anything. */
	size = fread(code, 1, sizeof(code) - 64, file);
	for (size_t at = 0; at < size; at += instruction.length) {
		if (instruction_scan(code + at, 64, 32, &instruction) != DECODE_OK ||
		    instruction_decode(code + at, 64, 32, &instruction) != DECODE_OK)
			instruction.length = 1;
		instructions++;
	}
	printf("%lu\n", instructions);
	return 0;
}
