#include "guest/library/cpu.h"
#include "guest/library/print.h"
#include "guest/library/start.h"
#include "guest/library/test.h"

#define LDT_SLOT              SEGMENT_FREE(0)
#define TLS_SLOT              SEGMENT_FREE(1)
#define ENTRIES               4
#define TI                    4 /* the bit of a selector that means the LDT */
#define DATA                  (ACCESS_PRESENT | ACCESS_MEMORY | ACCESS_WRITABLE)
#define CODE                  (ACCESS_PRESENT | ACCESS_MEMORY | ACCESS_CODE | ACCESS_READABLE)
#define SELECTOR(index, ring) ((uint32_t)((index)*8 | TI | (ring)))

static struct segment_descriptor table[ENTRIES];
static uint32_t words[] = {0x11111111, 0x22222222, 0x33333333, 0x44444444};

SNIPPET(load_ldt, "lldt %cx; sldt %eax; movzwl %ax, %eax");
SNIPPET_BEFORE(load_fs, "movl %fs, %edx",
               "movw %cx, %fs; movl %fs, %eax; movzwl %ax, %eax; movw %dx, %fs");

/* Through GS with the selector in the upper half of the argument and a signed offset below. */
SNIPPET_BEFORE(read_gs, "shrl $16, %ecx; movw %cx, %gs; movswl %ax, %ecx", "movl %gs:(%ecx), %eax");
SNIPPET_BEFORE(read_gs_minus_4, "movw %cx, %gs", "movl %gs:0xFFFFFFFC, %eax");
SNIPPET(enter_code,
        "pushl %ecx; pushl $1f; ljmp *(%esp)\n1: addl $8, %esp; movl %cs, %eax; movzwl %ax, %eax");

static uint32_t address_of(const void *at)
{
	return (uint32_t)(uintptr_t)at;
}

static void set_ldt(unsigned entries)
{
	segment_set(LDT_SLOT, segment_make(address_of(table), entries * 8 - 1,
	                                   ACCESS_PRESENT | ACCESS_LDT, 0));
	__asm__ volatile("lldt %w0" : : "r"(LDT_SLOT));
}

static void check_lldt(void)
{
	set_ldt(ENTRIES);
	test_value(catch_call(load_ldt, LDT_SLOT), LDT_SLOT, "lldt: sldt gives the selector back");
	test_value(catch_call(load_ldt, 0), 0, "lldt of the null selector");
	test_traps(catch_call(load_ldt, SEGMENT_DATA(0)), VECTOR_GP, SEGMENT_DATA(0),
	           "lldt of data");
	test_traps(catch_call(load_ldt, SELECTOR(1, 0)), VECTOR_GP, SELECTOR(1, 0),
	           "lldt of a selector in the LDT");
	segment_table[LDT_SLOT >> 3].access &= (uint8_t)~ACCESS_PRESENT;
	test_traps(catch_call(load_ldt, LDT_SLOT), VECTOR_NP, LDT_SLOT,
	           "lldt of what is not present");
}

static void check_entries(unsigned ring)
{
	table[0] = segment_make(0, 0xFFFFF, DATA | ACCESS_DPL(ring), FLAG_BIG | FLAG_PAGES);
	table[1] = segment_make(0, 0xFFFFF, CODE | ACCESS_DPL(ring), FLAG_BIG | FLAG_PAGES);
	table[2] = segment_make(address_of(words), sizeof(words) - 1, DATA | ACCESS_DPL(ring),
	                        FLAG_BIG);
	set_ldt(ENTRIES - 1);
	test_value(call_in_ring(ring, load_fs, SELECTOR(0, ring)), SELECTOR(0, ring),
	           "the first entry is not a null selector");
	test_value(call_in_ring(ring, enter_code, SELECTOR(1, ring)), SELECTOR(1, ring),
	           "code from the LDT");
	test_value(call_in_ring(ring, read_gs, SELECTOR(2, ring) << 16 | 8), words[2],
	           "data from the LDT");
	test_traps(call_in_ring(ring, load_fs, SELECTOR(3, ring)), VECTOR_GP, SELECTOR(3, 0),
	           "past the LDT's limit");
	__asm__ volatile("lldt %w0" : : "r"(0));
	test_traps(call_in_ring(ring, load_fs, SELECTOR(0, ring)), VECTOR_GP, SELECTOR(0, 0),
	           "without an LDT");
}

/* An LDT in use may change; what a register holds changes only with the next load. */
static void check_hidden_part(void)
{
	uint32_t first, second;
	table[2] = segment_make(address_of(&words[0]), 0xFFFFF, DATA, FLAG_BIG | FLAG_PAGES);
	set_ldt(ENTRIES);
	__asm__ volatile("movw %w0, %%gs" : : "r"(SELECTOR(2, 0)));
	table[2] = segment_make(address_of(&words[1]), 0xFFFFF, DATA, FLAG_BIG | FLAG_PAGES);
	__asm__ volatile("movl %%gs:0, %0" : "=r"(first));
	__asm__ volatile("movw %w1, %%gs; movl %%gs:0, %0" : "=r"(second) : "r"(SELECTOR(2, 0)));
	test_check(first == words[0], "a changed descriptor does not change a loaded register");
	test_check(second == words[1], "the next load sees it");
}

/* Thread-local storage: the base is behind the variables, which are reached by negative offsets. */
static void check_negative_offsets(unsigned ring)
{
	segment_set(TLS_SLOT, segment_make(address_of(&words[2]), 0xFFFFF, DATA | ACCESS_DPL(ring),
	                                   FLAG_BIG | FLAG_PAGES));
	test_value(call_in_ring(ring, read_gs, (TLS_SLOT | ring) << 16), words[2], "gs:0");
	test_value(call_in_ring(ring, read_gs, (TLS_SLOT | ring) << 16 | 0xFFFC), words[1],
	           "gs:-4 in a register");
	test_value(call_in_ring(ring, read_gs, (TLS_SLOT | ring) << 16 | 0xFFF8), words[0],
	           "gs:-8 in a register");
	test_value(call_in_ring(ring, read_gs_minus_4, TLS_SLOT | ring), words[1],
	           "gs:0xFFFFFFFC in the instruction");
}

void guest_main(const struct boot_info *boot)
{
	(void)boot;
	test_begin("ldt",
	           "local descriptor tables work in every ring, and segments reach below their "
	           "base as thread-local storage does");
	check_lldt();
	for (unsigned ring = 0; ring < 4; ring++) {
		print("     -- ring %u\n", ring);
		check_entries(ring);
		check_negative_offsets(ring);
	}
	check_hidden_part();
	test_end();
}
