#include "guest/library/console.h"
#include "guest/library/cpu.h"
#include "guest/library/interrupts.h"
#include "guest/library/memory.h"
#include "guest/library/ports.h"
#include "guest/library/print.h"
#include "guest/library/start.h"
#include "guest/library/test.h"

#define LATE          0xFFFF
#define SOON          200 /* timer ticks */
#define SOONER        10  /* less than the string takes */
#define COM1_IER      0x3F9
#define COM1_IIR      0x3FA
#define COM1_IER_THRE 0x02
#define STRING_RUNS   200
#define LOG           8

/* What the handlers saw, in the order in which they ran. */
static volatile struct {
	uint32_t irq, eip, cs, eflags;
} seen[LOG];
static volatile uint32_t count;
static volatile bool end_late; /* the handler lets others in before it tells the controller */

SNIPPET(sti_nop, "sti; nop\n.globl sti_shadow_ends\nsti_shadow_ends: nop; nop; cli");
SNIPPET(sti_cli, "sti; cli");
SNIPPET(sti_sti, "sti; sti\n.globl sti_sti_ends\nsti_sti_ends: nop; nop; cli");
SNIPPET(popf_nop, "pushl $0x202; popfl\n.globl popf_ends\npopf_ends: nop; nop; cli");
SNIPPET(iret_nop, "pushl $0x202; pushl %cs; pushl $iret_ends; iret\n.globl iret_ends\niret_ends: "
                  "nop; nop; cli");
SNIPPET(sti_hlt, "sti; hlt\n.globl hlt_ends\nhlt_ends: nop; cli");
SNIPPET(sti_mov_ss, "movl %ss, %edx; pushl $2; popfl; sti; movw %dx, %ss\n.globl mov_ss_sti_ends\n"
                    "mov_ss_sti_ends: nop\n.globl mov_ss_ends\nmov_ss_ends: nop; cli");
SNIPPET(spin, "1: cmpl $0, (%ecx); je 1b");
SNIPPET(long_string, "pushl %edi; movl $0x40000, %ecx; movl %eax, %edi; xorl %eax, %eax; sti; nop\n"
                     ".globl string_at\nstring_at: rep stosb; cli; popl %edi");
extern const char sti_shadow_ends[], sti_sti_ends[], popf_ends[], iret_ends[], hlt_ends[],
        mov_ss_ends[], mov_ss_sti_ends[], string_at[];

static uint8_t large[0x40000];

static uint32_t address_of(const char *label)
{
	return (uint32_t)(uintptr_t)label;
}

static void note(struct trap_frame *frame)
{
	if (count < LOG) {
		seen[count].irq = frame->vector - VECTOR_IRQ0;
		seen[count].eip = frame->eip;
		seen[count].cs = frame->cs;
		seen[count].eflags = cpu_read_eflags();
	}
	count++;
}

static void on_timer(struct trap_frame *frame)
{
	note(frame);
	if (end_late) {
		cpu_enable_interrupts();
		__asm__ volatile("nop; nop; nop");
		cpu_disable_interrupts();
	}
	interrupt_end(IRQ_TIMER);
}

static void on_com1(struct trap_frame *frame)
{
	note(frame);
	(void)port_read8(COM1_IIR);
	port_write8(COM1_IER, 0);
	interrupt_end(IRQ_COM1);
}

/* A request that goes away before it is taken, as when the timer is set anew, comes as line 7. */
static void on_spurious(struct trap_frame *frame)
{
	unsigned irq = frame->vector - VECTOR_IRQ0;
	if (interrupt_is_real(irq))
		interrupt_end(irq);
}

/* Interrupts off, no request left from before, and the timer on its way. */
static void start_timer_for(uint16_t ticks)
{
	timer_start_once(LATE);
	cpu_enable_interrupts();
	__asm__ volatile("nop; nop");
	cpu_disable_interrupts();
	count = 0;
	timer_start_once(ticks);
}

static void start_timer(void)
{
	start_timer_for(SOON);
}

/* The same, and the timer's request is already at the controller. */
static void make_pending(void)
{
	start_timer();
	while (!(interrupt_requests() & 1u << IRQ_TIMER))
		;
}

static void check_ends(catch_function *function, const char *label, const char *what)
{
	make_pending();
	struct outcome outcome = catch_call(function, 0);
	test_check(!outcome.trapped && count == 1 && seen[0].eip == address_of(label), "%s", what);
	if (count != 1 || seen[0].eip != address_of(label))
		print("     %u interrupts, the first at %08x instead of %08x\n", count, seen[0].eip,
		      address_of(label));
}

static void check_shadows(void)
{
	check_ends(sti_nop, sti_shadow_ends, "sti: the interrupt comes after the next instruction");
	check_ends(sti_sti, sti_sti_ends, "sti twice: the second has no shadow of its own");
	check_ends(popf_nop, popf_ends, "popf: the interrupt comes at once");
	check_ends(iret_nop, iret_ends, "iret: the interrupt comes at once");
	make_pending();
	catch_call(sti_cli, 0);
	test_check(count == 0, "sti and cli: no interrupt comes between");
	make_pending();
	catch_call(sti_mov_ss, 0);
	test_either("sti and mov ss", count == 1 && seen[0].eip == address_of(mov_ss_ends),
	            "mov ss has its own shadow",
	            count == 1 && seen[0].eip == address_of(mov_ss_sti_ends),
	            "only the first shadow counts");
	test_check(!(seen[0].eflags & EFLAGS_IF), "IF is off in the handler of an interrupt gate");
	cpu_disable_interrupts();
}

static void check_hlt(void)
{
	start_timer();
	struct outcome outcome = catch_call(sti_hlt, 0);
	/* The request may be there already when hlt begins: then it wakes at once. */
	test_check(!outcome.trapped && count == 1 && seen[0].eip == address_of(hlt_ends),
	           "hlt: the interrupt comes behind it");
}

static void check_rings(void)
{
	for (unsigned ring = 1; ring < 4; ring++) {
		start_timer();
		struct outcome outcome =
		        call_in_ring_with_flags(ring, EFLAGS_IF, spin, (uint32_t)(uintptr_t)&count);
		test_check(!outcome.trapped && count == 1 && seen[0].cs == SEGMENT_CODE(ring),
		           "an interrupt in ring %u", ring);
	}
}

/* By a string instruction, because a loop over so much takes minutes in lockstep. */
static bool is_cleared(void)
{
	uint32_t left = sizeof(large);
	const uint8_t *at = large;
	bool zero;

	__asm__ volatile("repe scasb" : "=@cce"(zero), "+c"(left), "+D"(at) : "a"(0) : "memory");
	return zero;
}

/* A string instruction is left between two turns and goes on where it was. */
static void check_string(void)
{
	bool complete = true;
	uint32_t hits = 0;
	/* How long it takes to get there depends on who executes it: the timer comes later each
	 * time, until it is in the middle. And who executes a page at once, and looks for
	 * interrupts after so many steps, must come to that at another place each time. */
	for (unsigned i = 0; i < STRING_RUNS && !hits; i++) {
		memset(large, 1, sizeof(large));
		for (unsigned turn = 0; turn < i; turn++)
			__asm__ volatile("");
		start_timer_for((uint16_t)((i + 1) * SOONER));
		catch_call(long_string, (uint32_t)(uintptr_t)large);
		hits += count == 1 && seen[0].eip == address_of(string_at);
		complete = complete && is_cleared();
	}
	test_check(hits, "an interrupt in rep stosb: EIP is the instruction's own");
	test_check(complete, "and every byte was stored");
}

static void check_mask(void)
{
	make_pending();
	interrupt_mask(IRQ_TIMER);
	catch_call(sti_nop, 0);
	test_check(count == 0, "a masked line waits");
	interrupt_unmask(IRQ_TIMER);
	catch_call(sti_nop, 0);
	test_check(count == 1, "and comes when it is unmasked");
}

/* Two lines at once: the timer is the more urgent. */
static void make_both_pending(void)
{
	make_pending();
	interrupt_unmask(IRQ_COM1);
	port_write8(COM1_IER, COM1_IER_THRE);
	while (!(interrupt_requests() & 1u << IRQ_COM1))
		;
}

static void check_order(void)
{
	console_drain();
	make_both_pending();
	catch_call(sti_nop, 0);
	test_check(count == 2 && seen[0].irq == IRQ_TIMER && seen[1].irq == IRQ_COM1,
	           "two lines: the timer first, then COM1");
	console_drain();
	make_both_pending();
	end_late = true;
	catch_call(sti_nop, 0);
	end_late = false;
	test_check(count == 2 && seen[1].cs == SEGMENT_CODE(0) && seen[0].irq == IRQ_TIMER,
	           "a line in service holds back the lesser ones until its end");
	test_check(interrupts_in_service() == 0, "nothing is in service afterwards");
	interrupt_mask(IRQ_COM1);
}

void guest_main(const struct boot_info *boot)
{
	(void)boot;
	test_begin("interrupts",
	           "interrupts come at the instruction where the manual allows them again, "
	           "in the order of the controller");
	trap_set_handler(VECTOR_IRQ0 + IRQ_TIMER, on_timer);
	trap_set_handler(VECTOR_IRQ0 + IRQ_COM1, on_com1);
	trap_set_handler(VECTOR_IRQ0 + 7, on_spurious);
	interrupt_unmask(IRQ_TIMER);
	check_shadows();
	check_hlt();
	check_rings();
	check_string();
	check_mask();
	check_order();
	test_end();
}
