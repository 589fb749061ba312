#include "guest/library/cpu.h"
#include "guest/library/memory.h"
#include "guest/library/paging.h"
#include "guest/library/print.h"
#include "guest/library/start.h"
#include "guest/library/test.h"

#define LARGE    0x400000u
#define BORDER   0xFFC00000u /* where a monitor may have put itself: the last 4 MB begin */
#define LAST     0xFFFFF000u
#define BELOW    (BORDER - PAGE_SIZE)
#define IDENTITY (PAGE_PRESENT | PAGE_WRITE | PAGE_USER)
#define INSIDE   0x10 /* how far inside a page the single accesses go */
#define KEEP     "pushl %esi; pushl %edi; pushl %ebx;"
#define GIVE     "; popl %ebx; popl %edi; popl %esi"

SNIPPET(read8, "movzbl (%ecx), %eax");
SNIPPET(read32, "movl (%ecx), %eax");
SNIPPET_BEFORE(read_fs, "movl %ds, %edx; movw %dx, %fs", "movl %fs:(%ecx), %eax");
SNIPPET(bit_test, "movl $0x8000, %eax; subl $0x1000, %ecx; btl %eax, (%ecx); movl $0, %eax");
SNIPPET(translate, KEEP "movl %ecx, %ebx; movl $0, %eax; xlatb" GIVE);
SNIPPET(lods, KEEP "movl %ecx, %esi; lodsl" GIVE);
SNIPPET(scas, KEEP "movl %ecx, %edi; scasb" GIVE);
SNIPPET(cmps, KEEP "movl %ecx, %edi; leal stored, %esi; cmpsb" GIVE);
SNIPPET(bounds, "xorl %eax, %eax; boundl %eax, (%ecx)");
SNIPPET(far_jump, "ljmp *(%ecx)");
SNIPPET(load_control_word, "fldcw (%ecx)");
SNIPPET(pop_from, "movl %esp, %edx; movl %ecx, %esp; popl %eax; movl %edx, %esp");
SNIPPET(return_from, "movl %ecx, %esp; ret");
SNIPPET(far_return_from, "movl %ecx, %esp; lret");
SNIPPET(far_call_onto, "leal 4(%ecx), %esp; lcall *far_target");
SNIPPET(jump_to, "jmp *%ecx");

SNIPPET(write8, "movb $0x55, (%ecx)");
SNIPPET(write32, "movl $0x55555555, (%ecx)");
SNIPPET(set_byte, "setz (%ecx)");
SNIPPET(store_segment, "movw %ds, (%ecx)");
SNIPPET(stos, KEEP "movl %ecx, %edi; stosl" GIVE);
SNIPPET(movs, KEEP "movl %ecx, %edi; leal stored, %esi; movsl" GIVE);
SNIPPET(pop_into, "pushl $0x33; popl (%ecx)");
SNIPPET(store_gdtr, "sgdt (%ecx)");
SNIPPET(store_control_word, "fnstcw (%ecx)");
SNIPPET(push_onto, "movl %esp, %edx; leal 4(%ecx), %esp; pushl $0x99; movl %edx, %esp");
SNIPPET(call_onto, "leal 4(%ecx), %esp; call 1f\n1: ud2");
SNIPPET(enter_onto, "leal 4(%ecx), %esp; enter $0, $0; ud2");

/* From a place 8 below the argument, upwards, or from 7 above it, downwards: 16 bytes. */
SNIPPET(fill_up, KEEP "leal -8(%ecx), %edi; movl $16, %ecx; movb $0x6B, %al; rep stosb" GIVE);
SNIPPET(fill_up_by_4, KEEP "leal -6(%ecx), %edi; movl $4, %ecx; rep stosl" GIVE);
SNIPPET(fill_down,
        KEEP "leal 7(%ecx), %edi; movl $16, %ecx; movb $0x6C, %al; std; rep stosb; cld" GIVE);
SNIPPET(copy_up, KEEP "leal -8(%ecx), %esi; leal stored, %edi; movl $16, %ecx; rep movsb" GIVE);
SNIPPET(scan_up, KEEP "leal -8(%ecx), %edi; movl $16, %ecx; movb $0x11, %al; repne scasb" GIVE);

uint8_t stored[PAGE_SIZE];
struct {
	uint32_t offset;
	uint16_t selector;
} __attribute__((packed)) far_target;
_Static_assert(sizeof(far_target) == 6, "far pointer");

struct access {
	const char *what;
	catch_function *function;
	bool write;
	bool only_outside; /* it uses the stack: a fault in ring 0 would find no stack either */
};

static const struct access accesses[] = {
        {"a byte read", read8, false, false},
        {"a dword read", read32, false, false},
        {"a read through fs", read_fs, false, false},
        {"bt with an index that leads there", bit_test, false, false},
        {"xlat", translate, false, false},
        {"lods", lods, false, false},
        {"scas", scas, false, false},
        {"cmps", cmps, false, false},
        {"bound", bounds, false, false},
        {"a far jump through there", far_jump, false, false},
        {"fldcw", load_control_word, false, false},
        {"pop from there", pop_from, false, true},
        {"ret from there", return_from, false, true},
        {"a byte written", write8, true, false},
        {"a dword written", write32, true, false},
        {"setz", set_byte, true, false},
        {"mov of a segment register", store_segment, true, false},
        {"stos", stos, true, false},
        {"movs", movs, true, false},
        {"pop into there", pop_into, true, false},
        {"sgdt", store_gdtr, true, false},
        {"fnstcw", store_control_word, true, false},
        {"push onto there", push_onto, true, true},
        {"a call's return address", call_onto, true, true},
        {"enter", enter_onto, true, true},
};

#define ACCESSES (sizeof(accesses) / sizeof(*accesses))

static struct paging paging;
static uint8_t *low, *high; /* frames for the pages on both sides of the border */

static void map(uint32_t at, const void *frame, uint64_t attributes)
{
	paging_map(&paging, at, (uint32_t)(uintptr_t)frame, attributes);
	cpu_flush_page(at);
}

static uint32_t user(unsigned ring)
{
	return ring == 3 ? FAULT_USER : 0;
}

/* A far call and a far return are microcode, and some machines forget there whose stack it is. */
static void check_far(unsigned ring, uint32_t page)
{
	static const struct {
		const char *what;
		catch_function *function;
		uint32_t write;
	} ways[] = {{"a far ret from there", far_return_from, 0},
	            {"a far call's return address", far_call_onto, FAULT_WRITE}};
	uint32_t at = page + INSIDE;
	for (unsigned i = 0; i < 2; i++) {
		struct outcome outcome = call_in_ring(ring, ways[i].function, at);
		bool fault = outcome.trapped && outcome.frame.vector == VECTOR_PF;
		test_either(ways[i].what,
		            fault && outcome.frame.error_code == (ways[i].write | FAULT_USER),
		            "#PF of the user's", fault && outcome.frame.error_code == ways[i].write,
		            "#PF as if of the kernel's, as QEMU's TCG has it");
		/* Nor do they agree on which of the two words they read first. */
		test_check(outcome.cr2 == at || (!ways[i].write && outcome.cr2 == at + 4),
		           "%s: CR2 is the address", ways[i].what);
	}
}

/* Nothing is there: every access faults, at its own address, and says what it wanted. */
static void check_unmapped(unsigned ring, uint32_t page)
{
	uint32_t at = page + INSIDE;
	print("     ring %u, nothing at %x\n", ring, page);
	map(page, NULL, 0);
	for (unsigned i = 0; i < ACCESSES; i++) {
		const struct access *access = &accesses[i];
		if (access->only_outside && ring == 0)
			continue;
		test_page_fault(call_in_ring(ring, access->function, at),
		                user(ring) | (access->write ? FAULT_WRITE : 0), at, access->what);
	}
	if (ring == 3)
		check_far(ring, page);
	struct outcome outcome = call_in_ring(ring, jump_to, at);
	if (test_page_fault(outcome, user(ring), at, "a jump there"))
		test_check(outcome.frame.eip == at, "a jump there: EIP is the address");
}

/* A page of the guest is there: reads see it, writes reach it, and what it forbids faults. */
static void check_mapped(unsigned ring, uint32_t page)
{
	uint32_t at = page + INSIDE;
	volatile uint32_t *word = (volatile uint32_t *)(uintptr_t)(high + INSIDE);
	print("     ring %u, a page at %x\n", ring, page);
	map(page, high, IDENTITY);
	for (unsigned i = 0; i < ACCESSES; i++) {
		const struct access *access = &accesses[i];
		if (!access->write || access->only_outside)
			continue;
		*word = 0xEEEEEEEE;
		test_returns(call_in_ring(ring, access->function, at), access->what);
		test_check(*word != 0xEEEEEEEE, "%s: it reached the page", access->what);
	}
	*word = 0x12345678;
	test_value(call_in_ring(ring, read32, at), 0x12345678, "a dword read");
	test_value(call_in_ring(ring, lods, at), 0x12345678, "lods");
	test_value(call_in_ring(ring, pop_from, at), 0x12345678, "pop from there");
	test_value(call_in_ring(ring, translate, at), 0x78, "xlat");
	test_returns(call_in_ring(ring, push_onto, at), "push onto there");
	test_check(*word == 0x99, "push: it reached the page");
	map(page, high, PAGE_PRESENT | PAGE_USER);
	test_page_fault(call_in_ring(ring, write32, at), FAULT_PRESENT | FAULT_WRITE | user(ring),
	                at, "a write to a read-only page");
	map(page, high, PAGE_PRESENT | PAGE_WRITE);
	if (ring == 3)
		test_page_fault(call_in_ring(ring, read32, at), FAULT_PRESENT | FAULT_USER, at,
		                "a read of the kernel's page");
	map(page, NULL, 0);
}

static bool stopped_at(struct outcome outcome, uint32_t ecx, uint32_t edi)
{
	return outcome.frame.ecx == ecx && outcome.frame.edi == edi;
}

static bool all_are(const uint8_t *bytes, unsigned count, uint8_t value)
{
	for (unsigned i = 0; i < count; i++)
		if (bytes[i] != value)
			return false;
	return true;
}

/* What lies across the border with nothing above it stops there, and has done what lies below. */
static void check_across_upwards(unsigned ring)
{
	static const uint8_t code[] = {0x90, 0x90, 0xB8, 0x01}; /* nop; nop; mov eax, ... */
	print("     ring %u, nothing above %x\n", ring, BORDER);
	map(BELOW, low, IDENTITY);
	map(BORDER, NULL, 0);
	memset(low, 0xEE, PAGE_SIZE);
	test_page_fault(call_in_ring(ring, read32, BORDER - 2), user(ring), BORDER,
	                "a dword read across");
	test_page_fault(call_in_ring(ring, write32, BORDER - 2), user(ring) | FAULT_WRITE, BORDER,
	                "a dword written across");
	test_check(all_are(low, PAGE_SIZE, 0xEE), "and no part of it was written");
	struct outcome outcome = call_in_ring(ring, fill_up, BORDER);
	test_page_fault(outcome, user(ring) | FAULT_WRITE, BORDER, "rep stosb upwards");
	test_check(stopped_at(outcome, 8, BORDER), "rep stosb: eight are done, eight are left");
	test_check(all_are(low + PAGE_SIZE - 8, 8, 0x6B), "rep stosb: the eight are there");
	outcome = call_in_ring(ring, fill_up_by_4, BORDER);
	test_page_fault(outcome, user(ring) | FAULT_WRITE, BORDER, "rep stosl upwards");
	test_check(stopped_at(outcome, 3, BORDER - 2), "rep stosl: it stopped before the border");
	outcome = call_in_ring(ring, copy_up, BORDER);
	test_page_fault(outcome, user(ring), BORDER, "rep movsb from there");
	test_check(outcome.frame.ecx == 8 && outcome.frame.esi == BORDER, "rep movsb: half done");
	outcome = call_in_ring(ring, scan_up, BORDER);
	test_page_fault(outcome, user(ring), BORDER, "repne scasb");
	test_check(stopped_at(outcome, 8, BORDER), "repne scasb: half done");
	memcpy(low + PAGE_SIZE - sizeof(code), code, sizeof(code));
	outcome = call_in_ring(ring, jump_to, BORDER - sizeof(code));
	test_page_fault(outcome, user(ring), BORDER, "an instruction that lies across");
	test_check(outcome.frame.eip == BORDER - 2, "EIP is where it begins");
}

static void check_across_downwards(unsigned ring)
{
	print("     ring %u, nothing below %x\n", ring, BORDER);
	map(BELOW, NULL, 0);
	map(BORDER, high, IDENTITY);
	memset(high, 0xEE, PAGE_SIZE);
	struct outcome outcome = call_in_ring(ring, fill_down, BORDER);
	test_page_fault(outcome, user(ring) | FAULT_WRITE, BORDER - 1, "rep stosb downwards");
	test_check(stopped_at(outcome, 8, BORDER - 1), "rep stosb: eight are done, eight are left");
	test_check(all_are(high, 8, 0x6C), "rep stosb: the eight are there");
	test_page_fault(call_in_ring(ring, write32, BORDER - 2), user(ring) | FAULT_WRITE,
	                BORDER - 2, "a dword written across");
	test_check(all_are(high + 8, PAGE_SIZE - 8, 0xEE), "and no part of it was written");
}

static void check_across_mapped(unsigned ring)
{
	static const uint8_t code[] = {0xB8, 0x21, 0x43, 0x65, 0x00, 0xC3}; /* mov eax; ret */
	print("     ring %u, pages on both sides of %x\n", ring, BORDER);
	map(BELOW, low, IDENTITY);
	map(BORDER, high, IDENTITY);
	test_returns(call_in_ring(ring, fill_up, BORDER), "rep stosb upwards");
	test_check(all_are(low + PAGE_SIZE - 8, 8, 0x6B) && all_are(high, 8, 0x6B), "all 16");
	test_returns(call_in_ring(ring, fill_down, BORDER), "rep stosb downwards");
	test_check(all_are(low + PAGE_SIZE - 8, 8, 0x6C) && all_are(high, 8, 0x6C), "all 16");
	test_returns(call_in_ring(ring, write32, BORDER - 2), "a dword written across");
	test_value(call_in_ring(ring, read32, BORDER - 2), 0x55555555, "a dword read across");
	memcpy(low + PAGE_SIZE - 3, code, 3);
	memcpy(high, code + 3, 3);
	test_value(call_in_ring(ring, jump_to, BORDER - 3), 0x654321, "an instruction across");
	map(BELOW, NULL, 0);
	map(BORDER, NULL, 0);
}

/* Offsets wrap at the end of the address space, and so do string instructions, byte by byte. */
static void check_wrap(unsigned ring)
{
	map(LAST, high, IDENTITY);
	map(0, low, IDENTITY);
	memset(low, 0, 16);
	test_returns(call_in_ring(ring, fill_up, 0), "rep stosb over the end of the address space");
	test_check(all_are(high + PAGE_SIZE - 8, 8, 0x6B) && all_are(low, 8, 0x6B),
	           "half of it is at the end, half at the beginning");
	map(LAST, NULL, 0);
	map(0, NULL, IDENTITY);
}

/* Every sixteenth page of the last 4 MB: nothing there, then a page with a value of its own. */
static void check_sweep(unsigned ring)
{
	unsigned faults = 0, values = 0, pages = 0;
	for (uint32_t page = BORDER; page; page += 16 * PAGE_SIZE, pages++) {
		struct outcome outcome = call_in_ring(ring, read32, page);
		faults += outcome.trapped && outcome.cr2 == page &&
		          outcome.frame.error_code == user(ring);
		map(page, high, IDENTITY);
		*(volatile uint32_t *)(uintptr_t)high = page;
		outcome = call_in_ring(ring, read32, page);
		values += !outcome.trapped && outcome.value == page;
		map(page, NULL, 0);
	}
	test_check(faults == pages, "ring %u: nothing at any of %u pages at first", ring, pages);
	test_check(values == pages, "ring %u: and then the guest's own page at each", ring);
}

/* Every seventeenth page of the 4 MB below: a monitor that is there makes way. */
static void check_sweep_below(unsigned ring)
{
	unsigned values = 0, pages = 0;
	for (uint32_t page = BORDER - LARGE; page < BORDER; page += 17 * PAGE_SIZE, pages++) {
		map(page, high, IDENTITY);
		*(volatile uint32_t *)(uintptr_t)high = page;
		struct outcome outcome = call_in_ring(ring, read32, page);
		values += !outcome.trapped && outcome.value == page;
		map(page, NULL, 0);
	}
	test_check(values == pages, "ring %u: the guest's own page at each below", ring);
}

void guest_main(const struct boot_info *boot)
{
	static const uint32_t places[] = {BORDER, BORDER + 0x1000, 0xFFD00000u, 0xFFF80000u, LAST};
	(void)boot;
	test_begin("memory", "the last 4 MB are the guest's own memory where it has mapped some, "
	                     "and nothing where it has not, for each way to reach them");
	far_target.offset = (uint32_t)(uintptr_t)far_call_onto;
	far_target.selector = SEGMENT_CODE(3);
	low = page_take();
	high = page_take();
	paging = paging_create(PAGING_TWO_LEVEL);
	paging_map_identity(&paging, IDENTITY);
	paging_enable(&paging, CR0_WP);
	for (unsigned ring = 0; ring < 4; ring += 3) {
		for (unsigned i = 0; i < sizeof(places) / sizeof(*places); i++) {
			check_unmapped(ring, places[i]);
			check_mapped(ring, places[i]);
		}
		check_across_upwards(ring);
		check_across_downwards(ring);
		check_across_mapped(ring);
		check_wrap(ring);
		check_sweep(ring);
		check_sweep_below(ring);
	}
	test_end();
}
