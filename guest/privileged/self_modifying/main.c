#include "guest/library/cpu.h"
#include "guest/library/memory.h"
#include "guest/library/paging.h"
#include "guest/library/print.h"
#include "guest/library/start.h"
#include "guest/library/test.h"

#define ALIAS    0x40000000u
#define IDENTITY (PAGE_PRESENT | PAGE_WRITE | PAGE_USER)
#define ROUNDS   1000

typedef uint32_t code_function(void);

static struct paging paging;
static uint8_t *code; /* two pages, one behind the other */

/* mov eax, value; ret */
static void put_function(uint8_t *at, uint32_t value)
{
	at[0] = 0xB8;
	memcpy(at + 1, &value, sizeof(value));
	at[5] = 0xC3;
}

static uint32_t run(const void *at)
{
	/* Through a volatile pointer, so that the compiler cannot know what it calls. */
	code_function *volatile function = (code_function *)(uintptr_t)at;
	return function();
}

/* The store is the instruction before the one that it changes. */
SNIPPET(change_next, "movl $0x22, 1f + 1\n1: movl $0x11, %eax");
/* The store changes an instruction further on in the same straight run. */
SNIPPET(change_block, "movl %eax, 1f + 1; nop; nop; addl $1, %ecx\n1: movl $0x11, %eax");
/* A loop that changes its own body in each turn. */
SNIPPET_BEFORE(change_loop, "xorl %eax, %eax; xorl %edx, %edx",
               "1: incl %edx; movl %edx, 2f + 1\n2: addl $0x7FFFFFFF, %eax; loop 1b");
/* A string store that runs over the instructions behind it: nops become increments. */
SNIPPET(change_string,
        "pushl %edi; movl $1f, %edi; movl $8, %ecx; movb $0x40, %al; rep stosb; xorl %eax, %eax\n"
        "1: nop; nop; nop; nop; nop; nop; nop; nop; popl %edi");
/* The opcode and its length change: a jump over becomes two nops. */
SNIPPET(change_length, "xorl %eax, %eax; movw $0x9090, 1f\n1: jmp 2f; incl %eax\n2: incl %eax");

/* The guest's own text is written: all of its pages are writable, as they are without paging. */
static void check_own_code(unsigned ring)
{
	test_value(call_in_ring(ring, change_next, 0), 0x22, "the next instruction");
	test_value(call_in_ring(ring, change_block, 0x33), 0x33, "further on in the same block");
	test_value(call_in_ring(ring, change_block, 0x44), 0x44, "the same once more");
	test_value(call_in_ring(ring, change_loop, ROUNDS), ROUNDS * (ROUNDS + 1) / 2,
	           "a loop that changes itself");
	test_value(call_in_ring(ring, change_string, 0), 8,
	           "a string store over the code behind it");
	test_value(call_in_ring(ring, change_length, 0), 2, "an instruction of another length");
}

static void check_other_page(void)
{
	bool same = true;
	for (uint32_t i = 0; i < ROUNDS; i++) {
		put_function(code, i);
		same = same && run(code) == i;
	}
	test_check(same, "a function written anew %u times", ROUNDS);
	memmove(code + 100, code, 6);
	test_check(run(code + 100) == ROUNDS - 1, "a function that was moved");
}

static void check_cross_page(void)
{
	uint8_t *at = code + PAGE_SIZE - 3;
	put_function(at, 0x11223344);
	test_check(run(at) == 0x11223344, "an instruction across two pages");
	code[PAGE_SIZE] = 0x99; /* its second half only */
	test_check(run(at) == 0x11993344, "its second half changed");
	at[1] = 0x55;
	test_check(run(at) == 0x11993355, "its first half changed");
}

/* The write goes through another address than the one that runs. */
static void check_alias(void)
{
	uint8_t *alias = (uint8_t *)(uintptr_t)ALIAS;
	paging_map(&paging, ALIAS, (uint32_t)(uintptr_t)code, IDENTITY);
	put_function(code, 1);
	test_check(run(code) == 1, "before");
	put_function(alias, 2);
	cpu_id(0, 0); /* the manual wants a serializing instruction here */
	test_check(run(code) == 2, "changed through another address");
	put_function(code, 3);
	cpu_id(0, 0);
	test_check(run(alias) == 3, "run through another address");
}

/* The address stays, the page behind it changes. */
static void check_remap(void)
{
	put_function(code, 10);
	put_function(code + PAGE_SIZE, 20);
	paging_map(&paging, ALIAS, (uint32_t)(uintptr_t)code, IDENTITY);
	cpu_flush_page(ALIAS);
	test_check(run((void *)(uintptr_t)ALIAS) == 10, "the first page");
	paging_map(&paging, ALIAS, (uint32_t)(uintptr_t)code + PAGE_SIZE, IDENTITY);
	cpu_flush_page(ALIAS);
	test_check(run((void *)(uintptr_t)ALIAS) == 20, "another page at the same address");
	put_function(code, 30);
	test_check(run((void *)(uintptr_t)ALIAS) == 20,
	           "the page that is no longer there does not matter");
}

static volatile uint32_t next_root;

/* mov eax,[next_root]; mov edx,cr3; mov cr3,eax; mov eax,value; mov cr3,edx; ret */
static void put_switch(uint8_t *at, uint32_t value)
{
	static const uint8_t load[] = {0x0F, 0x20, 0xDA, 0x0F, 0x22, 0xD8};
	static const uint8_t back[] = {0x0F, 0x22, 0xDA, 0xC3};
	const volatile uint32_t *from = &next_root;

	at[0] = 0xA1;
	memcpy(at + 1, &from, sizeof(from));
	memcpy(at + 5, load, sizeof(load));
	at[11] = 0xB8;
	memcpy(at + 12, &value, sizeof(value));
	memcpy(at + 16, back, sizeof(back));
}

/* What stands behind a load of CR3 is in another page than what stands before it, or in the same.
 */
static void check_switch(void)
{
	struct paging other = paging_create(PAGING_TWO_LEVEL);
	bool same = true;

	paging_map_identity(&other, IDENTITY);
	paging_map(&other, ALIAS, (uint32_t)(uintptr_t)code + PAGE_SIZE, IDENTITY);
	paging_map(&paging, ALIAS, (uint32_t)(uintptr_t)code, IDENTITY);
	cpu_flush_page(ALIAS);
	put_switch(code, 1);
	put_switch(code + PAGE_SIZE, 2);
	for (uint32_t i = 0; i < ROUNDS; i++) {
		next_root = i % 3 ? other.root : paging.root;
		same = same && run((void *)(uintptr_t)ALIAS) == (i % 3 ? 2 : 1);
	}
	test_check(same, "behind a load of CR3, %u times", ROUNDS);
}

/* Code and data that share a page, as kernels have them. */
static void check_mixed_page(void)
{
	volatile uint32_t *counter = (volatile uint32_t *)(code + 2048);
	bool same = true;
	put_function(code, 7);
	*counter = 0;
	for (uint32_t i = 0; i < ROUNDS; i++) {
		same = same && run(code) == 7;
		++*counter;
	}
	test_check(same && *counter == ROUNDS, "data beside code, written %u times", ROUNDS);
}

/* The processor says of a store across pages where the second one begins: of the same bytes there
 * it must not be thought that all of them are there already. */
static void check_store_across(void)
{
	uint8_t *pages = page_take(), *at = pages + PAGE_SIZE - 2;
	uint32_t first;

	page_take();
	put_function(pages + PAGE_SIZE, 9);
	test_check(run(pages + PAGE_SIZE) == 9, "code in the second of two pages");
	memcpy(&first, pages + PAGE_SIZE, sizeof(first));
	__asm__ volatile("movl %1, (%0)" : : "r"(at), "r"(first) : "memory");
	test_check(!memcmp(at, &first, sizeof(first)), "a store that ends there");
}

void guest_main(const struct boot_info *boot)
{
	(void)boot;
	test_begin("self_modifying",
	           "code that was written runs as it was written last, wherever and "
	           "however the write came");
	code = page_take();
	page_take(); /* the pool's pages lie one behind the other */
	paging = paging_create(PAGING_TWO_LEVEL);
	paging_map_identity(&paging, IDENTITY);
	for (unsigned ring = 0; ring < 4; ring++) {
		print("     -- ring %u\n", ring);
		check_own_code(ring);
	}
	paging_enable(&paging, CR0_WP);
	print("     -- with paging\n");
	check_own_code(3);
	check_other_page();
	check_cross_page();
	check_alias();
	check_remap();
	check_switch();
	check_mixed_page();
	check_store_across();
	test_end();
}
