#include "monitor/translator/silent.h"

#define MOV_FROM_REGISTER  0x89
#define MOV_FROM_IMMEDIATE 0xC7
#define RESTORE_ECX_SIZE   7
#define SHORT_JUMP_SIZE    2

static unsigned int source_of(const struct instruction *in)
{
	return in->modrm >> 3 & 7;
}

/* Through ECX the two are compared, and ESP is no index. */
bool silent_is_store(const struct instruction *in, const uint8_t *bytes)
{
	uint8_t opcode = bytes[in->opcode_at];

	if (in->modrm_at != in->opcode_at + 1 || !in->has_memory || in->operand_size != 4)
		return false;
	return opcode == MOV_FROM_IMMEDIATE ||
	       (opcode == MOV_FROM_REGISTER && source_of(in) != REGISTER_ECX &&
	        source_of(in) != REGISTER_ESP);
}

/* mov ecx,operand, from the store's own prefixes and ModRM. */
static void load_what_is_there(struct emit *emit, const struct instruction *in,
                               const uint8_t *bytes)
{
	uint32_t behind = (uint32_t)in->modrm_at + 1, end = in->length - in->immediate_size;

	emit_bytes(emit, bytes, in->opcode_at);
	EMIT(emit, 0x8B, (uint8_t)((in->modrm & 0xC7) | REGISTER_ECX << 3));
	emit_bytes(emit, bytes + behind, end - behind);
}

/* ECX becomes 0 when that is what would be stored: ~there + 1 + stored. */
static void compare(struct emit *emit, const struct instruction *in)
{
	EMIT(emit, 0xF7, 0xD1); /* not ecx */
	if (in->immediate_size) {
		EMIT(emit, 0x8D, 0x89); /* lea ecx,[ecx+immediate+1] */
		emit_long(emit, in->immediate + 1);
	} else {
		/* lea ecx,[ecx+register+1] */
		EMIT(emit, 0x8D, 0x4C, (uint8_t)(source_of(in) << 3 | REGISTER_ECX), 1);
	}
}

bool silent_mov(struct emit *emit, const struct instruction *in, const uint8_t *bytes)
{
	emit_before(emit, 0);
	EMIT_SAVE_ECX(emit);
	emit_before(emit, RECOVER_ECX);
	load_what_is_there(emit, in, bytes);
	compare(emit, in);
	/* jecxz same */
	EMIT(emit, 0xE3, (uint8_t)(RESTORE_ECX_SIZE + in->length + SHORT_JUMP_SIZE));
	EMIT_RESTORE_ECX(emit);
	emit_before(emit, 0);
	emit_bytes(emit, bytes, in->length);
	emit_behind(emit, 0);
	EMIT(emit, 0xEB, RESTORE_ECX_SIZE); /* jmp behind */
	emit_behind(emit, RECOVER_ECX);
	EMIT_RESTORE_ECX(emit); /* same: */
	return true;
}
