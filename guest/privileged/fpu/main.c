#include <stddef.h>

#include "guest/library/cpu.h"
#include "guest/library/print.h"
#include "guest/library/start.h"
#include "guest/library/test.h"

#define CONTROL_ALL_MASKED 0x037F
#define CONTROL_DIVIDE     0x037B /* division by zero is not masked */

SNIPPET(load_one, "fld1; fstp %st(0)");
SNIPPET(wait, "fwait");
SNIPPET(use_mmx, "movd %ecx, %mm0; movd %mm0, %eax; emms");
SNIPPET(use_sse, "xorps %xmm0, %xmm0");
SNIPPET(add_integers,
        "subl $8, %esp; movl %ecx, (%esp); fildl (%esp); fiaddl (%esp); fistpl (%esp)\n\t"
        "popl %eax; addl $4, %esp");
SNIPPET(divide_by_zero,
        "fld1; fldz; fdivrp %st, %st(1)\n.globl divide_reported\ndivide_reported: fwait");
SNIPPET(set_task_switched, "movl %cr0, %eax; orl $8, %eax; movl %eax, %cr0; movl %cr0, %eax");
extern const char divide_reported[];

struct fpu_state {
	uint8_t bytes[108];
};
_Static_assert(sizeof(struct fpu_state) == 108, "the image that fnsave stores");

static struct fpu_state states[2];
static volatile unsigned switches, wanted, loaded;

static void set_cr0(uint32_t set, uint32_t clear)
{
	cpu_write_cr0((cpu_read_cr0() & ~clear) | set);
}

static void clear_fpu(uint16_t control)
{
	set_cr0(0, CR0_TS | CR0_EM);
	__asm__ volatile("fninit; fldcw %0" : : "m"(control));
}

/* TS makes the first use of the unit a #NM; MP makes fwait one as well; EM says there is no unit.
 */
static void check_bits(unsigned ring)
{
	print("     -- ring %u\n", ring);
	clear_fpu(CONTROL_ALL_MASKED);
	set_cr0(CR0_MP, 0);
	test_value(call_in_ring(ring, add_integers, 21), 42, "x87 arithmetic");
	test_returns(call_in_ring(ring, wait, 0), "fwait");
	set_cr0(CR0_TS | CR0_MP, 0);
	test_traps_at(call_in_ring(ring, load_one, 0), VECTOR_NM, 0, SNIPPET_ADDRESS(load_one),
	              "TS: x87");
	test_traps_at(call_in_ring(ring, wait, 0), VECTOR_NM, 0, SNIPPET_ADDRESS(wait),
	              "TS and MP: fwait");
	set_cr0(0, CR0_MP);
	test_returns(call_in_ring(ring, wait, 0), "TS without MP: fwait");
	set_cr0(CR0_EM, CR0_TS);
	test_traps_at(call_in_ring(ring, load_one, 0), VECTOR_NM, 0, SNIPPET_ADDRESS(load_one),
	              "EM: x87");
	set_cr0(CR0_MP, CR0_EM);
}

static void check_mmx(unsigned ring)
{
	if (!(cpu_id(1, 0).edx & 1u << 23)) {
		test_note("MMX: this processor has none");
		return;
	}
	test_value(call_in_ring(ring, use_mmx, 0x1234), 0x1234, "MMX");
	set_cr0(CR0_TS, 0);
	test_traps(call_in_ring(ring, use_mmx, 0), VECTOR_NM, 0, "TS: MMX");
	set_cr0(CR0_EM, CR0_TS);
	test_traps(call_in_ring(ring, use_mmx, 0), VECTOR_UD, 0, "EM: MMX");
	set_cr0(0, CR0_EM);
}

static void check_sse(unsigned ring)
{
	if (!(cpu_id(1, 0).edx & CPUID1_EDX_SSE)) {
		test_note("SSE: this processor has none");
		return;
	}
	cpu_write_cr4(cpu_read_cr4() & ~CR4_OSFXSR);
	test_traps(call_in_ring(ring, use_sse, 0), VECTOR_UD, 0, "SSE without CR4.OSFXSR");
	cpu_write_cr4(cpu_read_cr4() | CR4_OSFXSR);
	test_returns(call_in_ring(ring, use_sse, 0), "SSE with CR4.OSFXSR");
	set_cr0(CR0_TS, 0);
	test_traps(call_in_ring(ring, use_sse, 0), VECTOR_NM, 0, "TS: SSE");
	set_cr0(0, CR0_TS);
	cpu_write_cr4(cpu_read_cr4() & ~CR4_OSFXSR);
}

/* With NE an unmasked error is reported by #MF at the next instruction of the unit that waits. */
static void check_error(unsigned ring)
{
	clear_fpu(CONTROL_DIVIDE);
	set_cr0(CR0_NE, 0);
	test_traps_at(call_in_ring(ring, divide_by_zero, 0), VECTOR_MF, 0,
	              (uint32_t)(uintptr_t)divide_reported, "an unmasked division by zero");
	clear_fpu(CONTROL_ALL_MASKED);
	test_returns(call_in_ring(ring, divide_by_zero, 0), "a masked one");
	clear_fpu(CONTROL_ALL_MASKED);
}

/* Lazy switching: the first use saves the state of the one who used it last. */
static void switch_lazily(struct trap_frame *frame)
{
	(void)frame;
	__asm__ volatile("clts");
	switches++;
	if (loaded == wanted)
		return;
	__asm__ volatile("fnsave %0" : "=m"(states[loaded]));
	__asm__ volatile("frstor %0" : : "m"(states[wanted]));
	loaded = wanted;
}

SNIPPET(push_number, "pushl %ecx; fildl (%esp); popl %ecx");
SNIPPET(pop_number, "pushl $0; fistpl (%esp); popl %eax");

static void check_lazy(unsigned ring)
{
	for (unsigned i = 0; i < 2; i++) {
		clear_fpu(CONTROL_ALL_MASKED);
		__asm__ volatile("fnsave %0" : "=m"(states[i]));
	}
	trap_set_handler(VECTOR_NM, switch_lazily);
	switches = 0;
	for (uint32_t i = 0; i < 8; i++) {
		wanted = i & 1;
		set_cr0(CR0_TS, 0);
		call_in_ring(ring, push_number, 100 + i);
	}
	bool right = true;
	for (uint32_t i = 8; i-- > 0;) {
		wanted = i & 1;
		set_cr0(CR0_TS, 0);
		right = right && call_in_ring(ring, pop_number, 0).value == 100 + i;
	}
	trap_set_handler(VECTOR_NM, NULL);
	test_check(right, "two states, four numbers in each, none mixed up");
	test_check(switches == 16, "one #NM for each of sixteen switches");
}

void guest_main(const struct boot_info *boot)
{
	(void)boot;
	test_begin("fpu", "TS, MP, EM and NE decide who meets the floating-point unit, and lazy "
	                  "switching by #NM keeps two states apart");
	if (!(cpu_id(1, 0).edx & CPUID1_EDX_FPU))
		test_skip("this processor has no floating-point unit");
	for (unsigned ring = 0; ring < 4; ring++) {
		check_bits(ring);
		check_mmx(ring);
		check_sse(ring);
		check_error(ring);
		check_lazy(ring);
	}
	set_cr0(CR0_TS, 0);
	uint32_t with_ts = cpu_read_cr0();
	__asm__ volatile("clts");
	test_check(cpu_read_cr0() == (with_ts & ~CR0_TS),
	           "clts changes TS and nothing else in CR0");
	test_value(catch_call(set_task_switched, 0), cpu_read_cr0() | CR0_TS, "mov cr0 can set TS");
	set_cr0(0, CR0_TS);
	test_end();
}
