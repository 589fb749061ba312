#include "monitor/translator/scan.h"

#include "kernel/string.h"
#include "monitor/memory/linear.h"
#include "monitor/translator/rules.h"

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
static bool ends_block(const struct instruction *in, const uint8_t *rules, uint32_t *calls)
{
	if (!(instruction_opcode(in)->class & (CLASS_CONTROL | CLASS_END)))
		return false;
	return !rules || !rules_comes_back((enum rule)rules[in->row]) || in->operand_size == 2 ||
	       ++*calls > BLOCK_CALLS_MAX;
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

bool scan_block(struct scan *scan, struct vcpu *vcpu, const struct scan_page *page,
                const uint8_t *rules)
{
	uint32_t room = room_on_page(vcpu), end = room < BLOCK_GUEST_MAX ? room : BLOCK_GUEST_MAX;
	uint32_t at = 0, count = 0, calls = 0;
	enum decode_result result;
	struct instruction *in;

	scan->first = page->ram + (vcpu->segments[VCPU_CS].base + vcpu->eip) % GUEST_PAGE_SIZE;
	scan->crosses = false;
	scan->at[0] = 0;
	do {
		in = &scan->instructions[count];
		result = scan_one(scan, vcpu, at, room, !calls, in);
		if (result == DECODE_TRUNCATED)
			break;
		at += in->length;
		scan->at[++count] = (uint8_t)at;
	} while (result == DECODE_OK && at < end && count < BLOCK_INSTRUCTIONS_MAX &&
	         !ends_block(in, rules, &calls));
	scan->count = count;
	scan->guest_size = at;
	return count > 0;
}
