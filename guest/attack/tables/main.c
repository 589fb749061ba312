#include "guest/library/cpu.h"
#include "guest/library/memory.h"
#include "guest/library/paging.h"
#include "guest/library/print.h"
#include "guest/library/start.h"
#include "guest/library/test.h"

#define BORDER   0xFFC00000u
#define IDENTITY (PAGE_PRESENT | PAGE_WRITE | PAGE_USER)
#define DATA     (ACCESS_PRESENT | ACCESS_MEMORY | ACCESS_WRITABLE)
#define CODE     (ACCESS_PRESENT | ACCESS_MEMORY | ACCESS_CODE | ACCESS_READABLE)
#define FLAT     0xFFFFF
#define ENTRIES  8192u
#define FULL     0xFFFFu
#define GDT_SIZE sizeof(segment_table)
#define VECTOR   0x90
#define RANGES   64 /* bytes that each of the many small segments has to itself */
#define TRIED    SEGMENT_FREE(0)

/* Where a monitor may keep descriptors of its own: the last sixteen. */
#define HIGH(n) ((uint16_t)((ENTRIES - 1 - (n)) * 8))
enum { HIGH_TSS, HIGH_LDT, HIGH_CODE_0, HIGH_CODE_3, HIGH_DATA_3, HIGH_DATA_0, HIGH_GATE, HIGHS };

SNIPPET_BEFORE(read_fs, "movw %cx, %fs", "movl %fs:0, %eax; xorl %edx, %edx; movw %dx, %fs");
SNIPPET(load_fs, "movw %cx, %fs");
SNIPPET(load_ldtr, "lldt %cx");
SNIPPET(show_limit, "lsl %ecx, %eax");
SNIPPET(use_int, "int $0x90");
SNIPPET(use_stack, "movl $0x43, %edx; movw %cx, %ss; pushl $0x77; popl %eax; movw %dx, %ss");
SNIPPET(far_call, "pushl %ecx; pushl $give_cs_far; lcall *(%esp); addl $8, %esp");
/* From the selector in CX on, down to the first free one: EAX counts those that are wrong. */
SNIPPET(read_all,
        "pushl %ebx; xorl %eax, %eax\n1: movw %cx, %fs; movl %ecx, %ebx; shrl $3, %ebx\n\t"
        "cmpl %ebx, %fs:0; je 2f; incl %eax\n2: subl $8, %ecx; cmpl $256, %ecx; jae 1b; popl %ebx");
_Static_assert(SEGMENT_SLOTS * 8 == 256, "the number in read_all");

__asm__("give_cs_far: movl %cs, %eax; movzwl %ax, %eax; lret");
uint32_t give_cs_far(void);

static uint8_t room[ENTRIES * 8 + PAGE_SIZE] __attribute__((aligned(4096)));
static uint32_t marks[ENTRIES + RANGES]; /* marks[i] is i: what segment i shows at its start */
static struct paging paging;
static struct segment_table_register whole_gdt, whole_idt;

static void load_gdt(uint32_t base, uint32_t limit)
{
	struct segment_table_register image = {(uint16_t)limit, base};
	__asm__ volatile("lgdt %0" : : "m"(image));
}

static void load_idt(uint32_t base, uint32_t limit)
{
	struct segment_table_register image = {(uint16_t)limit, base};
	__asm__ volatile("lidt %0" : : "m"(image));
}

static void map_room(uint32_t at, uint64_t attributes)
{
	for (uint32_t i = 0; i < sizeof(room); i += PAGE_SIZE) {
		if (at + i < at)
			break; /* the end of the address space */
		paging_map(&paging, at + i, (uint32_t)(uintptr_t)room + i, attributes);
		cpu_flush_page(at + i);
	}
}

static void on_vector(struct trap_frame *frame)
{
	frame->eax = 0xD00D;
}

/* With interrupts off: with them on, Ringfence's ring 3 knows only descriptors that are in use,
 * which is row G18 of docs/limitations.md. */
static struct outcome show_limit_outside(uint32_t selector)
{
	return call_in_ring_with_flags(3, 0, show_limit, selector);
}

/* A small GDT at any address serves all rings, traps included. */
static void check_gdt_at(uint32_t linear, const char *what)
{
	uint32_t offset = linear % PAGE_SIZE;
	memcpy(room + offset, segment_table, GDT_SIZE);
	print("     a GDT at %x: %s\n", linear, what);
	load_gdt(linear, GDT_SIZE - 1);
	for (unsigned ring = 0; ring < 4; ring++) {
		test_value(call_in_ring(ring, use_int, 0), 0xD00D, "int and back");
		test_value(call_in_ring(ring, read_fs, TRIED | ring), 0, "a segment of it");
	}
	test_traps(call_in_ring(3, read_fs, GDT_SIZE | 3), VECTOR_GP, GDT_SIZE, "past its end");
	load_gdt(linear, GDT_SIZE - 2);
	test_traps(call_in_ring(3, read_fs, (GDT_SIZE - 8) | 3), VECTOR_GP, GDT_SIZE - 8,
	           "one byte short");
	load_gdt(whole_gdt.base, whole_gdt.limit);
}

static void check_gdt_places(void)
{
	uint32_t here = (uint32_t)(uintptr_t)room;
	segment_set(TRIED, segment_make((uint32_t)(uintptr_t)marks, RANGES - 1,
	                                DATA | ACCESS_DPL(3), FLAG_BIG));
	check_gdt_at(here + 1, "an odd address");
	check_gdt_at(here + 7, "an odd address");
	check_gdt_at(here + PAGE_SIZE - 0x45, "an entry lies across two pages");
	map_room(BORDER - PAGE_SIZE, IDENTITY);
	check_gdt_at(BORDER - 0x45, "an entry lies across the border");
	check_gdt_at(BORDER - PAGE_SIZE + 0x20, "below the border");
	map_room(BORDER, IDENTITY);
	check_gdt_at(BORDER, "at the border");
	map_room(0xFFFFF000, IDENTITY);
	check_gdt_at(-(uint32_t)GDT_SIZE, "the end of the address space");
	map_room(0xFFFFF000, 0);
}

static struct segment_descriptor flat(unsigned access)
{
	return segment_make(0, FLAT, access, FLAG_BIG | FLAG_PAGES);
}

static void fill_full(void)
{
	struct segment_descriptor *gdt = (void *)room;
	struct segment_gate gate =
	        segment_make_gate(HIGH(HIGH_CODE_0), (uint32_t)(uintptr_t)give_cs_far,
	                          ACCESS_PRESENT | ACCESS_CALL_GATE | ACCESS_DPL(3), 0);
	for (unsigned i = 0; i < ENTRIES; i++) {
		marks[i] = i;
		gdt[i] = segment_make((uint32_t)(uintptr_t)&marks[i], RANGES - 1,
		                      DATA | ACCESS_DPL(3), FLAG_BIG);
	}
	memcpy(gdt, segment_table, GDT_SIZE);
	gdt += ENTRIES - 1;
	gdt[-HIGH_TSS] = segment_make((uint32_t)(uintptr_t)&segment_task, sizeof(segment_task) - 1,
	                              ACCESS_PRESENT | ACCESS_TSS, 0);
	gdt[-HIGH_LDT] = segment_make((uint32_t)(uintptr_t)segment_table, GDT_SIZE - 1,
	                              ACCESS_PRESENT | ACCESS_LDT, 0);
	gdt[-HIGH_CODE_0] = flat(CODE);
	gdt[-HIGH_CODE_3] = flat(CODE | ACCESS_DPL(3));
	gdt[-HIGH_DATA_3] = flat(DATA | ACCESS_DPL(3));
	gdt[-HIGH_DATA_0] = flat(DATA);
	memcpy(&gdt[-HIGH_GATE], &gate, sizeof(gate));
}

/* The last entries as TSS, LDT, code, stacks and gate: all in use at once. */
static void check_high_system(void)
{
	uint32_t before = segment_task.tss.stack[0].ss;
	struct segment_gate gate_before = trap_gate(VECTOR), gate = gate_before;
	struct outcome outcome;
	gate.selector = HIGH(HIGH_CODE_0);
	gate.access = ACCESS_PRESENT | ACCESS_INTERRUPT | ACCESS_DPL(3);
	trap_set_gate(VECTOR, gate);
	trap_set_handler(VECTOR, NULL);
	segment_task.tss.stack[0].ss = HIGH(HIGH_DATA_0);
	__asm__ volatile("ltr %w0; lldt %w1" : : "r"(HIGH(HIGH_TSS)), "r"(HIGH(HIGH_LDT)));
	outcome = call_in_ring(3, use_int, 0);
	test_traps(outcome, VECTOR, 0, "int from ring 3 through high selectors");
	test_check(outcome.frame.ss == SEGMENT_DATA(3), "it came from ring 3");
	test_value(call_in_ring(3, read_fs, TRIED | 7), 0, "an entry of that LDT");
	test_value(call_in_ring(3, far_call, HIGH(HIGH_CODE_3) | 3), HIGH(HIGH_CODE_3) | 3,
	           "code of ring 3: CS");
	test_value(call_in_ring(0, far_call, HIGH(HIGH_CODE_0)), HIGH(HIGH_CODE_0),
	           "code of ring 0: CS");
	test_traps(call_in_ring(3, far_call, HIGH(HIGH_CODE_0)), VECTOR_GP, HIGH(HIGH_CODE_0),
	           "code of ring 0, from ring 3");
	test_value(call_in_ring(3, far_call, HIGH(HIGH_GATE) | 3), HIGH(HIGH_CODE_0),
	           "the gate in the end region: CS");
	test_value(call_in_ring(3, use_stack, HIGH(HIGH_DATA_3) | 3), 0x77, "a stack of ring 3");
	test_traps(call_in_ring(3, use_stack, HIGH(HIGH_DATA_0) | 3), VECTOR_GP, HIGH(HIGH_DATA_0),
	           "a stack of ring 0, from ring 3");
	test_traps(call_in_ring(3, load_fs, HIGH(HIGH_TSS) | 3), VECTOR_GP, HIGH(HIGH_TSS),
	           "the TSS as data");
	segment_table[SEGMENT_TSS >> 3].access &= (uint8_t)~2u;
	memcpy(room, segment_table, GDT_SIZE);
	__asm__ volatile("lldt %w0; ltr %w1" : : "r"(0), "r"(SEGMENT_TSS) : "memory");
	segment_task.tss.stack[0].ss = before;
	trap_set_gate(VECTOR, gate_before);
	trap_set_handler(VECTOR, on_vector);
}

/* Every entry of a GDT of full size is in use, and every one can be loaded, with any RPL. */
static void check_full_at(uint32_t linear)
{
	uint16_t last = HIGH(HIGHS);
	unsigned wrong = 0;
	print("     a full GDT at %x\n", linear);
	fill_full();
	load_gdt(linear, FULL);
	test_value(call_in_ring(0, read_all, last), 0, "ring 0 loads each: those that are wrong");
	test_value(call_in_ring(3, read_all, last | 3u), 0,
	           "ring 3 loads each: those that are wrong");
	for (unsigned i = 0; i < 8; i++)
		for (unsigned rpl = 0; rpl < 4; rpl++) {
			uint32_t selector = (last - i * 8) | rpl;
			struct outcome outcome = call_in_ring(3, read_fs, selector);
			wrong += outcome.trapped || outcome.value != selector >> 3;
			outcome = show_limit_outside(selector);
			wrong += outcome.trapped || outcome.value != RANGES - 1;
		}
	test_check(!wrong, "ring 3 loads the last ones with each RPL, and lsl shows their limits");
	check_high_system();
	load_gdt(whole_gdt.base, whole_gdt.limit);
}

/* Descriptor tables may be in pages that are not there, or may not be written. */
static void check_gdt_missing(void)
{
	uint32_t entry = BORDER + PAGE_SIZE, selector = PAGE_SIZE | 3;
	struct outcome outcome;
	print("     a GDT of which a page is missing\n");
	fill_full();
	map_room(BORDER, IDENTITY);
	paging_map(&paging, entry, 0, 0);
	cpu_flush_page(entry);
	load_gdt(BORDER, FULL);
	test_page_fault(call_in_ring(3, load_fs, selector), 0, entry, "ring 3 loads from there");
	test_page_fault(call_in_ring(0, load_fs, selector), 0, entry, "ring 0 loads from there");
	test_page_fault(call_in_ring(0, load_ldtr, selector & ~3u), 0, entry, "lldt from there");
	test_page_fault(show_limit_outside(selector), 0, entry, "lsl of it");
	paging_map(&paging, entry, (uint32_t)(uintptr_t)room + PAGE_SIZE, PAGE_PRESENT);
	cpu_flush_page(entry);
	outcome = call_in_ring(3, load_fs, selector);
	test_check(outcome.trapped && outcome.frame.vector == VECTOR_PF &&
	                   outcome.frame.error_code == (FAULT_PRESENT | FAULT_WRITE) &&
	                   outcome.cr2 >= entry + 4 && outcome.cr2 < entry + 8,
	           "a page that forbids the accessed bit: #PF(3) at the entry's upper half");
	room[PAGE_SIZE + 5] |= ACCESS_ACCESSED;
	test_value(call_in_ring(3, read_fs, selector), selector >> 3,
	           "with the bit set before nothing is written");
	load_gdt(whole_gdt.base, whole_gdt.limit);
}

static void check_idt_at(uint32_t linear, const char *what)
{
	memcpy(room + linear % PAGE_SIZE, (void *)(uintptr_t)whole_idt.base, 256 * 8);
	print("     an IDT at %x: %s\n", linear, what);
	load_idt(linear, 256 * 8 - 1);
	for (unsigned ring = 0; ring < 4; ring++)
		test_value(call_in_ring(ring, use_int, 0), 0xD00D, "int and back");
	test_traps(call_in_ring(3, load_fs, 0xF8), VECTOR_GP, 0xF8, "a fault");
	load_idt(linear, VECTOR * 8 + 6);
	test_traps(catch_call(use_int, 0), VECTOR_GP, VECTOR * 8 + 2, "an IDT one byte too short");
	load_idt(whole_idt.base, whole_idt.limit);
}

static void check_idt(void)
{
	uint32_t here = (uint32_t)(uintptr_t)room;
	uint32_t gate = BORDER + VECTOR * 8;
	check_idt_at(here + 3, "an odd address");
	map_room(BORDER - PAGE_SIZE, IDENTITY);
	check_idt_at(BORDER - VECTOR * 8 - 4, "the gate lies across the border");
	map_room(0xFFFFF000, IDENTITY);
	check_idt_at(-256u * 8, "the end of the address space");
	map_room(0xFFFFF000, 0);
	/* The exceptions' gates before the border, the rest behind it and not there. */
	gate = BORDER - 0x200 + VECTOR * 8;
	memcpy(room + PAGE_SIZE - 0x200, (void *)(uintptr_t)whole_idt.base, 0x200);
	map_room(BORDER - PAGE_SIZE, IDENTITY);
	paging_map(&paging, BORDER, 0, 0);
	cpu_flush_page(BORDER);
	load_idt(BORDER - 0x200, 256 * 8 - 1);
	test_page_fault(catch_call(use_int, 0), 0, gate, "int through a gate that is not there");
	load_idt(whole_idt.base, whole_idt.limit);
}

void guest_main(const struct boot_info *boot)
{
	(void)boot;
	test_begin("tables", "the GDT and the IDT work at any address and at full size, and a "
	                     "selector means what the guest's table says, up to the last");
	paging = paging_create(PAGING_TWO_LEVEL);
	paging_map_identity(&paging, IDENTITY);
	paging_enable(&paging, CR0_WP);
	trap_set_handler(VECTOR, on_vector);
	trap_set_dpl(VECTOR, 3);
	whole_gdt = segments_gdtr();
	whole_idt = traps_idtr();
	check_gdt_places();
	check_full_at((uint32_t)(uintptr_t)room);
	map_room(BORDER - 0x8000, IDENTITY);
	check_full_at(BORDER - 0x8000);
	map_room(0xFFFF0000, IDENTITY);
	check_full_at(0xFFFF0000);
	check_gdt_missing();
	check_idt();
	test_end();
}
