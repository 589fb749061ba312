#include "monitor/instructions/interpret.h"

#include "kernel/string.h"
#include "monitor/cpu/events.h"
#include "monitor/instructions/interpret_dispatch.h"
#include "monitor/state/vm.h"

/* Decoding is a function of bytes and code size alone, so its results can be kept without ever
 * being out of date: a result counts only when the bytes at eip are, now, the bytes it was made
 * from. Self- modifying code, other mappings and other guests need no invalidation. */
#define MEMO_SIZE  2048
#define MEMO_WORDS 4

/* What an instruction that faults has met does not count; that it switched tasks does. */
#define DR6_BREAKPOINTS 0xFu

struct memo {
	uint32_t words[MEMO_WORDS],
	        masks[MEMO_WORDS]; /* the instruction's bytes; the rest masked */
	uint8_t word_count;        /* 0: empty */
	uint8_t code_size;
	interpret_handler *handler;
	struct instruction instruction;
};

_Static_assert(MEMO_WORDS * 4 > INSTRUCTION_MAX_LENGTH, "the longest instruction fits");

static struct memo memos[MEMO_SIZE];

static unsigned int code_size_of(const struct vcpu *vcpu)
{
	return vcpu->segments[VCPU_CS].attributes & VCPU_ATTRIBUTE_BIG ? 32 : 16;
}

static inline bool memo_is_of(const struct memo *memo, const uint8_t *bytes, unsigned int code_size)
{
	uint32_t word;

	if (memo->code_size != code_size)
		return false;
	for (unsigned int i = 0; i < memo->word_count; i++) {
		__builtin_memcpy(&word, bytes + 4 * i, sizeof(word));
		if ((word ^ memo->words[i]) & memo->masks[i])
			return false;
	}
	return true;
}

static void memo_fill(struct memo *memo, const uint8_t *bytes, unsigned int code_size)
{
	unsigned int length = memo->instruction.length;

	memset(memo->masks, 0, sizeof(memo->masks));
	memset(memo->masks, 0xFF, length);
	memcpy(memo->words, bytes, length);
	memo->word_count = (uint8_t)((length + 3) / 4);
	memo->code_size = (uint8_t)code_size;
	memo->handler = interpret_find_handler(&memo->instruction);
}

static bool refuse(struct vcpu *vcpu, enum decode_result result)
{
	return result == DECODE_UNDEFINED ? fault_raise(vcpu, FAULT_UD)
	                                  : fault_raise_with_error(vcpu, FAULT_GP, 0);
}

/* Bytes from eip up to the end of the segment. False when eip is behind it. */
static bool limit_code(struct vcpu *vcpu, size_t *wanted)
{
	uint32_t limit = vcpu->segments[VCPU_CS].limit;

	if (vcpu->eip > limit)
		return fault_raise_with_error(vcpu, FAULT_GP, 0);
	*wanted = INSTRUCTION_MAX_LENGTH;
	if (limit - vcpu->eip < INSTRUCTION_MAX_LENGTH)
		*wanted = limit - vcpu->eip + 1;
	return true;
}

/* At the end of a page or a segment, where bytes may be missing. An instruction that needs bytes
 * beyond them faults: the page first, as only then the limit can have been reached. */
static bool decode_slowly(struct vcpu *vcpu, gva_t at, struct instruction *in)
{
	uint8_t bytes[INSTRUCTION_MAX_LENGTH], more;
	enum decode_result result;
	size_t wanted, got;

	if (!limit_code(vcpu, &wanted))
		return false;
	got = linear_fetch(vcpu, at, bytes, wanted);
	if (got == 0)
		return false;
	result = instruction_decode(bytes, got, code_size_of(vcpu), in);
	if (result == DECODE_OK)
		return true;
	/* The fetch that was left out, now for its fault. */
	if (result == DECODE_TRUNCATED && got < wanted &&
	    linear_fetch(vcpu, gva(at.value + (uint32_t)got), &more, 1) == 0)
		return false;
	return refuse(vcpu, result);
}

/* The instruction at eip, in a memo or in `scratch`. NULL after a fault. */
static inline const struct memo *find_instruction(struct vcpu *vcpu, struct memo *scratch)
{
	const struct vcpu_segment_register *cs = &vcpu->segments[VCPU_CS];
	gva_t at = gva(cs->base + vcpu->eip);
	struct memo *memo = &memos[(at.value ^ at.value >> 12) % MEMO_SIZE];
	const uint8_t *bytes = linear_find_code(vcpu, at, MEMO_WORDS * 4);
	enum decode_result result;

	if (!bytes || vcpu->eip > cs->limit || cs->limit - vcpu->eip < INSTRUCTION_MAX_LENGTH) {
		if (!decode_slowly(vcpu, at, &scratch->instruction))
			return NULL;
		scratch->handler = interpret_find_handler(&scratch->instruction);
		return scratch;
	}
	if (memo->word_count && memo_is_of(memo, bytes, code_size_of(vcpu)))
		return memo;
	memo->word_count = 0;
	result = instruction_decode(bytes, MEMO_WORDS * 4, code_size_of(vcpu), &memo->instruction);
	if (result != DECODE_OK) {
		refuse(vcpu, result);
		return NULL;
	}
	memo_fill(memo, bytes, code_size_of(vcpu));
	return memo;
}

static enum interpret_result ended_or(const struct vcpu *vcpu, enum interpret_result result)
{
	return vcpu->vm->ended ? INTERPRET_ENDED : result;
}

/* A handler that stops the machine returns false too, without a fault. */
static enum interpret_result deliver_fault(struct vcpu *vcpu)
{
	if (vcpu->event.pending)
		events_deliver(vcpu);
	return ended_or(vcpu, INTERPRET_DELIVERED);
}

enum interpret_result interpret_step(struct vcpu *vcpu)
{
	const struct memo *memo;
	struct memo scratch;

	if (events_take_interrupt(vcpu))
		return ended_or(vcpu, INTERPRET_DELIVERED);
	if (vcpu->halted)
		return INTERPRET_HALTED;
	vcpu->instruction_eip = vcpu->eip;
	memo = find_instruction(vcpu, &scratch);
	if (!memo)
		return deliver_fault(vcpu);
	vcpu->eip += memo->instruction.length;
	if (!memo->handler(vcpu, &memo->instruction)) {
		/* After a switch of tasks it is the new task's eip that stands there. */
		vcpu->eip = vcpu->instruction_eip;
		vcpu->debug_met &= ~DR6_BREAKPOINTS;
		return deliver_fault(vcpu);
	}
	vcpu->instructions++;
	events_instruction_completed(vcpu);
	return INTERPRET_COMPLETED;
}
