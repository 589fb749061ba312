#include "monitor/run/translated.h"

#include "kernel/frames.h"
#include "kernel/options.h"
#include "kernel/page_tables.h"
#include "kernel/probes.h"
#include "kernel/statistics.h"
#include "kernel/x86.h"
#include "monitor/cpu/compression.h"
#include "monitor/memory/shadow.h"
#include "monitor/memory/watch.h"
#include "monitor/run/listing.h"
#include "monitor/run/machine.h"
#include "monitor/run/real_unit.h"
#include "monitor/run/world.h"

static struct translator *translator_of(struct vm *vm)
{
	return &((struct machine *)vm)->translated.translator;
}

static void on_written(struct vm *vm, gpa_t at, uint32_t size)
{
	translator_written(translator_of(vm), at, size);
}

static void watch_code(struct vcpu *vcpu, gpa_t page, bool on)
{
	if (on)
		watch_start(vcpu->vm, page, WATCH_CODE);
	else
		watch_stop(vcpu->vm, page, WATCH_CODE);
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
	        .room = page_tables_direct(translated->room.first),
	        .room_size = size,
	        .watch = watch_code,
	        .vcpu = &vm->vcpu,
	        .options = {.unit_is_real = true, .tsc_is_real = true},
	        .observer = options.trace == OPTION_TRACE_TRANSLATE ? &listing_observer : NULL,
	        .count = options.coverage ? &translated->coverage.count : NULL,
	};
	translated->direct = direct;
	translated->cut = probes.segment_limits ? SLOT_TOP : COMPRESSION_NO_CUT;
	slot_open_vector(&direct->slot, TRANSLATOR_VECTOR_CALLOUT);
	slot_open_vector(&direct->slot, TRANSLATOR_VECTOR_EXIT);
	watch_register(vm, WATCH_CODE, on_written);
	translator_start(&translated->translator, &setup);
	return true;
}

void translated_stop(struct translated *translated)
{
	direct_release(&translated->room);
	coverage_stop(&translated->coverage);
}

/* What cannot be given becomes a null selector: using it faults, and the fault is emulated. */
static void make_twin(struct translated *translated, const struct vcpu *vcpu, unsigned int number)
{
	const struct vcpu_segment_register *segment = &vcpu->segments[number];
	struct descriptor *twin = &translated->direct->slot.gdt[SLOT_TWINS + number];

	translated->twins[number] = *segment;
	translated->selectors[number] = 0;
	if (compression_make_twin(segment, translated->cut, twin))
		translated->selectors[number] = (uint16_t)((SLOT_TWINS + number) * 8 + 1);
}

static void make_twins(struct translated *translated, const struct vcpu *vcpu)
{
	for (unsigned int i = 0; i < VCPU_SEGMENTS; i++)
		if (i != VCPU_CS && i != VCPU_GS &&
		    !segments_hold_the_same(&translated->twins[i], &vcpu->segments[i]))
			make_twin(translated, vcpu, i);
}

bool translated_find(struct translated *translated, struct vcpu *vcpu, uint32_t *offset)
{
	make_twins(translated, vcpu);
	return translated->selectors[VCPU_SS] &&
	       translator_find_or_make(&translated->translator, vcpu, offset) == TRANSLATOR_FOUND;
}

static void give(const struct translated *translated, struct trap_frame *frame,
                 const struct vcpu *vcpu, uint32_t offset)
{
	direct_give_registers(frame, vcpu);
	frame->eip = offset;
	frame->eflags = translator_real_flags(vcpu);
	frame->cs = SLOT_CACHE_CODE;
	frame->gs = SLOT_WINDOW_DATA;
	frame->ss = translated->selectors[VCPU_SS];
	frame->ds = translated->selectors[VCPU_DS];
	frame->es = translated->selectors[VCPU_ES];
	frame->fs = translated->selectors[VCPU_FS];
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

static enum translated_result leave(struct translated *translated, struct vcpu *vcpu,
                                    const struct trap_frame *frame, gva_t address)
{
	struct translator *translator = &translated->translator;

	switch (frame->vector) {
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
	if (frame->vector == TRAP_PAGE_FAULT && is_flag(translated, address))
		return TRANSLATED_INTERPRET;
	return TRANSLATED_TRAP;
}

enum translated_result translated_run(struct translated *translated, struct vcpu *vcpu,
                                      uint32_t offset, struct trap_frame **frame, gva_t *address)
{
	struct direct *direct = translated->direct;
	struct world_area *area = direct->slot.area;

	area->guest_cr3 = shadow_root(vcpu);
	area->local_table = 0;
	real_unit_lend(vcpu);
	guard_flag(translated, vcpu);
	translator_load_window(&translated->translator, vcpu);
	give(translated, &area->frame, vcpu, offset);
	*frame = NULL;
	if (!direct_enter(direct, vcpu))
		return TRANSLATED_GO_ON;
	*frame = &area->frame;
	*address = gva(x86_read_cr2());
	direct_take_registers(vcpu, &area->frame);
	translator_store_window(&translated->translator, vcpu, area->frame.eflags);
	return leave(translated, vcpu, &area->frame, *address);
}
