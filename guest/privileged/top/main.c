#include "guest/library/cpu.h"
#include "guest/library/memory.h"
#include "guest/library/paging.h"
#include "guest/library/print.h"
#include "guest/library/start.h"
#include "guest/library/test.h"

#define TOP      0xFFC00000u /* the last 4 MB of the address space */
#define LAST     0xFFFFF000u
#define IDENTITY (PAGE_PRESENT | PAGE_WRITE | PAGE_USER)

SNIPPET(read, "movl (%ecx), %eax");
SNIPPET(write, "movl $0x5555, (%ecx)");
SNIPPET(exchange, "movl $0x77, %eax; xchgl %eax, (%ecx)");
SNIPPET(call_there, "call *%ecx");
SNIPPET(use_stack, "movl %esp, %edx; movl %ecx, %esp; pushl $0x99; popl %eax; call 1f; jmp 2f\n"
                   "1: ret\n2: movl %edx, %esp");
SNIPPET(copy_string,
        "pushl %esi; pushl %edi; movl %ecx, %esi; leal 64(%ecx), %edi; movl $4, %ecx\n\t"
        "rep movsl; movl -4(%edi), %eax; popl %edi; popl %esi");
SNIPPET_BEFORE(read_through_fs, "movl %ds, %edx; movw %dx, %fs", "movl %fs:(%ecx), %eax");

static struct paging paging;
static uint32_t *page;
static const uint8_t code[] = {0xB8, 0x34, 0x12, 0x00, 0x00, 0xC3}; /* mov eax, 0x1234; ret */

static void check_page(unsigned ring, uint32_t at)
{
	print("     ring %u at %x\n", ring, at);
	paging_map(&paging, at, (uint32_t)(uintptr_t)page, IDENTITY);
	cpu_flush_page(at);
	page[0] = 0xABCD;
	test_value(call_in_ring(ring, read, at), 0xABCD, "read");
	test_value(call_in_ring(ring, read_through_fs, at), 0xABCD, "read through fs");
	test_returns(call_in_ring(ring, write, at), "write");
	test_check(page[0] == 0x5555, "the write reached the page");
	test_value(call_in_ring(ring, exchange, at), 0x5555, "xchg");
	test_value(call_in_ring(ring, use_stack, at + PAGE_SIZE / 2), 0x99, "a stack there");
	for (unsigned i = 0; i < 4; i++)
		page[i] = i + 40;
	test_value(call_in_ring(ring, copy_string, at), 43, "rep movs there");
	memcpy(page, code, sizeof(code));
	test_value(call_in_ring(ring, call_there, at), 0x1234, "code there");
	page[PAGE_SIZE / 4 - 1] = 0x4321;
	test_value(call_in_ring(ring, read, at + PAGE_SIZE - 4), 0x4321, "the page's last dword");
	paging_map(&paging, at, 0, 0);
	cpu_flush_page(at);
	test_page_fault(call_in_ring(ring, read, at), ring == 3 ? FAULT_USER : 0, at, "not mapped");
	test_page_fault(call_in_ring(ring, write, at + 8),
	                FAULT_WRITE | (ring == 3 ? FAULT_USER : 0), at + 8, "write, not mapped");
}

/* Descriptor tables of the guest may stand there as well. */
static void check_tables(void)
{
	struct segment_table_register whole, high;
	struct segment_descriptor *copy = (void *)(uintptr_t)LAST;
	paging_map(&paging, LAST, (uint32_t)(uintptr_t)page, IDENTITY);
	cpu_flush_page(LAST);
	memcpy(copy, segment_table, sizeof(segment_table));
	__asm__ volatile("sgdt %0" : "=m"(whole));
	high = whole;
	high.base = LAST;
	__asm__ volatile("lgdt %0" : : "m"(high));
	test_value(call_in_ring(3, read, (uint32_t)(uintptr_t)&copy[1]),
	           copy[1].limit_low | copy[1].base_low << 16, "a GDT in the last page");
	__asm__ volatile("lgdt %0" : : "m"(whole));

	__asm__ volatile("sidt %0" : "=m"(whole));
	memcpy((void *)(uintptr_t)LAST, (void *)(uintptr_t)whole.base, (unsigned)whole.limit + 1);
	high = whole;
	high.base = LAST;
	__asm__ volatile("lidt %0" : : "m"(high));
	test_page_fault(call_in_ring(3, read, TOP), FAULT_USER, TOP, "an IDT in the last page");
	__asm__ volatile("lidt %0" : : "m"(whole));
}

/* The classic place for tables that map themselves is the last slot: the entries appear from TOP
 * on. */
static void check_self_map(void)
{
	volatile uint32_t *entries = (volatile uint32_t *)(uintptr_t)TOP;
	uint32_t address = 0x40000000;
	paging_map(&paging, address, (uint32_t)(uintptr_t)page, IDENTITY);
	paging_set_directory_entry(&paging, TOP, paging.root | PAGE_PRESENT | PAGE_WRITE);
	paging_flush_all();
	test_check((entries[address >> 12] & ~0xFFFu) == (uint32_t)(uintptr_t)page,
	           "an entry is seen through the last slot");
	test_check(entries[0xFFFFF] == (uint32_t)paging_directory_entry(&paging, TOP),
	           "the last entry is the directory's own");
	entries[address >> 12] = 0;
	cpu_flush_page(address);
	test_page_fault(call_in_ring(0, read, address), 0, address,
	                "an entry taken away through it");
	paging_set_directory_entry(&paging, TOP, 0);
	paging_flush_all();
}

void guest_main(const struct boot_info *boot)
{
	static const uint32_t places[] = {TOP, TOP + 0x1000, 0xFFE00000u, LAST};
	(void)boot;
	test_begin("top",
	           "the last 4 MB of the address space belong to the guest like all the others");
	page = page_take();
	paging = paging_create(PAGING_TWO_LEVEL);
	paging_map_identity(&paging, IDENTITY);
	paging_enable(&paging, CR0_WP);
	for (unsigned ring = 0; ring < 4; ring++)
		for (unsigned i = 0; i < sizeof(places) / sizeof(*places); i++)
			check_page(ring, places[i]);
	check_tables();
	paging_set_directory_entry(&paging, TOP, 0);
	check_self_map();
	test_end();
}
