#include "monitor/translator/limit.h"

#define INT       0xCD
#define GO_SIZE   9 /* of the two ways behind the look */
#define STOP_SIZE 9

/* The number is how many blocks may still be begun, and the last one of them is none any more. */
void limit_emit(struct emit *emit)
{
	emit->eip = emit->block->eip;
	emit->hold = false;
	emit_before(emit, 0);
	EMIT_SAVE_ECX(emit);
	emit_before(emit, RECOVER_ECX);
	EMIT_WINDOW(emit, blocks_left, 0x8B, 0x0D); /* mov ecx,gs:[blocks_left] */
	EMIT(emit, 0x8D, 0x49, 0xFF);               /* lea ecx,[ecx-1] */
	EMIT_WINDOW(emit, blocks_left, 0x89, 0x0D); /* mov gs:[blocks_left],ecx */
	EMIT(emit, 0xE3, GO_SIZE);                  /* jecxz stop */
	EMIT_RESTORE_ECX(emit);
	EMIT(emit, 0xEB, STOP_SIZE); /* jmp behind */
	EMIT_RESTORE_ECX(emit);      /* stop: */
	emit_before(emit, 0);
	EMIT(emit, INT, TRANSLATOR_VECTOR_EXIT);
}

/* Who enters a block in its middle does not begin it. */
void limit_set(struct translator *t, uint32_t offset, uint32_t ends)
{
	const struct block *block = translator_find_block(t, offset);
	bool begins = block && block->host == offset;

	if (!ends)
		ends = 1;
	t->setup.window->blocks_left = begins ? ends + 1 : ends;
}
