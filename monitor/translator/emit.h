/* The third pass: bytes, and the map that leads from them back to the guest.
 *
 * Writes one block at a place in the cache that has room for the largest one. A sequence says what
 * the state is before it writes the instructions that this holds for. */
#ifndef MONITOR_TRANSLATOR_EMIT_H
#define MONITOR_TRANSLATOR_EMIT_H

#include "monitor/instructions/decode.h"
#include "monitor/translator/translator.h"

struct emit {
	struct translator *t;
	struct block *block;
	uint32_t number; /* of the block */
	uint32_t at;     /* in the cache */
	uint32_t eip;    /* of the instruction */
	uint32_t next;   /* of the one behind it */
	bool hold;       /* it stands behind sti */
	bool ecx_away;   /* the guest's is in the window before it, */
	bool ecx_stays;  /* and may be left there behind it */
};

/* Begins a block of the table at the end of what is used. */
void emit_begin(struct emit *emit, struct translator *t, struct block *block, uint32_t at);
/* Ends it, and brings it to the length that every block must have. */
void emit_end(struct emit *emit);

static inline void emit_entry(struct emit *emit, uint32_t guest, unsigned int kind)
{
	struct block *block = emit->block;

	emit->t->map[emit->t->map_count++] = (struct block_entry){
	        .host = (uint16_t)(emit->at - block->host),
	        .guest = (uint8_t)guest,
	        .kind = (uint8_t)kind,
	};
	block->map_count++;
}

/* From here on the state is that of `kind` (enum block_recovery): before the current instruction,
 */
static inline void emit_before(struct emit *emit, unsigned int kind)
{
	emit_entry(emit, emit->eip - emit->block->eip, kind | (emit->hold ? RECOVER_HOLD : 0));
}

/* or behind it, */
static inline void emit_behind(struct emit *emit, unsigned int kind)
{
	emit_entry(emit, emit->next - emit->block->eip, kind);
}

/* or behind a transfer: eip is the target of the block's link with this number, or it is in the
 * window (BLOCK_ENTRY_TARGET). */
static inline void emit_gone(struct emit *emit, unsigned int link, unsigned int kind)
{
	emit_entry(emit, link, kind | RECOVER_GONE);
}

/* Inline, so that a few bytes are a few stores. */
static inline __attribute__((always_inline)) void emit_bytes(struct emit *emit, const void *bytes,
                                                             uint32_t size)
{
	__builtin_memcpy(emit->t->setup.cache + emit->at, bytes, size);
	emit->at += size;
}

static inline void emit_long(struct emit *emit, uint32_t value)
{
	emit_bytes(emit, &value, sizeof(value));
}

#define EMIT(emit, ...) \
	emit_bytes(emit, (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

/* Bytes, and then a field of the window as a displacement. */
#define EMIT_WINDOW(emit, field, ...)      \
	(EMIT(emit, EMIT_GS, __VA_ARGS__), \
	 emit_long(emit, (uint32_t)offsetof(struct translator_window, field)))

#define EMIT_GS 0x65
#define EMIT_SS 0x36

/* mov gs:[field],ecx and back, the same for edx. */
#define EMIT_SAVE_ECX(emit)    EMIT_WINDOW(emit, ecx, 0x89, 0x0D)
#define EMIT_RESTORE_ECX(emit) EMIT_WINDOW(emit, ecx, 0x8B, 0x0D)
#define EMIT_SAVE_EDX(emit)    EMIT_WINDOW(emit, edx, 0x89, 0x15)
#define EMIT_RESTORE_EDX(emit) EMIT_WINDOW(emit, edx, 0x8B, 0x15)

/* A jump that leads to another block some day. The opcode is written by the caller. Returns the
 * link's number in the block. */
uint32_t emit_link(struct emit *emit, uint32_t target);
/* The number that the next emit_link will return. */
static inline uint32_t emit_next_link(const struct emit *emit)
{
	return emit->block->links;
}
/* The rel32 of a jump within the cache. */
void emit_relative(struct emit *emit, uint32_t to);

#endif
