#include "monitor/instructions/interpret.h"

#include "kernel/string.h"
#include "monitor/cpu/events.h"
#include "monitor/instructions/interpret_dispatch.h"
#include "monitor/state/vm.h"

/* Decoding is a function of bytes and code size alone, so its results can be kept without ever
 * being out of date: a result counts only when the bytes at eip are, now, the bytes it was made
 * from. Self-modifying code, other mappings and other guests need no invalidation. */
#define MEMO_SIZE  2048
#define MEMO_WORDS 4
#define MEMO_BYTES (MEMO_WORDS * 4)

/* What an instruction that faults has met does not count; that it switched tasks does. */
#define DR6_BREAKPOINTS 0xFu

struct memo {
	uint8_t code_size; /* 0: empty */
	uint8_t word_count;
	uint8_t length;
	bool plain;
	interpret_handler *handler;
	uint32_t words[MEMO_WORDS]; /* the instruction's bytes, */
	uint32_t masks[MEMO_WORDS]; /* and which bits of the words are its own */
	struct instruction instruction;
} __attribute__((aligned(128))); /* a power of two is found without a multiplication */

_Static_assert(MEMO_BYTES > INSTRUCTION_MAX_LENGTH, "the longest instruction fits");

static struct memo memos[MEMO_SIZE];

static unsigned int code_size_of(const struct vcpu *vcpu)
{
	return vcpu->segments[VCPU_CS].attributes & VCPU_ATTRIBUTE_BIG ? 32 : 16;
}

static inline bool memo_is_of(const struct memo *memo, const uint8_t *bytes, unsigned int code_size)
{
	uint32_t word;

	__builtin_memcpy(&word, bytes, sizeof(word));
	if (((word ^ memo->words[0]) & memo->masks[0]) || memo->code_size != code_size)
		return false;
	if (memo->word_count == 1)
		return true;
	for (unsigned int i = 1; i < memo->word_count; i++) {
		__builtin_memcpy(&word, bytes + 4 * i, sizeof(word));
		if ((word ^ memo->words[i]) & memo->masks[i])
			return false;
	}
	return true;
}

/* Changes neither flags of the system nor segments, reaches no device, and stays one instruction:
 * after it there is nothing to take or to deliver that was not there before. */
static bool is_plain(const struct instruction *in)
{
	return !(instruction_opcode(in)->class & ~(CLASS_CONTROL | CLASS_END)) &&
	       in->repeat == REPEAT_NONE;
}

static void memo_settle(struct memo *memo)
{
	memo->length = memo->instruction.length;
	memo->handler = interpret_find_handler(&memo->instruction);
	memo->plain = is_plain(&memo->instruction);
}

static void memo_fill(struct memo *memo, const uint8_t *bytes, unsigned int code_size)
{
	unsigned int length = memo->instruction.length;

	memo_settle(memo);
	memset(memo->masks, 0, sizeof(memo->masks));
	memset(memo->masks, 0xFF, length);
	memcpy(memo->words, bytes, length);
	memo->word_count = (uint8_t)((length + 3) / 4);
	memo->code_size = (uint8_t)code_size;
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

/* NULL after a fault. Kept out of line, for what calls it is the hottest loop there is. */
__attribute__((noinline)) static const struct memo *
renew_memo(struct vcpu *vcpu, struct memo *memo, const uint8_t *bytes, unsigned int code_size)
{
	enum decode_result result;

	memo->code_size = 0;
	result = instruction_decode(bytes, MEMO_BYTES, code_size, &memo->instruction);
	if (result != DECODE_OK) {
		refuse(vcpu, result);
		return NULL;
	}
	memo_fill(memo, bytes, code_size);
	return memo;
}

/* MEMO_BYTES bytes of code must be there. NULL after a fault. */
static inline const struct memo *find_memo(struct vcpu *vcpu, const uint8_t *bytes, uint32_t eip,
                                           unsigned int code_size)
{
	struct memo *memo = &memos[(eip ^ eip >> 11) % MEMO_SIZE];

	return memo_is_of(memo, bytes, code_size) ? memo : renew_memo(vcpu, memo, bytes, code_size);
}

/* Code that can be run without a look at page tables and limits: each instruction that begins at
 * an eip from `first` on, up to `span` bytes further, has all its possible bytes in one page of RAM
 * and in its segment. Holds until segments, mappings or the level change. */
struct window {
	uint32_t first, span;
	const uint8_t *bytes; /* at `first` */
	unsigned int code_size;
};

/* False where eip is not in one. */
static bool open_window(struct vcpu *vcpu, struct window *window)
{
	const struct vcpu_segment_register *cs = &vcpu->segments[VCPU_CS];
	uint32_t eip = vcpu->eip, offset = (cs->base + eip) % GUEST_PAGE_SIZE;
	uint32_t back = offset < eip ? offset : eip, room;
	const uint8_t *bytes = linear_find_code(vcpu, gva(cs->base + eip - back), 1);

	window->first = eip - back;
	if (!bytes || eip > cs->limit || cs->limit - window->first < MEMO_BYTES)
		return false;
	room = cs->limit - window->first - MEMO_BYTES;
	window->span = GUEST_PAGE_SIZE - MEMO_BYTES - (offset - back);
	if (room < window->span)
		window->span = room;
	window->bytes = bytes;
	window->code_size = code_size_of(vcpu);
	return offset <= GUEST_PAGE_SIZE - MEMO_BYTES && back <= window->span;
}

/* The instruction at eip, in a memo or in `scratch`. NULL after a fault. */
static const struct memo *find_instruction(struct vcpu *vcpu, struct memo *scratch)
{
	const struct vcpu_segment_register *cs = &vcpu->segments[VCPU_CS];
	gva_t at = gva(cs->base + vcpu->eip);
	const uint8_t *bytes = linear_find_code(vcpu, at, MEMO_BYTES);

	if (bytes && vcpu->eip <= cs->limit && cs->limit - vcpu->eip >= MEMO_BYTES - 1)
		return find_memo(vcpu, bytes, vcpu->eip, code_size_of(vcpu));
	if (!decode_slowly(vcpu, at, &scratch->instruction))
		return NULL;
	memo_settle(scratch);
	return scratch;
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

/* After a switch of tasks it is the new task's eip that stands in instruction_eip. */
static enum interpret_result go_back(struct vcpu *vcpu)
{
	vcpu->eip = vcpu->instruction_eip;
	vcpu->debug_met &= ~DR6_BREAKPOINTS;
	return deliver_fault(vcpu);
}

static inline bool execute(struct vcpu *vcpu, const struct memo *memo)
{
	vcpu->instruction_eip = vcpu->eip;
	vcpu->eip += memo->length;
	return memo->handler(vcpu, &memo->instruction);
}

enum interpret_result interpret_instruction(struct vcpu *vcpu)
{
	const struct memo *memo;
	struct memo scratch;

	vcpu->instruction_eip = vcpu->eip;
	memo = find_instruction(vcpu, &scratch);
	if (!memo)
		return deliver_fault(vcpu);
	if (!execute(vcpu, memo))
		return go_back(vcpu);
	vcpu->instructions++;
	events_instruction_completed(vcpu);
	return INTERPRET_COMPLETED;
}

enum interpret_result interpret_step(struct vcpu *vcpu)
{
	if (events_take_interrupt(vcpu))
		return ended_or(vcpu, INTERPRET_DELIVERED);
	if (vcpu->halted)
		return INTERPRET_HALTED;
	return interpret_instruction(vcpu);
}

bool interpret_rehearse(struct vcpu *vcpu, interpret_judge *may, void *judge)
{
	const struct memo *memo;
	struct memo scratch;

	vcpu->interrupt_shadow = vcpu->debug_shadow = false;
	vcpu->instruction_eip = vcpu->eip;
	memo = find_instruction(vcpu, &scratch);
	if (!memo || !may(judge, &memo->instruction) || !execute(vcpu, memo))
		return false;
	vcpu->keeps_resume = false;
	return !vcpu->event.pending && !vcpu->debug_met;
}

/* Nothing is to be taken before an instruction, and nothing to be done after a plain one. */
static bool is_calm(const struct vcpu *vcpu)
{
	return !vcpu->interrupt_shadow && !vcpu->debug_shadow && !vcpu->nmi_pending &&
	       !vcpu->halted && !vcpu->keeps_resume && !vcpu->debug_trap && !vcpu->debug_met &&
	       !(vcpu->debug[7] & EVENTS_DR7_ON) &&
	       !(vcpu->eflags & (VCPU_EFLAGS_TF | VCPU_EFLAGS_RF)) &&
	       !(vcpu->vm->interrupt_waits && vcpu->eflags & VCPU_EFLAGS_IF);
}

/* A window may be a little more out of date than the translation buffer, when the code's own entry
 * in there is replaced meanwhile; a real processor has such code in its pipeline. */
uint32_t interpret_run(struct vcpu *vcpu, uint32_t most)
{
	const struct memo *memo;
	struct window window;
	uint32_t done = 0;

	if (!is_calm(vcpu) || !open_window(vcpu, &window)) {
		interpret_step(vcpu);
		return 1;
	}
	do {
		uint32_t into = vcpu->eip - window.first;
		if (into > window.span)
			break;
		memo = find_memo(vcpu, window.bytes + into, vcpu->eip, window.code_size);
		done++;
		if (!memo) {
			deliver_fault(vcpu);
			return done;
		}
		if (!execute(vcpu, memo)) {
			go_back(vcpu);
			return done;
		}
		vcpu->instructions++;
	} while (memo->plain && done < most);
	events_instruction_completed(vcpu);
	return done;
}
