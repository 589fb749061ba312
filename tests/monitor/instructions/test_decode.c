#include "tests/unit.h"

#include <stdlib.h>

#include "monitor/instructions/decode.h"

/* Decodes exactly count bytes that lie at the end of an allocation, so that the address sanitizer
 * sees any read past them. */
static enum decode_result decode(const uint8_t *bytes, size_t count, unsigned int code_size,
                                 struct instruction *instruction)
{
	uint8_t *exact = malloc(count ? count : 1);
	enum decode_result result;

	memcpy(exact, bytes, count);
	result = instruction_decode(exact, count, code_size, instruction);
	free(exact);
	return result;
}

#define DECODE32(instruction, ...)                                                         \
	decode((const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}), 32, \
	       instruction)
#define DECODE16(instruction, ...)                                                         \
	decode((const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}), 16, \
	       instruction)

static void check_memory(const struct instruction *instruction, struct memory_operand wanted)
{
	CHECK(instruction->has_memory);
	CHECK_EQ(instruction->memory.segment, wanted.segment);
	CHECK_EQ(instruction->memory.base, wanted.base);
	CHECK_EQ(instruction->memory.index, wanted.index);
	CHECK_EQ(instruction->memory.scale, wanted.scale);
	CHECK_EQ(instruction->memory.displacement, wanted.displacement);
}

TEST(registers_and_parts)
{
	struct instruction instruction;

	/* add dword [ebx+ecx*4+0x12345678], -1 */
	CHECK_EQ(DECODE32(&instruction, 0x83, 0x84, 0x8B, 0x78, 0x56, 0x34, 0x12, 0xFF), DECODE_OK);
	CHECK_STR(instruction_opcode(&instruction)->mnemonic, "add");
	CHECK_EQ(instruction.length, 8);
	CHECK_EQ(instruction.opcode_at, 0);
	CHECK_EQ(instruction.modrm_at, 1);
	CHECK_EQ(instruction.sib, 0x8B);
	CHECK_EQ(instruction.displacement_at, 3);
	CHECK_EQ(instruction.displacement_size, 4);
	CHECK_EQ(instruction.immediate_at, 7);
	CHECK_EQ(instruction.immediate_size, 1);
	CHECK_EQ(instruction.immediate, 0xFFFFFFFF);
	CHECK_EQ(instruction.operand_count, 2);
	CHECK_EQ(instruction.operands[0].kind, OPERAND_IS_MEMORY);
	CHECK_EQ(instruction.operands[0].size, 4);
	check_memory(&instruction, (struct memory_operand){SEGMENT_DS, REGISTER_EBX, REGISTER_ECX,
	                                                   2, 0x12345678});
	CHECK(instruction_reads_operand(&instruction, 0));
	CHECK(instruction_writes_operand(&instruction, 0));
	CHECK(!instruction_writes_operand(&instruction, 1));
}

TEST(default_segments)
{
	static const uint8_t by_rm[] = {SEGMENT_DS, SEGMENT_DS, SEGMENT_DS, SEGMENT_DS,
	                                SEGMENT_SS, SEGMENT_SS, SEGMENT_DS, SEGMENT_DS};
	struct instruction instruction;

	for (uint8_t rm = 0; rm < 8; rm++) {
		CHECK_EQ(DECODE32(&instruction, 0x8B, 0x40 | rm, 0x24, 0x10), DECODE_OK);
		CHECK_EQ(instruction.memory.segment, by_rm[rm]);
	}
	/* [ebp] without displacement is an address alone, in DS. */
	CHECK_EQ(DECODE32(&instruction, 0x8B, 0x05, 1, 2, 3, 4), DECODE_OK);
	check_memory(&instruction, (struct memory_operand){SEGMENT_DS, REGISTER_NONE, REGISTER_NONE,
	                                                   0, 0x04030201});
	CHECK_EQ(DECODE32(&instruction, 0x8B, 0x04, 0x65, 1, 2, 3, 4), DECODE_OK);
	check_memory(&instruction, (struct memory_operand){SEGMENT_DS, REGISTER_NONE, REGISTER_NONE,
	                                                   0, 0x04030201});
	/* The last of several overrides holds. */
	CHECK_EQ(DECODE32(&instruction, 0x26, 0x65, 0x36, 0x8B, 0x00), DECODE_OK);
	CHECK_EQ(instruction.memory.segment, SEGMENT_SS);
	/* A string instruction's source may be overridden, too. */
	CHECK_EQ(DECODE32(&instruction, 0xA4), DECODE_OK);
	CHECK_EQ(instruction.memory.segment, SEGMENT_DS);
	CHECK_EQ(DECODE32(&instruction, 0x64, 0xA4), DECODE_OK);
	CHECK_EQ(instruction.memory.segment, SEGMENT_FS);
}

TEST(addresses_of_16_bits)
{
	struct instruction instruction;

	CHECK_EQ(DECODE16(&instruction, 0x8B, 0x42, 0xFE), DECODE_OK);
	check_memory(&instruction, (struct memory_operand){SEGMENT_SS, REGISTER_EBP, REGISTER_ESI,
	                                                   0, 0xFFFFFFFE});
	CHECK_EQ(DECODE16(&instruction, 0x8B, 0x06, 0x00, 0x80), DECODE_OK);
	check_memory(&instruction, (struct memory_operand){SEGMENT_DS, REGISTER_NONE, REGISTER_NONE,
	                                                   0, 0xFFFF8000});
	CHECK_EQ(instruction.address_size, 2);
	CHECK_EQ(DECODE32(&instruction, 0x67, 0x8B, 0x07), DECODE_OK);
	check_memory(&instruction,
	             (struct memory_operand){SEGMENT_DS, REGISTER_EBX, REGISTER_NONE, 0, 0});
	CHECK_EQ(instruction.operand_size, 4);
}

TEST(operand_and_address_sizes)
{
	struct instruction instruction;

	CHECK_EQ(DECODE32(&instruction, 0x66, 0x66, 0xB8, 0x34, 0x12), DECODE_OK);
	CHECK_EQ(instruction.operand_size, 2);
	CHECK_EQ(instruction.length, 5);
	CHECK_EQ(DECODE16(&instruction, 0x66, 0xB8, 1, 2, 3, 4), DECODE_OK);
	CHECK_EQ(instruction.immediate, 0x04030201);
	CHECK_EQ(DECODE32(&instruction, 0x67, 0xA1, 0x34, 0x12), DECODE_OK);
	CHECK_EQ(instruction.memory.displacement, 0x1234);
	CHECK_EQ(instruction.displacement_at, 2);
	CHECK_EQ(DECODE16(&instruction, 0x9A, 1, 2, 3, 4), DECODE_OK);
	CHECK_EQ(instruction.immediate, 0x0201);
	CHECK_EQ(instruction.second, 0x0403);
}

TEST(mandatory_prefixes)
{
	static const struct {
		uint8_t bytes[6];
		const char *mnemonic;
	} rows[] = {
	        {{0x0F, 0x58, 0xC0}, "addps"},
	        {{0x66, 0x0F, 0x58, 0xC0}, "addpd"},
	        {{0xF3, 0x0F, 0x58, 0xC0}, "addss"},
	        {{0xF2, 0x0F, 0x58, 0xC0}, "addsd"},
	        {{0x66, 0xF3, 0x0F, 0x58, 0xC0}, "addss"},
	        {{0xF3, 0x66, 0x0F, 0x58, 0xC0}, "addss"},
	        {{0xF3, 0xF2, 0x0F, 0x58, 0xC0}, "addsd"},
	        {{0xF2, 0xF3, 0x0F, 0x58, 0xC0}, "addss"},
	        {{0xF3, 0x0F, 0xBC, 0xC0}, "tzcnt"},
	        {{0xF2, 0x0F, 0xBC, 0xC0}, "bsf"},
	        {{0xF3, 0x90}, "pause"},
	        {{0xF3, 0x0F, 0x1E, 0xFB}, "endbr32"},
	        {{0x0F, 0x1E, 0xFB}, "nop"},
	        {{0x0F, 0x0F, 0xC1, 0x9E}, "pfadd"},
	};

	for (size_t n = 0; n < sizeof(rows) / sizeof(rows[0]); n++) {
		struct instruction instruction;

		CHECK_EQ(decode(rows[n].bytes, sizeof(rows[n].bytes), 32, &instruction), DECODE_OK);
		CHECK_STR(instruction_opcode(&instruction)->mnemonic, rows[n].mnemonic);
	}
}

TEST(repeats)
{
	struct instruction instruction;

	CHECK_EQ(DECODE32(&instruction, 0xF2, 0xA4), DECODE_OK);
	CHECK_EQ(instruction.repeat, REPEAT_ALWAYS);
	CHECK_EQ(DECODE32(&instruction, 0xF2, 0xF3, 0xA6), DECODE_OK);
	CHECK_EQ(instruction.repeat, REPEAT_WHILE_EQUAL);
	CHECK_EQ(DECODE32(&instruction, 0xF3, 0xF2, 0xAF), DECODE_OK);
	CHECK_EQ(instruction.repeat, REPEAT_WHILE_NOT_EQUAL);
	CHECK_EQ(DECODE32(&instruction, 0xF3, 0x01, 0xC0), DECODE_OK);
	CHECK_EQ(instruction.repeat, REPEAT_NONE);
}

TEST(what_is_undefined)
{
	static const uint8_t rows[][10] = {
	        {0x8E, 0xC8},                   /* mov cs, ax */
	        {0x8E, 0xF0},                   /* mov to segment register 6 */
	        {0x8C, 0xF8},                   /* mov from segment register 7 */
	        {0xC4, 0xC0},                   /* les with a register: a VEX prefix with no map */
	        {0x8D, 0xC0},                   /* lea of a register */
	        {0x0F, 0xB2, 0xC0},             /* lss with a register */
	        {0x0F, 0x20, 0xC8},             /* mov eax, cr1 */
	        {0x0F, 0x22, 0xE8},             /* mov cr5, eax */
	        {0x0F, 0x24, 0xC0},             /* mov eax, tr0 left with the 486 */
	        {0x0F, 0xC7, 0xC8},             /* cmpxchg8b with a register */
	        {0xF0, 0x01, 0xC0},             /* lock add eax, eax */
	        {0xF0, 0x39, 0x00},             /* lock cmp */
	        {0xF0, 0x89, 0x00},             /* lock mov */
	        {0xF0, 0x90},                   /* lock nop */
	        {0xF0, 0x0F, 0xA3, 0x00},       /* lock bt */
	        {0xF0, 0x0F, 0x22, 0xC0},       /* lock mov cr0 */
	        {0xFF, 0xF8},                   /* /7 of group 5 */
	        {0xFF, 0xD8},                   /* call far with a register */
	        {0xFE, 0xD0},                   /* /2 of group 4 */
	        {0x8F, 0xC8},                   /* pop /1 */
	        {0xC6, 0xC8, 0},                /* /1 of group 11 */
	        {0x0F, 0xA6, 0xC0},             /* VIA's own */
	        {0xF3, 0x0F, 0x28, 0xC0},       /* movaps takes no F3 */
	        {0x66, 0x0F, 0x77},             /* emms takes no 66 */
	        {0x0F, 0x0F, 0xC0, 0x00},       /* no such 3DNow! opcode */
	        {0x66, 0xC5, 0xF8, 0x58, 0xC0}, /* VEX behind 66 */
	        {0xC4, 0xE1, 0x38, 0x28, 0xC0}, /* vmovaps with a vvvv that is not 1111 */
	        {0xC4, 0xE2, 0x71, 0x90, 0x04, 0x05}, /* vpgatherdd xmm0, [xmm0+eax], xmm1 */
	};

	for (size_t n = 0; n < sizeof(rows) / sizeof(rows[0]); n++) {
		struct instruction instruction;
		enum decode_result result = decode(rows[n], sizeof(rows[n]), 32, &instruction);

		if (result != DECODE_UNDEFINED)
			printf("row %zu is not refused\n", n);
		CHECK_EQ(result, DECODE_UNDEFINED);
	}
}

TEST(lock_where_it_is_legal)
{
	static const uint8_t rows[][4] = {
	        {0xF0, 0x01, 0x00},       {0xF0, 0x86, 0x00},       {0xF0, 0xFE, 0x00},
	        {0xF0, 0xF6, 0x10},       {0xF0, 0x0F, 0xAB, 0x00}, {0xF0, 0x0F, 0xBA, 0x28},
	        {0xF0, 0x0F, 0xB0, 0x00}, {0xF0, 0x0F, 0xC1, 0x00}, {0xF0, 0x0F, 0xC7, 0x08},
	};

	for (size_t n = 0; n < sizeof(rows) / sizeof(rows[0]); n++) {
		struct instruction instruction;
		uint8_t bytes[8] = {0};

		memcpy(bytes, rows[n], sizeof(rows[n]));
		CHECK_EQ(decode(bytes, sizeof(bytes), 32, &instruction), DECODE_OK);
	}
}

TEST(fifteen_bytes_are_the_limit)
{
	struct instruction instruction;
	uint8_t bytes[32];

	/* Prefixes, and nop at the end. */
	for (size_t length = 1; length <= 20; length++) {
		memset(bytes, 0x66, sizeof(bytes));
		bytes[length - 1] = 0x90;
		for (size_t available = length; available <= sizeof(bytes); available++)
			CHECK_EQ(decode(bytes, available, 32, &instruction),
			         length <= 15 ? DECODE_OK : DECODE_TOO_LONG);
	}
	/* Too long by its last byte of displacement. */
	memset(bytes, 0x3E, sizeof(bytes));
	bytes[10] = 0x8B;
	bytes[11] = 0x05;
	CHECK_EQ(decode(bytes, sizeof(bytes), 32, &instruction), DECODE_TOO_LONG);
	bytes[9] = 0x8B;
	bytes[10] = 0x05;
	CHECK_EQ(decode(bytes, sizeof(bytes), 32, &instruction), DECODE_OK);
	CHECK_EQ(instruction.length, 15);
}

TEST(every_instruction_cut_short_is_truncated)
{
	static const uint8_t rows[][13] = {
	        {0x90},
	        {0x81, 0x84, 0x8B, 1, 2, 3, 4, 5, 6, 7, 8},
	        {0x66, 0x0F, 0x3A, 0x0F, 0x84, 0x8B, 1, 2, 3, 4, 5},
	        {0x9A, 1, 2, 3, 4, 5, 6},
	        {0xC8, 1, 2, 3},
	        {0x0F, 0x0F, 0x45, 0x10, 0x9E},
	        {0xC4, 0xE3, 0x69, 0x4A, 0x84, 0x8B, 1, 2, 3, 4, 0x30},
	        {0x62, 0xF1, 0x7C, 0x48, 0x58, 0x44, 0x24, 0x01},
	        {0xF0, 0x64, 0x67, 0x0F, 0xC7, 0x4F, 0x10},
	};

	for (size_t n = 0; n < sizeof(rows) / sizeof(rows[0]); n++) {
		struct instruction instruction;
		size_t length;

		CHECK_EQ(decode(rows[n], sizeof(rows[n]), 32, &instruction), DECODE_OK);
		length = instruction.length;
		for (size_t available = 0; available < length; available++)
			CHECK_EQ(decode(rows[n], available, 32, &instruction), DECODE_TRUNCATED);
		CHECK_EQ(decode(rows[n], length, 32, &instruction), DECODE_OK);
	}
}

/* Whether the bytes are copied first or not, the verdict and the instruction are the same. */
TEST(short_input_and_long_input_agree)
{
	uint64_t state = 88172645463325252u;

	for (unsigned int n = 0; n < 300000; n++) {
		struct instruction from_long, from_short;
		uint8_t bytes[40];

		for (size_t at = 0; at < sizeof(bytes); at++) {
			state ^= state << 13;
			state ^= state >> 7;
			state ^= state << 17;
			bytes[at] = state;
		}
		memset(&from_long, 0, sizeof(from_long));
		memset(&from_short, 0, sizeof(from_short));
		CHECK_EQ(instruction_decode(bytes, sizeof(bytes), 32, &from_long),
		         decode(bytes, INSTRUCTION_MAX_LENGTH, 32, &from_short));
		if (memcmp(&from_long, &from_short, sizeof(from_long)) != 0)
			CHECK_EQ(from_long.row, from_short.row);
		CHECK_EQ(from_long.length, from_short.length);
	}
}

UNIT_MAIN
