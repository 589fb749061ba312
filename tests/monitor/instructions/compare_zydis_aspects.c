#include "tests/monitor/instructions/compare_zydis_aspects.h"

/* Our kind of register for theirs, and its number. */
static uint8_t register_of(ZydisRegister theirs, unsigned int *number)
{
	static const struct {
		ZydisRegisterClass class;
		uint8_t kind;
	} kinds[] = {
	        {ZYDIS_REGCLASS_GPR8, OPERAND_IS_GENERAL},
	        {ZYDIS_REGCLASS_GPR16, OPERAND_IS_GENERAL},
	        {ZYDIS_REGCLASS_GPR32, OPERAND_IS_GENERAL},
	        {ZYDIS_REGCLASS_SEGMENT, OPERAND_IS_SEGMENT},
	        {ZYDIS_REGCLASS_CONTROL, OPERAND_IS_CONTROL},
	        {ZYDIS_REGCLASS_DEBUG, OPERAND_IS_DEBUG},
	        {ZYDIS_REGCLASS_X87, OPERAND_IS_X87},
	        {ZYDIS_REGCLASS_MMX, OPERAND_IS_MMX},
	        {ZYDIS_REGCLASS_XMM, OPERAND_IS_XMM},
	        {ZYDIS_REGCLASS_YMM, OPERAND_IS_XMM},
	        {ZYDIS_REGCLASS_MASK, OPERAND_IS_MASK},
	};

	*number = ZydisRegisterGetId(theirs);
	for (size_t n = 0; n < sizeof(kinds) / sizeof(kinds[0]); n++)
		if (kinds[n].class == ZydisRegisterGetClass(theirs))
			return kinds[n].kind;
	return OPERAND_IS_NONE;
}

static bool immediate_agrees(const struct instruction *ours, const struct operand *operand,
                             const ZydisDecodedOperand *theirs)
{
	uint32_t value = operand->kind == OPERAND_IS_SECOND ? ours->second
	                 : operand->kind == OPERAND_IS_ONE  ? 1
	                                                    : ours->immediate;
	uint32_t mask = operand->size == 1 ? 0xFF : operand->size == 2 ? 0xFFFF : 0xFFFFFFFF;

	return (value & mask) == (theirs->imm.value.u & mask);
}

/* Zydis gives the bits that an instruction uses of a vector or x87 register, we the register's
 * size; and where we say that a size depends on more than the encoding, it gives some maximum. */
static bool size_agrees(const struct operand *ours, const ZydisDecodedOperand *theirs)
{
	bool part = ours->kind == OPERAND_IS_X87 || ours->kind == OPERAND_IS_MMX ||
	            ours->kind == OPERAND_IS_XMM || ours->kind == OPERAND_IS_MASK;

	return part || ours->size == 0 || ours->size * 8 == theirs->size;
}

/* To Zydis the memory that a string instruction reaches is a hidden operand. */
static bool string_operand_agrees(const struct operand *ours, const struct theirs *theirs)
{
	ZydisRegister base =
	        ours->kind == OPERAND_IS_SOURCE ? ZYDIS_REGISTER_ESI : ZYDIS_REGISTER_EDI;
	ZydisRegister base16 =
	        ours->kind == OPERAND_IS_SOURCE ? ZYDIS_REGISTER_SI : ZYDIS_REGISTER_DI;

	for (unsigned int n = 0; n < theirs->instruction.operand_count; n++) {
		const ZydisDecodedOperand *operand = &theirs->operands[n];

		if (operand->type == ZYDIS_OPERAND_TYPE_MEMORY &&
		    (operand->mem.base == base || operand->mem.base == base16))
			return size_agrees(ours, operand);
	}
	return false;
}

static bool operand_agrees(const struct instruction *ours, const struct operand *operand,
                           const ZydisDecodedOperand *theirs)
{
	unsigned int number;

	switch (operand->kind) {
	case OPERAND_IS_MEMORY:
		return theirs->type == ZYDIS_OPERAND_TYPE_MEMORY && size_agrees(operand, theirs);
	case OPERAND_IS_IMMEDIATE:
	case OPERAND_IS_SECOND:
	case OPERAND_IS_ONE:
	case OPERAND_IS_RELATIVE:
		return theirs->type == ZYDIS_OPERAND_TYPE_IMMEDIATE &&
		       immediate_agrees(ours, operand, theirs);
	case OPERAND_IS_FAR:
		return theirs->type == ZYDIS_OPERAND_TYPE_POINTER &&
		       theirs->ptr.segment == ours->second &&
		       theirs->ptr.offset == ours->immediate && size_agrees(operand, theirs);
	default:
		return theirs->type == ZYDIS_OPERAND_TYPE_REGISTER &&
		       register_of(theirs->reg.value, &number) == operand->kind &&
		       number == operand->number && size_agrees(operand, theirs);
	}
}

static bool operands_agree(const struct instruction *ours, const struct theirs *theirs)
{
	bool string = instruction_opcode(ours)->properties & (PROPERTY_REP | PROPERTY_REPCC);

	for (unsigned int n = 0; n < ours->operand_count; n++)
		if (string && ours->operands[n].kind >= OPERAND_IS_SOURCE &&
		    ours->operands[n].kind <= OPERAND_IS_DESTINATION &&
		    !string_operand_agrees(&ours->operands[n], theirs))
			return false;
	if (string)
		return theirs->instruction.operand_count_visible == 0;
	if (ours->operand_count != theirs->instruction.operand_count_visible)
		return false;
	for (unsigned int n = 0; n < ours->operand_count; n++)
		if (!operand_agrees(ours, &ours->operands[n], &theirs->operands[n]))
			return false;
	return true;
}

static bool address_register_agrees(ZydisRegister theirs, uint8_t ours, uint8_t address_size)
{
	if (ours == REGISTER_NONE)
		return theirs == ZYDIS_REGISTER_NONE;
	return (unsigned int)theirs ==
	       (address_size == 4 ? ZYDIS_REGISTER_EAX : ZYDIS_REGISTER_AX) + (unsigned int)ours;
}

static bool memory_agrees(const struct instruction *ours, const struct theirs *theirs)
{
	uint32_t mask = ours->address_size == 4 ? 0xFFFFFFFF : 0xFFFF;

	for (unsigned int n = 0; n < ours->operand_count; n++) {
		const ZydisDecodedOperandMem *mem = &theirs->operands[n].mem;

		if (ours->operands[n].kind != OPERAND_IS_MEMORY)
			continue;
		if (mem->type != ZYDIS_MEMOP_TYPE_AGEN &&
		    (unsigned int)mem->segment !=
		            ZYDIS_REGISTER_ES + (unsigned int)ours->memory.segment)
			return false;
		if (!address_register_agrees(mem->base, ours->memory.base, ours->address_size) ||
		    !address_register_agrees(mem->index, ours->memory.index, ours->address_size) ||
		    (mem->scale && mem->scale != 1 << ours->memory.scale) ||
		    ((uint64_t)mem->disp.value & mask) != (ours->memory.displacement & mask))
			return false;
	}
	return true;
}

static bool parts_agree(const struct instruction *ours, const ZydisDecodedInstruction *theirs)
{
	const struct ZydisDecodedInstructionRaw_ *raw = &theirs->raw;

	if (theirs->attributes & ZYDIS_ATTRIB_HAS_MODRM && raw->modrm.offset != ours->modrm_at)
		return false;
	if (raw->disp.size != ours->displacement_size * 8 ||
	    (raw->disp.size && raw->disp.offset != ours->displacement_at))
		return false;
	if (raw->imm[0].size != ours->immediate_size * 8 ||
	    (raw->imm[0].size && raw->imm[0].offset != ours->immediate_at))
		return false;
	return ours->address_size * 8 == theirs->address_width && ours->opcode == theirs->opcode;
}

static bool class_agrees(const struct opcode *row, const struct theirs *theirs)
{
	const ZydisDecodedInstruction *their = &theirs->instruction;
	unsigned int control = row->class & CLASS_CONTROL, io = row->class & CLASS_IO;
	bool privileged = row->class & CLASS_PRIVILEGED, their_io, their_control;

	switch (their->meta.category) {
	case ZYDIS_CATEGORY_CALL:
	case ZYDIS_CATEGORY_COND_BR:
	case ZYDIS_CATEGORY_UNCOND_BR:
	case ZYDIS_CATEGORY_RET:
	case ZYDIS_CATEGORY_INTERRUPT:
	case ZYDIS_CATEGORY_SYSCALL:
	case ZYDIS_CATEGORY_SYSRET:
		their_control = true;
		break;
	default:
		their_control = false;
		break;
	}
	their_io = their->meta.category == ZYDIS_CATEGORY_IO ||
	           their->meta.category == ZYDIS_CATEGORY_IOSTRINGOP;
	return their_control == !!control && their_io == !!io &&
	       privileged == !!(their->attributes & ZYDIS_ATTRIB_IS_PRIVILEGED);
}

/* Zydis counts a flag that is written only under a condition as written. */
static bool flags_agree(const struct opcode *row, const ZydisDecodedInstruction *theirs)
{
	const uint32_t status = FLAGS_OSZAPC | FLAGS_D;
	const ZydisAccessedFlags *flags = theirs->cpu_flags;

	return ((flags->tested ^ row->flags_read) & status) == 0 &&
	       (((flags->modified | flags->set_0 | flags->set_1) ^ row->flags_written) & status) ==
	               0 &&
	       ((flags->undefined ^ row->flags_undefined) & status) == 0;
}

static bool locking_agrees(const struct opcode *row, const struct instruction *ours,
                           const ZydisDecodedInstruction *theirs)
{
	uint64_t repeats = ZYDIS_ATTRIB_ACCEPTS_REP | ZYDIS_ATTRIB_ACCEPTS_REPE;
	bool lock = row->properties & PROPERTY_LOCK && ours->has_memory;
	bool repeat = row->properties & (PROPERTY_REP | PROPERTY_REPCC);

	return lock == !!(theirs->attributes & ZYDIS_ATTRIB_ACCEPTS_LOCK) &&
	       repeat == !!(theirs->attributes & repeats);
}

void aspects_compare(const struct instruction *ours, const struct theirs *theirs,
                     bool agrees[ASPECT_COUNT])
{
	const struct opcode *row = instruction_opcode(ours);

	agrees[VERDICT] = true;
	agrees[LENGTH] = ours->length == theirs->instruction.length;
	agrees[OPERANDS] = operands_agree(ours, theirs);
	agrees[MEMORY] = memory_agrees(ours, theirs);
	agrees[PARTS] = parts_agree(ours, &theirs->instruction);
	agrees[CLASS] = class_agrees(row, theirs);
	agrees[FLAGS] = flags_agree(row, &theirs->instruction);
	agrees[LOCKING] = locking_agrees(row, ours, &theirs->instruction);
}
