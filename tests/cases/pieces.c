#include "tests/cases/pieces.h"

#include <string.h>

#include "guest/library/segments.h"
#include "tests/cases/operands.h"

#define NEVER_FLAGS     0x001FA128u /* TF, VIP and VIF, which our guests have not got, and no flags */
#define NESTED          0x00004000u
#define FLAGS_FIXED     0x2u
#define MXCSR_BITS      0xFFBFu
#define COUNTER         (CASE_DATA + 0x800u)
#define ROUNDS_MAX      3u
#define POPPED_MAX      88u
#define WITH_MODRM(reg) (uint8_t)(0xC0 | (reg) << 3)

static bool is_one_of(const char *mnemonic, const char *const *names)
{
	for (; *names; names++)
		if (strcmp(mnemonic, *names) == 0)
			return true;
	return false;
}

/* x87, MMX and SSE. */
static bool is_of_unit(const struct opcode *row)
{
	switch (row->feature) {
	case FEATURE_X87:
	case FEATURE_MMX:
	case FEATURE_FXSR:
	case FEATURE_SSE:
	case FEATURE_SSE2:
		return true;
	default:
		return row->feature == FEATURE_CMOV && row->properties & PROPERTY_X87;
	}
}

/* What our guests have got. Of the unit's instructions, those that store where the last one was are
 * pieces of their own; those that load a large image do nothing that others do not. */
static bool is_offered(const struct opcode *row, const struct pieces_plan *plan)
{
	static const char *const images[] = {"fnstenv", "fnsave",  "fxsave",
	                                     "fxrstor", "ldmxcsr", NULL};

	if (row->class & (CLASS_UNDEFINED | CLASS_REVEALS))
		return false;
	if (is_of_unit(row))
		return plan->unit && !is_one_of(row->mnemonic, images);
	return row->feature <= FEATURE_I486 || row->feature == FEATURE_CX8 ||
	       row->feature == FEATURE_CMOV;
}

/* In ring 0, what changes nothing that others need; in ring 3 they fault. */
static bool is_harmless(const struct instruction *in)
{
	static const char *const names[] = {"cli", "sti", "clts", "invlpg", "lmsw", NULL};

	return is_one_of(instruction_opcode(in)->mnemonic, names) ||
	       (in->operand_count > 1 && in->operands[1].kind == OPERAND_IS_CONTROL &&
	        in->operands[1].number != 4);
}

/* Ring 3 sees the real processor there: G17 and G18 of docs/limitations.md. */
static bool tells_of_processor(const struct opcode *row)
{
	static const char *const names[] = {"sgdt", "sidt", "sldt", "str",  "smsw",
	                                    "lar",  "lsl",  "verr", "verw", NULL};

	return is_one_of(row->mnemonic, names);
}

/* The manuals leave open what becomes of the destination: bswap of 16 bits, and a shift of 16 bits
 * by more than those. */
static bool is_left_open(const struct instruction *in)
{
	static const char *const names[] = {"bswap", "shld", "shrd", NULL};

	return in->operand_size == 2 && is_one_of(instruction_opcode(in)->mnemonic, names);
}

static bool writes_stack_pointer(const struct instruction *in)
{
	for (unsigned int i = 0; i < in->operand_count && i < 2; i++)
		if (instruction_writes_operand(in, i) &&
		    in->operands[i].kind == OPERAND_IS_GENERAL &&
		    in->operands[i].number == REGISTER_ESP && in->operands[i].size >= 2)
			return true;
	return false;
}

/* TCG lets everybody write through CS. maskmovq and maskmovdqu write where no operand says. */
static bool writes_through_code(const struct instruction *in)
{
	if (in->memory.segment != SEGMENT_CS)
		return false;
	if (!in->has_memory)
		return instruction_opcode(in)->properties & PROPERTY_WRITE;
	return instruction_writes_operand(in, 0) || instruction_writes_operand(in, 1);
}

/* These are made by pieces of their own, with operands that make sense. */
static bool has_own_piece(const struct opcode *row)
{
	static const char *const names[] = {"popf", "popfd", "enter", "leave", "xlat", NULL};

	return row->class & (CLASS_CONTROL | CLASS_SEGMENT) || is_one_of(row->mnemonic, names);
}

static bool ends_most_cases(const struct opcode *row)
{
	static const char *const names[] = {"div", "idiv", "bound", "aam", "ud2", NULL};

	return row->class & (CLASS_PRIVILEGED | CLASS_IO) || is_one_of(row->mnemonic, names);
}

static bool may_pop(const struct instruction *in, struct pieces_plan *plan)
{
	const struct opcode *row = instruction_opcode(in);
	uint32_t bytes = (row->properties & PROPERTY_ALL) == PROPERTY_ALL ? 32 : 4;

	if (!(row->properties & PROPERTY_POP))
		return true;
	if (plan->branching || plan->popped + bytes > POPPED_MAX)
		return false;
	plan->popped += bytes;
	return true;
}

/* Whether they may be used, TCG does not ask for emms and for what goes between MMX and XMM
 * registers; and where CR0 has two reasons why not, it tells of the wrong one. */
static bool is_wrong_of_unit_on_tcg(const struct instruction *in, const struct pieces_plan *plan)
{
	static const char *const unasked[] = {"emms",      "cvtpi2ps", "cvtpi2pd",  "cvtps2pi",
	                                      "cvttps2pi", "cvtpd2pi", "cvttpd2pi", "movq2dq",
	                                      "movdq2q",   NULL};
	const char *mnemonic = instruction_opcode(in)->mnemonic;

	if (!plan->unit)
		return false;
	if (plan->unit & (CASE_UNIT_TS | CASE_UNIT_EM | CASE_UNIT_NO_SSE) &&
	    is_one_of(mnemonic, unasked))
		return true;
	return strcmp(mnemonic, "lmsw") == 0;
}

/* On TCG these leave three flags as they are. */
static bool keeps_flags_on_tcg(const struct instruction *in)
{
	static const char *const names[] = {"fcomi", "fcomip", "fucomi", "fucomip", NULL};

	return is_one_of(instruction_opcode(in)->mnemonic, names);
}

/* TCG knows test by one of its two opcodes only, and no hints of 0F 18 for registers. Its cmpxchg8b
 * ruins flags, and its lar clears four bits that the manuals leave open. */
static bool is_wrong_on_tcg(const struct instruction *in)
{
	static const char *const names[] = {"cmpxchg8b", "lar", NULL};

	if (is_one_of(instruction_opcode(in)->mnemonic, names))
		return true;
	if (in->opcode == 0x18 && in->opcode_at == in->modrm_at - 1u && !in->has_memory &&
	    strcmp(instruction_opcode(in)->mnemonic, "nop") == 0)
		return true;
	return (in->opcode == 0xF6 || in->opcode == 0xF7) && in->opcode_at == in->modrm_at - 1u &&
	       strcmp(instruction_opcode(in)->mnemonic, "test") == 0 && (in->modrm >> 3 & 7) == 1;
}

static bool is_wanted(struct program *program, const struct instruction *in,
                      struct pieces_plan *plan)
{
	const struct opcode *row = instruction_opcode(in);

	if (!is_offered(row, plan) || has_own_piece(row) || is_left_open(in) ||
	    writes_through_code(in))
		return false;
	if (program->for_tcg && (is_wrong_on_tcg(in) || is_wrong_of_unit_on_tcg(in, plan)))
		return false;
	if (plan->ring == 0 && row->class & (CLASS_PRIVILEGED | CLASS_IO) && !is_harmless(in))
		return false;
	if (plan->ring == 0 && writes_stack_pointer(in))
		return false; /* an interrupt would find no stack */
	if (plan->ring == 3 && tells_of_processor(row))
		return false;
	if (ends_most_cases(row) && !program_one_in(program, 6))
		return false;
	return may_pop(in, plan);
}

static uint32_t draw_bytes(struct program *program, uint8_t *bytes)
{
	static const uint8_t prefixes[] = {0x66, 0x66, 0x66, 0x67, 0xF0, 0xF2, 0xF3,
	                                   0xF3, 0x26, 0x2E, 0x36, 0x3E, 0x64, 0x65};
	uint32_t at = 0, immediate = program_value(program);

	while (at < 3 && program_one_in(program, 6))
		bytes[at++] = prefixes[program_pick(program, sizeof(prefixes))];
	if (program_one_in(program, 4))
		bytes[at++] = 0x0F;
	while (at < INSTRUCTION_MAX_LENGTH)
		bytes[at++] = (uint8_t)program_pick(program, 256);
	/* Somewhere in it, so that immediates and displacements are remarkable now and then. */
	memcpy(bytes + 3 + program_pick(program, 8), &immediate, 4);
	return at;
}

/* A prefix is part of most of their opcodes. */
static uint32_t draw_unit_bytes(struct program *program, uint8_t *bytes)
{
	static const uint8_t prefixes[] = {0x66, 0xF2, 0xF3}, segments[] = {0x26, 0x36, 0x64, 0x65};
	uint32_t at = 0;

	if (program_one_in(program, 8))
		bytes[at++] = segments[program_pick(program, sizeof(segments))];
	if (program_one_in(program, 2))
		bytes[at++] = prefixes[program_pick(program, sizeof(prefixes))];
	if (program_one_in(program, 2))
		bytes[at++] = (uint8_t)(0xD8 + program_pick(program, 8));
	else
		bytes[at++] = 0x0F;
	while (at < INSTRUCTION_MAX_LENGTH)
		bytes[at++] = (uint8_t)program_pick(program, 256);
	return at;
}

static void put_instruction(struct program *program, struct pieces_plan *plan)
{
	static const uint8_t clear_upper_half[] = {0x66, 0xC7, 0x44, 0x24, 2, 0, 0};
	uint8_t bytes[INSTRUCTION_MAX_LENGTH];
	struct instruction in;

	do {
		uint32_t size = plan->unit && !program_one_in(program, 3)
		                        ? draw_unit_bytes(program, bytes)
		                        : draw_bytes(program, bytes);
		if (instruction_decode(bytes, size, 32, &in) != DECODE_OK)
			in.length = 0;
	} while (in.length == 0 || !is_wanted(program, &in, plan) ||
	         !operands_prepare(program, &in, bytes));
	if (program->for_tcg && keeps_flags_on_tcg(&in))
		program_define_flags(program);
	program_put(program, bytes, in.length);
	if (writes_stack_pointer(&in))
		program_put_move(program, REGISTER_ESP, PIECES_STACK);
	/* Of a selector some processors push 16 bits, some 32. */
	if (instruction_opcode(&in)->properties & PROPERTY_PUSH &&
	    in.operands[0].kind == OPERAND_IS_SEGMENT && in.operand_size == 4)
		program_put(program, clear_upper_half, sizeof(clear_upper_half));
}

static uint32_t draw_flags(struct program *program)
{
	uint32_t flags = program_pick(program, 0x400000) & ~NEVER_FLAGS;

	return (program_one_in(program, 16) ? flags : flags & ~NESTED) | FLAGS_FIXED;
}

static void put_popf(struct program *program, struct pieces_plan *plan)
{
	static const uint8_t codes[2][2] = {{0x9D}, {0x66, 0x9D}};
	bool narrow = program_one_in(program, 4);

	(void)plan;
	program_put_push(program, draw_flags(program));
	program_put(program, codes[narrow], narrow ? 2 : 1);
	if (narrow) /* add esp, 2 would change flags */
		program_put(program, (const uint8_t[]){0x8D, 0x64, 0x24, 0x02}, 4);
}

/* Level 2 and more read below the stack pointer, which interrupts in ring 0 use. */
static void put_frame(struct program *program, struct pieces_plan *plan)
{
	uint8_t enter[4] = {0xC8, (uint8_t)program_pick(program, 32), 0,
	                    (uint8_t)program_pick(program, plan->ring == 0 ? 2 : 4)};

	if (plan->ring == 0) { /* nothing else lies above what interrupts use */
		program_put(program, (const uint8_t[]){0x89, 0xE5}, 2);
		program_put(program, enter, sizeof(enter));
		program_put(program, (const uint8_t[]){0xC9}, 1);
		return;
	}
	program_put_move(program, REGISTER_EBP, PIECES_STACK + 4 * program_pick(program, 8));
	if (program_one_in(program, 2))
		program_put(program, enter, sizeof(enter));
	program_put(program, (const uint8_t[]){0xC9}, 1);
	program_put_move(program, REGISTER_ESP, PIECES_STACK);
}

static void put_word(struct program *program, uint32_t at, uint32_t value)
{
	uint8_t store[10] = {0xC7, 0x05};

	memcpy(store + 2, &at, 4);
	memcpy(store + 6, &value, 4);
	program_put(program, store, sizeof(store));
}

/* An instruction with an address as its memory operand. */
static void put_at(struct program *program, const uint8_t *opcode, uint32_t size, uint32_t address)
{
	uint8_t bytes[8];

	memcpy(bytes, opcode, size);
	memcpy(bytes + size, &address, 4);
	program_put(program, bytes, size + 4);
}

/* ldmxcsr with a word that it mostly takes; fnstenv and fnsave, whose words about where the last
 * instruction was (G21 of docs/limitations.md) are cleared. */
static void put_unit_image(struct program *program, struct pieces_plan *plan)
{
	uint32_t at = CASE_WINDOW + 16, word = program_pick(program, UINT32_MAX);
	bool whole = program_one_in(program, 2);

	if (!plan->unit) {
		put_instruction(program, plan);
	} else if (program_one_in(program, 2)) {
		put_word(program, at, program_one_in(program, 8) ? word : word & MXCSR_BITS);
		put_at(program, (const uint8_t[]){0x0F, 0xAE, 0x15}, 3, at);
	} else {
		put_at(program,
		       whole ? (const uint8_t[]){0xDD, 0x35} : (const uint8_t[]){0xD9, 0x35}, 2,
		       at);
		for (uint32_t place = 12; place < 28; place += 4)
			put_word(program, at + place, 0);
	}
}

static void put_xlat(struct program *program, struct pieces_plan *plan)
{
	(void)plan;
	program_put_move(program, REGISTER_EBX, CASE_WINDOW - program_pick(program, 128));
	program_put(program, (const uint8_t[]){0xD7}, 1);
}

static uint16_t data_selector(struct program *program, const struct pieces_plan *plan)
{
	return program_one_in(program, 2) ? SEGMENT_DATA(3) | (plan->ring & 3)
	                                  : SEGMENT_DATA(plan->ring);
}

/* Loads that fault end the case; the others leave the register with the base it had, because
 * addresses are made for that. A null selector would not be noticed by TCG when it is used. */
static uint16_t draw_selector(struct program *program, const struct pieces_plan *plan,
                              unsigned int segment)
{
	static const uint16_t bad[] = {CASE_MISSING, 0x4B, 0x80 * 8, 0x200 | 4 | 3, 0xFFF8};

	if (program_one_in(program, 8))
		return bad[program_pick(program, sizeof(bad) / sizeof(*bad))];
	if (segment == SEGMENT_FS || segment == SEGMENT_GS)
		return (uint16_t)((segment == SEGMENT_FS ? CASE_FS : CASE_GS) &
		                  ~program_pick(program, 4));
	return segment == SEGMENT_SS ? SEGMENT_DATA(plan->ring) : data_selector(program, plan);
}

static void put_pop_segment(struct program *program, unsigned int segment)
{
	static const uint8_t codes[6][2] = {{0x07}, {0},          {0x17},
	                                    {0x1F}, {0x0F, 0xA1}, {0x0F, 0xA9}};

	program_put(program, codes[segment], segment < SEGMENT_FS ? 1 : 2);
}

/* les and its kin, from memory that is written before. */
static void put_load_pointer(struct program *program, unsigned int segment, uint16_t selector)
{
	static const uint8_t codes[6][2] = {{0xC4}, {0},          {0x0F, 0xB2},
	                                    {0xC5}, {0x0F, 0xB4}, {0x0F, 0xB5}};
	uint32_t at = CASE_WINDOW + 16 + program_pick(program, 64), high = at + 4, used;
	uint8_t store[9] = {0x66, 0xC7, 0x05}, load[8];
	unsigned int number = program_pick(program, 8);

	memcpy(store + 3, &high, 4);
	memcpy(store + 7, &selector, 2);
	program_put(program, store, sizeof(store));
	used = codes[segment][0] == 0x0F ? 2 : 1;
	memcpy(load, codes[segment], used);
	load[used++] = (uint8_t)((number == REGISTER_ESP ? 0 : number) << 3 | 5);
	memcpy(load + used, &at, 4);
	program_put(program, load, used + 4);
}

static void put_segment(struct program *program, struct pieces_plan *plan)
{
	static const uint8_t segments[] = {SEGMENT_ES, SEGMENT_SS, SEGMENT_DS, SEGMENT_FS,
	                                   SEGMENT_GS};
	unsigned int segment = segments[program_pick(program, 5)],
	             number = program_pick(program, 3);
	uint16_t selector = draw_selector(program, plan, segment);
	uint8_t move[2] = {0x8E, (uint8_t)(WITH_MODRM(segment) | number)};
	uint32_t high = program_pick(program, 2) * 0x12340000u;

	switch (program_pick(program, 3)) {
	case 0:
		program_put_push(program, high | selector);
		put_pop_segment(program, segment);
		break;
	case 1:
		put_load_pointer(program, segment, selector);
		break;
	default:
		program_put_move(program, number, high | selector);
		program_put(program, move, sizeof(move));
	}
}

/* An instruction changes the next one's immediate operand, or its register. */
static void put_changing_code(struct program *program, struct pieces_plan *plan)
{
	uint32_t value = program_value(program);
	uint8_t next = (uint8_t)(0xB8 + program_pick(program, 3)), opcode[2] = {0xC7, 0x05};
	uint8_t changed[5] = {next}, rest[4];
	uint32_t here = program->piece_count - 1;

	(void)plan;
	memcpy(rest, &value, 4);
	/* The address is that of the piece, to which the operand's place in it is added below. */
	program_put_address(program, opcode, 2, here, rest, 4);
	program->jumps[program->jump_count - 1].offset = program->used + 1 - program->pieces[here];
	program_put(program, changed, sizeof(changed));
}

static uint32_t later_piece(struct program *program, const struct pieces_plan *plan)
{
	uint32_t here = program->piece_count;

	return here + program_pick(program, plan->count - here + 1);
}

/* Back, a few times in all. */
static void put_loop(struct program *program, struct pieces_plan *plan)
{
	uint8_t decrement[6] = {0xFF, 0x0D};
	uint32_t at = COUNTER;

	plan->looping = true;
	memcpy(decrement + 2, &at, 4);
	program_define_flags(program);
	program_put(program, decrement, sizeof(decrement));
	program_put_jump(program, (const uint8_t[]){0x0F, 0x89}, 2,
	                 program_pick(program, program->piece_count));
}

static void put_jump_through_register(struct program *program, uint32_t target)
{
	uint8_t number = (uint8_t)program_pick(program, 3), move = (uint8_t)(0xB8 + number);
	uint8_t jump[2] = {0xFF, (uint8_t)((program_one_in(program, 2) ? 0xE0 : 0xD0) | number)};

	program_put_address(program, &move, 1, target, NULL, 0);
	program_put(program, jump, 2);
}

static void put_jump_through_memory(struct program *program, uint32_t target)
{
	uint32_t at = CASE_WINDOW + 16 + program_pick(program, 64);
	uint8_t store[6] = {0xC7, 0x05}, jump[6] = {0xFF, program_one_in(program, 2) ? 0x25 : 0x15};

	memcpy(store + 2, &at, 4);
	memcpy(jump + 2, &at, 4);
	program_put_address(program, store, 6, target, NULL, 0);
	program_put(program, jump, 6);
}

/* push target; ret, with or without something to take off the stack. */
static void put_return(struct program *program, uint32_t target)
{
	uint8_t push = 0x68, taken = (uint8_t)(4 * program_pick(program, 3));

	for (uint32_t i = 0; i < taken / 4u; i++)
		program_put_push(program, i);
	program_put_address(program, &push, 1, target, NULL, 0);
	if (taken)
		program_put(program, (const uint8_t[]){0xC2, taken, 0}, 3);
	else
		program_put(program, (const uint8_t[]){0xC3}, 1);
}

/* loop and its kin, over a jump. */
static void put_counted(struct program *program, uint32_t target)
{
	const uint8_t code[] = {(uint8_t)(0xE0 + program_pick(program, 4)), 2, 0xEB, 5};

	program_put(program, code, 2);
	program_put(program, code + 2, 2);
	program_put_jump(program, (const uint8_t[]){0xE9}, 1, target);
}

static void put_transfer(struct program *program, struct pieces_plan *plan)
{
	uint32_t target = later_piece(program, plan), kind = program_pick(program, 9);
	uint8_t code[2] = {0x0F, (uint8_t)(0x80 + program_pick(program, 16))};

	if (kind == 0)
		put_return(program, target);
	else if (kind == 1)
		put_jump_through_register(program, target);
	else if (kind == 2)
		put_jump_through_memory(program, target);
	else if (kind == 3)
		program_put_jump(program, (const uint8_t[]){0xE8}, 1, target);
	else if (kind == 4)
		put_counted(program, target);
	else if (kind == 5 && !plan->looping && program->piece_count > 1)
		put_loop(program, plan);
	else if (kind == 6)
		program_put_jump(program, (const uint8_t[]){0xE9}, 1, target);
	else
		program_put_jump(program, code, 2, target);
}

/* jmp far, call far, retf and iret within the ring. */
static void put_far(struct program *program, struct pieces_plan *plan)
{
	uint16_t selector = SEGMENT_CODE(plan->ring);
	uint32_t target = later_piece(program, plan), kind = program_pick(program, 4);
	uint8_t push = 0x68, call = kind == 0 ? 0x9A : 0xEA, rest[2];

	memcpy(rest, &selector, 2);
	program_define_flags(program);
	if (kind < 2) {
		program_put_address(program, &call, 1, target, rest, 2);
		return;
	}
	if (kind == 3)
		program_put_push(program, draw_flags(program) & ~NESTED);
	program_put_push(program, selector);
	program_put_address(program, &push, 1, target, NULL, 0);
	program_put(program, (const uint8_t[]){kind == 3 ? 0xCF : 0xCB}, 1);
}

static void put_interrupt(struct program *program, struct pieces_plan *plan)
{
	uint8_t code[2] = {0xCD, (uint8_t)program_pick(program, 256)};

	if (code[1] >= 0x20 && code[1] < 0x30)
		code[1] = 3; /* the interrupt lines' own */
	if (code[1] < 0x20 && plan->ring == 0)
		code[1] = 4; /* some stubs expect an error code */
	switch (program_pick(program, 4)) {
	case 0:
		program_put(program, (const uint8_t[]){0xCC}, 1);
		break;
	case 1:
		program_put(program, code, 2);
		break;
	default:
		program_put(program, (const uint8_t[]){0xCE}, 1);
	}
}

void pieces_put_beginning(struct program *program, const struct pieces_plan *plan)
{
	uint8_t store[10] = {0xC7, 0x05};
	uint32_t at = COUNTER, rounds = program_pick(program, ROUNDS_MAX);

	memcpy(store + 2, &at, 4);
	memcpy(store + 6, &rounds, 4);
	if (plan->branching)
		program_put(program, store, sizeof(store));
}

void pieces_put(struct program *program, struct pieces_plan *plan)
{
	static const struct {
		void (*put)(struct program *, struct pieces_plan *);
		uint32_t chance; /* of 100 */
	} kinds[] = {{put_popf, 3},      {put_frame, 2},     {put_xlat, 1},
	             {put_segment, 5},   {put_far, 2},       {put_changing_code, 2},
	             {put_interrupt, 1}, {put_unit_image, 3}};
	uint32_t chance = program_pick(program, 100);

	program_begin_piece(program);
	if (plan->branching && program_one_in(program, 4)) {
		put_transfer(program, plan);
		return;
	}
	for (unsigned int i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		if (chance < kinds[i].chance) {
			kinds[i].put(program, plan);
			return;
		}
		chance -= kinds[i].chance;
	}
	put_instruction(program, plan);
}
