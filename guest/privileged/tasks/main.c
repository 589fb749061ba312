#include "guest/library/cpu.h"
#include "guest/library/memory.h"
#include "guest/library/print.h"
#include "guest/library/start.h"
#include "guest/library/test.h"

#define VECTOR    0x90
#define OTHER     SEGMENT_FREE(0) /* the descriptor of the other task's TSS */
#define TASK_GATE SEGMENT_FREE(1)
#define BAD       0xF8 /* a selector of an empty slot */
#define UD2_SIZE  2

static struct segment_tss other;
static uint8_t other_stack[4096] __attribute__((aligned(16)));

/* What the other task saw when it ran. */
static struct {
	uint32_t runs, eflags, cr0, tr, link, eax, error_code;
} seen;

/* Where the other task lets the first one go on; 0: where it was. */
static uint32_t resume_at;

SNIPPET_BEFORE(call_task, "pushl %ecx; pushl $0", "lcall *(%esp)\n\taddl $8, %esp");
SNIPPET_BEFORE(jump_task, "pushl %ecx; pushl $0", "ljmp *(%esp)\n\taddl $8, %esp");
SNIPPET(int_task, "int $0x90");
SNIPPET(undefined, "ud2; movl $7, %eax");
SNIPPET(bad_selector,
        "movw %cx, %fs\n.globl bad_selector_after\nbad_selector_after: movl $7, %eax");
extern const char bad_selector_after[];

/* The other task: takes notes, and goes back by iret, again and again. */
void other_run(uint32_t eax, uint32_t *stack);
void other_run(uint32_t eax, uint32_t *stack)
{
	uint32_t tr;
	__asm__ volatile("str %0" : "=r"(tr));
	seen.runs++;
	seen.eflags = cpu_read_eflags();
	seen.cr0 = cpu_read_cr0();
	seen.tr = tr & 0xFFFF;
	seen.link = other.link & 0xFFFF;
	seen.eax = eax;
	seen.error_code = *stack;
	if (resume_at)
		segment_task.tss.eip = resume_at;
}

extern const char other_entry[], other_entry_error[], other_jump_back[];
__asm__("other_entry:\n\t"
        "movl %esp, %edx; pushl %edx; pushl %eax; call other_run; addl $8, %esp\n\t"
        "iret\n\t"
        "jmp other_entry\n"
        "other_entry_error:\n\t" /* the processor pushed an error code onto this task's stack */
        "movl %esp, %edx; pushl %edx; pushl %eax; call other_run; addl $12, %esp\n\t"
        "iret\n\t"
        "jmp other_entry_error\n"
        "other_jump_back:\n\t"
        "movl %esp, %edx; pushl %edx; pushl %eax; call other_run; addl $8, %esp\n\t"
        "ljmp $72, $0\n\t"
        "jmp other_jump_back");
_Static_assert(SEGMENT_TSS == 72, "the selector in other_jump_back");

static void other_prepare(const char *entry)
{
	memset(&seen, 0, sizeof(seen));
	other = (struct segment_tss){
	        .cr3 = cpu_read_cr3(),
	        .eip = (uint32_t)(uintptr_t)entry,
	        .eflags = EFLAGS_FIXED,
	        .eax = 0xABCD,
	        .esp = (uint32_t)(uintptr_t)(other_stack + sizeof(other_stack)) - 16,
	        .cs = SEGMENT_CODE(0),
	        .ss = SEGMENT_DATA(0),
	        .ds = SEGMENT_DATA(0),
	        .es = SEGMENT_DATA(0),
	        .io_map = sizeof(other),
	};
	segment_set(OTHER, segment_make((uint32_t)(uintptr_t)&other, sizeof(other) - 1,
	                                ACCESS_PRESENT | ACCESS_TSS | ACCESS_DPL(3), 0));
	segment_set_gate(
	        TASK_GATE,
	        segment_make_gate(OTHER, 0, ACCESS_PRESENT | ACCESS_TASK_GATE | ACCESS_DPL(3), 0));
	trap_set_gate(
	        VECTOR,
	        segment_make_gate(OTHER, 0, ACCESS_PRESENT | ACCESS_TASK_GATE | ACCESS_DPL(3), 0));
	__asm__ volatile("clts");
}

static unsigned type_of(uint16_t selector)
{
	return segment_table[selector >> 3].access & 0xF;
}

/* A nested task: linked back, NT set, both TSS busy while it runs, TS set. */
static void check_nested(struct outcome outcome, const char *what)
{
	print("     %s\n", what);
	test_returns(outcome, "goes there and comes back");
	test_check(seen.runs == 1 && seen.eax == 0xABCD, "the other task ran, with its registers");
	test_check(seen.tr == OTHER, "TR was the other task's");
	test_check(seen.eflags & EFLAGS_NT, "NT was set");
	test_check(seen.cr0 & CR0_TS, "TS was set");
	test_check(seen.link == SEGMENT_TSS, "the link named the task before");
	test_check(type_of(OTHER) == ACCESS_TSS, "it is no longer busy");
	test_check(type_of(SEGMENT_TSS) == ACCESS_TSS_BUSY, "the first task still is");
	test_check(!(cpu_read_eflags() & EFLAGS_NT), "NT is clear in the first task");
}

static void check_switches(unsigned ring)
{
	other_prepare(other_entry);
	check_nested(call_in_ring(ring, call_task, OTHER), "call of the TSS");
	other_prepare(other_entry);
	check_nested(call_in_ring(ring, call_task, TASK_GATE), "call of a task gate");
	other_prepare(other_entry);
	check_nested(call_in_ring(ring, int_task, 0), "int through a task gate");
}

/* A jump does not nest: the task that is left is no longer busy. */
static void check_jump(unsigned ring)
{
	other_prepare(other_jump_back);
	struct outcome outcome = call_in_ring(ring, jump_task, OTHER);
	test_returns(outcome, "jump to the TSS and back");
	test_check(seen.runs == 1 && seen.tr == OTHER, "jump: the other task ran");
	test_check(!(seen.eflags & EFLAGS_NT), "jump: NT is not set");
	test_check(type_of(OTHER) == ACCESS_TSS && type_of(SEGMENT_TSS) == ACCESS_TSS_BUSY,
	           "jump: only the task that runs is busy");
	other_prepare(other_jump_back);
	test_returns(call_in_ring(ring, jump_task, TASK_GATE), "jump to a task gate and back");
	test_check(seen.runs == 1, "jump to a task gate: the other task ran");
}

/* The handler of a fault is a task of its own; an error code lies on its stack. */
static void check_fault_task(unsigned ring)
{
	struct segment_gate before_gp = trap_gate(VECTOR_GP), before_ud = trap_gate(VECTOR_UD);
	other_prepare(other_entry_error);
	trap_set_gate(VECTOR_GP, trap_gate(VECTOR));
	resume_at = (uint32_t)(uintptr_t)bad_selector_after;
	struct outcome outcome = call_in_ring(ring, bad_selector, BAD);
	trap_set_gate(VECTOR_GP, before_gp);
	test_value(outcome, 7, "#GP through a task gate: the program goes on behind the fault");
	test_check(seen.runs == 1 && seen.error_code == BAD,
	           "#GP: the error code is on the task's stack");

	other_prepare(other_entry);
	trap_set_gate(VECTOR_UD, trap_gate(VECTOR));
	resume_at = SNIPPET_ADDRESS(undefined) + UD2_SIZE;
	outcome = call_in_ring(ring, undefined, 0);
	trap_set_gate(VECTOR_UD, before_ud);
	test_value(outcome, 7, "#UD through a task gate: the program goes on behind the fault");
	test_check(seen.runs == 1, "#UD: the task ran once");
	resume_at = 0;
}

static void check_refusals(unsigned ring)
{
	other_prepare(other_entry);
	segment_table[OTHER >> 3].access |= 2;
	test_traps(call_in_ring(ring, call_task, OTHER), VECTOR_GP, OTHER, "a busy TSS");
	other_prepare(other_entry);
	segment_table[OTHER >> 3].access &= (uint8_t)~ACCESS_PRESENT;
	test_traps(call_in_ring(ring, call_task, OTHER), VECTOR_NP, OTHER,
	           "a TSS that is not present");
	other_prepare(other_entry);
	segment_table[OTHER >> 3].limit_low = sizeof(other) - 2;
	test_traps(call_in_ring(ring, call_task, OTHER), VECTOR_TS, OTHER,
	           "a TSS that is too short");
	other_prepare(other_entry);
	segment_table[OTHER >> 3].access &= (uint8_t)~ACCESS_DPL(3);
	if (ring)
		test_traps(call_in_ring(ring, call_task, OTHER), VECTOR_GP, OTHER,
		           "a TSS whose DPL forbids it");
	else
		test_returns(call_in_ring(ring, call_task, OTHER), "a TSS of ring 0");
}

void guest_main(const struct boot_info *boot)
{
	(void)boot;
	test_begin("tasks",
	           "the processor switches tasks by call, jump, int and fault, keeps the links "
	           "and busy bits, and refuses what is wrong");
	for (unsigned ring = 0; ring < 4; ring++) {
		print("     -- ring %u\n", ring);
		check_switches(ring);
		check_jump(ring);
		check_fault_task(ring);
		check_refusals(ring);
	}
	test_end();
}
