#include "monitor/translator/translator.h"

#include "kernel/statistics.h"
#include "kernel/string.h"
#include "monitor/cpu/events.h"
#include "monitor/translator/adapt.h"
#include "monitor/translator/cache.h"
#include "monitor/translator/chain.h"
#include "monitor/translator/fault.h"
#include "monitor/translator/flow.h"
#include "monitor/translator/inline.h"
#include "monitor/translator/invalidate.h"
#include "monitor/translator/level.h"
#include "monitor/translator/limit.h"
#include "monitor/translator/segment.h"
#include "monitor/translator/silent.h"

#define NOT_YET      0xFF
#define FLAGS_BYTE_T 0x01u /* TF, IF, NT in the second byte of EFLAGS */
#define FLAGS_BYTE_I 0x02u
#define FLAGS_BYTE_N 0x40u
#define IOPL_SHIFT   12

/* What the guest may not be in when translated code runs. */
#define UNUSUAL_FLAGS (VCPU_EFLAGS_TF | VCPU_EFLAGS_RF | VCPU_EFLAGS_VIF | VCPU_EFLAGS_VIP)

void translator_start(struct translator *t, const struct translator_setup *setup)
{
	memset(t, 0, sizeof(*t));
	t->setup = *setup;
	cache_start(t);
	rules_start(t);
	plain_start(t);
	memset(t->setup.window, 0, sizeof(*t->setup.window));
	level_start(t);
	for (uint32_t i = 0; i < WINDOW_ALL_SELECTORS; i++)
		t->setup.window->loadable[i] = WINDOW_NOT_LOADABLE;
	t->setup.window->answer_missing = true;
	t->popf_iopl = NOT_YET;
	translator_flush(t);
}

void translator_flush(struct translator *t)
{
	invalidate_all(t);
	translator_count_collect(t);
	cache_clear(t);
	t->generation++;
	chain_start(t);
	t->segment_count = t->asked = 0;
	t->segment = t->resume_block = BLOCK_NONE;
	t->doubt_all = t->doubt_local = false;
	t->doubt_region = BLOCK_NONE;
	statistics_count(cache_flushes);
}

static bool is_big(const struct vcpu_segment_register *segment)
{
	return segment->attributes & VCPU_ATTRIBUTE_BIG;
}

/* In lockstep the interpreter goes first, and only through code of ring 0. */
static bool is_mode(const struct translator *t, const struct vcpu *vcpu)
{
	return vcpu->cpl <= (t->setup.options.repeatable ? 0 : 2) &&
	       !(vcpu->eflags & VCPU_EFLAGS_VM) && is_big(&vcpu->segments[VCPU_CS]) &&
	       is_big(&vcpu->segments[VCPU_SS]) && vcpu->eip <= vcpu->segments[VCPU_CS].limit;
}

static bool is_unusual(const struct vcpu *vcpu)
{
	return vcpu->eflags & UNUSUAL_FLAGS || vcpu->event.pending || vcpu->interrupt_shadow ||
	       vcpu->debug_shadow || vcpu->debug_trap || vcpu->debug_met || vcpu->keeps_resume ||
	       vcpu->halted || vcpu->debug[7] & EVENTS_DR7_ON;
}

static bool is_segment(const struct block_segment *segment, const struct vcpu *vcpu)
{
	const struct vcpu_segment_register *cs = &vcpu->segments[VCPU_CS];

	return segment->base == cs->base && segment->limit == cs->limit &&
	       segment->inner == (vcpu->cpl != 0);
}

/* Blocks know their code segment by number. Predictions are only good for one. */
static void enter_segment(struct translator *t, const struct vcpu *vcpu)
{
	const struct vcpu_segment_register *cs = &vcpu->segments[VCPU_CS];
	uint32_t n = 0;

	if (t->segment != BLOCK_NONE && is_segment(&t->segments[t->segment], vcpu))
		return;
	while (n < t->segment_count && !is_segment(&t->segments[n], vcpu))
		n++;
	if (n == TRANSLATOR_SEGMENTS) {
		translator_flush(t);
		n = 0;
	}
	if (n == t->segment_count)
		t->segments[t->segment_count++] =
		        (struct block_segment){cs->base, cs->limit, vcpu->cpl != 0};
	t->segment = n;
	t->generation++;
	chain_forget_predictions(t);
	chain_forget_pending(t);
}

static void notice_changes(struct translator *t, struct vcpu *vcpu)
{
	if (vcpu->tsc_offset != t->tsc_offset) {
		translator_flush(t);
		t->tsc_offset = vcpu->tsc_offset;
	}
	enter_segment(t, vcpu);
	invalidate_check_mappings(t, vcpu);
}

static bool (*const emitters[RULES])(struct emit *, const struct instruction *, const uint8_t *) = {
        [RULE_call] = flow_call,
        [RULE_callout] = inline_callout,
        [RULE_cli] = inline_cli,
        [RULE_clts] = inline_clts,
        [RULE_copy_bare] = inline_copy_bare,
        [RULE_copy_settled] = inline_copy_settled,
        [RULE_far_call] = flow_far_call,
        [RULE_far_jmp] = flow_far_jmp,
        [RULE_far_ret] = flow_far_ret,
        [RULE_in] = inline_in,
        [RULE_iret] = level_iret,
        [RULE_jcc] = flow_jcc,
        [RULE_jmp] = flow_jmp,
        [RULE_load_cr3] = inline_load_cr3,
        [RULE_loop] = flow_loop,
        [RULE_mov_from_control] = inline_mov_from_control,
        [RULE_mov_from_segment] = inline_mov_from_segment,
        [RULE_mov_to_segment] = segment_mov,
        [RULE_pop_segment] = segment_pop,
        [RULE_popf] = inline_popf,
        [RULE_push_segment] = inline_push_segment,
        [RULE_pushf] = inline_pushf,
        [RULE_rdtsc] = inline_rdtsc,
        [RULE_ret] = flow_ret,
        [RULE_silent_store] = silent_mov,
        [RULE_sti] = inline_sti,
};

static bool is_load(uint8_t rule)
{
	return rule == RULE_mov_to_segment || rule == RULE_pop_segment;
}

static void emit_instruction(struct emit *emit, uint32_t n)
{
	const struct scan *scan = &emit->t->scan;
	const struct instruction *in = &scan->instructions[n];
	const uint8_t *bytes = scan_bytes(scan, n);
	uint8_t rule = scan->rules[n];

	emit->eip = emit->block->eip + scan->at[n];
	emit->next = emit->block->eip + scan->at[n + 1];
	emit->ecx_stays = is_load(rule) && n + 1 < scan->count &&
	                  segment_shares_ecx(in + 1, (enum rule)scan->rules[n + 1]);
	if (!emitters[rule](emit, in, bytes))
		inline_callout(emit, in, bytes);
	emit->ecx_away = emit->ecx_stays;
	emit->hold = rule == RULE_sti;
}

/* Instructions from n on that are copied are one piece of the map, except behind sti and across
 * pages. Returns the first one that is not in it. */
static uint32_t emit_piece(struct emit *emit, uint32_t n)
{
	const struct scan *scan = &emit->t->scan;
	uint32_t end = n + 1, most = emit->hold ? end : scan->count - scan->crosses;

	while (end < most && scan->rules[end] == RULE_copy)
		end++;
	emit->eip = emit->block->eip + scan->at[n];
	emit_before(emit, 0);
	emit_bytes(emit, scan_bytes(scan, n), (uint32_t)scan->at[end] - scan->at[n]);
	emit->hold = false;
	return end;
}

/* Behind the last instruction: nothing where control has gone elsewhere, or has to be asked for. A
 * call comes back there. */
static bool goes_on(const struct scan *scan)
{
	const struct instruction *in = &scan->instructions[scan->count - 1];
	enum rule rule = (enum rule)scan->rules[scan->count - 1];

	if (rule == RULE_copy || rules_comes_back(rule))
		return true;
	return in->row != SCAN_ROW_UNDEFINED &&
	       !(instruction_opcode(in)->class & (CLASS_CONTROL | CLASS_END));
}

static void emit_block(struct translator *t, uint32_t number, uint32_t at)
{
	struct block *block = &t->blocks[number];
	struct emit emit;
	uint32_t n = 0;

	rules_choose(t, &t->scan);
	adapt_choose(t, &t->scan, block->eip);
	emit_begin(&emit, t, block, at);
	if (t->setup.count)
		count_emit(&emit);
	if (t->setup.options.limited)
		limit_emit(&emit);
	while (n < t->scan.count) {
		if (t->scan.rules[n] == RULE_copy)
			n = emit_piece(&emit, n);
		else
			emit_instruction(&emit, n++);
	}
	emit.next = block->eip + t->scan.guest_size;
	if (goes_on(&t->scan))
		flow_on(&emit);
	emit_end(&emit);
}

static bool is_full(const struct translator *t)
{
	const struct translator_options *options = &t->setup.options;

	return !cache_has_room(t) ||
	       (options->cache_blocks_max && t->made >= options->cache_blocks_max);
}

/* The pages of the code that has just been scanned. */
static void find_pages(struct translator *t, const struct vcpu *vcpu, const struct scan_page *first,
                       uint32_t page[2])
{
	uint32_t linear = (vcpu->segments[VCPU_CS].base + vcpu->eip) / GUEST_PAGE_SIZE;
	const struct scan_page *second = &t->scan.second;

	page[0] = invalidate_watch(t, linear, first->physical, first->global);
	page[1] = BLOCK_NONE;
	if (t->scan.crosses)
		page[1] = invalidate_watch(t, (linear + 1) % (1u << 20), second->physical,
		                           second->global);
}

static void make(struct translator *t, const struct vcpu *vcpu, const struct scan_page *first,
                 uint32_t *number)
{
	bool falls_through;
	struct block *block;
	uint32_t page[2];

	find_pages(t, vcpu, first, page);
	falls_through = chain_falls_through(t, vcpu->eip, page);
	*number = t->block_count;
	if (falls_through)
		chain_leave_out(t, *number);
	block = cache_new_block(t, vcpu->eip);
	block->page[0] = page[0];
	block->page[1] = page[1];
	block->guest_size = (uint16_t)t->scan.guest_size;
	block->instructions = (uint16_t)t->scan.count;
	emit_block(t, *number, t->used);
	cache_add_block(t, *number);
	invalidate_note_code(t, *number);
	if (t->setup.observer)
		t->setup.observer->made(t, block);
	t->made++;
	statistics_count(blocks_translated);
	statistics[STATISTIC_instructions_translated] += t->scan.count;
}

/* A block that crosses is only the one if the second page is still where it was. */
static bool is_still_there(const struct translator *t, struct vcpu *vcpu, uint32_t number)
{
	const struct block *block = &t->blocks[number];
	const struct block_page *second;
	struct scan_page found;

	if (block->page[1] == BLOCK_NONE)
		return true;
	second = &t->pages[block->page[1]];
	return scan_find_page(vcpu, gva(second->linear * GUEST_PAGE_SIZE), &found) &&
	       found.physical == second->physical;
}

static uint32_t find(struct translator *t, struct vcpu *vcpu, const struct scan_page *page)
{
	uint32_t linear = (vcpu->segments[VCPU_CS].base + vcpu->eip) / GUEST_PAGE_SIZE;
	uint32_t record = cache_find_page(t, linear, page->physical), number;

	if (record == BLOCK_NONE)
		return BLOCK_NONE;
	number = cache_find_block(t, vcpu->eip, record);
	if (number == BLOCK_NONE)
		return BLOCK_NONE;
	if (!is_still_there(t, vcpu, number)) {
		invalidate_drop(t, number);
		return BLOCK_NONE;
	}
	invalidate_mark_mapped(t, number);
	return number;
}

/* Behind a callout, in the middle of a block that has not changed. */
static bool resume(const struct translator *t, const struct vcpu *vcpu, uint32_t *offset)
{
	if (t->resume_block == BLOCK_NONE || t->resume_eip != vcpu->eip ||
	    t->blocks[t->resume_block].segment != t->segment)
		return false;
	*offset = t->resume_offset;
	count_resumed(t, t->resume_block, t->resume_eip);
	return true;
}

/* Where blocks are counted, or compared one by one, what is behind a call is another one. */
static bool calls_end_blocks(const struct translator *t)
{
	return t->setup.count || t->setup.options.repeatable || t->setup.options.no_chaining;
}

static enum translator_answer find_or_make(struct translator *t, struct vcpu *vcpu,
                                           uint32_t *offset)
{
	gva_t at = gva(vcpu->segments[VCPU_CS].base + vcpu->eip);
	struct scan_page page;
	uint32_t number;

	if (!scan_find_page(vcpu, at, &page))
		return TRANSLATOR_FETCH;
	number = find(t, vcpu, &page);
	if (number == BLOCK_NONE) {
		if (!scan_block(t, vcpu, &page, !calls_end_blocks(t)))
			return TRANSLATOR_FETCH;
		if (is_full(t)) {
			translator_flush(t);
			enter_segment(t, vcpu);
		}
		make(t, vcpu, &page, &number);
	}
	chain_pending(t, number);
	*offset = t->blocks[number].host;
	return TRANSLATOR_FOUND;
}

static void flush_under_stress(struct translator *t, const struct vcpu *vcpu)
{
	if (!t->setup.options.flush_every || ++t->asked < t->setup.options.flush_every)
		return;
	translator_flush(t);
	enter_segment(t, vcpu);
}

enum translator_answer translator_find_or_make(struct translator *t, struct vcpu *vcpu,
                                               uint32_t *offset)
{
	enum translator_answer answer = TRANSLATOR_FOUND;

	if (!is_mode(t, vcpu))
		return TRANSLATOR_MODE;
	if (is_unusual(vcpu))
		return TRANSLATOR_UNUSUAL;
	notice_changes(t, vcpu);
	flush_under_stress(t, vcpu);
	if (!resume(t, vcpu, offset))
		answer = find_or_make(t, vcpu, offset);
	t->resume_block = BLOCK_NONE;
	return answer;
}

/* Where the block goes on behind a callout: its own next entry, if that begins right there, and not
 * in the middle of something. */
static void note_resumption(struct translator *t, const struct block *block,
                            const struct block_entry *entry, uint32_t offset)
{
	const struct block_entry *next = entry + 1;

	if (entry->kind & RECOVER_STUB || block->dead ||
	    next == &t->map[block->map] + block->map_count || block->host + next->host != offset ||
	    next->kind & RECOVER_ECX)
		return;
	t->resume_block = (uint32_t)(block - t->blocks);
	t->resume_offset = offset;
	t->resume_eip = fault_eip(t, block, next, offset);
}

void translator_at_callout(struct translator *t, uint32_t offset, struct vcpu *vcpu)
{
	const struct block *block;
	const struct block_entry *entry;

	chain_forget_pending(t);
	t->resume_block = BLOCK_NONE;
	entry = fault_recover(t, offset - CHAIN_STUB_SIZE, vcpu, &block);
	if (entry)
		note_resumption(t, block, entry, offset);
}

static void fill_popf_table(struct translator *t, uint8_t iopl)
{
	for (unsigned int byte = 0; byte < 256; byte++) {
		bool slow = byte & (FLAGS_BYTE_T | FLAGS_BYTE_N) || (byte >> 4 & 3) != iopl;
		uint16_t flag = byte & FLAGS_BYTE_I ? WINDOW_INTERRUPTS_ON : WINDOW_INTERRUPTS_OFF;

		t->setup.window->popf_table[byte] = slow ? 0 : flag;
	}
	t->popf_iopl = iopl;
}

void translator_load_window(struct translator *t, const struct vcpu *vcpu)
{
	struct translator_window *window = t->setup.window;
	uint8_t iopl = vcpu->eflags >> IOPL_SHIFT & 3;

	window->self = t->setup.window_selector;
	window->interrupt_flag =
	        vcpu->eflags & VCPU_EFLAGS_IF ? WINDOW_INTERRUPTS_ON : WINDOW_INTERRUPTS_OFF;
	window->system_flags = (vcpu->eflags & VCPU_EFLAGS_IOPL) - WINDOW_FLAGS_EXCESS;
	window->cr[0] = vcpu->cr0;
	window->cr0_without_ts = vcpu->cr0 & ~VCPU_CR0_TS;
	window->cr[2] = vcpu->cr2;
	window->cr[3] = vcpu->cr3;
	window->cr[4] = vcpu->cr4;
	for (int i = 0; i < VCPU_SEGMENTS; i++)
		window->selectors[i] = vcpu->segments[i].selector;
	if (t->popf_iopl != iopl)
		fill_popf_table(t, iopl);
}

uint32_t translator_real_flags(const struct vcpu *vcpu)
{
	return (vcpu->eflags & TRANSLATOR_REAL_FLAGS) | VCPU_EFLAGS_IF | VCPU_EFLAGS_ONE;
}

void translator_store_control(const struct translator *t, struct vcpu *vcpu)
{
	vcpu->cr0 &= t->setup.window->cr[0] | ~VCPU_CR0_TS;
}

void translator_store_window(const struct translator *t, struct vcpu *vcpu, uint32_t real_flags)
{
	uint32_t others = vcpu->eflags & ~(TRANSLATOR_REAL_FLAGS | VCPU_EFLAGS_IF);

	vcpu->eflags = others | (real_flags & TRANSLATOR_REAL_FLAGS) |
	               (t->setup.window->interrupt_flag & VCPU_EFLAGS_IF);
	translator_store_control(t, vcpu);
}
