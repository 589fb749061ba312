/* Makes cases for guest/cases from a seed, or shows them: see usage(). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "monitor/instructions/disassemble.h"
#include "tests/cases/pieces.h"

#define MOST_PIECES 12u
#define PAGE        0x1000u
#define SIZE_MAX_   8192u
#define FLAGS_FIRST 0x00244CD5u /* NT, AC, ID and the arithmetic ones, and DF */

struct request {
	uint32_t seed, first, count;
	bool for_tcg;
	const char *drop; /* numbers of pieces that are left out */
};

static uint32_t mix(uint32_t a, uint32_t b)
{
	uint32_t x = a * 0x9E3779B1u ^ (b + 0x7F4A7C15u) * 0x85EBCA77u;

	x ^= x >> 15;
	x *= 0x2C1B3C6Du;
	x ^= x >> 12;
	x *= 0x297A2D39u;
	x ^= x >> 15;
	return x ? x : 1;
}

static bool is_dropped(const char *drop, uint32_t piece)
{
	char *end;

	while (drop && *drop) {
		if (strtoul(drop, &end, 10) == piece)
			return true;
		drop = *end ? end + 1 : end;
	}
	return false;
}

/* One case in three uses the unit; in most of them it may be used. Of two reasons why it may not,
 * TCG tells the wrong one. */
static uint8_t draw_unit(struct program *draw, bool for_tcg)
{
	uint32_t unit = CASE_UNIT;

	if (!program_one_in(draw, 3))
		return 0;
	unit |= program_one_in(draw, 2) ? CASE_UNIT_MP : 0;
	unit |= program_one_in(draw, 16) ? CASE_UNIT_TS : 0;
	unit |= program_one_in(draw, 16) ? CASE_UNIT_EM : 0;
	unit |= program_one_in(draw, 16) ? CASE_UNIT_NO_SSE : 0;
	if (for_tcg && unit & CASE_UNIT_TS)
		unit &= ~(CASE_UNIT_EM | CASE_UNIT_NO_SSE);
	unit |= program_one_in(draw, 2) ? CASE_UNIT_SSE_ERRORS : 0;
	return (uint8_t)unit;
}

static void fill_head(struct case_head *head, uint32_t number, uint32_t seed, bool for_tcg,
                      struct pieces_plan *plan)
{
	struct program draw = {.seed = seed};

	memset(head, 0, sizeof(*head));
	head->number = number;
	head->seed = program_pick(&draw, UINT32_MAX);
	head->ring = plan->ring = program_one_in(&draw, 2) ? 3 : 0;
	plan->branching = program_one_in(&draw, 2);
	plan->count = 1 + program_pick(&draw, MOST_PIECES);
	head->eflags = (program_pick(&draw, UINT32_MAX) & FLAGS_FIRST & ~0x4000u) | 2;
	if (!program_one_in(&draw, 8))
		head->eflags |= 0x200;
	for (int i = 0; i < 8; i++)
		head->registers[i] = program_value(&draw);
	head->registers[3] = PIECES_STACK - 4 * program_pick(&draw, 8);
	head->unit = draw_unit(&draw, for_tcg) & 63;
	plan->unit = head->unit;
}

/* Every piece has numbers of its own, so that leaving one out leaves the others as they are. */
static void make_program(struct program *program, uint32_t base, uint32_t seed,
                         struct pieces_plan plan, const struct request *request)
{
	program_start(program, base, request->for_tcg);
	program->seed = mix(seed, 0x1000);
	pieces_put_beginning(program, &plan);
	for (uint32_t i = 0; i < plan.count; i++) {
		program->seed = mix(seed, i);
		if (is_dropped(request->drop, i))
			program_begin_piece(program);
		else
			pieces_put(program, &plan);
	}
	program_finish(program);
}

/* One in sixteen lies across the end of a page, the others within one. */
static uint32_t place_code(uint32_t earliest, uint32_t size, uint32_t seed)
{
	uint32_t at = (earliest + 15) / 16 * 16 + mix(seed, 0x2000) % 16;
	uint32_t next = (at + PAGE - 1) / PAGE * PAGE;

	if (mix(seed, 0x2001) % 16 == 0)
		return next + PAGE - 1 - mix(seed, 0x2002) % (size - 1);
	return at / PAGE == (at + size - 1) / PAGE ? at : next;
}

/* Returns the place for the next one. */
static uint32_t write_case(uint32_t at, uint32_t number, const struct request *request)
{
	static struct program program;
	static uint8_t bytes[4 * PAGE];
	struct case_head *head = (struct case_head *)(void *)bytes;
	struct pieces_plan plan = {0};
	uint32_t seed = mix(request->seed, number), behind;

	fill_head(head, number, seed, request->for_tcg, &plan);
	make_program(&program, 0, seed, plan, request);
	behind = at + (uint32_t)sizeof(*head) +
	         program.mark_count * (uint32_t)sizeof(*program.marks);
	head->code_at = place_code(CASE_MODULE + behind, program.used, seed) - CASE_MODULE - at;
	make_program(&program, CASE_MODULE + at + head->code_at, seed, plan, request);
	head->mark_count = (uint8_t)program.mark_count;
	head->code_size = (uint16_t)program.used;
	head->size = (head->code_at + program.used + 3) & ~3u;
	memset(head + 1, 0, head->size - sizeof(*head));
	memcpy(head + 1, program.marks, program.mark_count * sizeof(*program.marks));
	memcpy(bytes + head->code_at, program.code, program.used);
	fwrite(bytes, 1, head->size, stdout);
	return at + head->size;
}

static void list_code(const struct case_head *head, const uint8_t *code, uint32_t address)
{
	char text[DISASSEMBLE_TEXT_SIZE];
	struct instruction in;

	for (uint32_t at = 0; at < head->code_size; at += in.length) {
		if (instruction_decode(code + at, head->code_size - at, 32, &in) != DECODE_OK) {
			snprintf(text, sizeof(text), "(none)");
			in.length = 1;
		} else {
			instruction_disassemble(&in, address + at, text, sizeof(text));
		}
		printf("    %08x  %3x ", address + at, at);
		for (uint32_t i = 0; i < in.length; i++)
			printf(" %02x", code[at + i]);
		printf("%*s  %s\n", 3 * (15 - in.length), "", text);
	}
}

static void list_case(const struct case_head *head, uint32_t address)
{
	static const char *const names[] = {"edi", "esi", "ebp", "esp", "ebx", "edx", "ecx", "eax"};

	printf("case %u: ring %u, unit %x, eflags %x", head->number, head->ring, head->unit,
	       head->eflags);
	for (int i = 7; i >= 0; i--)
		printf(" %s=%08x", names[i], head->registers[i]);
	printf("\n");
	list_code(head, (const uint8_t *)head + head->code_at, address + head->code_at);
}

static void list(FILE *file)
{
	static uint32_t words[4 * PAGE / 4];
	struct case_head *head = (struct case_head *)(void *)words;
	uint32_t at = 0;

	while (fread(head, sizeof(*head), 1, file) == 1 && head->size > sizeof(*head) &&
	       head->size <= sizeof(words) &&
	       fread(head + 1, head->size - sizeof(*head), 1, file) == 1) {
		list_case(head, CASE_MODULE + at);
		at += head->size;
	}
}

static int usage(void)
{
	fprintf(stderr, "usage: make_cases tcg|all SEED FIRST COUNT [DROP ...]\n"
	                "           writes cases, for tcg without what QEMU's TCG does wrong; with "
	                "DROP, a list of\n"
	                "           numbers of pieces parted by commas, or -, the case FIRST once "
	                "for each\n"
	                "       make_cases list\n"
	                "           shows those from standard input\n");
	return 2;
}

int main(int count, char **words)
{
	static const uint8_t end[64];
	struct request request = {0};
	uint32_t at = 0;

	if (count == 2 && strcmp(words[1], "list") == 0) {
		list(stdin);
		return 0;
	}
	if (count < 5)
		return usage();
	request.for_tcg = strcmp(words[1], "tcg") == 0;
	request.seed = (uint32_t)strtoul(words[2], NULL, 0);
	request.first = (uint32_t)strtoul(words[3], NULL, 0);
	request.count = (uint32_t)strtoul(words[4], NULL, 0);
	for (uint32_t i = 0; count == 5 && i < request.count; i++)
		at = write_case(at, request.first + i, &request);
	for (int i = 5; i < count; i++) {
		request.drop = words[i];
		at = write_case(at, request.first, &request);
	}
	fwrite(end, 1, sizeof(end), stdout);
	return 0;
}
