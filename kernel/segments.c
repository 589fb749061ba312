#include "kernel/segments.h"

#include "kernel/frames.h"
#include "kernel/layout.h"
#include "kernel/page_tables.h"
#include "kernel/panic.h"
#include "kernel/string.h"
#include "kernel/x86.h"

#define ENTRIES   6
#define GDT_BYTES (SEGMENTS_MAX * sizeof(struct descriptor))

static struct descriptor first_gdt[ENTRIES] __attribute__((aligned(8)));
static struct descriptor *gdt = first_gdt;
static uint32_t gdt_bytes = sizeof(first_gdt);
static struct task_state ordinary_task, double_fault_task;
static const struct task_state *current_task = &ordinary_task;

static struct descriptor flat(uint8_t access)
{
	return descriptor_make(0, 0xFFFFF, access, DESCRIPTOR_32BIT | DESCRIPTOR_GRANULAR);
}

static struct descriptor task(const struct task_state *state)
{
	return descriptor_make((uint32_t)state, sizeof(*state) - 1, DESCRIPTOR_TSS, 0);
}

static void load_segments(void)
{
	struct table_pointer pointer = {(uint16_t)(gdt_bytes - 1), (uint32_t)gdt};

	__asm__ volatile("lgdt %0\n\t"
	                 "ljmp %1, $1f\n"
	                 "1:\n\t"
	                 "mov %2, %%ds\n\t"
	                 "mov %2, %%es\n\t"
	                 "mov %2, %%fs\n\t"
	                 "mov %2, %%gs\n\t"
	                 "mov %2, %%ss\n\t"
	                 "ltr %w3"
	                 :
	                 : "m"(pointer), "i"(SEGMENT_CODE), "r"(SEGMENT_DATA), "r"(SEGMENT_TSS)
	                 : "memory");
}

void segments_start(void (*handler)(void), uint32_t double_fault_stack_top)
{
	gdt[SEGMENT_CODE / 8] = flat(DESCRIPTOR_CODE);
	gdt[SEGMENT_DATA / 8] = flat(DESCRIPTOR_DATA);
	gdt[SEGMENT_TSS / 8] = task(&ordinary_task);
	gdt[SEGMENT_DOUBLE_FAULT / 8] = task(&double_fault_task);

	ordinary_task.io_map = sizeof(ordinary_task);
	double_fault_task = (struct task_state){
	        .cr3 = x86_read_cr3(),
	        .eip = (uint32_t)handler,
	        .eflags = 2,
	        .esp = double_fault_stack_top,
	        .cs = SEGMENT_CODE,
	        .ss = SEGMENT_DATA,
	        .ds = SEGMENT_DATA,
	        .es = SEGMENT_DATA,
	        .fs = SEGMENT_DATA,
	        .gs = SEGMENT_DATA,
	        .io_map = sizeof(double_fault_task),
	};
	load_segments();
}

static void map_page(uint32_t at)
{
	mpa_t frame = frames_allocate(FRAME_descriptor_table);

	panic_unless(!frames_is_none(frame));
	page_tables_map(at, frame, PTE_WRITABLE);
	memset((void *)at, 0, PAGE_SIZE);
}

void segments_extend(void)
{
	uint32_t at = layout_address(layout_gdt);

	map_page(at);
	map_page(at + GDT_BYTES - PAGE_SIZE);
	memcpy((void *)at, first_gdt, sizeof(first_gdt));
	gdt = (struct descriptor *)at;
	gdt_bytes = GDT_BYTES;
	gdt[SEGMENT_CODE_ALWAYS / 8] = flat(DESCRIPTOR_CODE);
	segments_reload();
}

void segments_reload(void)
{
	gdt[SEGMENT_TSS / 8] = task(current_task);
	load_segments();
}

void segments_use_task(const struct task_state *state)
{
	current_task = state ? state : &ordinary_task;
	segments_reload();
}

const struct task_state *segments_interrupted_task(void)
{
	return current_task;
}

void segments_follow_cr3(uint32_t cr3)
{
	double_fault_task.cr3 = cr3;
}

void segments_set_spare(struct descriptor descriptor)
{
	gdt[SEGMENT_SPARE / 8] = descriptor;
}
