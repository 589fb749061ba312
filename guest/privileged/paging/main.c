#include "guest/library/cpu.h"
#include "guest/library/memory.h"
#include "guest/library/paging.h"
#include "guest/library/print.h"
#include "guest/library/start.h"
#include "guest/library/test.h"

#define WINDOW   0x40000000u /* an address that only these checks map */
#define LARGE    0x80000000u
#define ROM      0x000F0000u
#define IDENTITY (PAGE_PRESENT | PAGE_WRITE | PAGE_USER)
#define EFER     0xC0000080u
#define EFER_NXE 0x800u
#define RET      0xC3

SNIPPET(read, "movl (%ecx), %eax");
SNIPPET(write, "movl $0x77, (%ecx)");
SNIPPET(add, "addl $1, (%ecx)");
SNIPPET(jump, "call *%ecx");
SNIPPET(read_across, "movl -2(%ecx), %eax");

static struct paging paging;
static uint32_t *page;

static void set_window(uint64_t attributes)
{
	paging_map(&paging, WINDOW, (uint32_t)(uintptr_t)page, attributes);
	cpu_flush_page(WINDOW);
}

static uint64_t window_bits(void)
{
	return paging_entry(&paging, WINDOW) & 0xFFF;
}

static uint32_t user(unsigned ring)
{
	return ring == 3 ? FAULT_USER : 0;
}

/* Rings 0, 1 and 2 are the supervisor; ring 3 is the user. */
static void check_rights(unsigned ring)
{
	print("     -- ring %u\n", ring);
	set_window(0);
	test_page_fault(call_in_ring(ring, read, WINDOW + 8), user(ring), WINDOW + 8,
	                "read: not present");
	test_page_fault(call_in_ring(ring, write, WINDOW + 8), user(ring) | FAULT_WRITE, WINDOW + 8,
	                "write: not present");
	set_window(PAGE_PRESENT | PAGE_USER);
	test_returns(call_in_ring(ring, read, WINDOW), "read: read-only page of the user");
	cpu_write_cr0(cpu_read_cr0() | CR0_WP);
	test_page_fault(call_in_ring(ring, write, WINDOW), user(ring) | FAULT_WRITE | FAULT_PRESENT,
	                WINDOW, "write: read-only, WP set");
	cpu_write_cr0(cpu_read_cr0() & ~CR0_WP);
	struct outcome outcome = call_in_ring(ring, write, WINDOW);
	if (ring == 3)
		test_page_fault(outcome, FAULT_USER | FAULT_WRITE | FAULT_PRESENT, WINDOW,
		                "write: read-only, WP clear");
	else
		test_returns(outcome, "write: read-only, WP clear");
	set_window(PAGE_PRESENT | PAGE_WRITE);
	outcome = call_in_ring(ring, write, WINDOW);
	if (ring == 3)
		test_page_fault(outcome, FAULT_USER | FAULT_WRITE | FAULT_PRESENT, WINDOW,
		                "write: the supervisor's page");
	else
		test_returns(outcome, "write: the supervisor's page");
	cpu_write_cr0(cpu_read_cr0() | CR0_WP);
}

/* The directory's rights count as well. */
static void check_directory(void)
{
	uint64_t before = paging_directory_entry(&paging, WINDOW);
	set_window(IDENTITY);
	paging_set_directory_entry(&paging, WINDOW, before & ~(uint64_t)PAGE_WRITE);
	paging_flush_all();
	test_page_fault(call_in_ring(3, write, WINDOW), FAULT_USER | FAULT_WRITE | FAULT_PRESENT,
	                WINDOW, "the directory forbids writing");
	paging_set_directory_entry(&paging, WINDOW, before & ~(uint64_t)PAGE_USER);
	paging_flush_all();
	test_page_fault(call_in_ring(3, read, WINDOW), FAULT_USER | FAULT_PRESENT, WINDOW,
	                "the directory forbids ring 3");
	paging_set_directory_entry(&paging, WINDOW, before & ~(uint64_t)PAGE_PRESENT);
	paging_flush_all();
	test_page_fault(call_in_ring(0, read, WINDOW), 0, WINDOW, "no table");
	paging_set_directory_entry(&paging, WINDOW, before);
	paging_flush_all();
}

static void check_accessed_and_dirty(void)
{
	set_window(IDENTITY);
	test_check(!(window_bits() & (PAGE_A | PAGE_D)), "A and D are clear before");
	call_in_ring(0, read, WINDOW);
	test_check((window_bits() & (PAGE_A | PAGE_D)) == PAGE_A, "a read sets A");
	call_in_ring(0, write, WINDOW);
	test_check((window_bits() & (PAGE_A | PAGE_D)) == (PAGE_A | PAGE_D), "a write sets D");
	test_check(paging_directory_entry(&paging, WINDOW) & PAGE_A, "A is set in the directory");
	set_window(PAGE_PRESENT | PAGE_USER);
	call_in_ring(0, write, WINDOW);
	test_check(!(window_bits() & PAGE_D), "a write that faults does not set D");
}

/* What is read and then written asks for the right to write at once. */
static void check_read_modify_write(void)
{
	set_window(0);
	struct outcome outcome = call_in_ring(0, add, WINDOW);
	bool fault = outcome.trapped && outcome.frame.vector == VECTOR_PF;
	test_either("add to a page that is not present",
	            fault && outcome.frame.error_code == FAULT_WRITE, "the fault is a write",
	            fault && outcome.frame.error_code == 0,
	            "the fault is a read, as QEMU's TCG has it");
	set_window(PAGE_PRESENT);
	test_page_fault(call_in_ring(0, add, WINDOW), FAULT_PRESENT | FAULT_WRITE, WINDOW,
	                "add to a read-only page");
	paging_map(&paging, WINDOW + PAGE_SIZE, (uint32_t)(uintptr_t)page, 0);
	set_window(IDENTITY);
	test_page_fault(call_in_ring(0, read_across, WINDOW + PAGE_SIZE), 0, WINDOW + PAGE_SIZE,
	                "a read across the end: CR2 is the second page");
}

static void check_large(void)
{
	uint32_t size = paging_large_size(&paging), offset = (uint32_t)(uintptr_t)page & (size - 1);
	uint32_t base = (uint32_t)(uintptr_t)page & ~(size - 1);
	cpu_write_cr4(cpu_read_cr4() | CR4_PSE);
	paging_map_large(&paging, LARGE, base, IDENTITY);
	page[0] = 0x1234;
	test_value(call_in_ring(3, read, LARGE + offset), 0x1234, "a large page");
	test_check((paging_directory_entry(&paging, LARGE) & (PAGE_A | PAGE_D)) == PAGE_A,
	           "a read sets its A");
	test_returns(call_in_ring(3, write, LARGE + offset), "a write to it");
	test_check(paging_directory_entry(&paging, LARGE) & PAGE_D, "a write sets its D");
	test_check(page[0] == 0x77, "the write went to the frame");
	paging_map_large(&paging, LARGE, base, PAGE_PRESENT | PAGE_WRITE);
	cpu_flush_page(LARGE + offset);
	test_page_fault(call_in_ring(3, read, LARGE + offset), FAULT_USER | FAULT_PRESENT,
	                LARGE + offset, "a large page of the supervisor");
	paging_set_directory_entry(&paging, LARGE, 0);
	paging_flush_all();
}

static void check_no_execute(void)
{
	*(uint8_t *)page = RET;
	set_window(IDENTITY);
	test_returns(call_in_ring(3, jump, WINDOW), "code in an ordinary page");
	if (cpu_id(0x80000000, 0).eax < 0x80000001 || !(cpu_id(0x80000001, 0).edx & 1u << 20)) {
		test_note("no-execute: this processor has none");
		return;
	}
	cpu_write_msr(EFER, cpu_read_msr(EFER) | EFER_NXE);
	set_window(IDENTITY | PAGE_NX);
	test_returns(call_in_ring(3, read, WINDOW), "a no-execute page can be read");
	test_page_fault(call_in_ring(3, jump, WINDOW), FAULT_FETCH | FAULT_USER | FAULT_PRESENT,
	                WINDOW, "it cannot be executed in ring 3");
	test_page_fault(call_in_ring(0, jump, WINDOW), FAULT_FETCH | FAULT_PRESENT, WINDOW,
	                "nor in ring 0");
	set_window(0);
	test_page_fault(call_in_ring(3, jump, WINDOW), FAULT_FETCH | FAULT_USER, WINDOW,
	                "a fetch from a page that is not present says so");
	cpu_write_msr(EFER, cpu_read_msr(EFER) & ~(uint64_t)EFER_NXE);
}

/* A bit that must be zero in an entry of PAE makes every access fault. */
static void check_reserved(void)
{
	set_window(IDENTITY | 1ull << 52);
	struct outcome outcome = call_in_ring(0, read, WINDOW);
	bool fault = outcome.trapped && outcome.frame.vector == VECTOR_PF;
	test_either("a reserved bit",
	            fault && outcome.frame.error_code == (FAULT_RESERVED | FAULT_PRESENT),
	            "error code 9", fault && outcome.frame.error_code == FAULT_RESERVED,
	            "error code 8, as QEMU's TCG has it");
	set_window(0);
}

/* Large pages of one frame wherever there is nothing yet, or nothing there again. */
static void fill_directory(bool fill, uint32_t base)
{
	uint32_t size = paging_large_size(&paging);

	for (uint64_t at = 0; at < 1ull << 32; at += size) {
		uint64_t entry = paging_directory_entry(&paging, (uint32_t)at);
		if (fill && !entry)
			paging_map_large(&paging, (uint32_t)at, base, IDENTITY);
		else if (!fill && entry & PAGE_LARGE)
			paging_set_directory_entry(&paging, (uint32_t)at, 0);
	}
	paging_flush_all();
}

/* No address is left: not for anybody who would hide in between. */
static void check_full(void)
{
	uint32_t size = paging_large_size(&paging), offset = (uint32_t)(uintptr_t)page & (size - 1);
	uint32_t wrong = 0;

	fill_directory(true, (uint32_t)(uintptr_t)page - offset);
	page[0] = 0x4321;
	for (uint64_t at = PAGING_IDENTITY_SIZE; at < 1ull << 32; at += size)
		wrong += (paging_directory_entry(&paging, (uint32_t)at) & PAGE_LARGE) &&
		         *(volatile uint32_t *)(uintptr_t)((uint32_t)at + offset) != 0x4321;
	test_check(!wrong, "all 4 GB can be mapped");
	test_value(call_in_ring(3, read, 0 - size + offset), 0x4321, "the last of them");
	fill_directory(false, 0);
	test_page_fault(call_in_ring(0, read, 0 - size + offset), 0, 0 - size + offset,
	                "and taken away again");
}

/* The entry allows it and sets D; the memory behind it takes nothing. */
static void check_rom(void)
{
	paging_map(&paging, WINDOW, ROM, IDENTITY);
	cpu_flush_page(WINDOW);
	uint32_t before = *(volatile uint32_t *)(uintptr_t)ROM;
	for (unsigned ring = 0; ring < 4; ring += 3) {
		test_value(call_in_ring(ring, read, WINDOW), before, "firmware's memory is read");
		test_returns(call_in_ring(ring, write, WINDOW), "a write to it");
		test_returns(call_in_ring(ring, add, WINDOW), "an add to it");
		test_value(call_in_ring(ring, read, WINDOW), before, "it is as before");
	}
	test_check(window_bits() & PAGE_D, "writes to it set D");
	set_window(IDENTITY);
}

static void check_mode(enum paging_mode mode)
{
	paging = paging_create(mode);
	paging_map_identity(&paging, IDENTITY);
	set_window(IDENTITY);
	paging_enable(&paging, CR0_WP);
	for (unsigned ring = 0; ring < 4; ring++)
		check_rights(ring);
	check_directory();
	check_accessed_and_dirty();
	check_read_modify_write();
	check_large();
	check_full();
	check_rom();
	if (mode == PAGING_PAE) {
		check_no_execute();
		check_reserved();
	}
	paging_disable();
}

void guest_main(const struct boot_info *boot)
{
	(void)boot;
	test_begin("paging", "two-level and PAE tables give each ring what their bits say, and the "
	                     "fault's error code and CR2 tell why not");
	page = page_take();
	print("     -- two-level tables\n");
	check_mode(PAGING_TWO_LEVEL);
	print("     -- PAE tables\n");
	if (cpu_id(1, 0).edx & CPUID1_EDX_PAE)
		check_mode(PAGING_PAE);
	else
		test_note("PAE: this processor has none");
	test_end();
}
