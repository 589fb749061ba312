#include "guest/attack/random/attempt.h"
#include "guest/library/cpu.h"
#include "guest/library/memory.h"
#include "guest/library/print.h"
#include "guest/library/start.h"
#include "guest/library/test.h"

#define COUNT  400
#define LANDED 0x91
#define SLOTS  4u
#define CLOSED 0x80 /* a port that does nothing */
#define FLAGS                                                                                  \
	(EFLAGS_CF | EFLAGS_ZF | EFLAGS_OF | EFLAGS_IF | EFLAGS_IOPL | EFLAGS_NT | EFLAGS_AC | \
	 EFLAGS_ID)

#define KEEP "pushl %esi; pushl %edi;"
#define GIVE "; popl %edi; popl %esi"
SNIPPET(read8, "movzbl (%ecx), %eax");
SNIPPET(read32, "movl (%ecx), %eax");
SNIPPET(write8, "movb $0x5A, (%ecx)");
SNIPPET(write32, "movl $0x1234ABCD, (%ecx)");
SNIPPET(pop_there, "movl %esp, %edx; movl %ecx, %esp; popl %eax; movl %edx, %esp");
SNIPPET(push_there, "movl %esp, %edx; leal 4(%ecx), %esp; pushl $0x77; movl %edx, %esp");
SNIPPET(fill_there, KEEP "movl %ecx, %edi; movl $16, %ecx; movb $0x3C, %al; rep stosb" GIVE);
SNIPPET(copy_from, KEEP "movl %ecx, %esi; movl $copied, %edi; movl $4, %ecx; rep movsl" GIVE);
SNIPPET(copy_to, KEEP "movl %ecx, %edi; movl $copied, %esi; movl $4, %ecx; rep movsl" GIVE);
SNIPPET(call_there, "call *%ecx");
uint32_t copied[4];

/* The segment that is put back is known: on some machines reading it does not give the truth. */
uint32_t own_data;
SNIPPET(load_ds, "movl own_data, %edx; movw %cx, %ds; movw %dx, %ds");
SNIPPET(load_es, "movl own_data, %edx; movw %cx, %es; movw %dx, %es");
SNIPPET(load_fs, "movw %cx, %fs");
SNIPPET(load_gs, "movw %cx, %gs");
SNIPPET(load_ss, "movl own_data, %edx; movw %cx, %ss; movw %dx, %ss");
/* Without what the manual leaves undefined, and the accessed bit, which some machines set late. */
SNIPPET(show_rights, "movl $-1, %eax; lar %ecx, %eax; jnz 1f; andl $0xF0FE00, %eax\n1:");
SNIPPET(show_limit, "movl $-1, %eax; lsl %ecx, %eax");
SNIPPET(may_read, "verr %cx; setz %al; movzbl %al, %eax");
SNIPPET(may_write, "verw %cx; setz %al; movzbl %al, %eax");
SNIPPET(load_ldt, "lldt %cx; xorl %eax, %eax; lldt %ax");
SNIPPET(load_task, "ltr %cx");

/* The argument is an array: what is pushed, or pointed to. */
SNIPPET(interrupt_return,
        "pushl 16(%ecx); pushl 12(%ecx); pushl 8(%ecx); pushl 4(%ecx); pushl (%ecx); iret");
SNIPPET(far_return, "pushl 16(%ecx); pushl 12(%ecx); pushl 4(%ecx); pushl (%ecx); lret");
SNIPPET(far_call, "lcall *(%ecx)");
SNIPPET(far_jump, "ljmp *(%ecx)");
extern const char landing[];
__asm__("landing: int $0x91");

SNIPPET(disable, "cli");
SNIPPET(enable, "sti; cli");
SNIPPET(halt, "hlt");
SNIPPET(port_in, "inb $0x80, %al; xorl %eax, %eax");
SNIPPET(port_out, "outb %al, $0x80");
SNIPPET(write_cr0, "movl %ecx, %cr0");
SNIPPET(write_cr3, "movl %ecx, %cr3");
SNIPPET(read_cr4, "movl %cr4, %eax");
SNIPPET(write_dr7, "movl %ecx, %dr7");
SNIPPET(clear_ts, "clts");
SNIPPET(flush_page, "invlpg (%ecx)");
SNIPPET(flush_cache, "wbinvd");
SNIPPET(read_msr, "movl $0x1B, %ecx; rdmsr");
SNIPPET(set_gdt, "lgdt (%ecx)");
SNIPPET(set_idt, "lidt (%ecx)");
SNIPPET(set_machine, "lmsw %cx");
SNIPPET(undefined, "ud2");

static const struct operation accesses[] = {
        OPERATION(read8),      OPERATION(read32),    OPERATION(write8),  OPERATION(write32),
        OPERATION(fill_there), OPERATION(copy_from), OPERATION(copy_to), OPERATION(call_there),
};
/* A fault with such a stack would have none in ring 0. */
static const struct operation stacks[] = {OPERATION(pop_there), OPERATION(push_there)};
static const struct operation loads[] = {OPERATION(load_ds), OPERATION(load_es), OPERATION(load_fs),
                                         OPERATION(load_gs), OPERATION(load_ss)};
static const struct operation queries[] = {OPERATION(show_rights), OPERATION(show_limit),
                                           OPERATION(may_read), OPERATION(may_write)};
static const struct operation system_loads[] = {OPERATION(load_ldt), OPERATION(load_task)};
static const struct operation transfers[] = {OPERATION(interrupt_return), OPERATION(far_return),
                                             OPERATION(far_call), OPERATION(far_jump)};
static const struct operation privileged[] = {
        OPERATION(disable),   OPERATION(enable),    OPERATION(halt),       OPERATION(port_in),
        OPERATION(port_out),  OPERATION(write_cr0), OPERATION(write_cr3),  OPERATION(read_cr4),
        OPERATION(write_dr7), OPERATION(clear_ts),  OPERATION(flush_page), OPERATION(flush_cache),
        OPERATION(read_msr),  OPERATION(set_gdt),   OPERATION(set_idt),    OPERATION(set_machine),
        OPERATION(undefined),
};

const uint32_t places[PLACES] = {BORDER - 0x1000, BORDER,      BORDER + 0x1000, 0xFFD00000u,
                                 0xFFFFE000u,     0xFFFFF000u, 0x40000000u,     0xE0000000u};

struct paging paging;
uint8_t *frames[FRAMES];
static uint32_t state, digest;

uint32_t pick(uint32_t below)
{
	state ^= state << 13;
	state ^= state >> 17;
	state ^= state << 5;
	return state % below;
}

unsigned pick_ring(void)
{
	return pick(2) * 3;
}

void note(uint32_t value)
{
	digest = (digest ^ value) * 0x01000193u;
}

void report(const struct operation *operation, unsigned ring, uint32_t argument,
            struct outcome outcome)
{
	const struct trap_frame *frame = &outcome.frame;
	print("     ring %u %s %08x: ", ring, operation->name, argument);
	if (!outcome.trapped) {
		print("%x\n", outcome.value);
		note(outcome.value);
		return;
	}
	uint32_t cr2 = frame->vector == VECTOR_PF ? outcome.cr2 : 0;
	print("%s(%x) %x:%x cr2 %x\n", trap_name((uint8_t)frame->vector), frame->error_code,
	      frame->cs, frame->eip, cr2);
	note(frame->vector);
	note(frame->error_code);
	note(frame->cs);
	note(frame->eip);
	note(cr2);
}

void run(const struct operation *operation, unsigned ring, uint32_t argument)
{
	own_data = SEGMENT_DATA(ring);
	report(operation, ring, argument, call_in_ring(ring, operation->function, argument));
}

uint32_t map_place(uint32_t rights, unsigned *frame)
{
	uint32_t page = places[CHOOSE(places)];

	*frame = pick(FRAMES);
	paging_map(&paging, page, (uint32_t)(uintptr_t)frames[*frame], rights);
	cpu_flush_page(page);
	return page;
}

/* Any of the pages gets any rights, or none, and then somebody goes there. */
static void try_access(void)
{
	static const uint32_t rights[] = {
	        0,        PAGE_PRESENT, PAGE_PRESENT | PAGE_USER, PAGE_PRESENT | PAGE_WRITE,
	        IDENTITY, IDENTITY};
	unsigned ring = pick_ring(), frame;
	uint32_t page = map_place(rights[CHOOSE(rights)], &frame), at = page + pick(PAGE_SIZE);
	const struct operation *operation =
	        ring && pick(3) == 0 ? &stacks[CHOOSE(stacks)] : &accesses[CHOOSE(accesses)];
	if (pick(3) == 0)
		at = page + PAGE_SIZE - pick(LARGEST); /* across the end */
	if (at < page || at > -(uint32_t)LARGEST)
		at = -(uint32_t)LARGEST; /* but not across that of the address space */
	if (operation->function == call_there)
		for (unsigned i = 0; i < FRAMES; i++)
			frames[i][at % PAGE_SIZE] = 0xC3; /* ret */
	run(operation, ring, at);
}

/* Descriptors of all kinds, but code and gates only such as lead somewhere. */
static void fill_slot(bool for_transfer)
{
	uint16_t slot = SEGMENT_FREE(pick(SLOTS));
	unsigned access = pick(256);
	uint32_t base = places[CHOOSE(places)] + pick(PAGE_SIZE), limit = pick(0x100000);
	struct segment_gate gate = segment_make_gate(
	        SEGMENT_CODE(pick(4)), (uint32_t)(uintptr_t)landing,
	        ACCESS_CALL_GATE | (access & (ACCESS_PRESENT | ACCESS_DPL(3))), 0);
	if (for_transfer && !(access & ACCESS_MEMORY)) {
		segment_set_gate(slot, gate);
		return;
	}
	if (for_transfer)
		segment_set(slot, segment_make(0, 0xFFFFF, access, FLAG_BIG | FLAG_PAGES));
	else
		segment_set(slot, segment_make(base, limit, access, pick(16) & ~2u));
}

/* What loads have left there may be code with a base, and a transfer to it would lead anywhere. */
static void empty_slots(void)
{
	for (unsigned i = 0; i < SLOTS; i++)
		segment_table[SEGMENT_FREE(i) >> 3] = (struct segment_descriptor){0};
}

static uint32_t pick_selector(void)
{
	switch (pick(4)) {
	case 0:
		return pick(0x10000);
	case 1:
		return SEGMENT_FREE(pick(SLOTS)) | pick(4);
	case 2:
		return pick(4);
	default:
		return (8 + pick(8) * 8) | pick(4);
	}
}

/* With interrupts off: with them on, Ringfence's ring 3 knows only descriptors that are in use,
 * which is row G18 of docs/limitations.md. */
static void try_query(unsigned ring)
{
	const struct operation *operation = &queries[CHOOSE(queries)];
	uint32_t selector = pick_selector();
	own_data = SEGMENT_DATA(ring);
	report(operation, ring, selector,
	       call_in_ring_with_flags(ring, 0, operation->function, selector));
}

static void try_load(void)
{
	unsigned ring = pick_ring();
	fill_slot(false);
	if (pick(3) == 0)
		try_query(ring);
	else if (ring && pick(4) == 0)
		run(&system_loads[CHOOSE(system_loads)], ring, pick_selector());
	else
		run(&loads[CHOOSE(loads)], ring, pick_selector());
}

static void try_transfer(void)
{
	static uint32_t words[5];
	unsigned ring = pick_ring();
	const struct operation *operation = &transfers[CHOOSE(transfers)];
	empty_slots();
	fill_slot(true);
	words[0] = (uint32_t)(uintptr_t)landing;
	words[1] = pick(2) ? SEGMENT_CODE(pick(4)) : pick_selector();
	words[2] = EFLAGS_FIXED | (pick(0x400000) & FLAGS);
	words[3] = segment_stack_top(3) - 0x800;
	words[4] = pick(2) ? SEGMENT_DATA(words[1] & 3) : pick_selector();
	struct outcome outcome =
	        call_in_ring(ring, operation->function, (uint32_t)(uintptr_t)words);
	report(operation, ring, words[1] << 16 | words[4], outcome);
	if (outcome.trapped && outcome.frame.vector == LANDED)
		note(outcome.frame.eflags & FLAGS);
}

static void try_gate(void)
{
	static const unsigned types[] = {ACCESS_INTERRUPT, ACCESS_TRAP, ACCESS_INTERRUPT,
	                                 ACCESS_CALL_GATE, ACCESS_LDT,  0};
	static uint8_t code[] = {0xCD, 0, 0xC3};
	static const struct operation use_gate = {"int", call_there};
	uint8_t vector = (uint8_t)(0x30 + pick(0x60));
	unsigned ring = pick_ring(), access = types[CHOOSE(types)];
	struct segment_gate before = trap_gate(vector);
	access |= ACCESS_DPL(pick(4)) | (pick(4) ? ACCESS_PRESENT : 0);
	empty_slots();
	fill_slot(true);
	uint16_t selector = (uint16_t)(pick(2) ? SEGMENT_CODE(pick(4)) : pick_selector());
	trap_set_gate(vector, segment_make_gate(selector, (uint32_t)(uintptr_t)landing, access, 0));
	code[1] = vector;
	report(&use_gate, ring, vector, call_in_ring(ring, call_there, (uint32_t)(uintptr_t)code));
	trap_set_gate(vector, before);
}

static void try_privileged(void)
{
	run(&privileged[CHOOSE(privileged)], 3, places[CHOOSE(places)]);
}

static uint32_t number(const struct boot_info *boot, const char *name, uint32_t otherwise)
{
	const char *text = boot_find_option(boot, name);
	uint32_t value = 0;
	if (!text)
		return otherwise;
	for (; *text >= '0' && *text <= '9'; text++)
		value = value * 10 + (uint32_t)(*text - '0');
	if (!value || (*text && *text != ' '))
		test_error("seed= and count= need a number above 0");
	return value;
}

void guest_main(const struct boot_info *boot)
{
	static void (*const tries[])(void) = {
	        try_access,   try_access,   try_access,     try_load,      try_load,
	        try_transfer, try_gate,     try_privileged, try_directory, try_port,
	        try_stack,    try_own_code, try_storm,
	};
	uint32_t count = number(boot, "count", COUNT), done = 0;
	test_begin("random", "attempts at random, the same for the same seed=, end everywhere in "
	                     "the same way");
	state = number(boot, "seed", 1);
	for (unsigned i = 0; i < FRAMES; i++)
		frames[i] = page_take();
	paging = paging_create(PAGING_TWO_LEVEL);
	paging_map_identity(&paging, IDENTITY);
	paging_enable(&paging, CR0_WP);
	trap_set_dpl(LANDED, 3);
	machinery_start();
	for (; done < count; done++)
		tries[CHOOSE(tries)]();
	test_check(done == count, "all attempts have come back");
	print("     digest %08x\n", digest);
	test_end();
}
