#include "monitor/run/lockstep.h"

#include "kernel/print.h"
#include "kernel/statistics.h"
#include "kernel/string.h"
#include "monitor/cpu/segments.h"
#include "monitor/instructions/interpret.h"
#include "monitor/memory/linear.h"
#include "monitor/state/fault.h"
#include "monitor/translator/limit.h"

/* What an instruction of the interpreter may change, the unit and the buffer apart. */
#define KEPT offsetof(struct vcpu, fpu)

static uint8_t *cut(uint8_t **room, size_t size)
{
	uint8_t *piece = *room;

	*room += size;
	return piece;
}

void lockstep_start(struct lockstep *lockstep, struct translator *translator, void *room,
                    void (*settle)(void))
{
	uint8_t *at = room;

	*lockstep = (struct lockstep){.translator = translator, .settle = settle};
	lockstep->units = (void *)cut(&at, LOCKSTEP_RARE * LOCKSTEP_UNIT_SIZE);
	lockstep->segments = (void *)cut(&at, LOCKSTEP_RARE * sizeof(struct lockstep_segments));
	lockstep->states = (void *)cut(&at, LOCKSTEP_STATES * sizeof(struct lockstep_state));
	lockstep->journal.entries = (void *)at;
	lockstep->journal.max = LOCKSTEP_ENTRIES;
}

#define ARITHMETIC_FLAGS                                                                      \
	(VCPU_EFLAGS_CF | VCPU_EFLAGS_PF | VCPU_EFLAGS_AF | VCPU_EFLAGS_ZF | VCPU_EFLAGS_SF | \
	 VCPU_EFLAGS_OF)

static bool is_of_unit(const struct opcode *opcode)
{
	return opcode->properties & PROPERTY_X87 || opcode->feature == FEATURE_X87 ||
	       opcode->feature == FEATURE_MMX || opcode->feature == FEATURE_FXSR ||
	       opcode->feature == FEATURE_SSE || opcode->feature == FEATURE_SSE2;
}

/* Flags stay undefined until they are written for certain: a shift by zero writes none. */
static void note_flags(struct lockstep *lockstep, const struct instruction *in,
                       const struct opcode *opcode)
{
	if (!(opcode->properties & PROPERTY_KEEPS) && in->repeat == REPEAT_NONE)
		lockstep->undefined &= ~(uint32_t)opcode->flags_written;
	lockstep->undefined |= opcode->flags_undefined;
}

/* What would not fit is not begun: it would only take time, in which an interrupt that the guest
 * expects in its middle comes before it. */
static bool is_too_long(const struct lockstep *lockstep, const struct instruction *in)
{
	return in->repeat == REPEAT_ALWAYS &&
	       lockstep->translator->setup.vcpu->registers[VCPU_ECX] > LOCKSTEP_ITERATIONS;
}

static bool may_be_done(void *owner, const struct instruction *in)
{
	struct lockstep *lockstep = owner;
	const struct opcode *opcode = instruction_opcode(in);

	if (rules_is_callout(lockstep->translator, in))
		return false;
	/* What becomes of an undefined flag is not compared: it must not become a value. */
	lockstep->cut_short |=
	        is_too_long(lockstep, in) || opcode->flags_read & lockstep->undefined;
	if (lockstep->cut_short)
		return false;
	lockstep->class = opcode->class;
	lockstep->pushes = opcode->properties & PROPERTY_PUSH;
	lockstep->may_lose_flags = lockstep->no_limits && in->has_memory && opcode->flags_read;
	lockstep->uses_unit = is_of_unit(opcode);
	if (lockstep->uses_unit && !lockstep->unit_count) {
		lockstep->settle();
		memcpy(lockstep->units[lockstep->unit_count++],
		       lockstep->translator->setup.vcpu->fpu, LOCKSTEP_UNIT_SIZE);
	}
	note_flags(lockstep, in, opcode);
	return true;
}

static void note_unit(struct lockstep *lockstep, const struct vcpu *vcpu)
{
	if (lockstep->uses_unit)
		memcpy(lockstep->units[lockstep->unit_count++], vcpu->fpu, LOCKSTEP_UNIT_SIZE);
	lockstep->uses_unit = false;
}

static void note_segments(struct lockstep *lockstep, const struct vcpu *vcpu)
{
	if (!lockstep->segments_count || lockstep->class & CLASS_SEGMENT)
		memcpy(lockstep->segments[lockstep->segments_count++].registers, vcpu->segments,
		       sizeof(vcpu->segments));
}

static void note_state(struct lockstep *lockstep, const struct vcpu *vcpu)
{
	struct lockstep_state *state = &lockstep->states[lockstep->count++];

	note_unit(lockstep, vcpu);
	note_segments(lockstep, vcpu);
	for (unsigned int i = 0; i < VCPU_REGISTERS; i++)
		state->registers[i] = vcpu->registers[i];
	state->eip = vcpu->eip;
	state->eflags = vcpu->eflags;
	state->undefined = lockstep->undefined;
	state->cpl = vcpu->cpl;
	state->holds = vcpu->interrupt_shadow;
	state->journal = lockstep->journal.count;
	state->pushed = lockstep->pushes;
	state->unit = lockstep->unit_count ? lockstep->unit_count - 1 : 0;
	state->segments = lockstep->segments_count - 1;
}

static bool has_room(struct lockstep *lockstep)
{
	lockstep->cut_short |= lockstep->count == LOCKSTEP_STATES ||
	                       lockstep->unit_count == LOCKSTEP_RARE ||
	                       lockstep->segments_count == LOCKSTEP_RARE;
	return !lockstep->cut_short;
}

/* Behind a transfer the translator begins another block. It also does so where a page ends, or when
 * a block is large enough: those are not counted here, for one too few is right as well. */
static bool goes_on(struct lockstep *lockstep, const struct vcpu *vcpu)
{
	if (vcpu->cpl != 0 || vcpu->eflags & VCPU_EFLAGS_TF)
		return false;
	if (lockstep->class & (CLASS_CONTROL | CLASS_END))
		lockstep->ends++;
	lockstep->has_enough = lockstep->ends == LOCKSTEP_BLOCKS;
	return !lockstep->has_enough;
}

static bool has_fault(const struct vcpu *vcpu, uint8_t vector)
{
	return vcpu->event.pending && vcpu->event.vector == vector;
}

/* TCG may show other flags with a page fault of what reads both: row M7 of docs/limitations.md. */
static void look_at_fault(struct lockstep *lockstep, const struct vcpu *vcpu)
{
	if (lockstep->no_limits)
		lockstep->is_beyond_limit = has_fault(vcpu, FAULT_GP) || has_fault(vcpu, FAULT_SS);
	if (lockstep->may_lose_flags && has_fault(vcpu, FAULT_PF))
		lockstep->states[lockstep->count - 1].undefined |= ARITHMETIC_FLAGS;
}

/* False when the interpreter is to go no further. */
static bool do_one(struct lockstep *lockstep, struct vcpu *vcpu)
{
	uint32_t journal = lockstep->journal.count;

	if (!has_room(lockstep))
		return false;
	lockstep->class = CLASS_INNOCUOUS;
	lockstep->may_lose_flags = false;
	if (!interpret_rehearse(vcpu, may_be_done, lockstep) || lockstep->journal.refused) {
		journal_take_back(vcpu->vm, &lockstep->journal, journal);
		lockstep->cut_short |= lockstep->journal.full;
		look_at_fault(lockstep, vcpu);
		return false;
	}
	note_state(lockstep, vcpu);
	return goes_on(lockstep, vcpu);
}

/* Only what is in the buffer is decoded fast. */
static void find_code(struct vcpu *vcpu)
{
	uint8_t byte;

	linear_fetch(vcpu, gva(vcpu->segments[VCPU_CS].base + vcpu->eip), &byte, 1);
}

static void begin(struct lockstep *lockstep, struct vcpu *vcpu)
{
	lockstep->count = lockstep->unit_count = lockstep->segments_count = 0;
	lockstep->undefined = lockstep->ends = 0;
	lockstep->uses_unit = lockstep->pushes = lockstep->cut_short = false;
	lockstep->is_beyond_limit = lockstep->has_enough = false;
	lockstep->journal.count = 0;
	lockstep->journal.refused = lockstep->journal.full = false;
	note_state(lockstep, vcpu);
	/* What the buffer lets be written goes by the journal; and the shadow is never stale. */
	linear_flush(vcpu, true);
	vcpu->vm->journal = &lockstep->journal;
	find_code(vcpu);
}

/* The buffer may have entries from before accessed bits were taken back. */
static void end(struct lockstep *lockstep, struct vcpu *vcpu)
{
	vcpu->vm->journal = NULL;
	lockstep->written = lockstep->journal.count;
	journal_take_back(vcpu->vm, &lockstep->journal, 0);
	linear_flush(vcpu, true);
	if (!lockstep->unit_count)
		return;
	lockstep->settle();
	memcpy(vcpu->fpu, lockstep->units[0], LOCKSTEP_UNIT_SIZE);
}

/* Where the interpreter could not go on translated code can, and may not: a block of it has no more
 * ends than one. Otherwise the way it has come ends by itself, within the next block. */
static uint32_t ends_allowed(const struct lockstep *lockstep)
{
	bool is_open = lockstep->has_enough || lockstep->cut_short || lockstep->is_beyond_limit;

	return lockstep->ends + !is_open;
}

void lockstep_rehearse(struct lockstep *lockstep, struct vcpu *vcpu, uint32_t offset)
{
	bool is_code = translator_find_block(lockstep->translator, offset);
	uint32_t flushes = vcpu->flushes;
	uint8_t kept[KEPT];

	memcpy(kept, vcpu, KEPT);
	begin(lockstep, vcpu);
	while (is_code && do_one(lockstep, vcpu))
		;
	memcpy(vcpu, kept, KEPT);
	end(lockstep, vcpu);
	/* Nothing has moved, and to find that out is expensive. */
	vcpu->flushes = flushes;
	limit_set(lockstep->translator, offset, ends_allowed(lockstep));
}

/* As fxsave has it: all but the addresses of the last instruction, which is another one. */
static bool is_same_unit(const uint8_t *wanted, const uint8_t *found)
{
	if (memcmp(wanted, found, 5) != 0 || memcmp(wanted + 24, found + 24, 4) != 0)
		return false;
	for (unsigned int i = 0; i < 8; i++)
		if (memcmp(wanted + 32 + 16 * i, found + 32 + 16 * i, 10) != 0)
			return false;
	return memcmp(wanted + 160, found + 160, 8 * 16) == 0;
}

static bool are_same_segments(const struct vcpu_segment_register *wanted,
                              const struct vcpu_segment_register *found)
{
	for (unsigned int i = 0; i < VCPU_SEGMENTS; i++)
		if (wanted[i].selector != found[i].selector ||
		    !segments_hold_the_same(&wanted[i], &found[i]))
			return false;
	return true;
}

static bool is_same_processor(const struct lockstep *lockstep, const struct lockstep_state *state,
                              const struct vcpu *vcpu)
{
	return state->eip == vcpu->eip && state->cpl == vcpu->cpl &&
	       !((state->eflags ^ vcpu->eflags) & ~state->undefined) &&
	       (vcpu->interrupt_shadow || !state->holds) &&
	       memcmp(state->registers, vcpu->registers, sizeof(state->registers)) == 0 &&
	       are_same_segments(lockstep->segments[state->segments].registers, vcpu->segments);
}

static struct journal_difference compare_memory(struct lockstep *lockstep, uint32_t number,
                                                struct vm *vm)
{
	const struct lockstep_state *state = &lockstep->states[number], *next = state + 1;
	bool begun = number + 1 < lockstep->count && next->pushed;
	const struct journal_extent extent = {
	        .done = state->journal,
	        .begun = begun ? next->journal : state->journal,
	        .all = lockstep->written,
	};

	return journal_compare(vm, &lockstep->journal, extent);
}

static bool is_same(struct lockstep *lockstep, uint32_t number, struct vcpu *vcpu)
{
	const struct lockstep_state *state = &lockstep->states[number];
	struct journal_difference memory;

	if (!is_same_processor(lockstep, state, vcpu) ||
	    (lockstep->unit_count && !is_same_unit(lockstep->units[state->unit], vcpu->fpu)))
		return false;
	memory = compare_memory(lockstep, number, vcpu->vm);
	return memory.wanted == memory.found;
}

/* The last one with the same eip, to be shown beside the other; or the last of all. */
static uint32_t nearest(const struct lockstep *lockstep, const struct vcpu *vcpu)
{
	for (uint32_t i = lockstep->count; i-- > 0;)
		if (lockstep->states[i].eip == vcpu->eip)
			return i;
	return lockstep->count - 1;
}

static void name_difference(struct lockstep *lockstep, uint32_t number, struct vcpu *vcpu,
                            char *text, size_t size)
{
	const struct lockstep_state *state = &lockstep->states[number];
	static const char *const names[VCPU_REGISTERS] = {"eax", "ecx", "edx", "ebx",
	                                                  "esp", "ebp", "esi", "edi"};
	const struct journal_difference memory = compare_memory(lockstep, number, vcpu->vm);
	unsigned int i = 0;

	while (i < VCPU_REGISTERS && state->registers[i] == vcpu->registers[i])
		i++;
	if (state->eip != vcpu->eip)
		print_to_buffer(text, size, "it is at %08x", vcpu->eip);
	else if (i < VCPU_REGISTERS)
		print_to_buffer(text, size, "%s is %08x, not %08x", names[i], vcpu->registers[i],
		                state->registers[i]);
	else if ((state->eflags ^ vcpu->eflags) & ~state->undefined)
		print_to_buffer(text, size, "eflags are %08x, not %08x (undefined: %08x)",
		                vcpu->eflags, state->eflags, state->undefined);
	else if (memory.wanted != memory.found)
		print_to_buffer(text, size, "physical %08x has %02x, not %02x", memory.at,
		                memory.found, memory.wanted);
	else if (!is_same_processor(lockstep, state, vcpu))
		print_to_buffer(text, size, "segments, or when interrupts may come");
	else
		print_to_buffer(text, size, "registers of x87, MMX or SSE");
}

bool lockstep_compare(struct lockstep *lockstep, struct vcpu *vcpu, char *problem, size_t size)
{
	char what[80];
	uint32_t best;

	if (lockstep->unit_count)
		lockstep->settle();
	statistics_count(lockstep_runs);
	for (uint32_t i = lockstep->count; i-- > 0;)
		if (is_same(lockstep, i, vcpu))
			return true;
	if (!lockstep->ends && (lockstep->cut_short || lockstep->is_beyond_limit)) {
		statistics_count(lockstep_unchecked);
		return true;
	}
	best = nearest(lockstep, vcpu);
	name_difference(lockstep, best, vcpu, what, sizeof(what));
	print_to_buffer(problem, size,
	                "lockstep: from eip=%08x translated code came elsewhere than the "
	                "interpreter after %u of %u instructions: %s",
	                lockstep->states[0].eip, best, lockstep->count - 1, what);
	lockstep->count = best + 1;
	return false;
}

void lockstep_show(const struct lockstep *lockstep, struct vcpu *vcpu)
{
	const struct lockstep_state *state = &lockstep->states[lockstep->count - 1];

	memcpy(vcpu->registers, state->registers, sizeof(state->registers));
	memcpy(vcpu->segments, lockstep->segments[state->segments].registers,
	       sizeof(vcpu->segments));
	vcpu->eip = state->eip;
	vcpu->eflags = state->eflags;
	vcpu->cpl = state->cpl;
}
