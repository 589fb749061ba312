/* Which stores are over without having happened. */
#include "tests/unit.h"

#include "monitor/run/silent_store.h"

#include "monitor/instructions/decode.h"

static struct trap_frame frame = {.eax = 0x10,
                                  .ecx = 0x11,
                                  .edx = 0x12,
                                  .ebx = 0x13,
                                  .esp = 0x14,
                                  .ebp = 0x15,
                                  .esi = 0x16,
                                  .edi = 0x17};

static uint32_t length(const uint8_t *bytes, size_t size, uint32_t there)
{
	uint8_t code[SILENT_STORE_MAX] = {0};

	memcpy(code, bytes, size);
	return silent_store_length(&frame, code, (const uint8_t *)&there);
}

#define LENGTH(there, ...) \
	length((const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}), there)

TEST(registers_and_immediates)
{
	CHECK_EQ(LENGTH(0x12, 0x89, 0x50, 0x08), 3); /* mov [eax+8],edx */
	CHECK_EQ(LENGTH(0x13, 0x89, 0x50, 0x08), 0);
	CHECK_EQ(LENGTH(0x14, 0x3E, 0x89, 0x25, 1, 2, 3, 4), 7); /* mov ds:[04030201h],esp */
	CHECK_EQ(LENGTH(5, 0xC7, 0x04, 0x24, 5, 0, 0, 0), 7);    /* mov dword [esp],5 */
	CHECK_EQ(LENGTH(6, 0xC7, 0x04, 0x24, 5, 0, 0, 0), 0);
}

TEST(nothing_else)
{
	CHECK_EQ(LENGTH(0x10, 0x89, 0xC0), 0);             /* mov eax,eax */
	CHECK_EQ(LENGTH(0x10, 0x65, 0x89, 0x00), 0);       /* through GS */
	CHECK_EQ(LENGTH(0x10, 0x66, 0x89, 0x00), 0);       /* a word */
	CHECK_EQ(LENGTH(0x10, 0x01, 0x00), 0);             /* add */
	CHECK_EQ(LENGTH(0x10, 0x88, 0x00), 0);             /* a byte */
	CHECK_EQ(LENGTH(5, 0xC7, 0x08, 5, 0, 0, 0), 0);    /* no instruction */
	CHECK_EQ(LENGTH(0x10, 0x36, 0x2E, 0x89, 0x00), 0); /* two prefixes */
}

/* Every form of the operand is as long as the decoder says, and stores the register it says. */
TEST(all_operands)
{
	for (unsigned int opcode = 0x89; opcode <= 0xC7; opcode += 0xC7 - 0x89)
		for (unsigned int operand = 0; operand < 0x10000; operand++) {
			uint8_t code[16] = {(uint8_t)opcode, (uint8_t)operand,
			                    (uint8_t)(operand >> 8)};
			unsigned int number = operand >> 3 & 7;
			uint32_t there = opcode == 0x89 ? 0x10 + number : 0;
			struct instruction in;

			if ((operand & 0xC0) == 0xC0 || (opcode == 0xC7 && number))
				continue;
			CHECK_EQ(instruction_decode(code, 15, 32, &in), DECODE_OK);
			if (opcode == 0xC7)
				memcpy(&there, code + in.length - 4, 4);
			CHECK_EQ(silent_store_length(&frame, code, (const uint8_t *)&there),
			         in.length);
		}
}

UNIT_MAIN
