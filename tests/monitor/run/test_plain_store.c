/* What a plain mov stores, and where: as the decoder has it. */
#include "tests/unit.h"

#include "monitor/run/plain_store.h"

#include "monitor/instructions/decode.h"

static struct trap_frame frame = {.eax = 0x10,
                                  .ecx = 0x1100,
                                  .edx = 0x120000,
                                  .ebx = 0x13000000,
                                  .esp = 0x14141414,
                                  .ebp = 0x15,
                                  .esi = 0x1616,
                                  .edi = 0x171717,
                                  .es = 8,
                                  .ss = 16,
                                  .ds = 24,
                                  .fs = 32,
                                  .gs = 40};

static const uint32_t registers[] = {0x10,       0x1100, 0x120000, 0x13000000,
                                     0x14141414, 0x15,   0x1616,   0x171717};

static struct plain_store store;

static uint32_t length(const uint8_t *bytes, size_t size)
{
	uint8_t code[PLAIN_STORE_MAX] = {0};

	memcpy(code, bytes, size);
	return plain_store_read(&frame, code, &store) ? store.length : 0;
}

#define LENGTH(...) length((const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

static void check(uint32_t value, uint32_t offset, uint32_t selector)
{
	CHECK_EQ(store.value, value);
	CHECK_EQ(store.offset, offset);
	CHECK_EQ(store.selector, selector);
}

TEST(registers_and_immediates)
{
	CHECK_EQ(LENGTH(0x89, 0x50, 0x08), 3); /* mov [eax+8],edx */
	check(0x120000, 0x18, 24);
	CHECK_EQ(LENGTH(0x3E, 0x89, 0x25, 1, 2, 3, 4), 7); /* mov ds:[04030201h],esp */
	check(0x14141414, 0x04030201, 24);
	CHECK_EQ(LENGTH(0xC7, 0x04, 0x24, 5, 0, 0, 0), 7); /* mov dword [esp],5 */
	check(5, 0x14141414, 16);
	CHECK_EQ(LENGTH(0xC7, 0x45, 0xFF, 6, 0, 0, 0), 7); /* mov dword [ebp-1],6 */
	check(6, 0x14, 16);
	CHECK_EQ(LENGTH(0xA3, 1, 2, 3, 4), 5); /* mov [04030201h],eax */
	check(0x10, 0x04030201, 24);
}

TEST(segments)
{
	CHECK_EQ(LENGTH(0x26, 0x89, 0x00), 3);
	CHECK_EQ(store.selector, 8);
	CHECK_EQ(LENGTH(0x36, 0x89, 0x00), 3);
	CHECK_EQ(store.selector, 16);
	CHECK_EQ(LENGTH(0x3E, 0x89, 0x45, 0), 4);
	CHECK_EQ(store.selector, 24);
	CHECK_EQ(LENGTH(0x64, 0xA3, 0, 0, 0, 0), 6);
	CHECK_EQ(store.selector, 32);
}

TEST(nothing_else)
{
	CHECK_EQ(LENGTH(0x89, 0xC0), 0);             /* mov eax,eax */
	CHECK_EQ(LENGTH(0x65, 0x89, 0x00), 0);       /* through GS */
	CHECK_EQ(LENGTH(0x2E, 0x89, 0x00), 0);       /* through CS */
	CHECK_EQ(LENGTH(0x66, 0x89, 0x00), 0);       /* a word */
	CHECK_EQ(LENGTH(0x67, 0x89, 0x00), 0);       /* an address of 16 bits */
	CHECK_EQ(LENGTH(0x01, 0x00), 0);             /* add */
	CHECK_EQ(LENGTH(0x88, 0x00), 0);             /* a byte */
	CHECK_EQ(LENGTH(0xC7, 0x08, 5, 0, 0, 0), 0); /* no instruction */
	CHECK_EQ(LENGTH(0x36, 0x26, 0x89, 0x00), 0); /* two prefixes */
}

static uint32_t offset_of(const struct memory_operand *memory)
{
	uint32_t offset = memory->displacement;

	if (memory->base != REGISTER_NONE)
		offset += registers[memory->base];
	if (memory->index != REGISTER_NONE)
		offset += registers[memory->index] << memory->scale;
	return offset;
}

/* Every form of the operand is as the decoder has it. */
TEST(all_operands)
{
	for (unsigned int opcode = 0x89; opcode <= 0xC7; opcode += 0xC7 - 0x89)
		for (unsigned int operand = 0; operand < 0x10000; operand++) {
			uint8_t code[16] = {(uint8_t)opcode, (uint8_t)operand,
			                    (uint8_t)(operand >> 8), 0x91};
			unsigned int number = operand >> 3 & 7;
			uint32_t value = registers[number];
			struct instruction in;

			if ((operand & 0xC0) == 0xC0 || (opcode == 0xC7 && number))
				continue;
			CHECK_EQ(instruction_decode(code, 15, 32, &in), DECODE_OK);
			if (opcode == 0xC7)
				memcpy(&value, code + in.length - 4, 4);
			CHECK(plain_store_read(&frame, code, &store));
			CHECK_EQ(store.length, in.length);
			check(value, offset_of(&in.memory),
			      in.memory.segment == SEGMENT_SS ? 16 : 24);
		}
}

UNIT_MAIN
