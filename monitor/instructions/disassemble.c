#include "monitor/instructions/disassemble.h"

struct writer {
	char *text;
	size_t size;
	size_t length;
};

static void write_char(struct writer *writer, char c)
{
	if (writer->length + 1 < writer->size)
		writer->text[writer->length++] = c;
}

static void write_text(struct writer *writer, const char *text)
{
	while (*text)
		write_char(writer, *text++);
}

static void write_number(struct writer *writer, uint32_t value)
{
	unsigned int shift = 28;

	write_text(writer, "0x");
	while (shift && !(value >> shift))
		shift -= 4;
	for (;; shift -= 4) {
		write_char(writer, "0123456789abcdef"[value >> shift & 15]);
		if (!shift)
			return;
	}
}

static void write_numbered(struct writer *writer, const char *name, unsigned int number)
{
	write_text(writer, name);
	write_char(writer, '0' + number);
}

static void write_general(struct writer *writer, unsigned int number, unsigned int size)
{
	static const char names8[8][3] = {"al", "cl", "dl", "bl", "ah", "ch", "dh", "bh"};
	static const char names16[8][3] = {"ax", "cx", "dx", "bx", "sp", "bp", "si", "di"};

	if (size == 4)
		write_char(writer, 'e');
	write_text(writer, size == 1 ? names8[number] : names16[number]);
}

static void write_segment(struct writer *writer, unsigned int number)
{
	static const char names[8][3] = {"es", "cs", "ss", "ds", "fs", "gs", "?6", "?7"};

	write_text(writer, names[number]);
}

static void write_register(struct writer *writer, const struct operand *operand)
{
	static const char *const names[] = {
	        [OPERAND_IS_CONTROL] = "cr", [OPERAND_IS_DEBUG] = "dr", [OPERAND_IS_X87] = "st",
	        [OPERAND_IS_MMX] = "mm",     [OPERAND_IS_XMM] = "xmm",  [OPERAND_IS_MASK] = "k",
	};

	if (operand->kind == OPERAND_IS_GENERAL)
		write_general(writer, operand->number, operand->size);
	else if (operand->kind == OPERAND_IS_SEGMENT)
		write_segment(writer, operand->number);
	else if (operand->kind == OPERAND_IS_XMM && operand->size == 32)
		write_numbered(writer, "ymm", operand->number);
	else
		write_numbered(writer, names[operand->kind], operand->number);
}

static void write_index(struct writer *writer, const struct instruction *instruction)
{
	const struct memory_operand *memory = &instruction->memory;

	if (instruction_opcode(instruction)->needs & NEEDS_BIT_VSIB)
		write_numbered(writer, instruction->vector256 ? "ymm" : "xmm", memory->index);
	else
		write_general(writer, memory->index, instruction->address_size);
	if (memory->scale) {
		write_char(writer, '*');
		write_char(writer, '0' + (1 << memory->scale));
	}
}

/* Behind a register a displacement is an offset that may be negative; alone it is an address. */
static void write_displacement(struct writer *writer, const struct instruction *instruction,
                               bool alone)
{
	uint32_t value = instruction->memory.displacement;

	if (alone) {
		write_number(writer, instruction->address_size == 4 ? value : value & 0xFFFF);
	} else if (instruction->displacement_size) {
		bool negative = value >> 31;

		write_char(writer, negative ? '-' : '+');
		write_number(writer, negative ? -value : value);
	}
}

static void write_memory(struct writer *writer, const struct instruction *instruction)
{
	const struct memory_operand *memory = &instruction->memory;
	bool base = memory->base != REGISTER_NONE, index = memory->index != REGISTER_NONE;

	write_char(writer, '[');
	if (instruction->prefixes & PREFIX_SEGMENT) {
		write_segment(writer, memory->segment);
		write_char(writer, ':');
	}
	if (base)
		write_general(writer, memory->base, instruction->address_size);
	if (base && index)
		write_char(writer, '+');
	if (index)
		write_index(writer, instruction);
	write_displacement(writer, instruction, !base && !index);
	write_char(writer, ']');
}

static bool is_register(const struct operand *operand)
{
	return operand->kind >= OPERAND_IS_GENERAL && operand->kind <= OPERAND_IS_MASK;
}

/* NASM wants to know the size of memory unless a register beside it says so. */
static void write_size(struct writer *writer, const struct instruction *instruction,
                       const struct operand *operand)
{
	static const struct {
		uint8_t size;
		char name[7];
	} names[] = {{1, "byte "},   {2, "word "},   {4, "dword "},  {8, "qword "},
	             {10, "tword "}, {16, "oword "}, {32, "yword "}, {64, "zword "}};

	for (unsigned int n = 0; n < instruction->operand_count; n++)
		if (is_register(&instruction->operands[n]) &&
		    instruction->operands[n].size == operand->size)
			return;
	for (size_t n = 0; n < sizeof(names) / sizeof(names[0]); n++)
		if (names[n].size == operand->size)
			write_text(writer, names[n].name);
}

static uint32_t cut_to_size(uint32_t value, unsigned int size)
{
	return size == 1 ? value & 0xFF : size == 2 ? value & 0xFFFF : value;
}

static void write_operand(struct writer *writer, const struct instruction *instruction,
                          unsigned int n, uint32_t address)
{
	const struct operand *operand = &instruction->operands[n];
	const struct opcode *row = instruction_opcode(instruction);

	switch (operand->kind) {
	case OPERAND_IS_MEMORY:
		if (row->operands[n] == OPERAND_Mp && row->class & CLASS_CONTROL)
			write_text(writer, "far ");
		else
			write_size(writer, instruction, operand);
		write_memory(writer, instruction);
		break;
	case OPERAND_IS_IMMEDIATE:
		if (row->properties & PROPERTY_PUSH && !(row->class & CLASS_CONTROL) && n == 0 &&
		    row->operands[n] != OPERAND_Iw)
			write_size(writer, instruction, operand);
		write_number(writer, cut_to_size(instruction->immediate, operand->size));
		break;
	case OPERAND_IS_SECOND:
		write_number(writer, instruction->second);
		break;
	case OPERAND_IS_ONE:
		write_char(writer, '1');
		break;
	case OPERAND_IS_RELATIVE:
		write_number(writer,
		             cut_to_size(address + instruction->length + instruction->immediate,
		                         operand->size));
		break;
	case OPERAND_IS_FAR:
		write_number(writer, instruction->second);
		write_char(writer, ':');
		write_number(writer, instruction->immediate);
		break;
	default:
		write_register(writer, operand);
		break;
	}
}

static bool is_string(const struct opcode *row)
{
	return row->properties & (PROPERTY_REP | PROPERTY_REPCC);
}

/* What stands before the mnemonic: the prefixes that mean something and that no operand shows. */
static void write_prefixes(struct writer *writer, const struct instruction *instruction)
{
	static const char *const repeats[] = {"", "rep ", "repe ", "repne "};
	const struct opcode *row = instruction_opcode(instruction);

	if (instruction->prefixes & PREFIX_LOCK)
		write_text(writer, "lock ");
	write_text(writer, repeats[instruction->repeat]);
	if (instruction->prefixes & PREFIX_SEGMENT && is_string(row)) {
		write_segment(writer, instruction->memory.segment);
		write_char(writer, ' ');
	}
	if (instruction->prefixes & PREFIX_O16 && row->class & CLASS_CONTROL)
		write_text(writer, instruction->operand_size == 4 ? "o32 " : "o16 ");
	if (instruction->prefixes & PREFIX_A16 &&
	    (is_string(row) || row->properties & PROPERTY_COUNT))
		write_text(writer, instruction->address_size == 4 ? "a32 " : "a16 ");
}

size_t instruction_disassemble(const struct instruction *instruction, uint32_t address, char *text,
                               size_t size)
{
	struct writer writer = {text, size, 0};
	const struct opcode *row = instruction_opcode(instruction);

	if (size == 0)
		return 0;
	write_prefixes(&writer, instruction);
	write_text(&writer, row->mnemonic);
	/* The operands of string instructions follow from their name. */
	for (unsigned int n = 0; n < instruction->operand_count && !is_string(row); n++) {
		write_text(&writer, n ? ", " : " ");
		write_operand(&writer, instruction, n, address);
	}
	text[writer.length] = 0;
	return writer.length;
}
