#include "guest/library/cpu.h"
#include "guest/library/print.h"
#include "guest/library/start.h"
#include "guest/library/test.h"

#define VECTOR     0x90
#define GATE       SEGMENT_FREE(0)
#define IDT_ERROR  (VECTOR * 8 + 2)
#define PARAMETERS 3

/* Far calls through the gate: the argument is the selector; three words are pushed before. */
SNIPPET_BEFORE(call_gate, "pushl $0x33; pushl $0x22; pushl $0x11; pushl %ecx; pushl $0xDEAD",
               "lcall *(%esp)\n\taddl $20, %esp");
SNIPPET_BEFORE(call_gate_parameters,
               "pushl %ecx; pushl $0xDEAD; movl %esp, %edx\n\t"
               "pushl $0x33; pushl $0x22; pushl $0x11",
               "lcall *(%edx)\n\taddl $8, %esp");
SNIPPET_BEFORE(jump_gate, "pushl %ecx; pushl $0", "ljmp *(%esp)");
SNIPPET(use_int, "int $0x90");

/* Often through the same gate, with GS as it is given and as it was, in turn: what the last handler
 * saw. */
SNIPPET_BEFORE(load_gs,
               "pushl %ebx; pushl %gs; movl $20, %edx\n"
               "1: movw %cx, %gs; int $0x90; popl %gs; pushl %gs; int $0x90; decl %edx; jnz 1b",
               "movw %cx, %gs; int $0x90; popl %gs; popl %ebx");

/* What the gates lead to: give CS and SS back, or the sum of the parameters. */
uint32_t far_function(void), far_sum(void), int_function(void), jump_function(void),
        gs_function(void);
__asm__("far_function: movl %ss, %eax; shll $16, %eax; movw %cs, %ax; lret\n"
        "far_sum: movl 8(%esp), %eax; addl 12(%esp), %eax; addl 16(%esp), %eax; lret $12\n"
        "jump_function: addl $8, %esp; movl %ss, %eax; shll $16, %eax; movw %cs, %ax; ret\n"
        "gs_function: pushl %edx; pushl %ecx; xorl %eax, %eax; cpuid; popl %ecx; popl %edx\n"
        "pushl %gs; popl %eax; iret\n"
        "int_function: pushfl; popl %eax; andl $0x200, %eax; shll $16, %eax; movw %cs, %ax; iret");

static uint32_t address_of(uint32_t (*function)(void))
{
	return (uint32_t)(uintptr_t)function;
}

static void set_gate(unsigned code_ring, uint32_t (*function)(void), unsigned dpl,
                     unsigned parameters)
{
	segment_set_gate(GATE,
	                 segment_make_gate(SEGMENT_CODE(code_ring), address_of(function),
	                                   ACCESS_PRESENT | ACCESS_CALL_GATE | ACCESS_DPL(dpl),
	                                   parameters));
}

static uint32_t stacks_and_code(unsigned ring)
{
	return (uint32_t)SEGMENT_DATA(ring) << 16 | SEGMENT_CODE(ring);
}

/* A call gate leads inwards or stays; never outwards. */
static void check_call_gates(unsigned ring)
{
	for (unsigned target = 0; target < 4; target++) {
		print("     to ring %u\n", target);
		set_gate(target, far_function, 3, 0);
		struct outcome outcome = call_in_ring(ring, call_gate, GATE | ring);
		if (target <= ring)
			test_value(outcome, stacks_and_code(target), "call gate: SS and CS");
		else
			test_traps(outcome, VECTOR_GP, SEGMENT_CODE(target) & ~3u,
			           "call gate outwards");
		if (target > ring)
			continue;
		set_gate(target, far_sum, 3, target == ring ? 0 : PARAMETERS);
		test_value(call_in_ring(ring, call_gate_parameters, GATE | ring), 0x66,
		           "call gate: the sum of three parameters");
		set_gate(target, jump_function, 3, 0);
		outcome = call_in_ring(ring, jump_gate, GATE | ring);
		if (target == ring)
			test_value(outcome, stacks_and_code(ring),
			           "jump through the gate: SS and CS");
		else
			test_traps(outcome, VECTOR_GP, SEGMENT_CODE(target) & ~3u,
			           "jump through a gate that leads inwards");
	}
}

static void check_call_gate_rights(unsigned ring)
{
	for (unsigned dpl = 0; dpl < 4; dpl++) {
		set_gate(0, far_function, dpl, 0);
		struct outcome outcome = call_in_ring(ring, call_gate, GATE);
		if (dpl >= ring)
			test_value(outcome, stacks_and_code(0),
			           "call gate whose DPL allows it: SS and CS");
		else
			test_traps(outcome, VECTOR_GP, GATE, "call gate whose DPL forbids it");
	}
	set_gate(0, far_function, 1, 0);
	test_traps(call_in_ring(ring, call_gate, GATE | 2), VECTOR_GP, GATE,
	           "call gate with RPL above DPL");
	set_gate(0, far_function, 3, 0);
	segment_table[GATE >> 3].access &= (uint8_t)~ACCESS_PRESENT;
	test_traps(call_in_ring(ring, call_gate, GATE), VECTOR_NP, GATE,
	           "call gate that is not present");
	segment_set_gate(GATE, segment_make_gate(
	                               0, 0, ACCESS_PRESENT | ACCESS_CALL_GATE | ACCESS_DPL(3), 0));
	test_traps(call_in_ring(ring, call_gate, GATE), VECTOR_GP, 0,
	           "call gate to the null selector");
	segment_set_gate(GATE,
	                 segment_make_gate(SEGMENT_DATA(0), 0,
	                                   ACCESS_PRESENT | ACCESS_CALL_GATE | ACCESS_DPL(3), 0));
	test_traps(call_in_ring(ring, call_gate, GATE), VECTOR_GP, SEGMENT_DATA(0),
	           "call gate to data");
}

static void set_int(unsigned code_ring, unsigned type, unsigned dpl)
{
	trap_set_gate(VECTOR, segment_make_gate(SEGMENT_CODE(code_ring), address_of(int_function),
	                                        ACCESS_PRESENT | type | ACCESS_DPL(dpl), 0));
}

/* What user code has in GS is what the kernel pushes, whatever it has done before. */
static void check_gs(unsigned ring)
{
	segment_set(SEGMENT_FREE(1),
	            segment_make(0x1000, 0xFFF,
	                         ACCESS_PRESENT | ACCESS_MEMORY | ACCESS_WRITABLE | ACCESS_DPL(3),
	                         FLAG_BIG));
	trap_set_gate(VECTOR,
	              segment_make_gate(SEGMENT_CODE(0), address_of(gs_function),
	                                ACCESS_PRESENT | ACCESS_INTERRUPT | ACCESS_DPL(3), 0));
	test_value(call_in_ring(ring, load_gs, SEGMENT_FREE(1) | ring), SEGMENT_FREE(1) | ring,
	           "GS behind a gate");
}

/* An interrupt gate turns IF off, a trap gate leaves it. */
static void check_int_gates(unsigned ring)
{
	static const uint32_t interrupt_flag = EFLAGS_IF << 16;
	for (unsigned target = 0; target <= ring; target++) {
		print("     to ring %u\n", target);
		set_int(target, ACCESS_INTERRUPT, 3);
		test_value(call_in_ring_with_flags(ring, EFLAGS_IF, use_int, 0),
		           SEGMENT_CODE(target), "interrupt gate: IF off, CS");
		set_int(target, ACCESS_TRAP, 3);
		test_value(call_in_ring_with_flags(ring, EFLAGS_IF, use_int, 0),
		           (ring ? interrupt_flag : 0) | SEGMENT_CODE(target),
		           "trap gate: IF stays, CS");
	}
	for (unsigned target = ring + 1; target < 4; target++) {
		set_int(target, ACCESS_INTERRUPT, 3);
		test_traps(call_in_ring(ring, use_int, 0), VECTOR_GP, SEGMENT_CODE(target) & ~3u,
		           "interrupt gate outwards");
	}
}

static void check_int_gate_rights(unsigned ring)
{
	for (unsigned dpl = 0; dpl < 4; dpl++) {
		set_int(0, ACCESS_INTERRUPT, dpl);
		struct outcome outcome = call_in_ring(ring, use_int, 0);
		if (dpl >= ring)
			test_value(outcome, SEGMENT_CODE(0),
			           "int through a gate whose DPL allows it");
		else
			test_traps_at(outcome, VECTOR_GP, IDT_ERROR, SNIPPET_ADDRESS(use_int),
			              "int through a gate whose DPL forbids it");
	}
	set_int(0, ACCESS_INTERRUPT & 0, 3);
	test_traps(call_in_ring(ring, use_int, 0), VECTOR_GP, IDT_ERROR,
	           "int through what is no gate");
	trap_set_gate(VECTOR,
	              segment_make_gate(SEGMENT_CODE(0), 0, ACCESS_INTERRUPT | ACCESS_DPL(3), 0));
	test_traps(call_in_ring(ring, use_int, 0), VECTOR_NP, IDT_ERROR,
	           "int through a gate that is not present");
	trap_set_gate(VECTOR,
	              segment_make_gate(SEGMENT_DATA(0), 0,
	                                ACCESS_PRESENT | ACCESS_INTERRUPT | ACCESS_DPL(3), 0));
	test_traps(call_in_ring(ring, use_int, 0), VECTOR_GP, SEGMENT_DATA(0),
	           "int through a gate to data");
}

/* The processor takes the inner stack from the TSS, and checks it. */
static void check_inner_stack(unsigned ring)
{
	uint32_t before = segment_task.tss.stack[1].ss;
	if (ring < 2)
		return;
	set_gate(1, far_function, 3, 0);
	segment_task.tss.stack[1].ss = SEGMENT_DATA(3);
	test_traps(call_in_ring(ring, call_gate, GATE), VECTOR_TS, SEGMENT_DATA(3) & ~3u,
	           "the TSS has a stack of the wrong ring");
	segment_task.tss.stack[1].ss = 0;
	test_traps(call_in_ring(ring, call_gate, GATE), VECTOR_TS, 0, "the TSS has a null stack");
	segment_task.tss.stack[1].ss = SEGMENT_CODE(1);
	test_traps(call_in_ring(ring, call_gate, GATE), VECTOR_TS, SEGMENT_CODE(1) & ~3u,
	           "the TSS has code as a stack");
	segment_task.tss.stack[1].ss = before;
}

/* Past the limit of the IDT there is no gate. */
static void check_idt_limit(unsigned ring)
{
	struct segment_table_register whole, cut;
	__asm__ volatile("sidt %0" : "=m"(whole));
	cut = whole;
	cut.limit = VECTOR * 8 + 6;
	set_int(0, ACCESS_INTERRUPT, 3);
	/* What says that a ring is done is past the cut as well: only the trap is looked at. */
	__asm__ volatile("lidt %0" : : "m"(cut));
	struct outcome outcome = call_in_ring(ring, use_int, 0);
	__asm__ volatile("lidt %0" : : "m"(whole));
	test_traps(outcome, VECTOR_GP, IDT_ERROR, "int past the limit of the IDT");
}

void guest_main(const struct boot_info *boot)
{
	(void)boot;
	test_begin("gates",
	           "call, interrupt and trap gates lead inwards only, for whom they allow it, "
	           "onto the stack that the TSS names");
	for (unsigned ring = 0; ring < 4; ring++) {
		print("     -- ring %u\n", ring);
		check_call_gates(ring);
		check_call_gate_rights(ring);
		check_int_gates(ring);
		check_gs(ring);
		check_int_gate_rights(ring);
		check_inner_stack(ring);
		check_idt_limit(ring);
	}
	test_end();
}
