#include <stddef.h>

#include "guest/library/cpu.h"
#include "guest/library/memory.h"
#include "guest/library/paging.h"
#include "guest/library/print.h"
#include "guest/library/start.h"
#include "guest/library/test.h"

#define BORDER    0xFFC00000u
#define NO_MEMORY 0x80000000u
#define IDENTITY  (PAGE_PRESENT | PAGE_WRITE | PAGE_USER)
#define OTHER_TSS SEGMENT_FREE(0)

SNIPPET(undefined, "ud2");
SNIPPET(undefined_there, "movl %ecx, %esp; ud2");

static struct paging paging;

static void load_gdt(uint32_t base, uint16_t limit)
{
	struct segment_table_register image = {limit, base};
	__asm__ volatile("lgdt %0" : : "m"(image));
}

static void load_idt(uint32_t base, uint16_t limit)
{
	struct segment_table_register image = {limit, base};
	__asm__ volatile("lidt %0" : : "m"(image));
}

static void end_by_cr3(void)
{
	cpu_write_cr3(NO_MEMORY);
}

static void end_by_idt(void)
{
	load_idt(BORDER, 0x7FF);
	undefined(0);
}

static void end_by_short_idt(void)
{
	load_idt(0, 0);
	undefined(0);
}

static void end_by_gdt(void)
{
	load_gdt(BORDER, 0xFFFF);
	undefined(0);
}

static void end_by_stack(void)
{
	undefined_there(BORDER + 0x800);
}

static void end_by_esp0(void)
{
	segment_task.tss.stack[0].esp = BORDER + 0x800;
	call_in_ring(3, undefined, 0);
}

static void end_by_tss(void)
{
	segment_set(OTHER_TSS, segment_make(BORDER, 103, ACCESS_PRESENT | ACCESS_TSS, 0));
	__asm__ volatile("ltr %w0" : : "r"(OTHER_TSS) : "memory");
	call_in_ring(3, undefined, 0);
}

static void end_by_tables(void)
{
	memset((void *)(uintptr_t)paging.root, 0, PAGE_SIZE);
	paging_flush_all();
}

static const struct {
	const char *name;
	void (*end)(void);
} endings[] = {
        {"cr3", end_by_cr3}, {"idt", end_by_idt},       {"short-idt", end_by_short_idt},
        {"gdt", end_by_gdt}, {"stack", end_by_stack},   {"esp0", end_by_esp0},
        {"tss", end_by_tss}, {"tables", end_by_tables},
};

void guest_main(const struct boot_info *boot)
{
	const char *name = boot_find_option(boot, "by");
	test_begin("endings", "a guest that leaves itself no way to handle a fault ends with a "
	                      "triple fault, and nothing else does");
	paging = paging_create(PAGING_TWO_LEVEL);
	paging_map_identity(&paging, IDENTITY);
	paging_enable(&paging, CR0_WP);
	for (unsigned i = 0; name && i < sizeof(endings) / sizeof(*endings); i++)
		if (!strcmp(name, endings[i].name)) {
			endings[i].end();
			test_error("it has survived");
		}
	test_error("say by= and how: cr3, idt, short-idt, gdt, stack, esp0, tss or tables");
}
