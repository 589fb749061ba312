#include "guest/library/cpu.h"
#include "guest/library/memory.h"
#include "guest/library/paging.h"
#include "guest/library/print.h"
#include "guest/library/start.h"
#include "guest/library/test.h"

#define BORDER   0xFFC00000u
#define IDENTITY (PAGE_PRESENT | PAGE_WRITE | PAGE_USER)
#define DATA     (ACCESS_PRESENT | ACCESS_MEMORY | ACCESS_WRITABLE)
#define VECTOR   0x90
#define TRIED    SEGMENT_FREE(0)
#define TASK     SEGMENT_FREE(1)
#define LDT      SEGMENT_FREE(2)
#define LDT_8    (8u | 4u | 3u) /* the LDT's second entry */

SNIPPET_BEFORE(read_fs, "movw %cx, %fs", "movl %fs:0, %eax; xorl %edx, %edx; movw %dx, %fs");
SNIPPET(use_int, "int $0x90");
SNIPPET(call_there, "call *%ecx");
SNIPPET(pop_there, "movl %esp, %edx; movl %ecx, %esp; popl %eax; movl %edx, %esp");
/* In ring 0: the page under the stack is another one from one instruction to the next. */
SNIPPET(swap_stack,
        "movl %esp, saved_esp; movl %ecx, %esp; pushl $0x111; movl other_entry, %edx\n\t"
        "movl entry_place, %eax; movl %edx, (%eax); invlpg (%esp); popl %eax\n\t"
        "movl saved_esp, %esp");
uint32_t other_entry, entry_place, saved_esp;

/* Two pages for each place: what stands in them differs, and the guest changes between them. */
enum { FIRST, OTHER, PAGES };
static uint8_t *gdt[PAGES], *idt[PAGES], *ldt[PAGES], *task[PAGES], *plain[PAGES];
static uint32_t marks[PAGES] = {0x1111, 0x2222};
static struct paging spaces[PAGES];
static uint32_t gdt_at, idt_at, ldt_at, task_at, plain_at; /* their linear addresses */
static uint32_t handler_esp;
static struct segment_table_register whole_gdt, whole_idt;

static struct segment_descriptor mark_segment(unsigned which)
{
	return segment_make((uint32_t)(uintptr_t)&marks[which], 3, DATA | ACCESS_DPL(3), FLAG_BIG);
}

static void on_vector(struct trap_frame *frame)
{
	handler_esp = (uint32_t)(uintptr_t)frame;
	frame->eax = marks[frame->vector - VECTOR];
}

static void fill(unsigned which)
{
	static const uint8_t code[] = {0xB8, 0, 0, 0, 0, 0xC3}; /* mov eax, ...; ret */
	struct segment_descriptor *table = (void *)gdt[which];
	struct segment_gate *gates = (void *)idt[which];
	struct segment_tss *state = (void *)task[which];
	memcpy(table, segment_table, sizeof(segment_table));
	table[TRIED >> 3] = mark_segment(which);
	table[TASK >> 3] =
	        segment_make(task_at, sizeof(*state) - 1, ACCESS_PRESENT | ACCESS_TSS_BUSY, 0);
	((struct segment_descriptor *)(void *)ldt[which])[1] = mark_segment(which);
	for (unsigned vector = 0; vector < 256; vector++)
		gates[vector] = trap_gate((uint8_t)vector);
	gates[VECTOR] = trap_gate((uint8_t)(VECTOR + which));
	*state = segment_task.tss;
	state->stack[0].esp -= which * 0x1000;
	memcpy(plain[which], code, sizeof(code));
	*(uint32_t *)(uintptr_t)(plain[which] + 1) = marks[which];
}

static void map_all(const struct paging *paging, unsigned which)
{
	const struct {
		uint32_t at;
		const void *frame;
	} maps[] = {{gdt_at, gdt[which]},
	            {idt_at, idt[which]},
	            {ldt_at, ldt[which]},
	            {task_at, task[which]},
	            {plain_at, plain[which]}};
	for (unsigned i = 0; i < sizeof(maps) / sizeof(*maps); i++) {
		paging_map(paging, maps[i].at, (uint32_t)(uintptr_t)maps[i].frame, IDENTITY);
		cpu_flush_page(maps[i].at);
	}
}

/* Everything that the processor finds through these pages is that of the ones that are there. */
static void check_seen(unsigned which, const char *how)
{
	uint32_t mark = marks[which], stack = segment_task.tss.stack[0].esp - which * 0x1000;
	print("     page %u, %s\n", which, how);
	test_value(call_in_ring(3, read_fs, TRIED | 3), mark, "a segment of the GDT");
	test_value(call_in_ring(0, read_fs, LDT_8), mark, "a segment of the LDT, ring 0");
	test_value(call_in_ring(3, read_fs, LDT_8), mark, "a segment of the LDT, ring 3");
	test_value(call_in_ring(3, use_int, 0), mark, "the gate in the IDT");
	test_check(handler_esp == stack - sizeof(struct trap_frame), "the TSS's stack for ring 0");
	test_value(call_in_ring(0, use_int, 0), mark, "the gate in the IDT, ring 0");
	test_value(call_in_ring(0, call_there, plain_at), mark, "code, ring 0");
	test_value(call_in_ring(3, call_there, plain_at), mark, "code, ring 3");
	*(uint32_t *)(uintptr_t)(plain[which] + 64) = mark;
	test_value(call_in_ring(3, pop_there, plain_at + 64), mark, "a stack");
}

static void load_all(void)
{
	struct segment_table_register high_gdt = {sizeof(segment_table) - 1, gdt_at};
	struct segment_table_register high_idt = {256 * 8 - 1, idt_at};
	segment_set(LDT, segment_make(ldt_at, 15, ACCESS_PRESENT | ACCESS_LDT, 0));
	segment_set(TASK, segment_make(task_at, sizeof(struct segment_tss) - 1,
	                               ACCESS_PRESENT | ACCESS_TSS, 0));
	__asm__ volatile("lldt %w0; ltr %w1; lgdt %2; lidt %3"
	                 :
	                 : "r"(LDT), "r"(TASK), "m"(high_gdt), "m"(high_idt)
	                 : "memory");
}

static void check_stack_swap(void)
{
	map_all(&spaces[FIRST], FIRST);
	*(uint32_t *)(uintptr_t)(plain[OTHER] + 0x7FC) = 0x5EC0;
	other_entry = (uint32_t)(uintptr_t)plain[OTHER] | IDENTITY;
	entry_place = ((uint32_t)paging_directory_entry(&spaces[FIRST], plain_at) & ~0xFFFu) +
	              (plain_at >> 12 & 1023) * 4;
	test_value(catch_call(swap_stack, plain_at + 0x800), 0x5EC0,
	           "the stack's page is another one between push and pop");
	test_check(*(uint32_t *)(uintptr_t)(plain[FIRST] + 0x7FC) == 0x111,
	           "the push went to the first one");
}

static void check_at(uint32_t base)
{
	gdt_at = base, idt_at = base + PAGE_SIZE, ldt_at = base + 2 * PAGE_SIZE;
	task_at = base + 3 * PAGE_SIZE, plain_at = base + 4 * PAGE_SIZE;
	print("     -- at %x\n", base);
	for (unsigned which = 0; which < PAGES; which++) {
		fill(which);
		map_all(&spaces[which], which);
	}
	load_all();
	check_seen(FIRST, "as they were loaded");
	map_all(&spaces[FIRST], OTHER);
	check_seen(OTHER, "mapped in their stead");
	map_all(&spaces[FIRST], FIRST);
	check_seen(FIRST, "and back");
	cpu_write_cr3(spaces[OTHER].root);
	check_seen(OTHER, "in another address space");
	cpu_write_cr3(spaces[FIRST].root);
	check_seen(FIRST, "and back");
	check_stack_swap();
	__asm__ volatile("lgdt %0; lidt %1; lldt %w2"
	                 :
	                 : "m"(whole_gdt), "m"(whole_idt), "r"(0)
	                 : "memory");
	segment_table[SEGMENT_TSS >> 3].access &= (uint8_t)~2u;
	__asm__ volatile("ltr %w0" : : "r"(SEGMENT_TSS) : "memory");
}

void guest_main(const struct boot_info *boot)
{
	(void)boot;
	test_begin("remapped", "GDT, IDT, LDT, TSS, code and stack are what the page tables say at "
	                       "that moment, although they were loaded before");
	whole_gdt = segments_gdtr();
	whole_idt = traps_idtr();
	for (unsigned i = 0; i < 2; i++) {
		trap_set_handler((uint8_t)(VECTOR + i), on_vector);
		trap_set_dpl((uint8_t)(VECTOR + i), 3);
	}
	for (unsigned which = 0; which < PAGES; which++) {
		gdt[which] = page_take(), idt[which] = page_take(), ldt[which] = page_take();
		task[which] = page_take(), plain[which] = page_take();
		spaces[which] = paging_create(PAGING_TWO_LEVEL);
		paging_map_identity(&spaces[which], IDENTITY);
	}
	trap_set_dpl(0xFF, 3); /* by which code of other rings comes back */
	paging_enable(&spaces[FIRST], CR0_WP);
	check_at(0x40000000);
	check_at(BORDER - 2 * PAGE_SIZE);
	check_at(0xFFFF0000);
	test_end();
}
