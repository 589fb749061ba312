#include "monitor/translator/emit.h"

#include "monitor/translator/cache.h"
#include "monitor/translator/chain.h"

#define NOP 0x90

void emit_begin(struct emit *emit, struct translator *t, struct block *block, uint32_t at)
{
	*emit = (struct emit){
	        .t = t, .block = block, .number = (uint32_t)(block - t->blocks), .at = at};
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
	cache_place_block(emit->t, block);
}

void emit_relative(struct emit *emit, uint32_t to)
{
	emit_long(emit, to - (emit->at + 4));
}

uint32_t emit_link(struct emit *emit, uint32_t target)
{
	uint32_t link = chain_new_link(emit->t, emit->number, emit->at, target);

	emit_relative(emit, chain_stub(emit->t, link));
	return emit->block->links++;
}
