#include "monitor/translator/segment.h"

#define MOV_TO_SEGMENT 0x8E
#define REG_OF_ECX     (REGISTER_ECX << 3)

static uint8_t modrm_from_ecx(unsigned int segment)
{
	return (uint8_t)(0xC0 | segment << 3 | REGISTER_ECX);
}

/* While GS holds the guest's, the window is not within reach. */
static void reach_window(struct emit *emit)
{
	EMIT(emit, 0xB9); /* mov ecx,selector */
	emit_long(emit, emit->t->setup.window_selector);
	EMIT(emit, MOV_TO_SEGMENT, modrm_from_ecx(SEGMENT_GS));
}

void segment_give(struct emit *emit, unsigned int segment)
{
	/* mov segment,gs:[loadable+ecx*2] */
	EMIT_WINDOW(emit, loadable, MOV_TO_SEGMENT, (uint8_t)(0x04 | segment << 3), 0x4D);
}

/* Only to see whether it can be loaded. */
static void try_gs(struct emit *emit)
{
	EMIT_WINDOW(emit, loading, 0x89, 0x0D); /* mov gs:[loading],ecx */
	segment_give(emit, SEGMENT_GS);
	reach_window(emit);
	EMIT_WINDOW(emit, loading, 0x8B, 0x0D); /* mov ecx,gs:[loading] */
}

/* With the selector in ECX: until the last store it is not loaded as far as anybody can tell, and
 * doing it again does the same. */
static void load(struct emit *emit, unsigned int segment)
{
	if (segment == SEGMENT_GS)
		try_gs(emit);
	else
		segment_give(emit, segment);
	EMIT(emit, EMIT_GS, 0x89, 0x0D); /* mov gs:[selector],ecx */
	emit_long(emit, segment_selector(segment));
}

bool segment_shares_ecx(const struct instruction *in, enum rule rule)
{
	return rule == RULE_pop_segment ||
	       (rule == RULE_mov_to_segment && !in->has_memory && (in->modrm & 7) != REGISTER_ECX);
}

/* One load behind the other: ECX is the guest's before the first and behind the last. */
static void begin(struct emit *emit)
{
	if (!emit->ecx_away) {
		emit_before(emit, 0);
		EMIT_SAVE_ECX(emit);
	}
	emit_before(emit, RECOVER_ECX);
}

static void end(struct emit *emit)
{
	if (emit->ecx_stays)
		return;
	emit_behind(emit, RECOVER_ECX);
	EMIT_RESTORE_ECX(emit);
}

bool segment_mov(struct emit *emit, const struct instruction *in, const uint8_t *bytes)
{
	uint32_t behind = (uint32_t)in->modrm_at + 1;

	begin(emit);
	emit_bytes(emit, bytes, in->opcode_at);
	EMIT(emit, 0x0F, 0xB7, (uint8_t)((in->modrm & 0xC7) | REG_OF_ECX)); /* movzx ecx,operand */
	emit_bytes(emit, bytes + behind, in->length - behind);
	load(emit, in->modrm >> 3 & 7);
	end(emit);
	return true;
}

/* pop es and ds have it in bits 3 and 4 of the opcode, pop fs and gs in bit 3. */
static unsigned int popped_segment(const struct instruction *in)
{
	return in->opcode < 0x80 ? in->opcode >> 3 : SEGMENT_FS + (in->opcode >> 3 & 1);
}

bool segment_pop(struct emit *emit, const struct instruction *in, const uint8_t *bytes)
{
	(void)bytes;
	begin(emit);
	EMIT(emit, 0x0F, 0xB7, 0x0C, 0x24); /* movzx ecx,word [esp] */
	EMIT(emit, 0x8D, 0x64, 0x24, 0x04); /* lea esp,[esp+4] */
	emit_before(emit, RECOVER_ECX | RECOVER_UNPOP);
	load(emit, popped_segment(in));
	end(emit);
	return true;
}
