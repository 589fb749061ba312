/* From bytes to an instruction.
 *
 * Decodes one instruction of 16-bit or 32-bit code into struct instruction: which row of
 * opcodes.def it is, its operands resolved, and where in the bytes each part lies, so that a
 * translator can patch them. It promises to read no byte past those it was given, to keep no state,
 * to allocate nothing, and to refuse what a processor refuses: the verdict on a byte string is that
 * of silicon, not that of an assembler.
 * It must not know what an instruction does, nor who runs it: whether the CPL allows it, whether
 * CR4 or CPUID switch it off, and whether its addresses are good is decided by others. */
#ifndef MONITOR_INSTRUCTIONS_DECODE_H
#define MONITOR_INSTRUCTIONS_DECODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "monitor/instructions/opcodes.h"

#define INSTRUCTION_MAX_LENGTH 15

enum decode_result {
	DECODE_OK,
	DECODE_TRUNCATED, /* the bytes end before the instruction does */
	DECODE_UNDEFINED, /* #UD */
	DECODE_TOO_LONG,  /* more than 15 bytes: #GP(0) */
};

enum instruction_prefix {
	PREFIX_O16 = 1 << 0, /* 66: the other operand size */
	PREFIX_A16 = 1 << 1, /* 67: the other address size */
	PREFIX_LOCK = 1 << 2,
	PREFIX_F2 = 1 << 3, /* of F2 and F3 only the last one given */
	PREFIX_F3 = 1 << 4,
	PREFIX_SEGMENT = 1 << 5,
	PREFIX_VEX = 1 << 6, /* VEX, EVEX or XOP */
};

enum instruction_repeat { REPEAT_NONE, REPEAT_ALWAYS, REPEAT_WHILE_EQUAL, REPEAT_WHILE_NOT_EQUAL };

enum segment_register { SEGMENT_ES, SEGMENT_CS, SEGMENT_SS, SEGMENT_DS, SEGMENT_FS, SEGMENT_GS };

enum general_register {
	REGISTER_EAX,
	REGISTER_ECX,
	REGISTER_EDX,
	REGISTER_EBX,
	REGISTER_ESP,
	REGISTER_EBP,
	REGISTER_ESI,
	REGISTER_EDI,
	REGISTER_NONE,
};

/* The address is segment:(base + index << scale + displacement), cut to the address size. */
struct memory_operand {
	uint8_t segment; /* the override, or else the default of the base register */
	uint8_t base;
	uint8_t index;
	uint8_t scale;
	uint32_t displacement; /* sign-extended */
};

/* Of memory only the segment means something when there is no memory operand (a string instruction
 * reads there), and of operands only the first operand_count do. */
struct instruction {
	uint16_t row; /* the line of opcodes.def */
	uint8_t length;
	uint8_t opcode;       /* the byte that was looked up last */
	uint8_t operand_size; /* 2 or 4 */
	uint8_t address_size; /* 2 or 4 */

	/* Where the parts lie, counted from the first byte. Except for the opcode, 0 when there is
	 * none. */
	uint8_t opcode_at;
	uint8_t modrm_at;
	uint8_t displacement_at;
	uint8_t displacement_size;
	uint8_t immediate_at;
	uint8_t immediate_size;

	uint8_t modrm;
	uint8_t sib;
	bool has_memory;   /* a ModRM or an offset names a memory operand: memory is filled in */
	uint8_t prefixes;  /* enum instruction_prefix */
	uint8_t repeat;    /* enum instruction_repeat; only where the row knows of repeating */
	uint8_t vvvv;      /* of a VEX prefix, as a number */
	uint8_t vector256; /* its L bit */
	uint8_t operand_count;
	uint32_t immediate; /* sign-extended where the instruction does so; a far offset */
	uint16_t second;    /* the second immediate: a far selector, ENTER's level, or a byte */
	struct memory_operand memory;
	struct operand operands[OPCODE_OPERANDS];
};

/* code_size is 16 or 32. On DECODE_OK *instruction is complete; otherwise only its length means
 * something: how many bytes had been looked at when the verdict was clear. */
enum decode_result instruction_decode(const uint8_t *bytes, size_t available,
                                      unsigned int code_size, struct instruction *instruction);

/* The same, but operand_count is 0 and operands are not filled in, which takes a third of the time.
 * Who needs them after all calls instruction_resolve. */
enum decode_result instruction_scan(const uint8_t *bytes, size_t available, unsigned int code_size,
                                    struct instruction *instruction);

void instruction_resolve(struct instruction *instruction);

static inline const struct opcode *instruction_opcode(const struct instruction *instruction)
{
	return &opcode_rows[instruction->row];
}

/* Whether the operand with this number is read, and whether it is written. */
static inline bool instruction_reads_operand(const struct instruction *instruction, unsigned int n)
{
	uint8_t access = instruction_opcode(instruction)->access;

	return access != ACCESS_n && !(access == ACCESS_w && n == 0);
}

static inline bool instruction_writes_operand(const struct instruction *instruction, unsigned int n)
{
	uint8_t access = instruction_opcode(instruction)->access;

	return n == 0 ? access >= ACCESS_w : n == 1 && access == ACCESS_x;
}

#endif
