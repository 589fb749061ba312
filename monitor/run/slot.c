#include "monitor/run/slot.h"

#include "kernel/frames.h"
#include "kernel/layout.h"
#include "kernel/page_tables.h"
#include "kernel/panic.h"
#include "kernel/probes.h"
#include "kernel/segments.h"
#include "kernel/stacks.h"
#include "kernel/string.h"
#include "kernel/traps.h"
#include "kernel/x86.h"
#include "monitor/run/world.h"
#include "monitor/translator/window.h"

#define TABLE_ENTRIES     512u
#define GATE_RING_1       0x20 /* in a gate's type */
#define GATE_RING_3       0x60
#define GATE_STAYS_ON     0x01 /* the real interrupt flag: a trap gate */
#define DESCRIPTOR_RING_1 0x20

_Static_assert(SLOT_CODE == SEGMENT_CODE_ALWAYS, "an NMI finds it in either world's table");
_Static_assert(SLOT_WINDOW + sizeof(struct translator_window) <= SLOT_GDT, "the window has room");

static uint64_t no_execute(void)
{
	return probes.nx ? PTE_NX : 0;
}

static mpa_t frame_at(const struct slot *slot, uint32_t offset)
{
	return mpa(slot->first.value + offset - SLOT_IDT);
}

static void *direct(const struct slot *slot, uint32_t offset)
{
	return page_tables_direct(frame_at(slot, offset));
}

/* What the guest world may write: the task states, because a task switch saves registers there, the
 * stack, and the window. Everything else the processor only reads: the accessed bits are all set.
 */
static bool is_writable(uint32_t offset)
{
	return offset == SLOT_TASKS || offset == SLOT_AREA || offset == SLOT_WINDOW;
}

static void map_in_guest(struct slot *slot, uint32_t offset, uint64_t entry)
{
	uint64_t *table = page_tables_direct(slot->tables[offset / LARGE_PAGE_SIZE]);

	table[offset / PAGE_SIZE % TABLE_ENTRIES] = entry;
}

void slot_open_flag(struct slot *slot, bool writable)
{
	if (writable == slot->flag_is_writable)
		return;
	slot->flag_is_writable = writable;
	map_in_guest(slot, SLOT_FLAG,
	             frame_at(slot, SLOT_FLAG).value | no_execute() | PTE_PRESENT |
	                     (writable ? PTE_WRITABLE : 0));
}

static void show_cache(struct slot *slot)
{
	for (uint32_t at = 0; slot->cache && at < SLOT_CACHE_SIZE; at += PAGE_SIZE)
		map_in_guest(slot, SLOT_CACHE + at, (slot->cache_frames.value + at) | PTE_PRESENT);
}

static uint32_t cross_size(void)
{
	return layout_address(cross_end) - layout_address(layout_image);
}

static void make_guest_view(struct slot *slot)
{
	for (uint32_t at = 0; at < cross_size(); at += PAGE_SIZE)
		map_in_guest(slot, at, layout_image_machine(layout_image + at) | PTE_PRESENT);
	for (uint32_t at = SLOT_IDT; at < SLOT_END; at += PAGE_SIZE)
		map_in_guest(slot, at,
		             frame_at(slot, at).value | no_execute() | PTE_PRESENT |
		                     (is_writable(at) ? PTE_WRITABLE : 0));
	map_in_guest(slot, SLOT_FLAG_AGAIN,
	             frame_at(slot, SLOT_FLAG).value | no_execute() | PTE_PRESENT | PTE_WRITABLE);
	show_cache(slot);
}

/* At the top, the crossing code is there already: it is the image's own. */
static void show_in_host(const struct slot *slot)
{
	for (uint32_t at = 0; at < cross_size() && slot->base != SLOT_TOP; at += PAGE_SIZE)
		page_tables_map_code(slot->base + at, mpa(layout_image_machine(layout_image + at)));
	for (uint32_t at = SLOT_IDT; at < SLOT_END; at += PAGE_SIZE)
		page_tables_map(slot->base + at, frame_at(slot, at), PTE_WRITABLE);
}

static void hide_from_host(const struct slot *slot)
{
	for (uint32_t at = 0; at < cross_size() && slot->base != SLOT_TOP; at += PAGE_SIZE)
		page_tables_unmap(slot->base + at);
	for (uint32_t at = SLOT_IDT; at < SLOT_END; at += PAGE_SIZE)
		page_tables_unmap(slot->base + at);
}

static void set_gate(struct gate *gate, uint16_t selector, uint8_t type, uint32_t offset)
{
	*gate = (struct gate){
	        .offset_low = (uint16_t)offset,
	        .selector = selector,
	        .type = type,
	        .offset_high = (uint16_t)(offset >> 16),
	};
}

void slot_open_gate(struct slot *slot, uint8_t vector, uint32_t offset)
{
	set_gate(&slot->idt[vector], SLOT_CACHE_CODE, GATE_INTERRUPT | GATE_STAYS_ON | GATE_RING_3,
	         offset);
}

void slot_close_gate(struct slot *slot, uint8_t vector)
{
	set_gate(&slot->idt[vector], SLOT_CODE, GATE_INTERRUPT,
	         slot_cross_address(slot, world_stubs) + vector * WORLD_STUB_SIZE);
}

/* A guest's own int n finds gates that it may not use, and so becomes a #GP. */
static void make_idt(struct slot *slot)
{
	for (uint32_t vector = 0; vector < TRAP_VECTORS; vector++)
		slot_close_gate(slot, (uint8_t)vector);
	for (uint32_t vector = 0; vector < TRAP_VECTORS; vector++)
		if (slot->open_vectors[vector / 32] >> vector % 32 & 1)
			slot->idt[vector].type |= GATE_RING_1;
	set_gate(&slot->idt[TRAP_DOUBLE_FAULT], SLOT_DOUBLE_FAULT, GATE_TASK, 0);
}

void slot_open_vector(struct slot *slot, uint8_t vector)
{
	slot->open_vectors[vector / 32] |= 1u << vector % 32;
	make_idt(slot);
}

static struct descriptor flat(uint8_t access)
{
	return descriptor_make(0, 0xFFFFF, access, DESCRIPTOR_32BIT | DESCRIPTOR_GRANULAR);
}

/* What lies between is read-only, and no translated code names it. */
static uint32_t window_size(const struct slot *slot)
{
	return slot->counters ? SLOT_COUNTERS + SLOT_COUNTERS_SIZE - SLOT_WINDOW
	                      : sizeof(struct translator_window);
}

static void make_gdt(const struct slot *slot)
{
	slot->gdt[SLOT_CODE / 8] = flat(DESCRIPTOR_CODE);
	slot->gdt[SLOT_DATA / 8] = flat(DESCRIPTOR_DATA);
	slot->gdt[SLOT_DOUBLE_FAULT / 8] =
	        descriptor_make(slot->base + SLOT_TASKS + sizeof(struct task_state),
	                        sizeof(struct task_state) - 1, DESCRIPTOR_TSS, 0);
	slot->gdt[SLOT_CACHE_CODE / 8] = descriptor_make(
	        slot->base + SLOT_CACHE, SLOT_CACHE_SIZE / PAGE_SIZE - 1,
	        DESCRIPTOR_CODE | DESCRIPTOR_RING_1, DESCRIPTOR_32BIT | DESCRIPTOR_GRANULAR);
	slot->gdt[SLOT_WINDOW_DATA / 8] =
	        descriptor_make(slot->base + SLOT_WINDOW, window_size(slot) - 1,
	                        DESCRIPTOR_DATA | DESCRIPTOR_RING_1, DESCRIPTOR_32BIT);
	slot->gdt[SLOT_LOCAL_TABLE / 8] = descriptor_make(
	        slot->base + SLOT_LDT, TABLE_PAGES * PAGE_SIZE - 1, DESCRIPTOR_LDT, 0);
}

/* The processor is in the host world by now, but its tables are those of the guest world. */
static void on_double_fault(void)
{
	traps_reload();
	panic_double_fault(segments_interrupted_task());
}

/* A task switch brings the host's CR3 along. */
static void make_tasks(const struct slot *slot)
{
	slot->tasks[0] = (struct task_state){
	        .esp0 = slot->base + SLOT_AREA + sizeof(struct world_area),
	        .ss0 = SLOT_DATA,
	        .esp1 = offsetof(struct translator_window, from_user) + sizeof(struct window_frame),
	        .ss1 = SLOT_WINDOW_DATA,
	        .io_map = sizeof(struct task_state),
	};
	slot->tasks[1] = (struct task_state){
	        .cr3 = x86_read_cr3(),
	        .eip = (uint32_t)on_double_fault,
	        .eflags = 2,
	        .esp = stacks_top(STACK_DOUBLE_FAULT),
	        .cs = SLOT_CODE,
	        .ss = SLOT_DATA,
	        .ds = SLOT_DATA,
	        .es = SLOT_DATA,
	        .fs = SLOT_DATA,
	        .gs = SLOT_DATA,
	        .io_map = sizeof(struct task_state),
	};
}

static void settle(struct slot *slot, uint32_t base)
{
	slot->base = base;
	slot->moves++;
	show_in_host(slot);
	make_idt(slot);
	make_gdt(slot);
	make_tasks(slot);
	segments_use_task((struct task_state *)(slot->base + SLOT_TASKS));
	world_start(slot);
}

static bool allocate_cache(struct slot *slot)
{
	slot->cache_frames =
	        frames_allocate_run(SLOT_CACHE_SIZE / PAGE_SIZE, 1, FRAME_translation_cache);
	if (frames_is_none(slot->cache_frames))
		return false;
	slot->cache = page_tables_direct(slot->cache_frames);
	memset(slot->cache, 0xCC, SLOT_CACHE_SIZE);
	return true;
}

bool slot_add_counters(struct slot *slot)
{
	slot->counter_frames = frames_allocate_run(SLOT_COUNTERS_SIZE / PAGE_SIZE, 1, FRAME_slot);
	if (frames_is_none(slot->counter_frames))
		return false;
	slot->counters = page_tables_direct(slot->counter_frames);
	memset(slot->counters, 0, SLOT_COUNTERS_SIZE);
	for (uint32_t at = 0; at < SLOT_COUNTERS_SIZE; at += PAGE_SIZE)
		map_in_guest(slot, SLOT_COUNTERS + at,
		             (slot->counter_frames.value + at) | no_execute() | PTE_PRESENT |
		                     PTE_WRITABLE);
	make_gdt(slot);
	return true;
}

bool slot_create(struct slot *slot, uint32_t base, bool with_cache)
{
	if ((with_cache && !allocate_cache(slot)) || !page_tables_prepare(base, base + SLOT_END))
		return false;
	slot->first = frames_allocate_run(SLOT_PAGES, 1, FRAME_slot);
	slot->tables[0] = frames_allocate(FRAME_slot);
	slot->tables[1] = frames_allocate(FRAME_slot);
	if (frames_is_none(slot->first) || frames_is_none(slot->tables[0]) ||
	    frames_is_none(slot->tables[1]))
		return false;
	memset(page_tables_direct(slot->first), 0, SLOT_PAGES * PAGE_SIZE);
	memset(page_tables_direct(slot->tables[0]), 0, PAGE_SIZE);
	memset(page_tables_direct(slot->tables[1]), 0, PAGE_SIZE);
	slot->gdt = direct(slot, SLOT_GDT);
	slot->ldt = direct(slot, SLOT_LDT);
	slot->idt = direct(slot, SLOT_IDT);
	slot->tasks = direct(slot, SLOT_TASKS);
	slot->area = direct(slot, SLOT_AREA);
	slot->window = direct(slot, SLOT_WINDOW);
	make_guest_view(slot);
	settle(slot, base);
	return true;
}

bool slot_move(struct slot *slot, uint32_t base)
{
	if (!page_tables_prepare(base, base + SLOT_END))
		return false;
	hide_from_host(slot);
	settle(slot, base);
	return true;
}

void slot_directory(const struct slot *slot, uint64_t entries[2])
{
	for (int i = 0; i < 2; i++)
		entries[i] = slot->tables[i].value | PTE_PRESENT | PTE_WRITABLE;
}

uint32_t slot_cross_address(const struct slot *slot, const void *in_image)
{
	return slot->base + layout_address(in_image) - layout_address(layout_image);
}

void slot_destroy(struct slot *slot)
{
	segments_use_task(NULL);
	hide_from_host(slot);
	panic_unless(frames_free_run(slot->first, SLOT_PAGES, FRAME_slot));
	panic_unless(frames_free_run(slot->tables[0], 1, FRAME_slot));
	panic_unless(frames_free_run(slot->tables[1], 1, FRAME_slot));
	if (slot->counters)
		panic_unless(frames_free_run(slot->counter_frames, SLOT_COUNTERS_SIZE / PAGE_SIZE,
		                             FRAME_slot));
	if (slot->cache)
		panic_unless(frames_free_run(slot->cache_frames, SLOT_CACHE_SIZE / PAGE_SIZE,
		                             FRAME_translation_cache));
}
