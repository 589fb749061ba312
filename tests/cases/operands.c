#include "tests/cases/operands.h"

#include <string.h>

#define COUNT_MAX 4u /* of rounds of a repeated instruction */
#define LOW_MASK  0xFFFFu
#define ALIGNMENT 16u
#define EXTENDED  10u /* bytes of a number of the x87 */

static uint32_t segment_base(uint8_t segment)
{
	return segment == SEGMENT_FS ? CASE_FS_BASE : segment == SEGMENT_GS ? CASE_GS_BASE : 0;
}

/* sgdt and sidt may have written their limit before their base faults. */
static bool is_table_store(const struct instruction *in)
{
	const char *mnemonic = instruction_opcode(in)->mnemonic;

	return strcmp(mnemonic, "sgdt") == 0 || strcmp(mnemonic, "sidt") == 0;
}

static bool does_modify(const struct instruction *in)
{
	uint8_t access = instruction_opcode(in)->access;

	return access == ACCESS_u || access == ACCESS_x;
}

static uint32_t memory_size(const struct instruction *in)
{
	for (unsigned int i = 0; i < in->operand_count; i++)
		if (in->operands[i].kind == OPERAND_IS_MEMORY)
			return in->operands[i].size;
	return 0;
}

/* What is longer than a word of the bus is not one access. Everywhere, frstor and its kin may have
 * taken a part of it when they fault; on Bochs fld of 10 bytes and fldenv of 14 fault over one of
 * the last of them, of 16 that are misaligned sometimes the page fault comes first, and what x87
 * instructions store is not stored, and does not fault, when an error comes first, or has changed
 * their status by then; on QEMU's TCG whatever is longer than 8 bytes, and what MMX instructions
 * load or store, has changed their status before it faults, and cvtdq2pd reads 16 bytes for 8. */
static bool may_not_fault(const struct program *program, const struct instruction *in)
{
	const struct opcode *opcode = instruction_opcode(in);
	uint32_t size = memory_size(in);
	bool stores =
	        in->operands[0].kind == OPERAND_IS_MEMORY && instruction_writes_operand(in, 0);

	if (size >= EXTENDED || opcode->properties & PROPERTY_WRITE ||
	    (opcode->feature == FEATURE_X87 && stores))
		return true;
	return program->for_tcg &&
	       (size > 8 || (opcode->feature != FEATURE_X87 && opcode->properties & PROPERTY_X87) ||
	        strcmp(opcode->mnemonic, "cvtdq2pd") == 0);
}

/* Those of 16 bytes mostly must be aligned. */
static uint32_t align(struct program *program, const struct instruction *in, uint32_t address)
{
	if (memory_size(in) == ALIGNMENT && !program_one_in(program, 8))
		return address & ~(ALIGNMENT - 1);
	return address;
}

/* QEMU's TCG reports a read-modify-write to a page that is absent as a read, so these stay where
 * reading is allowed. When an instruction reads flags and then faults, TCG may show others than
 * there were, so these do not fault. */
static uint32_t pick_place(struct program *program, const struct instruction *in)
{
	uint32_t kind = program_pick(program, 40);
	bool modifies = program->for_tcg && does_modify(in);

	if ((program->for_tcg && instruction_opcode(in)->flags_read & FLAGS_OSZAPC) ||
	    is_table_store(in) || may_not_fault(program, in))
		kind = 39;

	if (kind == 0)
		return CASE_READ_ONLY + program_pick(program, 0x100);
	if (kind == 1)
		return CASE_READ_ONLY - 1 - program_pick(program, 8);
	if (kind == 2 && !modifies)
		return CASE_ABSENT + program_pick(program, 0x100);
	if (kind == 3 && !modifies)
		return CASE_ABSENT - 1 - program_pick(program, 24);
	if (kind <= 6)
		return CASE_DATA + 0x1000 - program_pick(program, 8);
	return CASE_WINDOW + 16 + program_pick(program, CASE_WINDOW_SIZE - 48);
}

static uint32_t pick_address(struct program *program, const struct instruction *in)
{
	return align(program, in, pick_place(program, in));
}

static uint32_t low_address(struct program *program, const struct instruction *in)
{
	return align(program, in,
	             CASE_DATA_LOW + (CASE_WINDOW - CASE_DATA) + 16 +
	                     program_pick(program, CASE_WINDOW_SIZE - 48));
}

static bool has_operand(const struct instruction *in, uint8_t kind)
{
	for (unsigned int i = 0; i < in->operand_count; i++)
		if (in->operands[i].kind == kind)
			return true;
	return false;
}

static bool prepare_string(struct program *program, const struct instruction *in)
{
	bool low = in->address_size == 2;
	uint32_t source = low ? low_address(program, in) : pick_address(program, in);
	uint32_t destination = low ? low_address(program, in) : pick_address(program, in);

	/* Where both are bad, it is open which of them faults. */
	if (source - CASE_WINDOW >= CASE_WINDOW_SIZE && !low)
		destination = CASE_WINDOW + 32;
	if (low && (in->memory.segment == SEGMENT_FS || in->memory.segment == SEGMENT_GS))
		return false;
	if (in->repeat != REPEAT_NONE)
		program_put_move(program, REGISTER_ECX, program_pick(program, COUNT_MAX + 1));
	program_put_move(program, REGISTER_ESI, source - segment_base(in->memory.segment));
	program_put_move(program, REGISTER_EDI, destination);
	return true;
}

/* Its base is the stack pointer, which stays what it is: the displacement is small and positive. */
static bool prepare_on_stack(struct program *program, struct instruction *in, uint8_t *bytes)
{
	uint32_t small = program_pick(program, 0x20);

	if (in->memory.index != REGISTER_NONE || in->memory.segment == SEGMENT_FS ||
	    in->memory.segment == SEGMENT_GS)
		return false;
	if (in->displacement_size)
		memcpy(bytes + in->displacement_at, &small, in->displacement_size);
	return true;
}

static bool prepare_low(struct program *program, const struct instruction *in)
{
	uint32_t index = program_pick(program, 64), high = program_pick(program, 0x10000) << 16;
	uint32_t base = low_address(program, in) - in->memory.displacement;

	if (in->memory.base == REGISTER_NONE || segment_base(in->memory.segment))
		return false;
	if (in->memory.index != REGISTER_NONE) {
		program_put_move(program, in->memory.index, index);
		base -= index;
	}
	program_put_move(program, in->memory.base, (base & LOW_MASK) | high);
	return true;
}

static bool prepare_address(struct program *program, struct instruction *in, uint8_t *bytes)
{
	uint32_t address = pick_address(program, in) - segment_base(in->memory.segment);
	uint32_t index = program_pick(program, 8);

	if (in->memory.index != REGISTER_NONE) {
		if (in->memory.index == in->memory.base)
			return false;
		program_put_move(program, in->memory.index, index);
		address -= index << in->memory.scale;
	}
	if (in->memory.base != REGISTER_NONE)
		program_put_move(program, in->memory.base, address - in->memory.displacement);
	else if (in->displacement_size == 4)
		memcpy(bytes + in->displacement_at, &address, 4);
	else
		return false;
	return true;
}

/* The number of a bit may lie in a register, and then counts from the address as far as it likes.
 */
static bool prepare_bit_number(struct program *program, const struct instruction *in)
{
	const struct operand *number = &in->operands[1];

	if (!(instruction_opcode(in)->properties & PROPERTY_BITS) || !in->has_memory ||
	    number->kind != OPERAND_IS_GENERAL)
		return true;
	if (number->number == in->memory.base || number->number == in->memory.index ||
	    number->number == REGISTER_ESP)
		return false;
	program_put_move(program, number->number, program_pick(program, 200) - 100);
	return true;
}

/* maskmovq and maskmovdqu write where EDI says. */
static bool prepare_masked(struct program *program, const struct instruction *in)
{
	if (in->address_size == 2)
		return false;
	program_put_move(program, REGISTER_EDI,
	                 pick_address(program, in) - segment_base(in->memory.segment));
	return true;
}

bool operands_prepare(struct program *program, struct instruction *in, uint8_t *bytes)
{
	if (!prepare_bit_number(program, in))
		return false;
	if (has_operand(in, OPERAND_IS_SOURCE) || has_operand(in, OPERAND_IS_DESTINATION))
		return prepare_string(program, in);
	if (!in->has_memory && instruction_opcode(in)->properties & PROPERTY_WRITE)
		return prepare_masked(program, in);
	if (!in->has_memory)
		return true;
	if (in->address_size == 2)
		return prepare_low(program, in);
	if (in->memory.base == REGISTER_ESP)
		return prepare_on_stack(program, in, bytes);
	return prepare_address(program, in, bytes);
}
