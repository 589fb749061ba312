#include "monitor/instructions/decode.h"

/* No instruction that may still become valid is looked at beyond this many bytes: 14 prefixes, 3 of
 * opcode, ModRM, SIB, 4 of displacement, 6 of immediates. With that many bytes in hand nothing
 * below asks whether the bytes have ended; shorter input is copied and padded first. */
#define WINDOW 32

/* Keeps what is rare out of the registers of what is hot. */
#define NOT_INLINED __attribute__((noinline))

/* What stands before the opcode, and what it makes of the opcode. */
struct lead {
	uint32_t sizes;    /* operand size, and address size times 256 */
	uint32_t select;   /* the bits of enum opcode_select_bits that do not come from ModRM */
	uint32_t prefixes; /* enum instruction_prefix */
	uint32_t segment;  /* the override, when prefixes has PREFIX_SEGMENT */
	uint32_t vvvv;     /* of a VEX prefix, as a number; 0 also when there is none */
	uint32_t map;
	uint32_t at; /* of the opcode */
};

static uint32_t read16(const uint8_t *bytes)
{
	return bytes[0] | (uint32_t)bytes[1] << 8;
}

static uint32_t read32(const uint8_t *bytes)
{
	return read16(bytes) | read16(bytes + 2) << 16;
}

static uint32_t sign_extend8(uint32_t value)
{
	return (uint32_t)(int32_t)(int8_t)value;
}

static uint32_t sign_extend16(uint32_t value)
{
	return (uint32_t)(int32_t)(int16_t)value;
}

/* Takes the prefixes up to the opcode; false when there are more than an instruction can have. */
static bool take_prefixes(struct lead *lead, const uint8_t *bytes, uint32_t other_sizes)
{
	for (; lead->at < INSTRUCTION_MAX_LENGTH; lead->at++) {
		uint8_t byte = bytes[lead->at];

		if (opcode_rows[opcode_index[MAP_BASE][byte]].kind != KIND_PREFIX)
			return true;
		switch (byte) {
		case 0x66:
			lead->prefixes |= PREFIX_O16;
			lead->sizes =
			        (lead->sizes & 0xFF00) | (other_sizes & SELECT_BIT_O32 ? 4 : 2);
			lead->select =
			        (lead->select & ~SELECT_BIT_O32) | (other_sizes & SELECT_BIT_O32);
			break;
		case 0x67:
			lead->prefixes |= PREFIX_A16;
			lead->sizes = (lead->sizes & 0xFF) |
			              (other_sizes & SELECT_BIT_A32 ? 0x400 : 0x200);
			lead->select =
			        (lead->select & ~SELECT_BIT_A32) | (other_sizes & SELECT_BIT_A32);
			break;
		case 0xF0:
			lead->prefixes |= PREFIX_LOCK;
			break;
		case 0xF2:
			lead->prefixes = (lead->prefixes & ~PREFIX_F3) | PREFIX_F2;
			break;
		case 0xF3:
			lead->prefixes = (lead->prefixes & ~PREFIX_F2) | PREFIX_F3;
			break;
		default: /* 26 2E 36 3E are ES CS SS DS, 64 65 are FS GS */
			lead->prefixes |= PREFIX_SEGMENT;
			lead->segment = byte < 0x64 ? byte >> 3 & 3 : SEGMENT_FS + (byte - 0x64);
			break;
		}
	}
	lead->at++;
	return false;
}

/* F2 and F3 choose before 66 does, so that F3 66 0F 58 is ADDSS. */
static uint32_t mandatory_of(uint32_t prefixes)
{
	if (prefixes & (PREFIX_F3 | PREFIX_F2))
		return prefixes & PREFIX_F3 ? MANDATORY_F3 : MANDATORY_F2;
	return prefixes & PREFIX_O16 ? MANDATORY_66 : MANDATORY_NONE;
}

/* Takes the byte that all forms of VEX, XOP and EVEX have in common. */
static void take_vector_fields(struct lead *lead, uint8_t byte)
{
	lead->vvvv = ~byte >> 3 & 15;
	lead->select |= (byte & 3) << SELECT_SHIFT_PREFIX | (byte & 0x80 ? SELECT_BIT_W : 0) |
	                (byte & 0x04 ? SELECT_BIT_L : 0);
}

/* C4, C5, 62 and 8F are LES, LDS, BOUND and POP unless the byte behind them rules that out. Returns
 * false when they are a prefix that no processor accepts. */
static bool take_vector_prefix(struct lead *lead, const uint8_t *bytes)
{
	static const uint8_t vex_maps[32] = {[1] = MAP_VEX0F, [2] = MAP_VEX0F38, [3] = MAP_VEX0F3A};
	static const uint8_t xop_maps[32] = {[8] = MAP_XOP8, [9] = MAP_XOP9, [10] = MAP_XOPA};
	static const uint8_t evex_maps[8] = {[1] = MAP_EVEX0F,
	                                     [2] = MAP_EVEX0F38,
	                                     [3] = MAP_EVEX0F3A,
	                                     [5] = MAP_EVEX5,
	                                     [6] = MAP_EVEX6};
	uint8_t byte = bytes[0], next = bytes[1];

	if (byte == 0x8F ? (next & 0x1F) < 8 : next < 0xC0)
		return true;
	if (byte == 0xC5) {
		lead->map = MAP_VEX0F;
		take_vector_fields(lead, next & 0x7F);
		lead->at += 2;
	} else if (byte == 0x62) {
		/* Bit 3 of the first byte must be 0, bit 2 of the second 1. */
		lead->map = !(next & 8) && bytes[2] & 4 ? evex_maps[next & 7] : MAP_BASE;
		take_vector_fields(lead, bytes[2]);
		lead->at += 4;
	} else {
		lead->map = (byte == 0xC4 ? vex_maps : xop_maps)[next & 0x1F];
		take_vector_fields(lead, bytes[2]);
		lead->at += 3;
	}
	/* 66, F2, F3 and LOCK are part of the prefix or have no business here. */
	if (lead->prefixes & (PREFIX_O16 | PREFIX_F2 | PREFIX_F3 | PREFIX_LOCK))
		return false;
	lead->prefixes |= PREFIX_VEX;
	return lead->map != MAP_BASE;
}

/* Takes everything before the last byte of the opcode. Returns the opcode's first row, or NULL for
 * #UD; at is then behind the last byte that counted. */
NOT_INLINED static const struct opcode *take_lead(struct lead *lead, const uint8_t *bytes)
{
	const struct opcode *row;
	uint8_t byte;

	if (!take_prefixes(lead, bytes, ~lead->select))
		return NULL;
	byte = bytes[lead->at];
	row = &opcode_rows[opcode_index[MAP_BASE][byte]];
	if (row->kind != KIND_ESCAPE) {
		lead->select |= mandatory_of(lead->prefixes) << SELECT_SHIFT_PREFIX;
		return row;
	}
	if (byte == 0x0F) {
		lead->select |= mandatory_of(lead->prefixes) << SELECT_SHIFT_PREFIX;
		lead->map = MAP_0F;
		byte = bytes[++lead->at];
		if (byte == 0x38 || byte == 0x3A) {
			lead->map = byte == 0x38 ? MAP_0F38 : MAP_0F3A;
			lead->at++;
		}
	} else if (!take_vector_prefix(lead, bytes + lead->at)) {
		return NULL;
	}
	return &opcode_rows[opcode_index[lead->map][bytes[lead->at]]];
}

/* Chooses among the rows of one opcode. Returns NULL when none fits. */
static const struct opcode *choose_row(const struct opcode *row, uint32_t select)
{
	if (row->kind == KIND_GROUP)
		return row + (select >> 3 & 7);
	while ((select ^ row->select) & row->select >> 16) {
		row++;
		if (row->kind != KIND_ALSO)
			return NULL;
	}
	return row;
}

/* Takes a displacement of the given size, which is a byte, or as wide as the address. */
static inline uint32_t take_displacement(struct instruction *restrict instruction,
                                         const uint8_t *restrict bytes, uint32_t at, uint32_t size)
{
	instruction->displacement_at = at;
	instruction->displacement_size = size;
	instruction->memory.displacement = size == 1   ? sign_extend8(bytes[at])
	                                   : size == 4 ? read32(bytes + at)
	                                               : sign_extend16(read16(bytes + at));
	return at + size;
}

static uint32_t take_address16(struct instruction *instruction, const uint8_t *bytes, uint32_t at,
                               uint32_t modrm)
{
	/* Base and index by ModRM.rm, and the segment that goes with them. */
	static const struct memory_operand bases[8] = {
	        {SEGMENT_DS, REGISTER_EBX, REGISTER_ESI, 0, 0},
	        {SEGMENT_DS, REGISTER_EBX, REGISTER_EDI, 0, 0},
	        {SEGMENT_SS, REGISTER_EBP, REGISTER_ESI, 0, 0},
	        {SEGMENT_SS, REGISTER_EBP, REGISTER_EDI, 0, 0},
	        {SEGMENT_DS, REGISTER_ESI, REGISTER_NONE, 0, 0},
	        {SEGMENT_DS, REGISTER_EDI, REGISTER_NONE, 0, 0},
	        {SEGMENT_SS, REGISTER_EBP, REGISTER_NONE, 0, 0},
	        {SEGMENT_DS, REGISTER_EBX, REGISTER_NONE, 0, 0},
	};
	uint32_t mod = modrm >> 6, rm = modrm & 7;

	instruction->memory = bases[rm];
	if (mod == 0) {
		if (rm != 6)
			return at;
		instruction->memory.base = REGISTER_NONE;
		instruction->memory.segment = SEGMENT_DS;
		mod = 2;
	}
	return take_displacement(instruction, bytes, at, mod);
}

/* With a vector as index (a gather) the number 4 is a register like the others. */
static inline uint32_t take_address32(struct instruction *restrict instruction,
                                      const uint8_t *restrict bytes, uint32_t at, uint32_t modrm,
                                      bool vector_index)
{
	uint32_t base = modrm & 7, index = REGISTER_NONE, scale = 0, segment;

	if (base == REGISTER_ESP) {
		uint32_t sib = bytes[at++];

		instruction->sib = sib;
		base = sib & 7;
		if ((sib >> 3 & 7) != REGISTER_ESP || vector_index) {
			index = sib >> 3 & 7;
			scale = sib >> 6;
		}
	}
	segment = (base & ~1u) == REGISTER_ESP ? SEGMENT_SS : SEGMENT_DS;
	if (modrm < 0x40 && base == REGISTER_EBP) {
		base = REGISTER_NONE;
		segment = SEGMENT_DS;
		modrm = 0x80;
	}
	instruction->memory = (struct memory_operand){segment, base, index, scale, 0};
	if (modrm >= 0x80)
		return take_displacement(instruction, bytes, at, 4);
	return modrm >= 0x40 ? take_displacement(instruction, bytes, at, 1) : at;
}

/* Takes the offset of MOV AL,[offset] and its kin. */
static uint32_t take_offset(struct instruction *instruction, const uint8_t *bytes, uint32_t at)
{
	instruction->has_memory = true;
	instruction->memory =
	        (struct memory_operand){SEGMENT_DS, REGISTER_NONE, REGISTER_NONE, 0, 0};
	return take_displacement(instruction, bytes, at, instruction->address_size);
}

/* Takes the immediates, in the order in which they follow each other. */
static uint32_t take_immediates(struct instruction *instruction, const uint8_t *bytes, uint32_t at,
                                uint32_t needs)
{
	uint32_t size = instruction->operand_size;

	if (needs & (NEEDS_IMM8 | NEEDS_IMM8S)) {
		size = 1;
		instruction->immediate = needs & NEEDS_IMM8S ? sign_extend8(bytes[at]) : bytes[at];
	} else {
		if (needs & (NEEDS_IMM16 | NEEDS_IMM32))
			size = needs & NEEDS_IMM16 ? 2 : 4;
		if (size == 4)
			instruction->immediate = read32(bytes + at);
		else
			instruction->immediate = needs & NEEDS_IMMZ
			                                 ? sign_extend16(read16(bytes + at))
			                                 : read16(bytes + at);
	}
	instruction->immediate_at = at;
	instruction->immediate_size = size;
	at += size;
	if (needs & NEEDS_SECOND8)
		instruction->second = bytes[at++];
	if (needs & NEEDS_FAR) {
		instruction->second = read16(bytes + at);
		at += 2;
	}
	return at;
}

/* A gather needs a SIB byte, and three different registers for destination, index and mask. */
static bool gather_is_refused(const struct instruction *instruction)
{
	uint32_t destination = instruction->modrm >> 3 & 7, mask = instruction->vvvv & 7;
	uint32_t index = instruction->sib >> 3 & 7;

	return instruction->address_size != 4 || (instruction->modrm & 7) != REGISTER_ESP ||
	       destination == index || destination == mask || index == mask;
}

/* What is #UD although the row was found: the wrong kind of ModRM, or a register that does not
 * exist. */
NOT_INLINED static enum decode_result settle_checks(const struct instruction *instruction,
                                                    const struct opcode *row)
{
	uint32_t needs = row->needs, reg = instruction->modrm >> 3 & 7;

	if (needs & (instruction->has_memory ? NEEDS_BIT_REGISTER : NEEDS_BIT_MEMORY))
		return DECODE_UNDEFINED;
	if (needs & NEEDS_BIT_SEGMENT && reg > SEGMENT_GS)
		return DECODE_UNDEFINED;
	if (needs & NEEDS_BIT_VSIB && gather_is_refused(instruction))
		return DECODE_UNDEFINED;
	/* There are CR0, CR2, CR3 and CR4. */
	if (needs & NEEDS_BIT_CONTROL && !(0x1D >> reg & 1))
		return DECODE_UNDEFINED;
	return DECODE_OK;
}

static uint8_t repeat_of(const struct opcode *row, uint32_t prefixes)
{
	if (row->properties & PROPERTY_REP)
		return REPEAT_ALWAYS;
	if (row->properties & PROPERTY_REPCC)
		return prefixes & PREFIX_F3 ? REPEAT_WHILE_EQUAL : REPEAT_WHILE_NOT_EQUAL;
	return REPEAT_NONE;
}

/* The opcode of a 3DNow! instruction stands where an immediate would. */
static const struct opcode *take_3dnow_opcode(struct instruction *instruction)
{
	const struct opcode *row = &opcode_rows[opcode_index[MAP_0F0F][instruction->immediate]];

	instruction->opcode = instruction->immediate;
	instruction->opcode_at = instruction->immediate_at;
	instruction->immediate_at = 0;
	instruction->immediate_size = 0;
	instruction->immediate = 0;
	instruction->row = row->line;
	return row;
}

/* What only instructions with a prefix or an escape have, and what is #UD because of those: LOCK
 * where there is nothing to lock, a VEX field that must be empty. */
NOT_INLINED static enum decode_result settle_lead(struct instruction *instruction,
                                                  const struct opcode *row, const struct lead *lead)
{
	if (row->needs & NEEDS_BIT_SUFFIX)
		row = take_3dnow_opcode(instruction);
	if (row->kind == KIND_NO_ROW)
		return DECODE_UNDEFINED;
	instruction->prefixes = lead->prefixes;
	instruction->vvvv = lead->vvvv;
	instruction->vector256 = lead->select & SELECT_BIT_L ? 1 : 0;
	if (lead->prefixes & PREFIX_SEGMENT)
		instruction->memory.segment = lead->segment;
	if (lead->prefixes & (PREFIX_F2 | PREFIX_F3))
		instruction->repeat = repeat_of(row, lead->prefixes);
	if (lead->prefixes & PREFIX_LOCK &&
	    (!(row->properties & PROPERTY_LOCK) || !instruction->has_memory))
		return DECODE_UNDEFINED;
	if (lead->vvvv && !(row->needs & NEEDS_BIT_VVVV))
		return DECODE_UNDEFINED;
	return settle_checks(instruction, row);
}

/* Clears what is not filled in for every instruction. */
static inline void clear(struct instruction *instruction)
{
	instruction->modrm_at = 0;
	instruction->displacement_at = 0;
	instruction->displacement_size = 0;
	instruction->immediate_at = 0;
	instruction->immediate_size = 0;
	instruction->modrm = 0;
	instruction->sib = 0;
	instruction->has_memory = false;
	instruction->prefixes = 0;
	instruction->repeat = REPEAT_NONE;
	instruction->vvvv = 0;
	instruction->vector256 = 0;
	instruction->operand_count = 0;
	instruction->immediate = 0;
	instruction->second = 0;
	instruction->memory.segment = SEGMENT_DS;
}

static inline enum decode_result refuse(struct instruction *instruction, uint32_t at)
{
	instruction->length = at;
	return DECODE_UNDEFINED;
}

/* From the opcode at bytes[at] to the end of the instruction. */
static inline __attribute__((always_inline)) enum decode_result
scan_opcode(const uint8_t *restrict bytes, uint32_t at, const struct opcode *row,
            const struct lead *lead, struct instruction *restrict instruction)
{
	uint32_t modrm = 0, needs;

	clear(instruction);
	instruction->opcode_at = at;
	instruction->opcode = bytes[at++];
	instruction->operand_size = lead->sizes;
	instruction->address_size = lead->sizes >> 8;
	if (row->needs & NEEDS_BIT_MODRM) {
		instruction->modrm_at = at;
		modrm = bytes[at++];
		instruction->modrm = modrm;
	}
	if (row->select) {
		row = choose_row(row,
		                 lead->select | modrm | (modrm >= 0xC0 ? SELECT_BIT_REGISTER : 0));
		if (!row)
			return refuse(instruction, at);
	}
	needs = row->needs;
	if (needs & NEEDS_BIT_MODRM && modrm < 0xC0 && !(needs & NEEDS_BIT_MOD_IGNORED)) {
		instruction->has_memory = true;
		at = lead->select & SELECT_BIT_A32
		             ? take_address32(instruction, bytes, at, modrm, needs & NEEDS_BIT_VSIB)
		             : take_address16(instruction, bytes, at, modrm);
	}
	if (needs & NEEDS_TRAILER) {
		if (needs & NEEDS_MOFFS)
			at = take_offset(instruction, bytes, at);
		else
			at = take_immediates(instruction, bytes, at, needs);
	}
	instruction->length = at;
	instruction->row = row->line;
	if (lead->prefixes | (needs & NEEDS_BIT_SUFFIX))
		return settle_lead(instruction, row, lead);
	if (needs & NEEDS_CHECKS)
		return settle_checks(instruction, row);
	return DECODE_OK;
}

/* Everything that does not begin with its opcode, and whatever else is rare. A verdict that took
 * padding into account is none. */
NOT_INLINED static enum decode_result scan_slowly(const uint8_t *bytes, size_t available,
                                                  bool code32, struct instruction *instruction)
{
	struct lead lead = {.sizes = 0x0202};
	uint8_t padded[WINDOW];
	const struct opcode *row;
	enum decode_result result;

	if (code32)
		lead = (struct lead){.sizes = 0x0404, .select = SELECT_BIT_O32 | SELECT_BIT_A32};
	if (available < WINDOW) {
		for (size_t at = 0; at < WINDOW; at++)
			padded[at] = at < available ? bytes[at] : 0;
		bytes = padded;
	}
	row = take_lead(&lead, bytes);
	if (row && row->kind != KIND_NO_ROW)
		result = scan_opcode(bytes, lead.at, row, &lead, instruction);
	else
		result = refuse(instruction, lead.at + 1);
	if (instruction->length > available && available < INSTRUCTION_MAX_LENGTH)
		return DECODE_TRUNCATED;
	return instruction->length > INSTRUCTION_MAX_LENGTH ? DECODE_TOO_LONG : result;
}

/* The hot path: 32-bit code that begins with its opcode, so that the compiler knows the lead and
 * nothing can be too long. It costs the translator something for every instruction that it sees. */
static inline __attribute__((always_inline)) enum decode_result
scan(const uint8_t *restrict bytes, size_t available, unsigned int code_size,
     struct instruction *restrict instruction)
{
	const struct lead lead = {.sizes = 0x0404, .select = SELECT_BIT_O32 | SELECT_BIT_A32};
	const struct opcode *row;

	if (available < WINDOW || code_size != 32)
		return scan_slowly(bytes, available, code_size == 32, instruction);
	row = &opcode_rows[opcode_index[MAP_BASE][bytes[0]]];
	if (row->kind == KIND_NO_ROW || row->kind >= KIND_PREFIX)
		return scan_slowly(bytes, available, true, instruction);
	return scan_opcode(bytes, 0, row, &lead, instruction);
}

enum decode_result instruction_scan(const uint8_t *bytes, size_t available, unsigned int code_size,
                                    struct instruction *instruction)
{
	return scan(bytes, available, code_size, instruction);
}

/* What operands.def leaves to the address size, the vector length and the immediate. */
NOT_INLINED static void resolve_late(struct instruction *instruction, const struct opcode *row)
{
	for (uint32_t n = 0; n < row->operand_count; n++) {
		struct operand *operand = &instruction->operands[n];

		if (operand->size == LATE_ADDRESS)
			operand->size = instruction->address_size;
		else if (operand->size == LATE_VECTOR)
			operand->size = instruction->vector256 ? 32 : 16;
		if (row->operands[n] == OPERAND_Lx || row->operands[n] == OPERAND_Ldq)
			operand->number = instruction->immediate >> 4 & 7;
	}
}

static inline void resolve_operand(struct instruction *restrict instruction, uint32_t n,
                                   uint32_t code, uint32_t form, uint32_t fields)
{
	union operand_form resolved = operand_forms[code][form];

	resolved.word |= (fields >> (operand_places[code] & 31) & 7) << OPERAND_NUMBER_SHIFT;
	instruction->operands[n] = resolved.operand;
}

void instruction_resolve(struct instruction *restrict instruction)
{
	const struct opcode *row = &opcode_rows[instruction->row];
	uint32_t form = instruction->has_memory * 2u + instruction->operand_size / 4;
	uint32_t fields = instruction->modrm | (uint32_t)instruction->opcode << PLACE_LOW |
	                  (uint32_t)instruction->vvvv << PLACE_VVVV;
	uint32_t count = row->operand_count;

	instruction->operand_count = count;
	/* Most have two operands or fewer, and a loop costs more than it does. */
	if (count == 0)
		return;
	resolve_operand(instruction, 0, row->operands[0], form, fields);
	if (count > 1)
		resolve_operand(instruction, 1, row->operands[1], form, fields);
	for (uint32_t n = 2; n < count; n++)
		resolve_operand(instruction, n, row->operands[n], form, fields);
	if (row->needs & NEEDS_BIT_LATE)
		resolve_late(instruction, row);
}

enum decode_result instruction_decode(const uint8_t *bytes, size_t available,
                                      unsigned int code_size, struct instruction *instruction)
{
	enum decode_result result = scan(bytes, available, code_size, instruction);

	if (result == DECODE_OK)
		instruction_resolve(instruction);
	return result;
}
