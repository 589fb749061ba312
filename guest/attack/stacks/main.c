#include "guest/library/cpu.h"
#include "guest/library/interrupts.h"
#include "guest/library/memory.h"
#include "guest/library/paging.h"
#include "guest/library/print.h"
#include "guest/library/start.h"
#include "guest/library/test.h"

#define BORDER    0xFFC00000u
#define LAST      0xFFFFF000u
#define IDENTITY  (PAGE_PRESENT | PAGE_WRITE | PAGE_USER)
#define DATA      (ACCESS_PRESENT | ACCESS_MEMORY | ACCESS_WRITABLE)
#define VECTOR    0x90
#define RESCUED   0x91
#define RESCUE    SEGMENT_FREE(0) /* the TSS of the task that handles what has no stack */
#define OTHER_TSS SEGMENT_FREE(1)
#define TRIED     SEGMENT_FREE(2)
#define BAD       0xF8 /* a selector of an empty slot */
#define LATE      0xFFFF
#define SOON      200

SNIPPET(use_int, "int $0x90");
SNIPPET(load_bad, "movw %cx, %fs");
SNIPPET(undefined, "ud2");
SNIPPET(spin, "1: cmpl $0, (%ecx); je 1b");
SNIPPET_BEFORE(int_there, "movl %esp, %edx; movl %ecx, %esp", "int $0x90; movl %edx, %esp");
SNIPPET_BEFORE(undefined_there, "movl %ecx, %esp", "ud2");
SNIPPET(timer_there, "movl %esp, %edx; movl %ecx, %esp; sti\n1: cmpl $0, interrupts_seen; je 1b\n\t"
                     "cli; movl %edx, %esp");

/* Where an exception goes that finds no stack: a task of its own, which notes what it sees and
 * lets the first task go on with an `int` on a stack that is there. */
extern const char rescue_entry[], rescue_resume[];
__asm__("rescue_entry: popl rescue_error; call rescue_note; iret; jmp rescue_entry\n"
        "rescue_resume: int $0x91");
uint32_t rescue_error;
void rescue_note(void);

volatile uint32_t interrupts_seen;
static struct segment_tss rescue_task;
static uint8_t rescue_stack[4096] __attribute__((aligned(16)));
static uint8_t resume_stack[4096] __attribute__((aligned(16)));
static struct {
	uint32_t error, cr2, eip, cs;
} rescued;
static uint32_t handler_frame;
static struct paging paging;
static uint8_t *frames[6];

static uint32_t stack_end(uint8_t *stack)
{
	return (uint32_t)(uintptr_t)stack + 4096;
}

void rescue_note(void)
{
	struct segment_tss *tss = &segment_task.tss;
	rescued.error = rescue_error;
	rescued.cr2 = cpu_read_cr2();
	rescued.eip = tss->eip;
	rescued.cs = tss->cs & 0xFFFF;
	tss->eip = (uint32_t)(uintptr_t)rescue_resume;
	tss->cs = SEGMENT_CODE(0);
	tss->ss = tss->ds = tss->es = tss->fs = tss->gs = SEGMENT_DATA(0);
	tss->esp = stack_end(resume_stack);
	tss->eflags = EFLAGS_FIXED;
	tss->cr3 = paging.root;
}

static void rescue_prepare(void)
{
	rescue_task = (struct segment_tss){
	        .cr3 = paging.root,
	        .eip = (uint32_t)(uintptr_t)rescue_entry,
	        .eflags = EFLAGS_FIXED,
	        .esp = stack_end(rescue_stack) - 4, /* the error code is pushed below */
	        .cs = SEGMENT_CODE(0),
	        .ss = SEGMENT_DATA(0),
	        .ds = SEGMENT_DATA(0),
	        .es = SEGMENT_DATA(0),
	        .io_map = sizeof(rescue_task),
	};
	segment_task.tss.cr3 = paging.root;
	segment_set(RESCUE, segment_make((uint32_t)(uintptr_t)&rescue_task, sizeof(rescue_task) - 1,
	                                 ACCESS_PRESENT | ACCESS_TSS, 0));
}

static struct segment_gate set_task_gate(uint8_t vector)
{
	struct segment_gate before = trap_gate(vector);
	trap_set_gate(vector, segment_make_gate(RESCUE, 0, ACCESS_PRESENT | ACCESS_TASK_GATE, 0));
	return before;
}

static void on_vector(struct trap_frame *frame)
{
	handler_frame = (uint32_t)(uintptr_t)frame;
	frame->eax = frame->eip ^ frame->cs;
}

static void on_timer(struct trap_frame *frame)
{
	handler_frame = (uint32_t)(uintptr_t)frame;
	interrupts_seen++;
	interrupt_end(IRQ_TIMER);
}

/* A request that goes away before it is taken, as when the timer is set anew, comes as line 7. */
static void on_spurious(struct trap_frame *frame)
{
	if (interrupt_is_real(frame->vector - VECTOR_IRQ0))
		interrupt_end(frame->vector - VECTOR_IRQ0);
}

static void start_timer(void)
{
	timer_start_once(LATE);
	cpu_enable_interrupts();
	__asm__ volatile("nop; nop");
	cpu_disable_interrupts();
	interrupts_seen = 0;
	timer_start_once(SOON);
}

static void map(uint32_t at, const void *frame, uint64_t attributes)
{
	paging_map(&paging, at, (uint32_t)(uintptr_t)frame, attributes);
	cpu_flush_page(at);
}

/* The pages around the places below: there, or not. */
static void map_places(bool there)
{
	static const uint32_t places[] = {BORDER - 0x1000, BORDER, BORDER + 0x1000,
	                                  LAST - 0x1000,   LAST,   0};
	for (unsigned i = 0; i < 6; i++)
		map(places[i], there ? frames[i] : NULL, there ? IDENTITY : 0);
}

/* Traps from ring 3 come with their frame below ESP0, wherever that is. */
static void check_from_outside(uint32_t esp0)
{
	uint32_t frame = esp0 - sizeof(struct trap_frame);
	uint32_t after = SNIPPET_ADDRESS(use_int) + 2;
	print("     ESP0 is %x\n", esp0);
	segment_task.tss.stack[0].esp = esp0;
	test_value(call_in_ring(3, use_int, 0), after ^ SEGMENT_CODE(3), "int and back");
	test_check(handler_frame == frame, "int: the frame lies below ESP0");
	struct outcome outcome = call_in_ring(3, load_bad, BAD);
	test_traps_at(outcome, VECTOR_GP, BAD, SNIPPET_ADDRESS(load_bad), "a fault");
	test_check(outcome.frame.ss == SEGMENT_DATA(3),
	           "a fault: the frame has the stack's segment");
	start_timer();
	test_returns(
	        call_in_ring_with_flags(3, EFLAGS_IF, spin, (uint32_t)(uintptr_t)&interrupts_seen),
	        "an interrupt and back");
	test_check(interrupts_seen == 1 && handler_frame == frame, "interrupt: its frame, too");
}

/* In ring 0 they come where ESP is. */
static void check_from_inside(uint32_t esp)
{
	uint32_t frame = esp - (sizeof(struct trap_frame) - 8);
	print("     ESP is %x\n", esp);
	test_value(catch_call(int_there, esp), (SNIPPET_ADDRESS(int_there) + 2) ^ SEGMENT_CODE(0),
	           "int and back");
	test_check(handler_frame == frame, "int: the frame lies below ESP");
	test_traps_at(catch_call(undefined_there, esp), VECTOR_UD, 0,
	              SNIPPET_ADDRESS(undefined_there), "a fault");
	start_timer();
	test_returns(catch_call(timer_there, esp), "an interrupt and back");
	test_check(interrupts_seen == 1 && handler_frame == frame, "interrupt: its frame, too");
}

static bool check_rescued(struct outcome outcome, uint32_t error, unsigned ring, const char *what)
{
	bool came = outcome.trapped && outcome.frame.vector == RESCUED;
	test_check(came && rescued.error == error && rescued.cs == SEGMENT_CODE(ring),
	           "%s: the task behind the gate, error code %x", what, error);
	if (came && rescued.error == error && rescued.cs == SEGMENT_CODE(ring))
		return true;
	print("     got vector %u, error code %x, in the task %x at %x:%08x\n",
	      outcome.frame.vector, outcome.frame.error_code, rescued.error, rescued.cs,
	      rescued.eip);
	return false;
}

static void check_rescued_at(struct outcome outcome, unsigned ring, uint32_t eip, uint32_t cr2,
                             const char *what)
{
	check_rescued(outcome, 0, ring, what);
	test_check(rescued.eip == eip, "%s: EIP is the instruction's", what);
	test_check(rescued.cr2 == cr2, "%s: CR2 is where the frame did not fit", what);
}

/* No stack for ring 0: a double fault, whatever began it. */
static void check_no_stack_from_outside(uint32_t esp0, uint32_t cr2)
{
	print("     ESP0 is %x, and nothing is there\n", esp0);
	segment_task.tss.stack[0].esp = esp0;
	check_rescued_at(call_in_ring(3, use_int, 0), 3, SNIPPET_ADDRESS(use_int), cr2, "int");
	check_rescued_at(call_in_ring(3, load_bad, BAD), 3, SNIPPET_ADDRESS(load_bad), cr2,
	                 "a fault with an error code");
	check_rescued_at(call_in_ring(3, undefined, 0), 3, SNIPPET_ADDRESS(undefined), cr2,
	                 "a fault without one");
	start_timer();
	struct outcome outcome =
	        call_in_ring_with_flags(3, EFLAGS_IF, spin, (uint32_t)(uintptr_t)&interrupts_seen);
	interrupt_end(IRQ_TIMER);
	check_rescued(outcome, 0, 3, "an interrupt");
	test_check(rescued.cr2 == cr2, "an interrupt: CR2 is where the frame did not fit");
}

static void check_no_stack_inside(uint32_t esp)
{
	print("     ESP is %x, and nothing is there\n", esp);
	check_rescued_at(catch_call(int_there, esp), 0, SNIPPET_ADDRESS(int_there), esp - 4, "int");
	check_rescued_at(catch_call(undefined_there, esp), 0, SNIPPET_ADDRESS(undefined_there),
	                 esp - 4, "a fault");
}

static void check_missing_stacks(void)
{
	struct segment_gate before = set_task_gate(VECTOR_DF);
	uint32_t esp0 = segment_task.tss.stack[0].esp;
	map_places(false);
	check_no_stack_from_outside(BORDER + 0x800, BORDER + 0x7FC);
	check_no_stack_from_outside(BORDER, BORDER - 4);
	check_no_stack_from_outside(0, 0xFFFFFFFC);
	check_no_stack_inside(BORDER + 0x800);
	check_no_stack_inside(BORDER);
	check_no_stack_inside(0);
	map(BORDER, frames[0], IDENTITY);
	check_no_stack_from_outside(BORDER + 8, BORDER - 4);
	map(BORDER, frames[0], PAGE_PRESENT | PAGE_USER);
	check_no_stack_from_outside(BORDER + 0x800, BORDER + 0x7FC);
	segment_task.tss.stack[0].esp = esp0;
	trap_set_gate(VECTOR_DF, before);
}

/* SS0 that is no stack of ring 0: #TS or #SS with its selector, and a task gate catches it. */
static void check_bad_ss0(void)
{
	struct segment_gate ts = set_task_gate(VECTOR_TS), ss = set_task_gate(VECTOR_SS);
	static const struct {
		const char *what;
		uint32_t selector, error;
	} bad[] = {
	        {"a null SS0", 0, 0},
	        {"SS0 of ring 3", SEGMENT_DATA(3), SEGMENT_DATA(3) & ~3},
	        {"SS0 is code", SEGMENT_CODE(0), SEGMENT_CODE(0)},
	        {"SS0 with RPL 1", SEGMENT_DATA(0) | 1, SEGMENT_DATA(0)},
	        {"SS0 past the GDT", 0xFFF8, 0xFFF8},
	        {"SS0 is not present", TRIED, TRIED},
	};
	segment_set(TRIED, segment_make(0, 0xFFFFF, DATA & ~ACCESS_PRESENT, FLAG_BIG | FLAG_PAGES));
	for (unsigned i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		segment_task.tss.stack[0].ss = bad[i].selector;
		struct outcome outcome = call_in_ring(3, use_int, 0);
		rescued.error &= ~1u; /* EXT: the manuals and the machines differ about it */
		check_rescued(outcome, bad[i].error, 3, bad[i].what);
		segment_task.tss.stack[0].ss = SEGMENT_DATA(0);
	}
	trap_set_gate(VECTOR_TS, ts);
	trap_set_gate(VECTOR_SS, ss);
}

static void load_tss(uint32_t base, uint32_t limit)
{
	segment_set(OTHER_TSS, segment_make(base, limit, ACCESS_PRESENT | ACCESS_TSS, 0));
	__asm__ volatile("ltr %w0" : : "r"(OTHER_TSS) : "memory");
}

/* The TSS itself in odd places: only what is used of it has to be there. */
static void check_tss_places(void)
{
	static const struct {
		uint32_t base, limit;
		const char *what;
	} places[] = {
	        {BORDER - 8, 103, "across the border: ESP0 before, SS0 behind"},
	        {BORDER - 6, 103, "across the border, in the midst of ESP0"},
	        {BORDER + 1, 103, "an odd address"},
	        {(uint32_t)-104, 103, "the end of the address space"},
	        {LAST + 4080, 11, "the end of the address space, only ESP0 and SS0"},
	        {BORDER + 0x1FF4, 103, "all but ESP0 and SS0 in a page that is not there"},
	};
	uint32_t esp0 = segment_stack_top(0) - 0x40;
	map_places(true);
	for (unsigned i = 0; i < sizeof(places) / sizeof(*places); i++) {
		volatile uint32_t *fields = (volatile uint32_t *)(uintptr_t)(places[i].base + 4);
		print("     a TSS at %x: %s\n", places[i].base, places[i].what);
		fields[0] = esp0;
		fields[1] = SEGMENT_DATA(0);
		load_tss(places[i].base, places[i].limit);
		test_returns(call_in_ring(3, use_int, 0), "int and back");
		test_check(handler_frame == esp0 - sizeof(struct trap_frame), "with its ESP0");
		test_traps(call_in_ring(3, load_bad, BAD), VECTOR_GP, BAD, "a fault");
		fields[0] = esp0 - 0x100;
		test_returns(call_in_ring(3, use_int, 0), "int, ESP0 changed");
		test_check(handler_frame == esp0 - 0x100 - sizeof(struct trap_frame),
		           "with its new ESP0");
	}
	map_places(false);
	segment_table[SEGMENT_TSS >> 3].access &= (uint8_t)~2u;
	__asm__ volatile("ltr %w0" : : "r"(SEGMENT_TSS) : "memory");
}

void guest_main(const struct boot_info *boot)
{
	static const uint32_t places[] = {BORDER + 0x800,  BORDER, BORDER + 8, BORDER + 5,
	                                  BORDER + 0x1000, 0,      4,          16,
	                                  LAST + 0x801};
	(void)boot;
	test_begin("stacks", "traps find their stack where the guest says, at any address, and a "
	                     "stack that is not there is the guest's own double fault");
	for (unsigned i = 0; i < 6; i++)
		frames[i] = page_take();
	paging = paging_create(PAGING_TWO_LEVEL);
	paging_map_identity(&paging, IDENTITY);
	paging_enable(&paging, CR0_WP);
	trap_set_handler(VECTOR, on_vector);
	trap_set_dpl(VECTOR, 3);
	trap_set_handler(VECTOR_IRQ0 + IRQ_TIMER, on_timer);
	trap_set_handler(VECTOR_IRQ0 + 7, on_spurious);
	interrupt_unmask(IRQ_TIMER);
	rescue_prepare();
	map_places(true);
	uint32_t esp0 = segment_task.tss.stack[0].esp;
	for (unsigned i = 0; i < sizeof(places) / sizeof(*places); i++) {
		check_from_outside(places[i]);
		check_from_inside(places[i]);
	}
	segment_task.tss.stack[0].esp = esp0;
	check_missing_stacks();
	check_bad_ss0();
	check_tss_places();
	test_end();
}
