#include "guest/nanobench/setting.h"

#include "guest/library/cpu.h"
#include "guest/library/interrupts.h"
#include "guest/library/paging.h"
#include "guest/library/traps.h"
#include "guest/nanobench/loops.h"

#define VECTOR_SYSCALL 0x80
#define PAGE_AT        0x20000000u
#define HOLE_AT        0x20001000u
#define APIC_AT        0xFEE00000u
#define APIC_PRIORITY  0x80u
#define ALL_RIGHTS     (PAGE_PRESENT | PAGE_WRITE | PAGE_USER)

/* Frames beside each other, of which the first is even: loops.asm goes to and fro by one bit. */
static uint8_t frames[2][PAGE_SIZE] __attribute__((aligned(2 * PAGE_SIZE)));

static struct paging setting_make_space(void)
{
	struct paging space = paging_create(PAGING_TWO_LEVEL);
	paging_map_identity(&space, ALL_RIGHTS);
	paging_map(&space, PAGE_AT, (uint32_t)(uintptr_t)frames[0], ALL_RIGHTS);
	paging_map(&space, APIC_AT, APIC_AT, PAGE_PRESENT | PAGE_WRITE | PAGE_CD);
	return space;
}

static volatile uint32_t *setting_entry_of(const struct paging *space, uint32_t address)
{
	uint32_t table = (uint32_t)paging_directory_entry(space, address) & ~(PAGE_SIZE - 1);
	return (volatile uint32_t *)(uintptr_t)table + (address / PAGE_SIZE & 1023);
}

static void setting_make_paging(void)
{
	struct paging first = setting_make_space(), second = setting_make_space();
	loop_root = first.root;
	loop_second_root = second.root;
	loop_entry = setting_entry_of(&first, PAGE_AT);
	loop_page = (volatile uint32_t *)PAGE_AT;
	loop_apic_register = (volatile uint32_t *)(APIC_AT + APIC_PRIORITY);
	loop_hole = (volatile uint32_t *)HOLE_AT;
	paging_enable(&first, CR0_WP);
	/* The table is live from now on: the processor has read the entry. */
	(void)*loop_page;
}

static void setting_make_gate(uint8_t vector, unsigned dpl, const char *handler)
{
	trap_set_gate(vector,
	              segment_make_gate(SEGMENT_CODE(0), (uint32_t)(uintptr_t)handler,
	                                ACCESS_PRESENT | ACCESS_DPL(dpl) | ACCESS_INTERRUPT, 0));
}

void setting_prepare(void)
{
	interrupts_init();
	setting_make_gate(VECTOR_SYSCALL, 3, loop_on_syscall);
	setting_make_gate(VECTOR_PF, 0, loop_on_page_fault);
	setting_make_gate(VECTOR_DE, 0, loop_on_divide_error);
	setting_make_gate(VECTOR_IRQ0 + IRQ_COM1, 0, loop_on_interrupt);
	setting_make_paging();
}
