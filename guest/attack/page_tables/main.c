#include "guest/library/cpu.h"
#include "guest/library/memory.h"
#include "guest/library/paging.h"
#include "guest/library/print.h"
#include "guest/library/start.h"
#include "guest/library/test.h"

#define BORDER     0xFFC00000u
#define WINDOW     0x40000000u
#define SECOND     (WINDOW + PAGE_SIZE)
#define TABLE_VIEW (WINDOW + 0x1FF000u) /* where the window's own table is mapped */
#define IDENTITY   (PAGE_PRESENT | PAGE_WRITE | PAGE_USER)
#define MARK       0x0DDBA11u
#define ONES       0xFFFFFFFFu
#define DEVICES    0xC0000000u /* what the memory map has above is no memory */

SNIPPET(read, "movl (%ecx), %eax");
SNIPPET(write, "movl $0x12345678, (%ecx)");
SNIPPET_BEFORE(write_entry, "movl entry_value, %eax", "movl %eax, (%ecx)");
SNIPPET_BEFORE(push_entry, "movl entry_value, %eax; movl %esp, %edx",
               "leal 4(%ecx), %esp; pushl %eax; movl %edx, %esp");
SNIPPET_BEFORE(fill_entries, "pushl %edi; movl %ecx, %edi; movl entry_value, %eax; movl $16, %ecx",
               "1: stosl; addl $4096, %eax; loop 1b; popl %edi");
uint32_t entry_value;

static struct paging paging;
static uint32_t *own; /* a page of the guest's own, which nothing here may change */

static uint32_t end_of_memory(const struct boot_info *boot)
{
	uint64_t end = 0;
	for (unsigned i = 0; i < boot->range_count; i++) {
		const struct boot_range *range = &boot->ranges[i];
		if (range->base < DEVICES && range->base + range->size > end)
			end = range->base + range->size;
	}
	return (uint32_t)(end + 0xFFFFF) & ~0xFFFFFu;
}

static void set_window(uint64_t physical, uint64_t attributes)
{
	paging_map(&paging, WINDOW, physical, attributes);
	cpu_flush_page(WINDOW);
}

static bool is_open_bus(struct outcome outcome)
{
	return !outcome.trapped && (outcome.value == 0 || outcome.value == ONES);
}

static bool own_is_unchanged(void)
{
	for (unsigned i = 0; i < PAGE_SIZE / 4; i++)
		if (own[i] != MARK + i)
			return false;
	return true;
}

/* Where there is no memory, reads give what an open bus gives, and writes go nowhere. */
static void check_no_memory(unsigned ring, uint32_t at, uint32_t physical)
{
	bool quiet = is_open_bus(call_in_ring(ring, read, at)) &&
	             is_open_bus(call_in_ring(ring, read, at + PAGE_SIZE - 4));
	test_check(quiet, "ring %u: nothing is to be read at physical %x", ring, physical);
	test_returns(call_in_ring(ring, write, at + 64), "a write there");
	test_check(is_open_bus(call_in_ring(ring, read, at + 64)), "and nothing was kept");
}

static void check_beyond(uint32_t end)
{
	const uint32_t places[] = {end,
	                           end + PAGE_SIZE,
	                           end + (1u << 20),
	                           end + (4u << 20),
	                           end + (16u << 20),
	                           end + (31u << 20),
	                           0x10000000,
	                           0x40000000,
	                           0x7FFFF000,
	                           0x80000000,
	                           0xC0000000,
	                           0xDFFFF000};
	print("     pages beyond the end of memory, %x\n", end);
	for (unsigned i = 0; i < sizeof(places) / sizeof(*places); i++)
		for (unsigned ring = 0; ring < 4; ring += 3) {
			set_window(places[i], IDENTITY);
			check_no_memory(ring, WINDOW, places[i]);
		}
	cpu_write_cr4(cpu_read_cr4() | CR4_PSE);
	for (unsigned i = 0; i < sizeof(places) / sizeof(*places); i++) {
		uint32_t large = places[i] & ~(paging_large_size(&paging) - 1);
		if (large < end)
			continue;
		paging_map_large(&paging, BORDER, large, IDENTITY);
		paging_flush_all();
		check_no_memory(3, BORDER + (places[i] & 0xFFF), large);
	}
	paging_set_directory_entry(&paging, BORDER, 0);
	paging_flush_all();
}

/* What a machine has up there differs; that it can be looked at without harm does not. */
static void check_devices(void)
{
	static const uint32_t places[] = {0xFD000000, 0xFEC00000, 0xFED00000, 0xFEE00000,
	                                  0xFFC00000, 0xFFE00000, 0xFFFF0000, 0xFFFFF000};
	for (unsigned i = 0; i < sizeof(places) / sizeof(*places); i++) {
		set_window(places[i], IDENTITY | PAGE_CD);
		test_check(!call_in_ring(3, read, WINDOW).trapped, "physical %x can be read",
		           places[i]);
	}
}

/* An address of more than 32 bits is not the same one without the upper ones. */
static void check_wide(void)
{
	static const unsigned bits[] = {32, 33, 35, 36, 39, 40, 46, 51};
	for (unsigned i = 0; i < sizeof(bits) / sizeof(*bits); i++) {
		set_window((uint32_t)(uintptr_t)own | 1ull << bits[i], IDENTITY);
		struct outcome outcome = call_in_ring(0, read, WINDOW);
		bool reserved = outcome.trapped && outcome.frame.vector == VECTOR_PF &&
		                (outcome.frame.error_code & FAULT_RESERVED) &&
		                outcome.cr2 == WINDOW;
		test_check(is_open_bus(outcome) || reserved,
		           "bit %u of a page's address: no memory there, or reserved", bits[i]);
		call_in_ring(0, write, WINDOW);
		test_check(own_is_unchanged(), "bit %u: not the page without it", bits[i]);
	}
}

/* A table where there is no memory has no entries, or such as an open bus gives. */
static void check_tables_outside(uint32_t end)
{
	const uint32_t places[] = {end, end + (16u << 20), 0x80000000, 0xFFC00000};
	uint64_t before = paging_directory_entry(&paging, WINDOW);
	for (unsigned i = 0; i < sizeof(places) / sizeof(*places); i++)
		for (unsigned ring = 0; ring < 4; ring += 3) {
			paging_set_directory_entry(&paging, WINDOW, places[i] | IDENTITY);
			paging_flush_all();
			struct outcome outcome = call_in_ring(ring, read, WINDOW + 8);
			test_either("a table outside memory",
			            outcome.trapped && outcome.frame.vector == VECTOR_PF &&
			                    outcome.cr2 == WINDOW + 8,
			            "#PF, no entry", !outcome.trapped,
			            "an entry of ones, which leads to the last page");
			test_check(own_is_unchanged(), "and nothing has changed");
		}
	paging_set_directory_entry(&paging, WINDOW, before);
	paging_flush_all();
}

/* Ring 3 has its own page table to write in: it gets what the entries say, and no more. */
static void check_own_table(uint32_t end)
{
	uint64_t table = paging_directory_entry(&paging, WINDOW) & ~0xFFFull;
	uint32_t size = paging.mode == PAGING_PAE ? 8 : 4, entry = TABLE_VIEW + size;
	set_window(0, 0);
	paging_map(&paging, TABLE_VIEW, table, IDENTITY);
	paging_map(&paging, SECOND, 0, 0);
	paging_flush_all();
	test_page_fault(call_in_ring(3, read, SECOND), FAULT_USER, SECOND, "nothing at first");
	entry_value = (uint32_t)(uintptr_t)own | PAGE_PRESENT | PAGE_USER;
	test_returns(call_in_ring(3, write_entry, entry), "ring 3 writes an entry");
	test_value(call_in_ring(3, read, SECOND), MARK, "and sees the page");
	test_page_fault(call_in_ring(3, write, SECOND), FAULT_PRESENT | FAULT_WRITE | FAULT_USER,
	                SECOND, "as the entry says: not to be written");
	entry_value = end | IDENTITY;
	test_returns(call_in_ring(3, push_entry, entry), "ring 3 pushes an entry");
	cpu_flush_page(SECOND);
	check_no_memory(3, SECOND, end);
	entry_value = (uint32_t)table | IDENTITY;
	test_returns(call_in_ring(3, push_entry, entry), "ring 3 pushes the table's own address");
	cpu_flush_page(SECOND);
	test_value(call_in_ring(3, read, SECOND + size), entry_value | PAGE_A,
	           "and sees its own entry");
	entry_value = 0;
	test_returns(call_in_ring(3, write_entry, SECOND + size), "takes it away through itself");
	cpu_flush_page(SECOND);
	test_page_fault(call_in_ring(3, read, SECOND), FAULT_USER, SECOND, "and it is gone");
	entry_value = end | IDENTITY;
	if (size == 8) /* what fills them is made for entries of four bytes */
		return;
	test_returns(call_in_ring(3, fill_entries, entry), "ring 3 fills sixteen entries");
	for (unsigned i = 1; i < 16; i += 5)
		check_no_memory(3, SECOND + i * PAGE_SIZE, end + i * PAGE_SIZE);
}

/* A page-directory pointer beyond memory; one with bits that must be zero. */
static void check_pointers(uint32_t end)
{
	volatile uint64_t *pointers = (volatile uint64_t *)(uintptr_t)paging.root;
	uint64_t before = pointers[2];
	pointers[2] = end | PAGE_PRESENT;
	paging_flush_all();
	struct outcome outcome = call_in_ring(3, read, 0x80000000);
	test_either("a directory outside memory",
	            outcome.trapped && outcome.frame.vector == VECTOR_PF &&
	                    outcome.cr2 == 0x80000000,
	            "#PF, no entry", !outcome.trapped, "an entry of ones");
	pointers[2] = before;
	paging_flush_all();
	test_check(own_is_unchanged(), "nothing has changed");
}

static void check_mode(enum paging_mode mode, uint32_t end)
{
	paging = paging_create(mode);
	paging_map_identity(&paging, IDENTITY);
	set_window(0, 0);
	paging_enable(&paging, CR0_WP);
	check_beyond(end);
	check_devices();
	if (mode == PAGING_PAE) {
		check_wide();
		check_pointers(end);
	}
	check_tables_outside(end);
	check_own_table(end);
	test_check(own_is_unchanged(), "the guest's own page is as it was");
	paging_disable();
}

void guest_main(const struct boot_info *boot)
{
	test_begin("page_tables", "page tables lead to the guest's own memory or to none, whatever "
	                          "address stands in them, and whoever wrote it");
	own = page_take();
	for (unsigned i = 0; i < PAGE_SIZE / 4; i++)
		own[i] = MARK + i;
	print("     -- two-level tables\n");
	check_mode(PAGING_TWO_LEVEL, end_of_memory(boot));
	print("     -- PAE tables\n");
	if (cpu_id(1, 0).edx & CPUID1_EDX_PAE)
		check_mode(PAGING_PAE, end_of_memory(boot));
	else
		test_note("PAE: this processor has none");
	test_end();
}
