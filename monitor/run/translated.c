#include "monitor/run/translated.h"

#include "kernel/frames.h"
#include "kernel/options.h"
#include "kernel/page_tables.h"
#include "kernel/probes.h"
#include "kernel/statistics.h"
#include "kernel/x86.h"
#include "monitor/cpu/compression.h"
#include "monitor/cpu/control.h"
#include "monitor/cpu/events.h"
#include "monitor/cpu/shadow_tables.h"
#include "monitor/memory/page_walk.h"
#include "monitor/memory/shadow.h"
#include "monitor/memory/watch.h"
#include "monitor/run/listing.h"
#include "monitor/run/machine.h"
#include "monitor/run/real_unit.h"
#include "monitor/run/watched_store.h"
#include "monitor/run/world.h"
#include "monitor/translator/breakpoints.h"
#include "monitor/translator/chain.h"

static struct translator *translator_of(struct vm *vm)
{
	return &((struct machine *)vm)->translated.translator;
}

static void on_written(struct vm *vm, gpa_t at, uint32_t size)
{
	translator_written(translator_of(vm), at, size);
}

static void on_gate_written(struct vm *vm, gpa_t at, uint32_t size)
{
	user_gates_written(&((struct machine *)vm)->translated.gates, at, size);
}

static void on_descriptor_taken_out(struct vm *vm, uint16_t selector)
{
	struct translated *translated = &((struct machine *)vm)->translated;

	twins_taken_out(&translated->twins, selector);
	user_gates_taken_out(&translated->gates, selector);
	translated->code_is_listed &= (translated->code.selector & ~3u) != selector;
	if ((translated->translator.returns_kernel_cs & ~3u) == selector)
		translator_open_returns(&translated->translator, TRANSLATOR_RETURNS_SLOW,
		                        translated->translator.returns_to_user);
}

static void watch_code(struct vcpu *vcpu, gpa_t page, bool on)
{
	if (on)
		watch_start(vcpu->vm, page, WATCH_CODE);
	else
		watch_stop(vcpu->vm, page, WATCH_CODE);
}

#define TINY_CACHE  4u
#define FLUSH_EVERY 7u

static struct translator_options choose_options(void)
{
	return (struct translator_options){
	        .cache_blocks_max = options.stress & OPTION_STRESS_TINY_CACHE ? TINY_CACHE : 0,
	        .flush_every = options.stress & OPTION_STRESS_FLUSH ? FLUSH_EVERY : 0,
	        .no_chaining = options.stress & OPTION_STRESS_NO_CHAINING,
	        .all_memory_callout = options.stress & OPTION_STRESS_CALLOUTS,
	        .unit_is_real = true,
	        .tsc_is_real = options.slow_time == 1,
	        .repeatable = options.lockstep,
	        .limited = options.lockstep,
	};
}

bool translated_start(struct translated *translated, struct direct *direct, struct vm *vm)
{
	size_t size = translator_room_size(SLOT_CACHE_SIZE);

	if (!direct_allocate(&translated->room, size) ||
	    (options.coverage && !coverage_start(&translated->coverage, &direct->slot)))
		return false;
	const struct translator_setup setup = {
	        .cache = direct->slot.cache,
	        .cache_size = SLOT_CACHE_SIZE,
	        .window = (struct translator_window *)(void *)direct->slot.window,
	        .window_selector = SLOT_WINDOW_DATA,
	        .room = page_tables_direct(translated->room.first),
	        .room_size = size,
	        .watch = watch_code,
	        .vcpu = &vm->vcpu,
	        .observer = options.trace == OPTION_TRACE_TRANSLATE ? &listing_observer : NULL,
	        .count = options.coverage ? &translated->coverage.count : NULL,
	        .options = choose_options(),
	};
	translated->direct = direct;
	translated->interrupts = options.stress & OPTION_STRESS_INTERRUPTS;
	slot_open_vector(&direct->slot, TRANSLATOR_VECTOR_CALLOUT);
	slot_open_vector(&direct->slot, TRANSLATOR_VECTOR_EXIT);
	slot_open_vector(&direct->slot, TRANSLATOR_VECTOR_CR3);
	watch_register(vm, WATCH_CODE, on_written);
	watch_register(vm, WATCH_GATES, on_gate_written);
	direct->tables.taken_out = on_descriptor_taken_out;
	translator_start(&translated->translator, &setup);
	twins_start(&translated->twins, &direct->slot,
	            probes.segment_limits ? SLOT_TOP : COMPRESSION_NO_CUT);
	user_gates_start(&translated->gates, vm, &direct->slot, &translated->translator,
	                 &translated->twins);
	return true;
}

void translated_stop(struct translated *translated)
{
	direct_release(&translated->room);
	coverage_stop(&translated->coverage);
}

bool translated_find(struct translated *translated, struct vcpu *vcpu, uint32_t *offset)
{
	shadow_tables_follow(vcpu);
	twins_follow(&translated->twins, vcpu);
	if (!twins_selector(&translated->twins, VCPU_SS) ||
	    translator_find_or_make(&translated->translator, vcpu, offset) != TRANSLATOR_FOUND)
		return false;
	user_gates_follow(&translated->gates, vcpu);
	/* In lockstep the interpreter goes first, and only through kernel code. */
	if (translated->gates.wanted != USER_GATES_NONE && vcpu->cpl == 0 &&
	    !translated->translator.setup.options.repeatable)
		user_gates_open(&translated->gates, vcpu);
	return true;
}

/* Whether nothing is so unusual that each change of the level has to be looked at. */
static bool returns_are_usual(const struct vcpu *vcpu)
{
	return !(vcpu->eflags & (VCPU_EFLAGS_NT | VCPU_EFLAGS_IOPL)) && !vcpu->nmi_blocked &&
	       !(vcpu->debug[7] & EVENTS_DR7_ON);
}

/* A return to kernel code loads CS anew: only while the guest's table says what CS holds is that
 * nothing. */
static bool code_is_listed(struct translated *translated, struct vcpu *vcpu)
{
	const struct vcpu_segment_register *cs = &vcpu->segments[VCPU_CS];

	if (translated->code_is_listed && translated->code.selector == cs->selector &&
	    segments_hold_the_same(&translated->code, cs))
		return true;
	translated->code = *cs;
	translated->code_is_listed = shadow_tables_list(vcpu, cs);
	return translated->code_is_listed;
}

static void open_returns(struct translated *translated, struct vcpu *vcpu)
{
	uint32_t kernel_cs = TRANSLATOR_RETURNS_SLOW;
	bool usual = returns_are_usual(vcpu);

	if (usual && vcpu->cpl == 0 && code_is_listed(translated, vcpu))
		kernel_cs = vcpu->segments[VCPU_CS].selector;
	else if (usual && translated->gates.count)
		kernel_cs = translated->gates.code.selector;
	translator_open_returns(&translated->translator, kernel_cs,
	                        usual && translated->twins.all_listed);
}

static void give_kernel(const struct translated *translated, struct trap_frame *frame,
                        const struct vcpu *vcpu, uint32_t offset)
{
	const struct twins *twins = &translated->twins;

	direct_give_registers(frame, vcpu);
	frame->eip = offset;
	frame->eflags = translator_real_flags(vcpu);
	frame->cs = SLOT_CACHE_CODE;
	frame->gs = SLOT_WINDOW_DATA;
	frame->ss = twins_selector(twins, VCPU_SS);
	frame->ds = twins_selector(twins, VCPU_DS);
	frame->es = twins_selector(twins, VCPU_ES);
	frame->fs = twins_selector(twins, VCPU_FS);
}

/* While an interrupt waits that the guest does not let in, the store that would let it in faults.
 */
static void guard_flag(struct translated *translated, const struct vcpu *vcpu)
{
	slot_open_flag(&translated->direct->slot, !vcpu->vm->interrupt_waits);
}

static bool is_flag(const struct translated *translated, gva_t at)
{
	return at.value - (translated->direct->slot.base + SLOT_FLAG) < PAGE_SIZE;
}

static const enum vcpu_segment data_segments[] = {VCPU_ES, VCPU_DS, VCPU_FS, VCPU_GS};

/* Kernel code that was reached through a gate runs where the gate leads: that is where kernel code
 * that was entered by the host runs as well, or the gates would have been closed. */
static void take_kernel_segments(const struct translated *translated, struct vcpu *vcpu)
{
	const uint32_t *selectors = translated->translator.setup.window->selectors;
	const struct user_gates *gates = &translated->gates;

	if (vcpu->cpl == 3) {
		vcpu->segments[VCPU_CS] = gates->code;
		vcpu->segments[VCPU_SS] = gates->stack;
		vcpu->cpl = 0;
	}
	for (unsigned int i = 0; i < sizeof(data_segments) / sizeof(data_segments[0]); i++)
		twins_adopt(&translated->twins, vcpu, data_segments[i],
		            (uint16_t)selectors[data_segments[i]]);
}

/* As user code has it before its `int n`: what the gate has pushed, and the segment registers as
 * they are, or as the stub has noted them. */
static void take_user_at_gate(struct translated *translated, struct vcpu *vcpu,
                              struct trap_frame *frame, uint32_t offset,
                              enum translator_place place)
{
	const struct translator_window *window = translated->translator.setup.window;

	translator_store_control(&translated->translator, vcpu);
	translator_recover(&translated->translator, offset, vcpu);
	direct_give_registers(frame, vcpu);
	frame->eip = vcpu->eip;
	frame->eflags = vcpu->eflags;
	frame->cs = window->from_user.cs;
	frame->ss = window->from_user.ss;
	if (place == TRANSLATOR_FROM_USER_WINDOW) {
		frame->es = window->selectors[VCPU_ES];
		frame->ds = window->selectors[VCPU_DS];
		frame->fs = window->selectors[VCPU_FS];
		frame->gs = window->selectors[VCPU_GS];
	}
	direct_take_user(translated->direct, vcpu);
}

static enum translated_result leave_gate(const struct trap_frame *frame)
{
	if (frame->vector == TRAP_PAGE_FAULT)
		return TRANSLATED_PUSH;
	return direct_is_interrupt(frame) ? TRANSLATED_TRAP : TRANSLATED_INTERPRET;
}

static enum translated_result leave_kernel(struct translated *translated, struct vcpu *vcpu,
                                           const struct trap_frame *frame, gva_t address)
{
	struct translator *translator = &translated->translator;

	take_kernel_segments(translated, vcpu);
	translator_store_window(translator, vcpu, frame->eflags);
	switch (frame->vector) {
	case TRANSLATOR_VECTOR_CR3:
		if (translated->is_done) {
			translator_recover(translator, frame->eip, vcpu);
			return TRANSLATED_GO_ON;
		}
		__attribute__((fallthrough));
	case TRANSLATOR_VECTOR_CALLOUT:
		statistics_count(callouts);
		translator_at_callout(translator, frame->eip, vcpu);
		return TRANSLATED_INTERPRET;
	case TRANSLATOR_VECTOR_EXIT:
		statistics_count(cache_exits);
		translator_at_exit(translator, frame->eip, vcpu);
		return TRANSLATED_GO_ON;
	default:
		break;
	}
	vcpu->interrupt_shadow = !translator_at_boundary(translator, frame->eip);
	translator_recover(translator, frame->eip, vcpu);
	if (frame->vector == TRAP_PROTECTION && breakpoints_is_one(translator, frame->eip))
		return TRANSLATED_GO_ON;
	if (frame->vector == TRAP_PAGE_FAULT && translated->is_done)
		return TRANSLATED_GO_ON;
	if (frame->vector == TRAP_PAGE_FAULT && is_flag(translated, address))
		return TRANSLATED_INTERPRET;
	return TRANSLATED_TRAP;
}

static enum translated_result leave(struct translated *translated, struct vcpu *vcpu,
                                    struct trap_frame *frame, gva_t address)
{
	uint32_t offset = frame->eip;
	enum translator_place place;

	if ((frame->cs & 3) == 3) {
		translator_store_control(&translated->translator, vcpu);
		direct_take_user(translated->direct, vcpu);
		return TRANSLATED_TRAP;
	}
	direct_take_registers(vcpu, frame);
	if (frame->vector >= TRANSLATOR_VECTOR_CALLOUT && frame->vector <= TRANSLATOR_VECTOR_CR3)
		offset -= CHAIN_STUB_SIZE;
	place = translator_place(&translated->translator, offset);
	if (place == TRANSLATOR_IN_KERNEL)
		return leave_kernel(translated, vcpu, frame, address);
	take_user_at_gate(translated, vcpu, frame, offset, place);
	return leave_gate(frame);
}

/* User code does not see the window: its selectors of CS and SS are those behind a gate. */
static void note_gates(const struct translated *translated, const struct vcpu *vcpu)
{
	struct translator_window *window = translated->translator.setup.window;
	const struct user_gates *gates = &translated->gates;

	window->stack = gates->real_stack;
	if (vcpu->cpl != 3)
		return;
	window->selectors[VCPU_CS] = gates->code.selector;
	window->selectors[VCPU_SS] = gates->stack.selector;
}

const struct answer_look *translated_look(struct translated *translated, struct vcpu *vcpu,
                                          const struct trap_frame *frame, gva_t address)
{
	if (!translated->has_looked)
		translated->look = answer_look(vcpu, address, frame->error);
	translated->has_looked = true;
	return &translated->look;
}

/* The guest's own page fault goes on in the stub that would be reached by `int n`, as if the
 * processor had pushed its frame in the window. */
static void put_in_gate(const struct translated *translated, struct vcpu *vcpu,
                        struct trap_frame *frame, gva_t address)
{
	struct translator_window *window = translated->translator.setup.window;

	window->from_user = (struct window_frame){.eip = frame->eip,
	                                          .cs = (uint16_t)frame->cs,
	                                          .eflags = frame->eflags | VCPU_EFLAGS_RF,
	                                          .esp = frame->esp,
	                                          .ss = (uint16_t)frame->ss};
	window->fault_error = translated->look.error;
	linear_note_page_fault(vcpu, address);
	window->cr[2] = vcpu->cr2;
	frame->cs = SLOT_CACHE_CODE;
	frame->eip = translated->gates.page_fault;
	frame->ss = SLOT_WINDOW_DATA;
	frame->esp = offsetof(struct translator_window, from_user);
	frame->eflags &= ~(VCPU_EFLAGS_TF | VCPU_EFLAGS_NT | VCPU_EFLAGS_RF);
}

/* A load of CR3 needs nothing of the guest's state either, where its code stays in place. What was
 * read from the guest's descriptor tables is looked at as before any entry. */
static bool loads_cr3(struct translated *translated, struct vcpu *vcpu)
{
	struct translator_window *window = translated->translator.setup.window;
	uint64_t pdptes[4];

	if (vcpu->cr4 & VCPU_CR4_PAE && !page_walk_read_pdptes(vcpu, window->operand, pdptes))
		return false;
	statistics_count(cr3_loads);
	control_write_cr(vcpu, 3, window->operand);
	window->cr[3] = vcpu->cr3;
	translated->direct->slot.area->guest_cr3 = shadow_root(vcpu);
	shadow_tables_follow(vcpu);
	user_gates_follow(&translated->gates, vcpu);
	translated->is_done = true;
	return translator_is_in_place(&translated->translator, vcpu) && !translated->twins.again;
}

/* Most page faults need nothing of the guest's state: a page that the shadow had not shown yet, and
 * what is the guest's own where its gate is open. */
static bool answers_page_fault(struct translated *translated, struct vcpu *vcpu,
                               struct trap_frame *frame, gva_t address)
{
	const struct answer_look *look;

	if (is_flag(translated, address))
		return false;
	look = translated_look(translated, vcpu, frame, address);
	if (look->result == SHADOW_EMULATE)
		return watched_store_do(translated, vcpu, frame, address);
	if (look->result == SHADOW_TRUE_FAULT &&
	    ((frame->cs & 3) != 3 || translated->gates.page_fault == BLOCK_NONE))
		return false;
	if (look->result == SHADOW_TRUE_FAULT)
		put_in_gate(translated, vcpu, frame, address);
	return true;
}

/* Whether the guest world goes on at once. In lockstep each fault is compared first, and where
 * coverage is counted each turn in ring 3 is noted. */
static bool goes_on(struct translated *translated, struct vcpu *vcpu, struct trap_frame *frame,
                    gva_t address)
{
	translated->has_looked = translated->is_done = false;
	if (frame->vector == TRANSLATOR_VECTOR_CR3) {
		if (!loads_cr3(translated, vcpu))
			return false;
	} else if (frame->vector != TRAP_PAGE_FAULT ||
	           translated->translator.setup.options.repeatable ||
	           translated->coverage.user_pages ||
	           !answers_page_fault(translated, vcpu, frame, address)) {
		return false;
	}
	return probes.segment_limits || !shadow_slot_is_wanted(vcpu);
}

static void give_port_answer(struct translated *translated, const struct bus_answer *answer)
{
	struct translator_window *window = translated->translator.setup.window;

	translated->port_answer = answer->number;
	window->answer_port = -(uint32_t)answer->port;
	window->answer_value = answer->value;
	window->answer_missing = !answer->holds;
}

/* `offset` is where the cache is entered, if it is. */
static enum translated_result enter(struct translated *translated, struct vcpu *vcpu,
                                    uint32_t offset, struct trap_frame **frame, gva_t *address)
{
	struct world_area *area = translated->direct->slot.area;
	enum translated_result result;

	area->guest_cr3 = shadow_root(vcpu);
	area->local_table = vcpu->ldtr.usable ? SLOT_LOCAL_TABLE : 0;
	real_unit_lend(vcpu);
	guard_flag(translated, vcpu);
	open_returns(translated, vcpu);
	if (translated->port_answer != vcpu->vm->bus->answer.number)
		give_port_answer(translated, &vcpu->vm->bus->answer);
	translator_load_window(&translated->translator, vcpu);
	note_gates(translated, vcpu);
	*frame = NULL;
	if (translated->interrupts)
		breakpoints_set(&translated->translator, offset);
	do {
		if (!direct_enter(translated->direct, vcpu))
			return TRANSLATED_GO_ON;
		*address = gva(x86_read_cr2());
	} while (goes_on(translated, vcpu, &area->frame, *address));
	*frame = &area->frame;
	result = leave(translated, vcpu, &area->frame, *address);
	breakpoints_clear(&translated->translator);
	return result;
}

enum translated_result translated_run(struct translated *translated, struct vcpu *vcpu,
                                      uint32_t offset, struct trap_frame **frame, gva_t *address)
{
	give_kernel(translated, &translated->direct->slot.area->frame, vcpu, offset);
	return enter(translated, vcpu, offset, frame, address);
}

enum translated_result translated_run_user(struct translated *translated, struct vcpu *vcpu,
                                           struct trap_frame **frame, gva_t *address)
{
	user_gates_follow(&translated->gates, vcpu);
	direct_give_user(translated->direct, vcpu);
	return enter(translated, vcpu, BLOCK_NONE, frame, address);
}
