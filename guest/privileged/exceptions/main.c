#include "guest/library/cpu.h"
#include "guest/library/print.h"
#include "guest/library/start.h"
#include "guest/library/test.h"

#define EMPTY 0xF8 /* a selector of an empty slot */

SNIPPET_BEFORE(divide_by_zero, "xorl %edx, %edx; xorl %ecx, %ecx", "divl %ecx");
SNIPPET_BEFORE(divide_overflow, "movl $1, %edx; movl $1, %ecx", "divl %ecx");
SNIPPET_BEFORE(divide_smallest, "movl $0x80000000, %eax; cltd; movl $-1, %ecx", "idivl %ecx");
SNIPPET(breakpoint, "int3\n.globl breakpoint_after\nbreakpoint_after: nop");
SNIPPET_BEFORE(overflow, "movb $0x7F, %al; incb %al",
               "into\n.globl overflow_after\noverflow_after: nop");
SNIPPET_BEFORE(no_overflow, "xorl %eax, %eax", "into");
SNIPPET(bound, "boundl %ecx, bound_pair");
SNIPPET(undefined, "ud2");
SNIPPET(lock_register, ".byte 0xF0, 0x01, 0xC0"); /* lock add eax, eax */
SNIPPET(too_long,
        ".byte 0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x90");
SNIPPET(load_empty, "movw %cx, %ds");
SNIPPET(int_8, "int $8");
SNIPPET(int_13, "int $13");
SNIPPET(int_14, "int $14");
SNIPPET_BEFORE(unaligned, "leal 1(%esp), %ecx", "movl (%ecx), %eax");
extern const char breakpoint_after[], overflow_after[];
const int32_t bound_pair[2] = {10, 20};

static uint32_t address_of(const char *label)
{
	return (uint32_t)(uintptr_t)label;
}

/* Faults leave EIP at the instruction, traps behind it. Neither has pushed more than it must. */
static void check_simple(unsigned ring)
{
	test_traps_at(call_in_ring(ring, divide_by_zero, 1), VECTOR_DE, 0,
	              SNIPPET_ADDRESS(divide_by_zero), "div by 0");
	test_traps_at(call_in_ring(ring, divide_overflow, 0), VECTOR_DE, 0,
	              SNIPPET_ADDRESS(divide_overflow), "div whose quotient is too large");
	test_traps_at(call_in_ring(ring, divide_smallest, 0), VECTOR_DE, 0,
	              SNIPPET_ADDRESS(divide_smallest), "idiv of the smallest number by -1");
	test_traps_at(call_in_ring(ring, bound, 21), VECTOR_BR, 0, SNIPPET_ADDRESS(bound),
	              "bound, outside");
	test_returns(call_in_ring(ring, bound, 20), "bound, inside");
	test_traps_at(call_in_ring(ring, undefined, 0), VECTOR_UD, 0, SNIPPET_ADDRESS(undefined),
	              "ud2");
	test_traps_at(call_in_ring(ring, lock_register, 0), VECTOR_UD, 0,
	              SNIPPET_ADDRESS(lock_register), "lock with a register");
	test_traps_at(call_in_ring(ring, too_long, 0), VECTOR_GP, 0, SNIPPET_ADDRESS(too_long),
	              "an instruction of 16 bytes");
	test_traps_at(call_in_ring(ring, load_empty, EMPTY), VECTOR_GP, EMPTY,
	              SNIPPET_ADDRESS(load_empty), "the error code is the selector");
}

static void check_software(unsigned ring)
{
	trap_set_dpl(VECTOR_BP, 3);
	trap_set_dpl(VECTOR_OF, 3);
	test_traps_at(call_in_ring(ring, breakpoint, 0), VECTOR_BP, 0, address_of(breakpoint_after),
	              "int3, EIP behind it");
	test_traps_at(call_in_ring(ring, overflow, 0), VECTOR_OF, 0, address_of(overflow_after),
	              "into, EIP behind it");
	test_returns(call_in_ring(ring, no_overflow, 0), "into without overflow");
	trap_set_dpl(VECTOR_BP, 0);
	trap_set_dpl(VECTOR_OF, 0);
	if (ring == 0)
		return;
	test_traps_at(call_in_ring(ring, breakpoint, 0), VECTOR_GP, VECTOR_BP * 8 + 2,
	              SNIPPET_ADDRESS(breakpoint), "int3 through a gate of ring 0");
	test_traps_at(call_in_ring(ring, overflow, 0), VECTOR_GP, VECTOR_OF * 8 + 2,
	              SNIPPET_ADDRESS(overflow), "into through a gate of ring 0");
	test_traps(call_in_ring(ring, int_8, 0), VECTOR_GP, VECTOR_DF * 8 + 2,
	           "int 8 through a gate of ring 0");
	test_traps(call_in_ring(ring, int_13, 0), VECTOR_GP, VECTOR_GP * 8 + 2,
	           "int 13 through a gate of ring 0");
	test_traps(call_in_ring(ring, int_14, 0), VECTOR_GP, VECTOR_PF * 8 + 2,
	           "int 14 through a gate of ring 0");
}

/* RF is set in the image that a fault pushes, clear in that of a trap. */
static void check_resume_flag(void)
{
	struct outcome outcome = catch_call(undefined, 0);
	bool rf = outcome.frame.eflags & EFLAGS_RF;
	test_either("RF in the flags that a fault pushes", rf, "set, as the manual says", !rf,
	            "clear, as QEMU's TCG has it");
	outcome = catch_call(breakpoint, 0);
	test_check(!(outcome.frame.eflags & EFLAGS_RF),
	           "RF is clear in the flags that a trap pushes");
}

/* Only ring 3 can have its alignment checked, and only when both AM and AC say so. */
static void check_alignment(unsigned ring)
{
	cpu_write_cr0(cpu_read_cr0() | CR0_AM);
	struct outcome outcome = call_in_ring_with_flags(ring, EFLAGS_AC, unaligned, 0);
	if (ring == 3)
		test_either("an unaligned read with AM and AC",
		            outcome.trapped && outcome.frame.vector == VECTOR_AC &&
		                    !outcome.frame.error_code,
		            "#AC(0)", !outcome.trapped,
		            "no trap: this machine does not check alignment");
	else
		test_returns(outcome, "an unaligned read with AM and AC");
	cpu_write_cr0(cpu_read_cr0() & ~CR0_AM);
	test_returns(call_in_ring_with_flags(ring, EFLAGS_AC, unaligned, 0),
	             "an unaligned read with AC alone");
}

/* The error code of a fault during the delivery of an exception has EXT, bit 0, set. */
static void check_external(struct outcome outcome, uint8_t vector, uint32_t error_code,
                           const char *what)
{
	bool right_vector = outcome.trapped && outcome.frame.vector == vector;
	test_either(what, right_vector && outcome.frame.error_code == (error_code | 1),
	            "EXT is set", right_vector && outcome.frame.error_code == error_code,
	            "EXT is clear, as QEMU's TCG has it");
}

/* A contributory exception while another is delivered makes a double fault. */
static void check_double(unsigned ring)
{
	struct segment_gate gp = trap_gate(VECTOR_GP), de = trap_gate(VECTOR_DE),
	                    ud = trap_gate(VECTOR_UD);
	struct segment_gate absent = gp,
	                    empty = segment_make_gate(EMPTY, trap_stub(VECTOR_GP),
	                                              ACCESS_PRESENT | ACCESS_INTERRUPT, 0);
	absent.access &= (uint8_t)~ACCESS_PRESENT;

	trap_set_gate(VECTOR_GP, absent);
	test_traps(call_in_ring(ring, load_empty, EMPTY), VECTOR_DF, 0, "#GP whose gate gives #NP");
	trap_set_gate(VECTOR_GP, gp);

	trap_set_gate(VECTOR_DE, absent);
	test_traps(call_in_ring(ring, divide_by_zero, 0), VECTOR_DF, 0, "#DE whose gate gives #NP");
	trap_set_gate(VECTOR_DE, empty);
	test_traps(call_in_ring(ring, divide_by_zero, 0), VECTOR_DF, 0, "#DE whose gate gives #GP");
	trap_set_gate(VECTOR_DE, de);

	/* #UD is benign: what its delivery raises is delivered instead. */
	trap_set_gate(VECTOR_UD, absent);
	check_external(call_in_ring(ring, undefined, 0), VECTOR_NP, VECTOR_UD * 8 + 2,
	               "#UD whose gate gives #NP");
	trap_set_gate(VECTOR_UD, empty);
	check_external(call_in_ring(ring, undefined, 0), VECTOR_GP, EMPTY,
	               "#UD whose gate gives #GP");
	trap_set_gate(VECTOR_UD, ud);
}

void guest_main(const struct boot_info *boot)
{
	(void)boot;
	test_begin("exceptions", "each exception has its vector, its error code and its EIP, and a "
	                         "second one during delivery becomes what the manual says");
	for (unsigned ring = 0; ring < 4; ring++) {
		print("     -- ring %u\n", ring);
		check_simple(ring);
		check_software(ring);
		check_alignment(ring);
		check_double(ring);
	}
	check_resume_flag();
	test_end();
}
