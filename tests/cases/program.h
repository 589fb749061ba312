/* The code of one case while it is made: bytes, what is undefined where, and jumps to pieces.
 *
 * A program is made of pieces, a few bytes each that belong together. It knows which flags are
 * undefined at its end, and sees to it that nobody reads them. Jumps name a piece and find their
 * place when all is there. It must not know what pieces are for. */
#ifndef TESTS_CASES_PROGRAM_H
#define TESTS_CASES_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "guest/cases/case.h"
#include "monitor/instructions/decode.h"

#define PROGRAM_PIECES_MAX 64u
#define PROGRAM_CODE_MAX   4000u

struct program_jump {
	uint32_t at; /* of the field in the code */
	uint32_t piece;
	uint32_t relative_to; /* 0: the address as such */
	uint32_t offset;      /* is added */
};

struct program {
	uint32_t base; /* the address of the code */
	bool for_tcg;  /* without what QEMU's TCG does wrong */
	uint32_t used, mark_count, jump_count, piece_count;
	uint32_t undefined; /* flags, at this point */
	uint32_t pieces[PROGRAM_PIECES_MAX + 1];
	struct case_mark marks[255];
	struct program_jump jumps[4 * PROGRAM_PIECES_MAX];
	uint8_t code[PROGRAM_CODE_MAX];
	uint32_t seed;
};

void program_start(struct program *program, uint32_t base, bool for_tcg);

/* Numbers from the seed: the same ones whatever the address is. */
uint32_t program_pick(struct program *program, uint32_t below);
static inline bool program_one_in(struct program *program, uint32_t n)
{
	return program_pick(program, n) == 0;
}
/* Any 32 bits, most often some that instructions find remarkable. */
uint32_t program_value(struct program *program);

void program_begin_piece(struct program *program);

/* An instruction; when it reads flags that are undefined, they are set to something before. */
void program_put(struct program *program, const uint8_t *bytes, uint32_t size);
void program_put_move(struct program *program, unsigned int number, uint32_t value);
void program_put_push(struct program *program, uint32_t value);
/* Sets all flags, if one is undefined. */
void program_define_flags(struct program *program);

/* An instruction whose last four bytes lead to a piece: as a distance, or as an address. */
void program_put_jump(struct program *program, const uint8_t *opcode, uint32_t size,
                      uint32_t piece);
void program_put_address(struct program *program, const uint8_t *opcode, uint32_t size,
                         uint32_t piece, const uint8_t *rest, uint32_t rest_size);

/* int CASE_END, and all jumps find their way. */
void program_finish(struct program *program);

#endif
