#include "monitor/translator/scan.h"

#include "kernel/string.h"
#include "monitor/memory/linear.h"
#include "monitor/translator/translator.h"

bool scan_find_page(struct vcpu *vcpu, gva_t at, struct scan_page *page)
{
	const struct vcpu_tlb_entry *entry;
	uint8_t byte;

	if (!linear_find_code(vcpu, at, 1) && linear_fetch(vcpu, at, &byte, 1) == 0) {
		/* The interpreter will come to the same end and deliver it. */
		vcpu->event.pending = false;
		return false;
	}
	entry = linear_entry(vcpu, at);
	page->physical = (uint32_t)(entry->page / GUEST_PAGE_SIZE);
	page->global = entry->global;
	page->ram = entry->ram;
	return entry->ram;
}

/* Bytes up to the end of the page and of the segment. */
static uint32_t room_on_page(const struct vcpu *vcpu)
{
	const struct vcpu_segment_register *cs = &vcpu->segments[VCPU_CS];
	uint32_t room = GUEST_PAGE_SIZE - (cs->base + vcpu->eip) % GUEST_PAGE_SIZE;

	return cs->limit - vcpu->eip < room ? cs->limit - vcpu->eip + 1 : room;
}

/* The instruction that the end of the page has cut off. */
static enum decode_result scan_crossing(struct scan *scan, struct vcpu *vcpu, uint32_t at,
                                        struct instruction *in)
{
	const struct vcpu_segment_register *cs = &vcpu->segments[VCPU_CS];
	uint32_t eip = vcpu->eip + at, linear = cs->base + eip;
	uint32_t on_first = GUEST_PAGE_SIZE - linear % GUEST_PAGE_SIZE;
	uint32_t wanted = INSTRUCTION_MAX_LENGTH;
	enum decode_result result;
	size_t got;

	if (cs->limit - eip < wanted)
		wanted = cs->limit - eip + 1;
	if (wanted <= on_first || !scan_find_page(vcpu, gva(linear + on_first), &scan->second))
		return DECODE_TRUNCATED;
	got = linear_fetch(vcpu, gva(linear), scan->last, wanted);
	result = instruction_scan(scan->last, got, 32, in);
	scan->crosses = result != DECODE_TRUNCATED;
	return result;
}

/* Counts the calls that do not. */
static bool ends_block(const struct translator *t, const struct instruction *in,
                       bool goes_past_calls, uint32_t *calls)
{
	if (!(instruction_opcode(in)->class & (CLASS_CONTROL | CLASS_END)))
		return false;
	return !goes_past_calls || !rules_comes_back((enum rule)t->rules[in->row]) ||
	       in->operand_size == 2 || ++*calls > BLOCK_CALLS_MAX;
}

/* Instructions one behind the other of which nothing but the length is asked. */
static uint32_t scan_plain(struct scan *scan, const struct plain *plain, uint32_t at, uint32_t end)
{
	const uint8_t *first = scan->first;
	uint32_t count = scan->count, length;

	while (at < end && count < BLOCK_INSTRUCTIONS_MAX &&
	       (length = plain_length(plain, first + at)) != 0) {
		scan->rules[count++] = RULE_copy;
		at += length;
		scan->at[count] = (uint8_t)at;
	}
	scan->count = count;
	return at;
}

/* The next instruction; DECODE_TRUNCATED when it cannot be fetched whole. */
static enum decode_result scan_one(struct scan *scan, struct vcpu *vcpu, uint32_t at, uint32_t room,
                                   bool may_cross, struct instruction *in)
{
	enum decode_result result = instruction_scan(scan->first + at, room - at, 32, in);

	if (result == DECODE_TRUNCATED && may_cross)
		result = scan_crossing(scan, vcpu, at, in);
	if (result != DECODE_OK)
		in->row = SCAN_ROW_UNDEFINED;
	return result;
}

static uint32_t less(uint32_t one, uint32_t other)
{
	return one < other ? one : other;
}

bool scan_block(struct translator *t, struct vcpu *vcpu, const struct scan_page *page,
                bool goes_past_calls)
{
	struct scan *scan = &t->scan;
	uint32_t room = room_on_page(vcpu), end = less(room, BLOCK_GUEST_MAX);
	uint32_t plain_end = room < PLAIN_WINDOW ? 0 : less(room - PLAIN_WINDOW, end);
	uint32_t at = 0, calls = 0;
	enum decode_result result;
	struct instruction *in;

	scan->first = page->ram + (vcpu->segments[VCPU_CS].base + vcpu->eip) % GUEST_PAGE_SIZE;
	scan->crosses = false;
	scan->at[0] = 0;
	scan->count = 0;
	do {
		at = scan_plain(scan, &t->plain, at, plain_end);
		if (at >= end || scan->count == BLOCK_INSTRUCTIONS_MAX)
			break;
		in = &scan->instructions[scan->count];
		result = scan_one(scan, vcpu, at, room, !calls, in);
		if (result == DECODE_TRUNCATED)
			break;
		at += in->length;
		scan->rules[scan->count] = SCAN_DECODED;
		scan->at[++scan->count] = (uint8_t)at;
	} while (result == DECODE_OK && !ends_block(t, in, goes_past_calls, &calls));
	scan->guest_size = at;
	return scan->count > 0;
}
