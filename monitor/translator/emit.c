#include "monitor/translator/emit.h"

#include "monitor/translator/chain.h"

#define NOP 0x90

void emit_begin(struct emit *emit, struct translator *t, struct block *block, uint32_t at)
{
	*emit = (struct emit){.t = t, .block = block, .at = at};
	block->host = at;
	block->map = t->map_count;
	block->link = t->link_count;
}

void emit_end(struct emit *emit)
{
	struct block *block = emit->block;

	while (emit->at - block->host < BLOCK_JUMP_SIZE)
		EMIT(emit, NOP);
	block->host_size = (uint16_t)(emit->at - block->host);
	emit->t->used = emit->at;
}

static void add_entry(struct emit *emit, uint32_t guest, unsigned int kind)
{
	struct block *block = emit->block;

	emit->t->map[emit->t->map_count++] = (struct block_entry){
	        .host = (uint16_t)(emit->at - block->host),
	        .guest = (uint8_t)guest,
	        .kind = (uint8_t)kind,
	};
	block->map_count++;
}

void emit_before(struct emit *emit, unsigned int kind)
{
	add_entry(emit, emit->eip - emit->block->eip, kind | (emit->hold ? RECOVER_HOLD : 0));
}

void emit_behind(struct emit *emit, unsigned int kind)
{
	add_entry(emit, emit->next - emit->block->eip, kind);
}

void emit_gone(struct emit *emit, unsigned int link, unsigned int kind)
{
	add_entry(emit, link, kind | RECOVER_GONE);
}

void emit_relative(struct emit *emit, uint32_t to)
{
	emit_long(emit, to - (emit->at + 4));
}

uint32_t emit_link(struct emit *emit, uint32_t target)
{
	uint32_t block = (uint32_t)(emit->block - emit->t->blocks);
	uint32_t link = chain_new_link(emit->t, block, emit->at, target);

	emit_relative(emit, chain_stub(emit->t, link));
	return emit->block->links++;
}
