#include "guest/library/cpu.h"
#include "guest/library/paging.h"
#include "guest/library/print.h"
#include "guest/library/start.h"
#include "guest/library/test.h"

#define WINDOW   0x40000000u
#define IDENTITY (PAGE_PRESENT | PAGE_WRITE | PAGE_USER)
#define OLD      0x01D01D01u
#define NEW      0x0E0E0E0Eu

SNIPPET(read, "movl (%ecx), %eax");
SNIPPET(write, "movl $0, 4(%ecx)");

static struct paging paging, other;
static uint32_t *old_page, *new_page;

static void set_window(const void *frame, uint64_t attributes)
{
	paging_map(&paging, WINDOW, (uint32_t)(uintptr_t)frame, attributes);
}

static uint32_t window(void)
{
	return *(volatile uint32_t *)(uintptr_t)WINDOW;
}

/* The window shows the old page, and the processor has seen it. */
static void start_with_old(uint64_t attributes)
{
	set_window(old_page, IDENTITY | attributes);
	paging_flush_all();
	cpu_flush_page(WINDOW);
	(void)window();
}

/* Before a flush the processor may use the old entry or the new one, and nothing else. */
static void check_stale(const char *what)
{
	uint32_t value = window();
	test_either(what, value == OLD, "still the old page", value == NEW, "the new page already");
}

static void flush_by_invlpg(void)
{
	cpu_flush_page(WINDOW);
}

static void flush_by_cr0(void)
{
	paging_disable();
	cpu_write_cr0(cpu_read_cr0() | CR0_PG);
}

static void flush_by_other_cr3(void)
{
	cpu_write_cr3(other.root);
	cpu_write_cr3(paging.root);
}

static void check_flushes(void)
{
	static const struct {
		const char *what;
		void (*flush)(void);
	} ways[] = {
	        {"invlpg", flush_by_invlpg},
	        {"mov cr3 of the same value", paging_flush_all},
	        {"mov cr3 of another and back", flush_by_other_cr3},
	        {"paging off and on", flush_by_cr0},
	};
	for (unsigned i = 0; i < sizeof(ways) / sizeof(*ways); i++) {
		start_with_old(0);
		set_window(new_page, IDENTITY);
		check_stale("a changed entry before the flush");
		ways[i].flush();
		test_check(window() == NEW, "%s: the new page", ways[i].what);
	}
}

/* More rights need no flush: the fault itself makes the processor look again. */
static void check_more_rights(void)
{
	start_with_old(0);
	set_window(old_page, 0);
	cpu_flush_page(WINDOW);
	test_page_fault(call_in_ring(0, read, WINDOW), 0, WINDOW, "not present");
	set_window(new_page, IDENTITY);
	test_value(call_in_ring(0, read, WINDOW), NEW, "present from now on, without a flush");
	set_window(old_page, PAGE_PRESENT | PAGE_USER);
	cpu_flush_page(WINDOW);
	(void)window();
	test_page_fault(call_in_ring(0, write, WINDOW), FAULT_PRESENT | FAULT_WRITE, WINDOW + 4,
	                "read-only");
	set_window(old_page, IDENTITY);
	struct outcome outcome = call_in_ring(0, write, WINDOW);
	/* At most one fault more: it drops what the TLB held. */
	if (outcome.trapped)
		outcome = call_in_ring(0, write, WINDOW);
	test_returns(outcome, "writable from now on, after one fault at most");
}

/* Fewer rights do: without one the old rights may last. */
static void check_fewer_rights(void)
{
	start_with_old(0);
	call_in_ring(0, write, WINDOW);
	set_window(old_page, PAGE_PRESENT | PAGE_USER);
	struct outcome outcome = call_in_ring(0, write, WINDOW);
	test_either("a write right taken away, before the flush", !outcome.trapped, "still allowed",
	            outcome.trapped && outcome.frame.vector == VECTOR_PF, "forbidden already");
	cpu_flush_page(WINDOW);
	test_page_fault(call_in_ring(0, write, WINDOW), FAULT_PRESENT | FAULT_WRITE, WINDOW + 4,
	                "after the flush");
}

static void check_table_change(void)
{
	uint64_t table = paging_directory_entry(&paging, WINDOW);
	start_with_old(0);
	paging_set_directory_entry(&paging, WINDOW, 0);
	cpu_flush_page(WINDOW);
	test_page_fault(call_in_ring(0, read, WINDOW), 0, WINDOW,
	                "a table taken away, after invlpg");
	paging_set_directory_entry(&paging, WINDOW, table);
	test_value(call_in_ring(0, read, WINDOW), OLD, "the table back again");
}

/* A global page may outlive a load of CR3; invlpg and a change of CR4.PGE end it. */
static void check_global(void)
{
	if (!(cpu_id(1, 0).edx & CPUID1_EDX_PGE)) {
		test_note("global pages: this processor has none");
		return;
	}
	cpu_write_cr4(cpu_read_cr4() | CR4_PGE);
	start_with_old(PAGE_GLOBAL);
	set_window(new_page, IDENTITY | PAGE_GLOBAL);
	paging_flush_all();
	check_stale("a changed global entry after mov cr3");
	cpu_flush_page(WINDOW);
	test_check(window() == NEW, "invlpg ends a global page");
	start_with_old(PAGE_GLOBAL);
	set_window(new_page, IDENTITY | PAGE_GLOBAL);
	cpu_write_cr4(cpu_read_cr4() & ~CR4_PGE);
	test_check(window() == NEW, "so does a change of CR4.PGE");
}

/* Tables that contain themselves: an entry is changed through its own mapping. */
static void check_recursive(void)
{
	unsigned slot = 1000;
	volatile uint32_t *entries = (volatile uint32_t *)(uintptr_t)(slot << 22);
	volatile uint32_t *entry = &entries[WINDOW >> 12];
	paging_set_directory_entry(&paging, slot << 22, paging.root | PAGE_PRESENT | PAGE_WRITE);
	paging_flush_all();
	start_with_old(0);
	test_check((*entry & ~0xFFFu) == (uint32_t)(uintptr_t)old_page,
	           "the entry is seen through the tables");
	*entry = (uint32_t)(uintptr_t)new_page | IDENTITY;
	cpu_flush_page(WINDOW);
	test_check(window() == NEW, "and changed through them");
	paging_set_directory_entry(&paging, slot << 22, 0);
	paging_flush_all();
}

static void check_mode(enum paging_mode mode)
{
	paging = paging_create(mode);
	other = paging_create(mode);
	paging_map_identity(&paging, IDENTITY);
	paging_map_identity(&other, IDENTITY);
	set_window(old_page, IDENTITY);
	paging_enable(&paging, CR0_WP);
	check_flushes();
	check_more_rights();
	check_fewer_rights();
	check_table_change();
	check_global();
	if (mode == PAGING_TWO_LEVEL)
		check_recursive();
	paging_disable();
}

void guest_main(const struct boot_info *boot)
{
	(void)boot;
	test_begin("tlb",
	           "after each kind of flush the processor sees the page tables as they are, and "
	           "before it only what was or what is");
	old_page = page_take();
	new_page = page_take();
	old_page[0] = OLD;
	new_page[0] = NEW;
	print("     -- two-level tables\n");
	check_mode(PAGING_TWO_LEVEL);
	print("     -- PAE tables\n");
	if (cpu_id(1, 0).edx & CPUID1_EDX_PAE)
		check_mode(PAGING_PAE);
	else
		test_note("PAE: this processor has none");
	test_end();
}
