#include "guest/library/cpu.h"
#include "guest/library/memory.h"
#include "guest/library/paging.h"
#include "guest/library/print.h"
#include "guest/library/start.h"
#include "guest/library/test.h"

#define BORDER     0xFFC00000u
#define LAST       0xFFFFF000u
#define WINDOW     0x40000000u
#define IDENTITY   (PAGE_PRESENT | PAGE_WRITE | PAGE_USER)
#define SLOT       SEGMENT_FREE(0)
#define LDT_SLOT   SEGMENT_FREE(1)
#define LDT_ENTRY  4u /* the selector's bit that means the LDT */
#define DATA       (ACCESS_PRESENT | ACCESS_MEMORY | ACCESS_WRITABLE)
#define READABLE   (ACCESS_PRESENT | ACCESS_MEMORY | ACCESS_CODE | ACCESS_READABLE)
#define CONFORMING (READABLE | ACCESS_CONFORMING)
#define DOWN       (DATA | ACCESS_EXPAND_DOWN)
#define BIG_PAGES  (FLAG_BIG | FLAG_PAGES)

/* The compiler relies on ds and es, so both are put back, to the ring's own data segment: known,
 * not read from ss, which does not show the truth on every machine. */
uint32_t tried_selector, own_data;
#define LOAD(register) "movw tried_selector, %" register
SNIPPET_BEFORE(read_ds, LOAD("ds"), "movl (%ecx), %eax; movw %ss:own_data, %ds");
SNIPPET_BEFORE(read_es, LOAD("es"), "movl %es:(%ecx), %eax; movw own_data, %es");
SNIPPET_BEFORE(read_fs, LOAD("fs"), "movl %fs:(%ecx), %eax");
SNIPPET_BEFORE(read_gs, LOAD("gs"), "movl %gs:(%ecx), %eax");
SNIPPET_BEFORE(read_16, LOAD("fs") "; pushl %ebx; movl %ecx, %ebx",
               "addr16 movl %fs:(%bx), %eax; popl %ebx");
SNIPPET_BEFORE(write_es, LOAD("es") "; pushl %edi; movl %ecx, %edi",
               "movl $0x5A5A, %eax; stosl; popl %edi; movw own_data, %es");
SNIPPET_BEFORE(write_fs, LOAD("fs"), "movl $0x5A5A, %fs:(%ecx)");
SNIPPET_BEFORE(write_gs, LOAD("gs"), "movl $0x5A5A, %gs:(%ecx)");
SNIPPET(push_ss,
        "movzwl own_data, %edx; pushl %ebx; movl %esp, %ebx; movw tried_selector, %ss\n\t"
        "leal 4(%ecx), %esp; pushl $0x5A5A; movl %esp, %eax; movw %dx, %ss; movl %ebx, %esp; popl "
        "%ebx");
SNIPPET(pop_ss, "movzwl own_data, %edx; pushl %ebx; movl %esp, %ebx; movw tried_selector, %ss\n\t"
                "movl %ecx, %esp; popl %eax; movw %dx, %ss; movl %ebx, %esp; popl %ebx");
SNIPPET(far_call, "lcall *(%ecx)");

/* Copied to a page of its own: gives back CS. */
extern const uint8_t give_cs[], give_cs_end[], kernel_entry[];
__asm__("give_cs: movl %cs, %eax; lret\n"
        "give_cs_end:\n"
        "kernel_entry: movl %cr0, %eax; movzbl %al, %eax; lret");

struct {
	uint32_t offset;
	uint16_t selector;
} __attribute__((packed)) far_pointer;
_Static_assert(sizeof(far_pointer) == 6, "far pointer");

static struct paging paging;
static uint8_t *page;

/* A segment, an offset that it allows, and the linear address that this is. */
static const struct place {
	const char *what;
	uint32_t base, limit;
	unsigned access, flags;
	uint32_t offset, linear;
} places[] = {
        {"flat", 0, 0xFFFFF, DATA, BIG_PAGES, BORDER + 16, BORDER + 16},
        {"flat, the last dword", 0, 0xFFFFF, DATA, BIG_PAGES, 0xFFFFFFFC, 0xFFFFFFFC},
        {"base 1", 1, 0xFFFFF, DATA, BIG_PAGES, BORDER + 15, BORDER + 16},
        {"a base in the top", BORDER, 0xFFFFF, DATA, FLAG_BIG, 0xFFC, BORDER + 0xFFC},
        {"a base in the last page", LAST, 0xFFF, DATA, FLAG_BIG, 0x800, LAST + 0x800},
        {"the last byte as base", 0xFFFFFFFF, 0xFFFFF, DATA, BIG_PAGES, 0x11, 0x10},
        {"around the end", 0xFFFFFF00, 0xFFFFF, DATA, BIG_PAGES, 0x200, 0x100},
        {"the top and beyond", BORDER, 0xFFFFF, DATA, BIG_PAGES, 0x400010, 0x10},
        {"a negative offset", WINDOW + 0x1000, 0xFFFFF, DATA, BIG_PAGES, 0xFFFFF010, WINDOW + 16},
        {"a negative offset from 0", 0, 0xFFFFF, DATA, BIG_PAGES, (uint32_t)-16, 0xFFFFFFF0},
        {"around into the top", 0x80000000, 0xFFFFF, DATA, BIG_PAGES, 0x7FC00010, BORDER + 16},
        {"16-bit, across the border", BORDER - 16, 0xFFFF, DATA, 0, 0x20, BORDER + 16},
        {"byte-granular", BORDER - 0x80000, 0xFFFFF, DATA, FLAG_BIG, 0x80010, BORDER + 16},
        {"expand-down, the top only", 0, 0xFFBFF, DOWN, BIG_PAGES, BORDER + 16, BORDER + 16},
        {"expand-down from the top", BORDER, 0, DOWN, BIG_PAGES, 0x1010, BORDER + 0x1010},
        {"expand-down around", LAST, 0, DOWN, BIG_PAGES, 0x1010, 0x10},
        {"expand-down, 16-bit", BORDER - 16, 15, DOWN, 0, 0x20, BORDER + 16},
        {"readable code", 0, 0xFFFFF, READABLE, BIG_PAGES, BORDER + 16, BORDER + 16},
        {"conforming code", BORDER, 0xFFFFF, CONFORMING, FLAG_BIG, 16, BORDER + 16},
};

#define PLACES (sizeof(places) / sizeof(*places))

static struct outcome use(unsigned ring, catch_function *function, uint32_t argument)
{
	own_data = SEGMENT_DATA(ring);
	return call_in_ring(ring, function, argument);
}

static uint32_t page_of(uint32_t linear)
{
	return linear & ~(PAGE_SIZE - 1);
}

static void map(uint32_t linear, const void *frame, uint64_t attributes)
{
	paging_map(&paging, page_of(linear), (uint32_t)(uintptr_t)frame, attributes);
	cpu_flush_page(linear);
}

static volatile uint32_t *word_of(const struct place *place)
{
	return (volatile uint32_t *)(uintptr_t)(page + place->linear % PAGE_SIZE);
}

static bool is_16_bit(const struct place *place)
{
	return !(place->flags & FLAG_BIG);
}

static void check_reads(unsigned ring, const struct place *place)
{
	*word_of(place) = 0x600D600D;
	test_value(use(ring, read_ds, place->offset), 0x600D600D, "read through ds");
	test_value(use(ring, read_es, place->offset), 0x600D600D, "read through es");
	test_value(use(ring, read_fs, place->offset), 0x600D600D, "read through fs");
	test_value(use(ring, read_gs, place->offset), 0x600D600D, "read through gs");
	if (is_16_bit(place))
		test_value(use(ring, read_16, place->offset), 0x600D600D,
		           "read with a 16-bit address");
}

static void check_write(unsigned ring, const struct place *place, catch_function *function,
                        const char *what)
{
	*word_of(place) = 0;
	test_returns(use(ring, function, place->offset), what);
	test_check(*word_of(place) == 0x5A5A, "%s: it is there", what);
}

static void check_writes(unsigned ring, const struct place *place)
{
	check_write(ring, place, write_es, "stos");
	check_write(ring, place, write_fs, "write through fs");
	check_write(ring, place, write_gs, "write through gs");
	check_write(ring, place, push_ss, "push");
	test_value(use(ring, pop_ss, place->offset), 0x5A5A, "pop");
}

static void check_nothing_there(unsigned ring, const struct place *place)
{
	uint32_t user = ring == 3 ? FAULT_USER : 0;
	test_page_fault(use(ring, read_fs, place->offset), user, place->linear,
	                "read, nothing there");
	if (!(place->access & ACCESS_CODE))
		test_page_fault(use(ring, write_fs, place->offset), user | FAULT_WRITE,
		                place->linear, "write, nothing there");
	if (!(place->access & ACCESS_CODE) && ring == 3)
		test_page_fault(use(ring, push_ss, place->offset), user | FAULT_WRITE,
		                place->linear, "push, nothing there");
}

static void check_place(unsigned ring, const struct place *place)
{
	print("     ring %u: %s: %x:%x is %x\n", ring, place->what, place->base, place->offset,
	      place->linear);
	segment_set(SLOT, segment_make(place->base, place->limit, place->access | ACCESS_DPL(ring),
	                               place->flags));
	tried_selector = SLOT | ring;
	map(place->linear, page, IDENTITY);
	check_reads(ring, place);
	if (!(place->access & ACCESS_CODE))
		check_writes(ring, place);
	map(place->linear, NULL, 0);
	check_nothing_there(ring, place);
	/* The first page is where the machine keeps what it wants to. */
	if (!page_of(place->linear))
		map(0, NULL, IDENTITY);
}

static struct outcome call_code(unsigned ring, uint16_t selector, uint32_t offset)
{
	far_pointer.selector = selector;
	far_pointer.offset = offset;
	return use(ring, far_call, (uint32_t)(uintptr_t)&far_pointer);
}

static void set_code(uint32_t base, unsigned access)
{
	segment_set(SLOT, segment_make(base, 0xFFFFF, access, BIG_PAGES));
}

/* Code there, reached with the segment's base, with the offset, and by going around. */
static void check_code(unsigned ring)
{
	unsigned own = READABLE | ACCESS_DPL(ring);
	memcpy(page + 16, give_cs, (size_t)(give_cs_end - give_cs));
	map(BORDER, page, IDENTITY);
	print("     ring %u: code at the border\n", ring);
	set_code(BORDER, own);
	test_value(call_code(ring, SLOT, 16), SLOT | ring, "by its base: CS");
	set_code(0, own);
	test_value(call_code(ring, SLOT, BORDER + 16), SLOT | ring, "by its offset: CS");
	set_code(0x80000000, own);
	test_value(call_code(ring, SLOT, BORDER + 16 - 0x80000000), SLOT | ring, "by both: CS");
	set_code(BORDER, CONFORMING);
	test_value(call_code(ring, SLOT, 16), SLOT | ring, "conforming, of ring 0: CS");
	segment_set(SLOT, segment_make(BORDER, 0xFFFF, READABLE | ACCESS_DPL(ring), 0));
	page[16] = 0x8C, page[17] = 0xC8, page[18] = 0x66, page[19] = 0xCB; /* mov ax, cs; lretl */
	test_value(call_code(ring, SLOT, 16),
	           ((uint32_t)(uintptr_t)&far_pointer & 0xFFFF0000) | SLOT | ring, "16-bit: CS");
	map(BORDER, NULL, 0);
	set_code(BORDER, own);
	struct outcome outcome = call_code(ring, SLOT, 16);
	test_page_fault(outcome, ring == 3 ? FAULT_USER : 0, BORDER + 16, "nothing there");
	test_check(outcome.frame.cs == (SLOT | ring) && outcome.frame.eip == 16,
	           "CS:EIP is where the call has led");
}

static void load_ldt(uint32_t base, uint32_t limit)
{
	segment_set(LDT_SLOT, segment_make(base, limit, ACCESS_PRESENT | ACCESS_LDT, 0));
	__asm__ volatile("lldt %w0" : : "r"(LDT_SLOT));
}

/* An LDT in the top, and one that is the GDT under another name. */
static void check_ldt(unsigned ring)
{
	struct segment_descriptor *ldt = (void *)page;
	uint16_t entry = (uint16_t)(8 * 511 | LDT_ENTRY | ring);
	print("     ring %u: an LDT at the border\n", ring);
	map(BORDER, page, IDENTITY);
	load_ldt(BORDER, PAGE_SIZE - 1);
	ldt[511] = segment_make(BORDER, 0xFFFFF, DATA | ACCESS_DPL(ring), BIG_PAGES);
	*(volatile uint32_t *)(uintptr_t)(page + 64) = 0x1D71D7;
	tried_selector = entry;
	test_value(use(ring, read_fs, 64), 0x1D71D7, "its last entry");
	test_value(use(ring, read_ds, 64), 0x1D71D7, "its last entry, through ds");
	load_ldt(BORDER, PAGE_SIZE - 2);
	test_traps(use(ring, read_fs, 64), VECTOR_GP, entry & ~3u, "an LDT one byte too short");
	load_ldt((uint32_t)(uintptr_t)segment_table, sizeof(segment_table) - 1);
	tried_selector = (uint16_t)(SEGMENT_DATA(ring) | LDT_ENTRY);
	test_value(use(ring, read_fs, BORDER + 64), 0x1D71D7, "the GDT as LDT");
	map(BORDER, NULL, 0);
}

/* Ring 3 was given the LDT to write in: it makes itself a gate, and is in the guest's ring 0. */
static void check_forged_gate(void)
{
	struct segment_gate *ldt = (void *)page;
	struct segment_gate gate =
	        segment_make_gate(SEGMENT_CODE(0), (uint32_t)(uintptr_t)kernel_entry,
	                          ACCESS_PRESENT | ACCESS_CALL_GATE | ACCESS_DPL(3), 0);
	uint32_t words[2];
	memcpy(words, &gate, sizeof(gate));
	memset(ldt, 0, PAGE_SIZE);
	map(BORDER, page, IDENTITY);
	load_ldt(BORDER, PAGE_SIZE - 1);
	segment_set(SLOT, segment_make(BORDER, 0xFFF, DATA | ACCESS_DPL(3), FLAG_BIG));
	tried_selector = SLOT | 3;
	print("     ring 3: writes into its own LDT\n");
	test_returns(use(3, write_fs, 8), "a write to an entry");
	test_traps(call_code(3, 8 | LDT_ENTRY | 3, 0), VECTOR_GP, 8 | LDT_ENTRY,
	           "a call of what is no gate");
	memcpy(ldt + 1, words, sizeof(words));
	test_value(call_code(3, 8 | LDT_ENTRY | 3, 0), cpu_read_cr0() & 0xFF,
	           "a call of a forged gate: the guest's ring 0, which may read CR0");
	load_ldt(0, 0);
	__asm__ volatile("lldt %w0" : : "r"(0));
	map(BORDER, NULL, 0);
}

void guest_main(const struct boot_info *boot)
{
	(void)boot;
	test_begin("segments",
	           "a segment leads to the linear address that its base and offset make, "
	           "wherever that is, and to nothing else");
	page = page_take();
	paging = paging_create(PAGING_TWO_LEVEL);
	paging_map_identity(&paging, IDENTITY);
	paging_enable(&paging, CR0_WP);
	for (unsigned ring = 0; ring < 4; ring += 3) {
		for (unsigned i = 0; i < PLACES; i++)
			check_place(ring, &places[i]);
		check_code(ring);
		check_ldt(ring);
	}
	check_forged_gate();
	test_end();
}
