/* The first pass: which guest instructions make a block.
 *
 * Decodes from one address on until control may go elsewhere, until an instruction that ends
 * blocks, or until enough is enough. Calls come back, so a few of them do not end it. A block lies
 * on one page; only its last instruction may reach into the next one, and not behind a call, since
 * it may never be fetched. It judges nothing: what becomes of an instruction is for rules.c, which
 * has its place here. */
#ifndef MONITOR_TRANSLATOR_SCAN_H
#define MONITOR_TRANSLATOR_SCAN_H

#include "monitor/instructions/decode.h"
#include "monitor/state/vcpu.h"
#include "monitor/translator/block.h"

/* A page of guest code as it is mapped now. */
struct scan_page {
	uint32_t physical; /* page number */
	bool global;
	const uint8_t *ram;
};

struct scan {
	uint32_t count;
	uint32_t guest_size; /* bytes that the block depends on */
	bool crosses;
	struct scan_page second;                  /* when it crosses */
	const uint8_t *first;                     /* the bytes on the first page */
	uint8_t last[2 * INSTRUCTION_MAX_LENGTH]; /* the bytes of an instruction that crosses */
	uint8_t at[BLOCK_INSTRUCTIONS_MAX + 1];   /* of each instruction, from the first byte */
	uint8_t rules[BLOCK_INSTRUCTIONS_MAX];    /* rules.c: what becomes of it */
	struct instruction instructions[BLOCK_INSTRUCTIONS_MAX];
};

/* False when the byte cannot be fetched or is not in RAM. Raises nothing. */
bool scan_find_page(struct vcpu *vcpu, gva_t at, struct scan_page *page);

/* False when not even one instruction can be fetched whole. An encoding that is none counts as an
 * instruction, the last one, whose decoding is `undefined`. `rules`, by row: what comes back does
 * not end a block; NULL where it does. */
bool scan_block(struct scan *scan, struct vcpu *vcpu, const struct scan_page *page,
                const uint8_t *rules);

/* The row of an encoding that is none. */
#define SCAN_ROW_UNDEFINED 0

static inline const uint8_t *scan_bytes(const struct scan *scan, uint32_t n)
{
	return scan->crosses && n == scan->count - 1 ? scan->last : scan->first + scan->at[n];
}

#endif
