#include <stddef.h>

#include "guest/library/cpu.h"
#include "guest/library/interrupts.h"
#include "guest/library/paging.h"
#include "guest/library/ports.h"
#include "guest/library/print.h"
#include "guest/library/start.h"
#include "guest/library/test.h"

#define VECTORS      256
#define LEAVE        0xFF /* always open: by it catch.c comes back */
#define ARRIVED      0x90 /* whose stub the gates under test lead to */
#define LANDED       0x91
#define MASTER       0x20
#define MASTER_DATA  0x21
#define ICW1         0x11
#define ICW4         0x01
#define LATE         0xFFFF
#define SOON         200
#define SYSENTER_CS  0x174
#define SYSENTER_ESP 0x175
#define SYSENTER_EIP 0x176

SNIPPET(call_there, "call *%ecx");
SNIPPET(breakpoint, "int3");
SNIPPET(overflow, "movb $0x7F, %al; incb %al; into");
SNIPPET(spin, "sti\n1: cmpl $0, interrupts_seen; je 1b; cli");
SNIPPET(spin_outside, "1: cmpl $0, interrupts_seen; je 1b");
SNIPPET(enter, "sysenter");
SNIPPET(leave, "movl %esp, %ecx; movl $1f, %edx; sysexit\n1:");
extern const char landing[];
__asm__("landing: int $0x91");

volatile uint32_t interrupts_seen;
static uint8_t code[3] = {0xCD, 0, 0xC3}; /* int n; ret */
static uint8_t sysenter_stack[4096] __attribute__((aligned(16)));

static struct segment_gate saved[VECTORS];

static uint32_t here(const void *object)
{
	return (uint32_t)(uintptr_t)object;
}

static struct outcome use(unsigned ring, unsigned vector)
{
	code[1] = (uint8_t)vector;
	return call_in_ring(ring, call_there, here(code));
}

/* The stub of another vector: those of the exceptions wait for an error code, which int has not. */
static void set_gate(unsigned vector, unsigned access)
{
	trap_set_gate((uint8_t)vector,
	              segment_make_gate(SEGMENT_CODE(0), trap_stub(ARRIVED), access, 0));
}

static bool came(struct outcome outcome, unsigned vector, uint32_t error, uint32_t eip,
                 unsigned ring)
{
	return outcome.trapped && outcome.frame.vector == vector &&
	       outcome.frame.error_code == error && outcome.frame.eip == eip &&
	       outcome.frame.cs == SEGMENT_CODE(ring);
}

static void check_all(unsigned ring, unsigned access, unsigned fault, const char *what)
{
	unsigned wrong = 0, last = 0;
	for (unsigned vector = 0; vector < VECTORS; vector++) {
		/* These two would be asked for while they are under test themselves. */
		if (vector == fault || (fault && vector == LEAVE) || vector == ARRIVED)
			continue;
		set_gate(vector, access);
		struct outcome outcome = use(ring, vector);
		trap_set_gate((uint8_t)vector, saved[vector]);
		if (fault ? came(outcome, fault, vector * 8 + 2, here(code), ring)
		          : came(outcome, ARRIVED, 0, here(code + 2), ring))
			continue;
		wrong++;
		last = vector;
	}
	test_check(!wrong, "ring %u: int with each vector: %s", ring, what);
	if (wrong)
		print("     %u do not, the last is %x\n", wrong, last);
}

/* Only in ring 0: the others come back through the last vector. */
static void check_limit(void)
{
	struct segment_table_register whole = traps_idtr(), cut = whole;
	unsigned wrong = 0;
	for (unsigned vector = 0x20; vector < LEAVE; vector++) {
		cut.limit = (uint16_t)(vector * 8 + 6);
		__asm__ volatile("lidt %0" : : "m"(cut));
		wrong += !came(use(0, vector), VECTOR_GP, vector * 8 + 2, here(code), 0);
	}
	__asm__ volatile("lidt %0" : : "m"(whole));
	test_check(!wrong, "ring 0: int past the IDT's limit");
}

static void check_short_forms(void)
{
	for (unsigned open = 0; open < 2; open++) {
		trap_set_dpl(VECTOR_BP, open ? 3 : 0);
		trap_set_dpl(VECTOR_OF, open ? 3 : 0);
		struct outcome bp = call_in_ring(3, breakpoint, 0),
		               of = call_in_ring(3, overflow, 0);
		if (open) {
			test_traps(bp, VECTOR_BP, 0, "int3 through an open gate");
			test_traps(of, VECTOR_OF, 0, "into through an open gate");
		} else {
			test_traps(bp, VECTOR_GP, VECTOR_BP * 8 + 2, "int3 through a closed gate");
			test_traps(of, VECTOR_GP, VECTOR_OF * 8 + 2, "into through a closed gate");
		}
	}
}

static void on_arrival(struct trap_frame *frame)
{
	(void)frame;
	interrupts_seen++;
	interrupt_end(IRQ_TIMER);
}

static void initialise_master(uint8_t base)
{
	port_write8(MASTER, ICW1);
	port_write8(MASTER_DATA, base);
	port_write8(MASTER_DATA, 1 << IRQ_CASCADE);
	port_write8(MASTER_DATA, ICW4);
	port_write8(MASTER_DATA, 0xFF & ~(1 << IRQ_TIMER));
}

/* The controller may give the timer any vector, those of exceptions as well. */
static void check_timer_vectors(void)
{
	static const uint8_t bases[] = {0x08, 0x18, 0x20, 0x30, 0x40, 0x68, 0x70,
	                                0x80, 0xC0, 0xE0, 0xE8, 0xF0, 0xF8};
	trap_set_handler(ARRIVED, on_arrival);
	for (unsigned i = 0; i < sizeof(bases) / sizeof(*bases); i++)
		for (unsigned ring = 0; ring < 4; ring += 3) {
			timer_start_once(LATE); /* takes back what may still be asked for */
			initialise_master(bases[i]);
			set_gate(bases[i], ACCESS_PRESENT | ACCESS_INTERRUPT);
			interrupts_seen = 0;
			timer_start_once(SOON);
			if (ring)
				call_in_ring_with_flags(ring, EFLAGS_IF, spin_outside, 0);
			else
				catch_call(spin, 0);
			test_check(interrupts_seen == 1, "ring %u: the timer comes as %x", ring,
			           bases[i]);
			trap_set_gate(bases[i], saved[bases[i]]);
		}
	trap_set_handler(ARRIVED, NULL);
	interrupts_init();
}

/* sysenter leads where the guest's kernel says, into the guest's ring 0, or nowhere. */
static void check_sysenter(void)
{
	/* Not asked of CPUID, which may speak of another processor than the one that is offered. */
	struct outcome outcome = call_in_ring(3, enter, 0);
	if (outcome.trapped && outcome.frame.vector == VECTOR_UD) {
		test_note("sysenter: this processor has none");
		test_traps(call_in_ring(3, leave, 0), VECTOR_UD, 0, "then there is no sysexit");
		return;
	}
	cpu_write_msr(SYSENTER_CS, 0);
	test_traps(call_in_ring(3, enter, 0), VECTOR_GP, 0, "sysenter, not set up");
	test_traps(catch_call(leave, 0), VECTOR_GP, 0, "sysexit, not set up");
	cpu_write_msr(SYSENTER_CS, SEGMENT_CODE(0));
	cpu_write_msr(SYSENTER_ESP, here(sysenter_stack + sizeof(sysenter_stack)));
	cpu_write_msr(SYSENTER_EIP, here(landing));
	outcome = call_in_ring(3, enter, 0);
	test_traps(outcome, LANDED, 0, "sysenter");
	test_check(outcome.frame.cs == SEGMENT_CODE(0), "sysenter: the guest's ring 0");
	test_traps(call_in_ring(3, leave, 0), VECTOR_GP, 0, "sysexit in ring 3");
	cpu_write_msr(SYSENTER_CS, 0);
}

void guest_main(const struct boot_info *boot)
{
	(void)boot;
	test_begin("vectors", "int with any number, the timer at any vector and sysenter reach the "
	                      "guest's own gates, or fault as they say");
	trap_set_dpl(LEAVE, 3);
	for (unsigned vector = 0; vector < VECTORS; vector++)
		saved[vector] = trap_gate((uint8_t)vector);
	for (unsigned ring = 0; ring < 4; ring += 3) {
		check_all(ring, ACCESS_PRESENT | ACCESS_INTERRUPT | ACCESS_DPL(3), 0,
		          "an open gate");
		check_all(ring, ACCESS_PRESENT | ACCESS_TRAP | ACCESS_DPL(3), 0,
		          "an open trap gate");
		check_all(ring, ACCESS_INTERRUPT | ACCESS_DPL(3), VECTOR_NP, "a gate not present");
		check_all(ring, ACCESS_PRESENT | ACCESS_CALL_GATE | ACCESS_DPL(3), VECTOR_GP,
		          "a call gate, which does not belong there");
	}
	check_all(3, ACCESS_PRESENT | ACCESS_INTERRUPT, VECTOR_GP, "a gate of ring 0");
	check_all(3, ACCESS_INTERRUPT, VECTOR_GP, "a gate of ring 0 that is not present");
	check_limit();
	check_short_forms();
	check_timer_vectors();
	check_sysenter();
	test_end();
}
