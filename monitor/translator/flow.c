#include "monitor/translator/flow.h"

#include "kernel/string.h"
#include "monitor/translator/chain.h"

#define GROUP5      0xFF /* call and jmp through an operand */
#define CONDITION   0x0F /* of the opcode of a conditional jump */
#define REG_OF_ECX  (REGISTER_ECX << 3)
#define SITE_UNSEEN 0u /* a prediction before there is one, with its link's target the same */

/* From the first byte of flow_land's: its target, and the rel32 to where the rest goes. */
#define LANDING_SUBTRACTED 9
#define LANDING_OTHERWISE  16

static const struct vcpu_segment_register *code_segment(const struct emit *emit)
{
	return &emit->t->setup.vcpu->segments[VCPU_CS];
}

/* A target behind the limit is a fault of the transfer itself: the interpreter's. Where there is
 * no limit, there is no such target. */
static bool is_good_target(const struct emit *emit, uint32_t target)
{
	return target <= code_segment(emit)->limit;
}

static bool may_go_anywhere(const struct emit *emit)
{
	return code_segment(emit)->limit == 0xFFFFFFFF;
}

static bool is_direct(const struct instruction *in)
{
	return in->opcode != GROUP5;
}

static uint32_t direct_target(const struct emit *emit, const struct instruction *in)
{
	return emit->next + in->immediate;
}

void flow_on(struct emit *emit)
{
	emit_gone(emit, emit_next_link(emit), 0);
	EMIT(emit, 0xE9); /* jmp next */
	emit_link(emit, emit->next);
}

static void go(struct emit *emit, uint32_t target)
{
	emit_gone(emit, emit_next_link(emit), 0);
	EMIT(emit, 0xE9); /* jmp target */
	emit_link(emit, target);
}

/* What stands where in it is known below. */
void flow_land(struct emit *emit, uint32_t target, uint32_t otherwise)
{
	EMIT_WINDOW(emit, target, 0x8B, 0x0D); /* mov ecx,gs:[target] */
	EMIT(emit, 0x8D, 0x89);                /* lea ecx,[ecx-target] */
	emit_long(emit, 0u - target);
	EMIT(emit, 0xE3, BLOCK_JUMP_SIZE, 0xE9); /* jecxz equal; jmp otherwise */
	emit_relative(emit, otherwise);
	EMIT_RESTORE_ECX(emit); /* equal: mov ecx,gs:[ecx] */
}

/* mov ecx,operand, from the instruction's own prefixes and ModRM. Address and segment stay; the
 * operand is read before anything else has been done. */
static void load_operand(struct emit *emit, const struct instruction *in, const uint8_t *bytes)
{
	uint32_t behind = (uint32_t)in->modrm_at + 1;

	emit_bytes(emit, bytes, in->opcode_at);
	EMIT(emit, 0x8B, (uint8_t)((in->modrm & 0xC7) | REG_OF_ECX));
	emit_bytes(emit, bytes + behind, in->length - behind);
}

/* ECX becomes the operand less what is predicted. Nothing has been done yet. */
static void compare_operand(struct emit *emit, const struct instruction *in, const uint8_t *bytes)
{
	if (in->has_memory) {
		load_operand(emit, in, bytes);
		EMIT(emit, 0x8D, 0x89); /* lea ecx,[ecx-predicted] */
	} else {
		EMIT(emit, 0x8D,
		     (uint8_t)(0x88 | (in->modrm & 7))); /* lea ecx,[register-predicted] */
		if ((in->modrm & 7) == REGISTER_ESP)
			EMIT(emit, 0x24);
	}
	emit_long(emit, 0u - SITE_UNSEEN);
}

static void push_return(struct emit *emit)
{
	EMIT(emit, 0x68); /* push next */
	emit_long(emit, emit->next);
}

/* An indirect call or jump: as predicted, or asking. Two links, the predicted one behind the other.
 * The prediction stands in the code twice, at places of FLOW_PREDICTION_AGAIN from each other. */
static void go_indirectly(struct emit *emit, const struct instruction *in, const uint8_t *bytes,
                          bool is_call)
{
	const uint8_t asking = 6 + 7 + BLOCK_JUMP_SIZE + (is_call ? 5 : 0);
	uint32_t prediction, site = emit->t->link_count;

	emit_before(emit, 0);
	EMIT_SAVE_ECX(emit);
	emit_before(emit, RECOVER_ECX);
	compare_operand(emit, in, bytes);
	prediction = emit->at - 4;
	EMIT(emit, 0xE3, asking, 0x8D, 0x89); /* jecxz equal; lea ecx,[ecx+predicted] */
	emit_long(emit, SITE_UNSEEN);
	EMIT_WINDOW(emit, target, 0x89, 0x0D); /* mov gs:[target],ecx */
	if (is_call)
		push_return(emit);
	emit_gone(emit, BLOCK_ENTRY_TARGET, RECOVER_ECX);
	EMIT(emit, 0xE9); /* jmp ask */
	emit_link(emit, 0);
	emit->t->links[site].prediction = prediction;
	emit_before(emit, RECOVER_ECX);
	if (is_call)
		push_return(emit);
	emit_gone(emit, emit_next_link(emit), RECOVER_ECX);
	EMIT_RESTORE_ECX(emit);
	go(emit, SITE_UNSEEN);
}

/* Where the return of this call lands. What follows in the guest follows here. */
static void land_return(struct emit *emit)
{
	uint32_t otherwise = chain_expect_return(emit->t, emit->next, emit->at);

	emit_gone(emit, BLOCK_ENTRY_TARGET, RECOVER_ECX);
	flow_land(emit, emit->next, otherwise);
}

uint32_t flow_landing_target(const struct translator *t, uint32_t landing)
{
	uint32_t subtracted;

	memcpy(&subtracted, t->setup.cache + landing + LANDING_SUBTRACTED, sizeof(subtracted));
	return 0u - subtracted;
}

uint32_t flow_landing_otherwise(const struct translator *t, uint32_t landing)
{
	uint32_t at = landing + LANDING_OTHERWISE, relative;

	memcpy(&relative, t->setup.cache + at, sizeof(relative));
	return at + 4 + relative;
}

void flow_set_otherwise(struct translator *t, uint32_t landing, uint32_t otherwise)
{
	uint32_t at = landing + LANDING_OTHERWISE, relative = otherwise - (at + 4);

	memcpy(t->setup.cache + at, &relative, sizeof(relative));
}

bool flow_jmp(struct emit *emit, const struct instruction *in, const uint8_t *bytes)
{
	if (is_direct(in)) {
		if (!is_good_target(emit, direct_target(emit, in)))
			return false;
		go(emit, direct_target(emit, in));
		return true;
	}
	if (!may_go_anywhere(emit))
		return false;
	go_indirectly(emit, in, bytes, false);
	return true;
}

bool flow_call(struct emit *emit, const struct instruction *in, const uint8_t *bytes)
{
	if (!is_good_target(emit, emit->next))
		return false;
	if (!is_direct(in)) {
		if (!may_go_anywhere(emit))
			return false;
		go_indirectly(emit, in, bytes, true);
	} else {
		if (!is_good_target(emit, direct_target(emit, in)))
			return false;
		emit_before(emit, 0);
		push_return(emit);
		go(emit, direct_target(emit, in));
	}
	land_return(emit);
	return true;
}

/* With ECX away, to window.target. */
static void go_back(struct emit *emit)
{
	emit_gone(emit, BLOCK_ENTRY_TARGET, RECOVER_ECX);
	EMIT_WINDOW(emit, target, 0x0F, 0xB7, 0x0D);  /* movzx ecx,word gs:[target] */
	EMIT_WINDOW(emit, returns, 0xFF, 0x24, 0x8D); /* jmp gs:[returns+ecx*4] */
}

bool flow_ret(struct emit *emit, const struct instruction *in, const uint8_t *bytes)
{
	(void)bytes;
	if (!may_go_anywhere(emit))
		return false;
	emit_before(emit, 0);
	EMIT_SAVE_ECX(emit);
	emit_before(emit, RECOVER_ECX);
	EMIT_WINDOW(emit, target, 0x8F, 0x05); /* pop dword gs:[target] */
	if (in->immediate_size) {
		emit_before(emit, RECOVER_ECX | RECOVER_UNPOP);
		EMIT(emit, 0x8D, 0xA4, 0x24); /* lea esp,[esp+immediate] */
		emit_long(emit, in->immediate);
	}
	go_back(emit);
	return true;
}

#define INT              0xCD
#define SLOW_SIZE        9 /* what emit_slow writes */
#define SELECTORS        256u
#define FAR_RET_FROM_ONE 19 /* from behind the second jecxz back to emit_slow's */

/* The interpreter's, with ECX away. */
static void emit_slow(struct emit *emit)
{
	emit_before(emit, RECOVER_ECX);
	EMIT_RESTORE_ECX(emit);
	emit_before(emit, 0);
	EMIT(emit, INT, TRANSLATOR_VECTOR_CALLOUT);
}

/* movzx ecx,byte gs:[same_code+selector] */
static void look_up_code(struct emit *emit, uint16_t selector)
{
	EMIT(emit, EMIT_GS, 0x0F, 0xB6, 0x0D);
	emit_long(emit, (uint32_t)offsetof(struct translator_window, same_code) + selector);
}

/* Whether CS would stay as it is; `size` bytes follow, and then emit_slow. */
static void check_code(struct emit *emit, uint16_t selector, uint8_t size)
{
	emit_before(emit, 0);
	EMIT_SAVE_ECX(emit);
	emit_before(emit, RECOVER_ECX);
	look_up_code(emit, selector);
	EMIT(emit, 0xE3, size); /* jecxz slow */
	EMIT_RESTORE_ECX(emit);
}

bool flow_far_jmp(struct emit *emit, const struct instruction *in, const uint8_t *bytes)
{
	(void)bytes;
	if (in->second >= SELECTORS || !is_good_target(emit, in->immediate))
		return false;
	check_code(emit, in->second, 7 + BLOCK_JUMP_SIZE);
	go(emit, in->immediate);
	emit_slow(emit);
	return true;
}

bool flow_far_call(struct emit *emit, const struct instruction *in, const uint8_t *bytes)
{
	(void)bytes;
	if (in->second >= SELECTORS || !is_good_target(emit, in->immediate) ||
	    !is_good_target(emit, emit->next))
		return false;
	check_code(emit, in->second, 7 + 7 + 5 + BLOCK_JUMP_SIZE);
	emit_before(emit, 0);
	EMIT_WINDOW(emit, selectors[SEGMENT_CS], 0xFF, 0x35); /* push dword gs:[cs] */
	emit_before(emit, RECOVER_UNPUSH);
	push_return(emit);
	go(emit, in->immediate);
	emit_slow(emit);
	land_return(emit);
	return true;
}

/* The selector that CS holds now is the one that is expected: the table says whether it still is
 * when this runs. */
bool flow_far_ret(struct emit *emit, const struct instruction *in, const uint8_t *bytes)
{
	uint16_t selector = code_segment(emit)->selector;

	(void)in, (void)bytes;
	if (selector >= SELECTORS || !may_go_anywhere(emit))
		return false;
	emit_before(emit, 0);
	EMIT_SAVE_ECX(emit);
	emit_before(emit, RECOVER_ECX);
	EMIT(emit, 0x0F, 0xB7, 0x4C, 0x24, 0x04, 0x8D, 0x89); /* movzx ecx,word [esp+4] */
	emit_long(emit, 0u - selector);                       /* lea ecx,[ecx-selector] */
	EMIT(emit, 0xE3, SLOW_SIZE);                          /* jecxz 1f */
	emit_slow(emit);
	emit_before(emit, RECOVER_ECX);
	look_up_code(emit, selector);                       /* 1: */
	EMIT(emit, 0xE3, (uint8_t)(0u - FAR_RET_FROM_ONE)); /* jecxz slow */
	EMIT_WINDOW(emit, target, 0x8F, 0x05);              /* pop dword gs:[target] */
	emit_before(emit, RECOVER_ECX | RECOVER_UNPOP);
	EMIT(emit, 0x8D, 0x64, 0x24, 0x04); /* lea esp,[esp+4] */
	go_back(emit);
	return true;
}

bool flow_jcc(struct emit *emit, const struct instruction *in, const uint8_t *bytes)
{
	uint32_t target = direct_target(emit, in);

	(void)bytes;
	if (!is_good_target(emit, target))
		return false;
	emit_before(emit, 0);
	EMIT(emit, 0x0F, (uint8_t)(0x80 | (in->opcode & CONDITION))); /* jcc target */
	emit_link(emit, target);
	flow_on(emit);
	return true;
}

/* There is no loop with a rel32. */
bool flow_loop(struct emit *emit, const struct instruction *in, const uint8_t *bytes)
{
	uint32_t target = direct_target(emit, in);

	if (!is_good_target(emit, target))
		return false;
	emit_before(emit, 0);
	emit_bytes(emit, bytes, in->immediate_at);
	EMIT(emit, BLOCK_JUMP_SIZE); /* loop over the jump that follows */
	go(emit, emit->next);
	go(emit, target);
	return true;
}
