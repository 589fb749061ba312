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

struct translator;

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
	/* What becomes of it: RULE_copy, where no more is known than the length, or for rules.c. */
	uint8_t rules[BLOCK_INSTRUCTIONS_MAX];
	struct instruction instructions[BLOCK_INSTRUCTIONS_MAX];
};

/* False when the byte cannot be fetched or is not in RAM. Raises nothing. */
bool scan_find_page(struct vcpu *vcpu, gva_t at, struct scan_page *page);

/* Into t->scan. False when not even one instruction can be fetched whole. An encoding that is none
 * counts as an instruction, the last one, whose decoding is `undefined`. */
bool scan_block(struct translator *t, struct vcpu *vcpu, const struct scan_page *page,
                bool goes_past_calls);

/* In the place of a rule: instructions[] has it, and rules.c is to decide. */
#define SCAN_DECODED 0xFF

/* The row of an encoding that is none. */
#define SCAN_ROW_UNDEFINED 0

static inline const uint8_t *scan_bytes(const struct scan *scan, uint32_t n)
{
	return scan->crosses && n == scan->count - 1 ? scan->last : scan->first + scan->at[n];
}

#endif
