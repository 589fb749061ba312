#include <stddef.h>

#include "guest/library/cpu.h"
#include "guest/library/print.h"
#include "guest/library/start.h"
#include "guest/library/test.h"

#define DR6_FIXED               0xFFFF0FF0u
#define DR6_B(n)                (1u << (n))
#define DR6_BD                  0x2000u
#define DR6_BS                  0x4000u
#define DR7_FIXED               0x400u
#define DR7_L(n)                (1u << 2 * (n))
#define DR7_G(n)                (2u << 2 * (n))
#define DR7_GD                  0x2000u
#define DR7_TYPE(n, type, size) (((type) | ((size)-1) << 2) << (16 + 4 * (n)))
#define DR7_EXECUTE             0u
#define DR7_WRITE               1u
#define DR7_IO                  2u
#define DR7_ACCESS              3u
#define FRAME_LOADS             2 /* the instructions with which each snippet begins */
#define POST_PORT               0x80

SNIPPET(five_nops, "nop; nop; nop; nop; nop");
SNIPPET(move_ss, "movl %ss, %edx; movw %dx, %ss; nop");
SNIPPET_BEFORE(store_string, "pushl %edi; movl %ecx, %edi; movl $4, %ecx", "rep stosb; popl %edi");
SNIPPET(read, "movl (%ecx), %eax\n.globl read_after\nread_after: nop");
SNIPPET(write, "movl $0, (%ecx)\n.globl write_after\nwrite_after: nop");
SNIPPET(icebp, ".byte 0xF1\n.globl icebp_after\nicebp_after: nop");
SNIPPET(set_trap_flag, "pushl $0x102; popfl; nop\n.globl trap_flag_after\ntrap_flag_after: nop");
SNIPPET(read_dr4, "movl %db4, %eax");
SNIPPET(read_dr5, "movl %db5, %eax");
SNIPPET(read_dr7, "movl %dr7, %eax");
SNIPPET(read_port, "inb $0x80, %al\n.globl port_after\nport_after: nop");
extern const char read_after[], write_after[], icebp_after[], trap_flag_after[], port_after[];

static uint32_t watched[4] __attribute__((aligned(16)));
static volatile uint32_t steps;
static uint32_t watched_address;

static uint32_t address_of(const void *at)
{
	return (uint32_t)(uintptr_t)at;
}

static void count_step(struct trap_frame *frame)
{
	/* A machine may report one more step on the way out, from ring 0; it is not the program's.
	 */
	if (frame->eflags & EFLAGS_TF)
		steps++;
}

/* A run with TF counts its instructions, ret included. */
static void check_steps(unsigned ring, catch_function *function, uint32_t argument,
                        uint32_t expected, const char *what)
{
	trap_set_handler(VECTOR_DB, count_step);
	steps = 0;
	struct outcome outcome = call_in_ring_with_flags(ring, EFLAGS_TF, function, argument);
	trap_set_handler(VECTOR_DB, NULL);
	test_check(!outcome.trapped && steps == FRAME_LOADS + expected + 1, "%s: %u steps", what,
	           steps);
}

static void check_trap_flag(unsigned ring)
{
	if (ring) {
		check_steps(ring, five_nops, 0, 5, "TF: one trap for each instruction");
		check_steps(ring, move_ss, 0, 2,
		            "TF: none between mov ss and the next instruction");
		check_steps(ring, store_string, watched_address, 3 + 4 + 1,
		            "TF: one for each turn of rep stosb");
	}
	cpu_write_dr6(DR6_FIXED);
	struct outcome outcome = call_in_ring(ring, set_trap_flag, 0);
	test_traps_at(outcome, VECTOR_DB, 0, address_of(trap_flag_after),
	              "popf that sets TF: after the next instruction");
	test_check(cpu_read_dr6() == (DR6_FIXED | DR6_BS), "DR6 says single step");
}

static void set_breakpoint(unsigned n, uint32_t address, uint32_t type, uint32_t size)
{
	cpu_write_dr6(DR6_FIXED);
	if (n == 0)
		cpu_write_dr0(address);
	else if (n == 1)
		cpu_write_dr1(address);
	else if (n == 2)
		cpu_write_dr2(address);
	else
		cpu_write_dr3(address);
	cpu_write_dr7(DR7_FIXED | (n & 1 ? DR7_L(n) : DR7_G(n)) | DR7_TYPE(n, type, size));
}

static void check_hit(struct outcome outcome, unsigned n, uint32_t eip, const char *what)
{
	uint32_t dr6 = cpu_read_dr6();
	cpu_write_dr7(DR7_FIXED);
	test_traps_at(outcome, VECTOR_DB, 0, eip, what);
	test_check(dr6 == (DR6_FIXED | DR6_B(n)), "DR6 says breakpoint %u", n);
}

static void check_no_hit(struct outcome outcome, const char *what)
{
	cpu_write_dr7(DR7_FIXED);
	test_returns(outcome, what);
}

static void check_breakpoints(unsigned ring)
{
	for (unsigned n = 0; n < 4; n++) {
		set_breakpoint(n, SNIPPET_ADDRESS(five_nops), DR7_EXECUTE, 1);
		check_hit(call_in_ring(ring, five_nops, 0), n, SNIPPET_ADDRESS(five_nops),
		          "execute: before it");
		set_breakpoint(n, watched_address, DR7_WRITE, 4);
		check_hit(call_in_ring(ring, write, watched_address), n, address_of(write_after),
		          "write: behind it");
		set_breakpoint(n, watched_address, DR7_ACCESS, 4);
		check_hit(call_in_ring(ring, read, watched_address), n, address_of(read_after),
		          "read: behind it");
	}
	set_breakpoint(0, watched_address, DR7_WRITE, 4);
	check_no_hit(call_in_ring(ring, read, watched_address),
	             "a read does not hit a write breakpoint");
	set_breakpoint(0, watched_address + 3, DR7_WRITE, 1);
	check_hit(call_in_ring(ring, write, watched_address), 0, address_of(write_after),
	          "a dword hits a byte in it");
	set_breakpoint(0, watched_address + 4, DR7_WRITE, 4);
	check_no_hit(call_in_ring(ring, write, watched_address), "the next dword is not hit");
}

/* With RF in the flags, a breakpoint on the instruction is passed over once. */
static void check_resume(unsigned ring)
{
	if (ring == 0)
		return;
	set_breakpoint(0, address_of((const void *)five_nops), DR7_EXECUTE, 1);
	check_hit(call_in_ring(ring, five_nops, 0), 0, address_of((const void *)five_nops),
	          "without RF");
	set_breakpoint(0, address_of((const void *)five_nops), DR7_EXECUTE, 1);
	check_no_hit(call_in_ring_with_flags(ring, EFLAGS_RF, five_nops, 0),
	             "with RF it is passed over");
}

static void check_icebp(unsigned ring)
{
	cpu_write_dr6(DR6_FIXED);
	struct outcome outcome = call_in_ring(ring, icebp, 0);
	bool trap =
	        outcome.frame.vector == VECTOR_DB && outcome.frame.eip == address_of(icebp_after);
	bool fault =
	        outcome.frame.vector == VECTOR_UD && outcome.frame.eip == SNIPPET_ADDRESS(icebp);
	test_either("the opcode F1", outcome.trapped && trap, "#DB behind it",
	            outcome.trapped && fault, "#UD, as QEMU's TCG has it");
}

/* CR4.DE gives DR4 and DR5 up, and brings breakpoints on ports. */
static void check_extensions(void)
{
	cpu_write_dr6(DR6_FIXED);
	test_value(catch_call(read_dr4, 0), cpu_read_dr6(), "DR4 is DR6");
	test_value(catch_call(read_dr5, 0), cpu_read_dr7(), "DR5 is DR7");
	cpu_write_cr4(cpu_read_cr4() | CR4_DE);
	test_traps(catch_call(read_dr4, 0), VECTOR_UD, 0, "DR4 with CR4.DE");
	test_traps(catch_call(read_dr5, 0), VECTOR_UD, 0, "DR5 with CR4.DE");
	set_breakpoint(0, POST_PORT, DR7_IO, 1);
	check_hit(catch_call(read_port, 0), 0, address_of(port_after),
	          "a port: behind the instruction");
	cpu_write_cr4(cpu_read_cr4() & ~CR4_DE);
}

/* GD guards the debug registers themselves; the trap clears it. */
static void check_general_detect(void)
{
	cpu_write_dr6(DR6_FIXED);
	cpu_write_dr7(DR7_FIXED | DR7_GD);
	struct outcome outcome = catch_call(read_dr7, 0);
	bool guarded = outcome.trapped && outcome.frame.vector == VECTOR_DB &&
	               outcome.frame.eip == SNIPPET_ADDRESS(read_dr7) && cpu_read_dr6() & DR6_BD;
	cpu_write_dr7(DR7_FIXED);
	test_either("DR7.GD", guarded, "#DB before the access, DR6.BD set", !outcome.trapped,
	            "not implemented, as in QEMU's TCG");
	cpu_write_dr7(DR7_FIXED);
}

void guest_main(const struct boot_info *boot)
{
	(void)boot;
	test_begin("debug",
	           "TF and the debug registers stop a program where the manual says, and DR6 "
	           "tells why");
	watched_address = address_of(watched);
	for (unsigned ring = 0; ring < 4; ring++) {
		print("     -- ring %u\n", ring);
		check_trap_flag(ring);
		check_breakpoints(ring);
		check_resume(ring);
		check_icebp(ring);
	}
	check_extensions();
	check_general_detect();
	test_end();
}
