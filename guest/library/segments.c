#include "guest/library/segments.h"

#include "guest/library/memory.h"

#define STACK_SIZE 16384

struct segment_descriptor segment_table[SEGMENT_SLOTS];
struct segment_task segment_task;

/* Number 0 is where traps from outer rings land; the main program has its own stack below. */
static uint8_t stacks[4][STACK_SIZE] __attribute__((aligned(16)));

uint32_t segment_stack_top(unsigned ring)
{
	return (uint32_t)(uintptr_t)&stacks[ring][STACK_SIZE];
}

struct segment_descriptor segment_make(uint32_t base, uint32_t limit, unsigned access,
                                       unsigned flags)
{
	return (struct segment_descriptor){
	        .limit_low = (uint16_t)limit,
	        .base_low = (uint16_t)base,
	        .base_middle = (uint8_t)(base >> 16),
	        .access = (uint8_t)access,
	        .limit_high_flags = (uint8_t)((limit >> 16 & 0xF) | flags << 4),
	        .base_high = (uint8_t)(base >> 24),
	};
}

struct segment_gate segment_make_gate(uint16_t selector, uint32_t offset, unsigned access,
                                      unsigned parameters)
{
	return (struct segment_gate){
	        .offset_low = (uint16_t)offset,
	        .selector = selector,
	        .parameters = (uint8_t)parameters,
	        .access = (uint8_t)access,
	        .offset_high = (uint16_t)(offset >> 16),
	};
}

void segment_set(uint16_t selector, struct segment_descriptor descriptor)
{
	segment_table[selector >> 3] = descriptor;
}

void segment_set_gate(uint16_t selector, struct segment_gate gate)
{
	memcpy(&segment_table[selector >> 3], &gate, sizeof(gate));
}

static void segments_fill(void)
{
	unsigned code = ACCESS_PRESENT | ACCESS_MEMORY | ACCESS_CODE | ACCESS_READABLE;
	unsigned data = ACCESS_PRESENT | ACCESS_MEMORY | ACCESS_WRITABLE;
	for (unsigned ring = 0; ring < 4; ring++) {
		segment_set(SEGMENT_CODE(ring), segment_make(0, 0xFFFFF, code | ACCESS_DPL(ring),
		                                             FLAG_BIG | FLAG_PAGES));
		segment_set(SEGMENT_DATA(ring), segment_make(0, 0xFFFFF, data | ACCESS_DPL(ring),
		                                             FLAG_BIG | FLAG_PAGES));
	}
	segment_set(SEGMENT_TSS,
	            segment_make((uint32_t)(uintptr_t)&segment_task, sizeof(segment_task) - 1,
	                         ACCESS_PRESENT | ACCESS_TSS, 0));
}

static void segments_fill_task(void)
{
	for (unsigned ring = 0; ring < 3; ring++) {
		segment_task.tss.stack[ring].ss = SEGMENT_DATA(ring);
		segment_task.tss.stack[ring].esp = segment_stack_top(ring);
	}
	segment_task.tss.io_map = __builtin_offsetof(struct segment_task, io_bitmap);
	memset(segment_task.io_bitmap, 0xFF, sizeof(segment_task.io_bitmap));
	segment_task.io_bitmap_end = 0xFF;
}

struct segment_table_register segments_gdtr(void)
{
	return (struct segment_table_register){sizeof(segment_table) - 1,
	                                       (uint32_t)(uintptr_t)segment_table};
}

void segments_init(void)
{
	struct segment_table_register gdtr = segments_gdtr();
	segments_fill();
	segments_fill_task();
	/* A reset leaves an LDT that covers the first 64 KB of memory; it is taken away. */
	__asm__ volatile("lgdt %0\n\t"
	                 "lldt %w4\n\t"
	                 "ljmp %1, $1f\n"
	                 "1:\n\t"
	                 "movw %w2, %%ds\n\t"
	                 "movw %w2, %%es\n\t"
	                 "movw %w2, %%fs\n\t"
	                 "movw %w2, %%gs\n\t"
	                 "movw %w2, %%ss\n\t"
	                 "ltr %w3"
	                 :
	                 : "m"(gdtr), "i"(SEGMENT_CODE(0)), "r"(SEGMENT_DATA(0)), "r"(SEGMENT_TSS),
	                   "r"(0)
	                 : "memory");
}
