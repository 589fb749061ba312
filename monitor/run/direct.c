#include "monitor/run/direct.h"

#include "kernel/frames.h"
#include "kernel/log.h"
#include "kernel/page_tables.h"
#include "kernel/panic.h"
#include "kernel/print.h"
#include "kernel/probes.h"
#include "kernel/statistics.h"
#include "kernel/string.h"
#include "kernel/x86.h"
#include "monitor/cpu/events.h"
#include "monitor/memory/shadow.h"
#include "monitor/memory/watch.h"
#include "monitor/run/account.h"
#include "monitor/run/real_unit.h"
#include "monitor/run/world.h"
#include "monitor/state/stop.h"
#include "monitor/translator/translator.h"

/* What the guest has in the real EFLAGS while it runs: all that its own popf can change there and
 * that changes nothing of ours. TF is not among what is given, for stepping is interpreted; but it
 * is taken, because popf can set it. */
#define FLAGS_GIVEN                                                                           \
	(VCPU_EFLAGS_CF | VCPU_EFLAGS_PF | VCPU_EFLAGS_AF | VCPU_EFLAGS_ZF | VCPU_EFLAGS_SF | \
	 VCPU_EFLAGS_DF | VCPU_EFLAGS_OF | VCPU_EFLAGS_NT | VCPU_EFLAGS_AC | VCPU_EFLAGS_ID)
#define FLAGS_TAKEN (FLAGS_GIVEN | VCPU_EFLAGS_TF)

/* Shadow tables for a guest's memory: a page for so much of it, within bounds. */
#define MEMORY_PER_SHADOW_PAGE (128u << 10)
#define SHADOW_PAGES_LEAST     256u
#define SHADOW_PAGES_MOST      4096u

/* Where the slot may be when it need not be at the top: above the direct map. */
#define SLOT_LOWEST  DIRECT_MAP_END
#define SLOT_HIGHEST (SLOT_TOP - SLOT_SIZE)

bool direct_allocate(struct direct_room *room, size_t size)
{
	room->frames = (uint32_t)(page_round_up(size) / PAGE_SIZE);
	room->first = frames_allocate_run(room->frames, 1, FRAME_shadow);
	if (frames_is_none(room->first))
		return false;
	memset(page_tables_direct(room->first), 0, room->frames * PAGE_SIZE);
	return true;
}

void direct_release(const struct direct_room *room)
{
	panic_unless(frames_free_run(room->first, room->frames, FRAME_shadow));
}

static uint32_t shadow_pages_for(const struct vm *vm)
{
	uint32_t pages = (uint32_t)(vm->ram_size / MEMORY_PER_SHADOW_PAGE);

	if (pages < SHADOW_PAGES_LEAST)
		return SHADOW_PAGES_LEAST;
	return pages < SHADOW_PAGES_MOST ? pages : SHADOW_PAGES_MOST;
}

static bool start_shadow(struct direct *direct, struct vm *vm)
{
	uint32_t pages = shadow_pages_for(vm);
	size_t storage = shadow_storage_size(pages, vm->ram_size);

	if (!direct_allocate(&direct->watchers, watch_storage_size(vm->ram_size)) ||
	    !direct_allocate(&direct->shadow_pages, pages * PAGE_SIZE) ||
	    !direct_allocate(&direct->shadow_storage, storage))
		return false;
	const struct shadow_setup setup = {
	        .pages = page_tables_direct(direct->shadow_pages.first),
	        .pages_machine = direct->shadow_pages.first.value,
	        .page_count = pages,
	        .ram_machine = (uint32_t)vm->ram,
	        .no_execute = probes.nx,
	        .storage = page_tables_direct(direct->shadow_storage.first),
	        .storage_size = storage,
	};
	vm->watchers = page_tables_direct(direct->watchers.first);
	shadow_start(vm, &setup);
	return true;
}

static void tell_slot(const struct direct *direct, struct vm *vm)
{
	uint64_t entries[2];

	slot_directory(&direct->slot, entries);
	shadow_set_slot(vm, direct->slot.base, entries);
}

bool direct_start(struct direct *direct, struct vm *vm, enum direct_kind kind, char *problem,
                  size_t size)
{
	if (!start_shadow(direct, vm) ||
	    !slot_create(&direct->slot, probes.segment_limits ? SLOT_TOP : SLOT_HIGHEST,
	                 kind == DIRECT_USER)) {
		print_to_buffer(problem, size,
		                "there is not enough memory for shadow page tables: %u free "
		                "frames; choose a smaller guest-memory=",
		                frames_count(FRAME_free));
		return false;
	}
	/* Ring 3 is kept out by its pages being the supervisor's. */
	direct->tables.gdt = direct->slot.gdt;
	direct->tables.ldt = direct->slot.ldt;
	direct->tables.last_index = SLOT_GUEST_LAST;
	direct->tables.user_code_stays = kind == DIRECT_USER;
	if (probes.segment_limits && kind == DIRECT_ALL)
		direct->tables.cut = SLOT_TOP;
	shadow_tables_start(vm, &direct->tables);
	tell_slot(direct, vm);
	return true;
}

void direct_stop(struct direct *direct)
{
	const struct world_area *area = direct->slot.area;

	statistics[STATISTIC_nmis] += area->nmis;
	slot_destroy(&direct->slot);
	direct_release(&direct->watchers);
	direct_release(&direct->shadow_pages);
	direct_release(&direct->shadow_storage);
}

static bool is_crowded_out(struct direct *direct, const struct vcpu *vcpu)
{
	if (!direct->is_crowded_out)
		log_info(vcpu->vm->name,
		         "the guest leaves no 4 MB of its address space for the monitor, and this "
		         "processor does not enforce segment limits: it is interpreted until it "
		         "does");
	direct->is_crowded_out = true;
	statistics_count(slots_not_found);
	return false;
}

static bool move(struct direct *direct, struct vcpu *vcpu, uint32_t base)
{
	bool is_done;

	x86_disable_interrupts();
	is_done = slot_move(&direct->slot, base);
	x86_enable_interrupts();
	if (!is_done) {
		vm_stop(vcpu, "there is no memory for the page table that the monitor needs where "
		              "the guest does not want to be");
		return false;
	}
	tell_slot(direct, vcpu->vm);
	statistics_count(slot_moves);
	log_debug(vcpu->vm->name, "the monitor makes way for the guest slot=0x%08x", base);
	return true;
}

/* Where limits are not enforced, nothing keeps ring 1 out of the slot but its being elsewhere. */
bool direct_move_away(struct direct *direct, struct vcpu *vcpu)
{
	uint32_t base = SLOT_HIGHEST;

	while (base >= SLOT_LOWEST && !shadow_slot_is_free_at(vcpu, base))
		base -= SLOT_SIZE;
	if (base < SLOT_LOWEST)
		return is_crowded_out(direct, vcpu);
	direct->is_crowded_out = false;
	return move(direct, vcpu, base);
}

static inline bool level_is_usual(const struct vcpu *vcpu)
{
	/* pushf shows both to ring 3, and the real ones are 1 and 0. */
	const uint32_t shown = VCPU_EFLAGS_IF | VCPU_EFLAGS_IOPL;

	return vcpu->cpl == 0 || (vcpu->cpl == 3 && (vcpu->eflags & shown) == VCPU_EFLAGS_IF);
}

static inline bool is_usual(const struct vcpu *vcpu)
{
	return !(vcpu->eflags & (VCPU_EFLAGS_TF | VCPU_EFLAGS_VM)) && !vcpu->interrupt_shadow &&
	       !vcpu->debug_shadow && !vcpu->debug_trap && !vcpu->debug_met && !vcpu->halted &&
	       !(vcpu->debug[7] & EVENTS_DR7_ON) && level_is_usual(vcpu);
}

bool direct_is_possible(struct vcpu *vcpu)
{
	return is_usual(vcpu) && shadow_tables_admit(vcpu) &&
	       vcpu->eip <= shadow_tables_level(vcpu)->code_limit;
}

void direct_give_registers(struct trap_frame *frame, const struct vcpu *vcpu)
{
	const uint32_t *registers = vcpu->registers;

	frame->eax = registers[VCPU_EAX];
	frame->ecx = registers[VCPU_ECX];
	frame->edx = registers[VCPU_EDX];
	frame->ebx = registers[VCPU_EBX];
	frame->esp = registers[VCPU_ESP];
	frame->ebp = registers[VCPU_EBP];
	frame->esi = registers[VCPU_ESI];
	frame->edi = registers[VCPU_EDI];
}

static void give(const struct direct *direct, const struct vcpu *vcpu)
{
	struct trap_frame *frame = &direct->slot.area->frame;
	const uint32_t *given = shadow_tables_level(vcpu)->given;

	direct_give_registers(frame, vcpu);
	frame->eip = vcpu->eip;
	frame->eflags = (vcpu->eflags & FLAGS_GIVEN) | VCPU_EFLAGS_IF | VCPU_EFLAGS_ONE;
	frame->cs = given[VCPU_CS];
	frame->ss = given[VCPU_SS];
	frame->ds = given[VCPU_DS];
	frame->es = given[VCPU_ES];
	frame->fs = given[VCPU_FS];
	frame->gs = given[VCPU_GS];
}

void direct_take_registers(struct vcpu *vcpu, const struct trap_frame *frame)
{
	uint32_t *registers = vcpu->registers;

	registers[VCPU_EAX] = frame->eax;
	registers[VCPU_ECX] = frame->ecx;
	registers[VCPU_EDX] = frame->edx;
	registers[VCPU_EBX] = frame->ebx;
	registers[VCPU_ESP] = frame->esp;
	registers[VCPU_EBP] = frame->ebp;
	registers[VCPU_ESI] = frame->esi;
	registers[VCPU_EDI] = frame->edi;
}

/* Some processors push segment registers as words and leave the upper half as it was. */
static bool segments_have_changed(const struct trap_frame *frame, const uint32_t *given)
{
	return (uint16_t)((frame->cs ^ given[VCPU_CS]) | (frame->ss ^ given[VCPU_SS]) |
	                  (frame->ds ^ given[VCPU_DS]) | (frame->es ^ given[VCPU_ES]) |
	                  (frame->fs ^ given[VCPU_FS]) | (frame->gs ^ given[VCPU_GS]));
}

#define TAKEN_SEGMENTS(frame)                                                              \
	{                                                                                  \
		[VCPU_CS] = (frame)->cs, [VCPU_SS] = (frame)->ss, [VCPU_DS] = (frame)->ds, \
		[VCPU_ES] = (frame)->es, [VCPU_FS] = (frame)->fs, [VCPU_GS] = (frame)->gs, \
	}

__attribute__((noinline)) static void take_segments(struct vcpu *vcpu,
                                                    const struct trap_frame *frame)
{
	const uint32_t *given = shadow_tables_level(vcpu)->given;
	const uint32_t taken[VCPU_SEGMENTS] = TAKEN_SEGMENTS(frame);

	for (unsigned int i = 0; i < VCPU_SEGMENTS; i++)
		if ((uint16_t)taken[i] != given[i])
			shadow_tables_adopt(vcpu, (enum vcpu_segment)i, (uint16_t)taken[i]);
}

static inline void take_registers_and_flags(struct vcpu *vcpu, const struct trap_frame *frame)
{
	direct_take_registers(vcpu, frame);
	vcpu->eip = frame->eip;
	vcpu->eflags =
	        (vcpu->eflags & ~(FLAGS_TAKEN | VCPU_EFLAGS_RF)) | (frame->eflags & FLAGS_TAKEN);
}

static void take(const struct direct *direct, struct vcpu *vcpu)
{
	const struct trap_frame *frame = &direct->slot.area->frame;

	take_registers_and_flags(vcpu, frame);
	if (segments_have_changed(frame, shadow_tables_level(vcpu)->given))
		take_segments(vcpu, frame);
}

void direct_give_user(const struct direct *direct, const struct vcpu *vcpu)
{
	give(direct, vcpu);
}

/* What kernel code of the same selectors held, user code holds as well: each is what the guest's
 * table says, or the way to ring 3 would not have been open. */
static void take_segments_of_user(struct vcpu *vcpu, const struct trap_frame *frame)
{
	const uint32_t taken[VCPU_SEGMENTS] = TAKEN_SEGMENTS(frame);

	for (unsigned int i = 0; i < VCPU_SEGMENTS; i++)
		if (i == VCPU_CS || i == VCPU_SS ||
		    (uint16_t)taken[i] != vcpu->segments[i].selector)
			shadow_tables_adopt(vcpu, (enum vcpu_segment)i, (uint16_t)taken[i]);
	vcpu->loads++;
}

void direct_take_user(const struct direct *direct, struct vcpu *vcpu)
{
	const struct trap_frame *frame = &direct->slot.area->frame;

	if (vcpu->cpl == 3) {
		take(direct, vcpu);
		return;
	}
	vcpu->cpl = 3;
	take_registers_and_flags(vcpu, frame);
	vcpu->eflags |= VCPU_EFLAGS_IF;
	take_segments_of_user(vcpu, frame);
}

static enum cause cause_of(uint32_t vector)
{
	if (vector == TRAP_PAGE_FAULT)
		return CAUSE_page_fault;
	if (vector == TRANSLATOR_VECTOR_CALLOUT)
		return CAUSE_callout;
	if (vector == TRANSLATOR_VECTOR_EXIT)
		return CAUSE_block_exit;
	if (vector == TRANSLATOR_VECTOR_CR3)
		return CAUSE_load_cr3;
	return vector < TRAP_EXCEPTIONS ? CAUSE_trap : CAUSE_interrupt;
}

bool direct_enter(struct direct *direct, struct vcpu *vcpu)
{
	statistics_count(world_switches);
	account_begin(CAUSE_guest);
	if (world_enter(&direct->slot)) {
		if (account_is_on)
			account_change(cause_of(direct->slot.area->frame.vector));
		direct->traps[direct->slot.area->frame.vector]++;
		return true;
	}
	vm_stop(vcpu,
	        "the guest's ring 1 got into virtual-8086 mode by iret, which processors refuse "
	        "and QEMU's TCG does not: nothing there is caught any more");
	return false;
}

struct trap_frame *direct_run(struct direct *direct, struct vcpu *vcpu, gva_t *address)
{
	struct world_area *area = direct->slot.area;

	area->guest_cr3 = shadow_root(vcpu);
	area->local_table = vcpu->ldtr.usable ? SLOT_LOCAL_TABLE : 0;
	real_unit_lend(vcpu);
	give(direct, vcpu);
	if (!direct_enter(direct, vcpu))
		return NULL;
	*address = gva(x86_read_cr2());
	take(direct, vcpu);
	return &area->frame;
}
