#include "tests/cases/program.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ALL_FLAGS (FLAGS_OSZAPC)

void program_start(struct program *program, uint32_t base, bool for_tcg)
{
	memset(program, 0, sizeof(*program));
	program->base = base;
	program->for_tcg = for_tcg;
}

uint32_t program_pick(struct program *program, uint32_t below)
{
	program->seed ^= program->seed << 13;
	program->seed ^= program->seed >> 17;
	program->seed ^= program->seed << 5;
	return (uint32_t)((uint64_t)(program->seed - 1) * below >> 32);
}

uint32_t program_value(struct program *program)
{
	static const uint32_t remarkable[] = {
	        0,      1,          2,          0x1F,       0x20,       0x7F, 0x80, 0xFF,  0x7FFF,
	        0x8000, 0x0000FFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, ~0u,  0x99, 0x1000};
	uint32_t value = program_pick(program, UINT32_MAX);

	if (program_one_in(program, 3))
		return value;
	return remarkable[value % (sizeof(remarkable) / sizeof(*remarkable))];
}

static void mark(struct program *program, uint32_t undefined)
{
	struct case_mark *last = &program->marks[program->mark_count - 1];

	if (program->mark_count ? last->undefined == undefined : undefined == 0)
		return;
	if (program->mark_count == 255) {
		fprintf(stderr,
		        "make_cases: a case has more than 255 places with undefined flags\n");
		exit(1);
	}
	program->marks[program->mark_count++] =
	        (struct case_mark){(uint16_t)program->used, (uint16_t)undefined};
}

static void add(struct program *program, const uint8_t *bytes, uint32_t size)
{
	if (program->used + size > PROGRAM_CODE_MAX) {
		fprintf(stderr, "make_cases: a case has more than %u bytes of code\n",
		        PROGRAM_CODE_MAX);
		exit(1);
	}
	memcpy(program->code + program->used, bytes, size);
	program->used += size;
}

void program_begin_piece(struct program *program)
{
	program->pieces[program->piece_count++] = program->used;
}

void program_define_flags(struct program *program)
{
	static const uint8_t compare[] = {0x3D, 0x78, 0x56, 0x34, 0x12}; /* cmp eax, imm */

	if (program->undefined == 0)
		return;
	mark(program, program->undefined);
	add(program, compare, sizeof(compare));
	program->undefined = 0;
}

void program_put(struct program *program, const uint8_t *bytes, uint32_t size)
{
	const struct opcode *row;
	struct instruction in;
	uint32_t kept;

	if (instruction_decode(bytes, size, 32, &in) != DECODE_OK) {
		fprintf(stderr, "make_cases: a piece has bytes that are no instruction\n");
		exit(1);
	}
	row = instruction_opcode(&in);
	/* What goes elsewhere finds flags there that are defined. */
	if (program->undefined & row->flags_read || row->class & CLASS_CONTROL)
		program_define_flags(program);
	mark(program, program->undefined | row->flags_undefined);
	add(program, bytes, size);
	kept = row->properties & PROPERTY_KEEPS || in.repeat != REPEAT_NONE
	               ? ~0u
	               : ~(uint32_t)row->flags_written;
	program->undefined = ((program->undefined & kept) | row->flags_undefined) & ALL_FLAGS;
}

static void add_word(struct program *program, uint32_t value)
{
	uint8_t bytes[4];

	memcpy(bytes, &value, 4);
	add(program, bytes, 4);
}

void program_put_move(struct program *program, unsigned int number, uint32_t value)
{
	uint8_t opcode = (uint8_t)(0xB8 + number);

	mark(program, program->undefined);
	add(program, &opcode, 1);
	add_word(program, value);
}

void program_put_push(struct program *program, uint32_t value)
{
	mark(program, program->undefined);
	add(program, (const uint8_t[]){0x68}, 1);
	add_word(program, value);
}

static void add_jump(struct program *program, uint32_t piece, uint32_t relative_to)
{
	program->jumps[program->jump_count++] =
	        (struct program_jump){program->used, piece, relative_to, 0};
	add_word(program, 0);
}

void program_put_jump(struct program *program, const uint8_t *opcode, uint32_t size, uint32_t piece)
{
	program_define_flags(program);
	mark(program, 0);
	add(program, opcode, size);
	add_jump(program, piece, program->used + 4);
}

void program_put_address(struct program *program, const uint8_t *opcode, uint32_t size,
                         uint32_t piece, const uint8_t *rest, uint32_t rest_size)
{
	mark(program, program->undefined);
	add(program, opcode, size);
	add_jump(program, piece, 0);
	add(program, rest, rest_size);
}

void program_finish(struct program *program)
{
	static const uint8_t end[] = {0xCD, CASE_END};

	program->pieces[program->piece_count] = program->used;
	mark(program, program->undefined);
	add(program, end, sizeof(end));
	for (uint32_t i = 0; i < program->jump_count; i++) {
		const struct program_jump *jump = &program->jumps[i];
		uint32_t piece =
		        jump->piece < program->piece_count ? jump->piece : program->piece_count;
		uint32_t value = program->pieces[piece] + jump->offset +
		                 (jump->relative_to ? 0u - jump->relative_to : program->base);

		memcpy(program->code + jump->at, &value, 4);
	}
}
