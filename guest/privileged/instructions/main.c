#include <stdbool.h>

#include "guest/library/cpu.h"
#include "guest/library/print.h"
#include "guest/library/start.h"
#include "guest/library/test.h"

#define MSR_TSC         0x10
#define MSR_SYSENTER_CS 0x174
#define POST_PORT       "0x80" /* a port that takes anything and does nothing */
#define COUNT(array)    (sizeof(array) / sizeof(*(array)))

/* What a privileged instruction does in ring 0, when its argument is as in the table. */
enum in_ring_0 { RUNS, NOT_TRIED, BUSY_TSS, NEEDS_SEP };

/* Each is run with its argument in EAX and ECX. */
SNIPPET(run_cli, "cli");
SNIPPET(run_sti, "sti");
SNIPPET(run_hlt, "hlt");
SNIPPET(run_in_immediate, "inb $" POST_PORT ", %al");
SNIPPET(run_out_immediate, "outb %al, $" POST_PORT);
SNIPPET_BEFORE(run_in, "movl $" POST_PORT ", %edx", "inl %dx, %eax");
SNIPPET_BEFORE(run_out, "movl $" POST_PORT ", %edx", "outw %ax, %dx");
SNIPPET_BEFORE(run_ins, "pushl %edi; movl %eax, %edi; movl $" POST_PORT ", %edx",
               "insb; popl %edi");
SNIPPET_BEFORE(run_outs, "pushl %esi; movl %eax, %esi; movl $" POST_PORT ", %edx",
               "outsb; popl %esi");
SNIPPET(run_lgdt, "lgdt (%ecx)");
SNIPPET(run_lidt, "lidt (%ecx)");
SNIPPET(run_lldt, "lldt %cx");
SNIPPET(run_ltr, "ltr %cx");
SNIPPET(run_lmsw, "lmsw %cx");
SNIPPET(run_clts, "clts");
SNIPPET(run_invlpg, "invlpg (%ecx)");
SNIPPET(run_wbinvd, "wbinvd");
SNIPPET(run_rdmsr, "rdmsr");
SNIPPET_BEFORE(run_wrmsr, "xorl %eax, %eax; xorl %edx, %edx", "wrmsr");
SNIPPET(run_read_cr0, "movl %cr0, %eax");
SNIPPET(run_read_cr2, "movl %cr2, %eax");
SNIPPET(run_read_cr3, "movl %cr3, %eax");
SNIPPET(run_read_cr4, "movl %cr4, %eax");
SNIPPET(run_write_cr0, "movl %eax, %cr0");
SNIPPET(run_write_cr2, "movl %eax, %cr2");
SNIPPET(run_write_cr3, "movl %eax, %cr3");
SNIPPET(run_write_cr4, "movl %eax, %cr4");
SNIPPET(run_read_dr0, "movl %dr0, %eax");
SNIPPET(run_read_dr7, "movl %dr7, %eax");
SNIPPET(run_write_dr0, "movl %eax, %dr0");
SNIPPET(run_write_dr7, "movl %eax, %dr7");
SNIPPET_BEFORE(run_sysexit, "movl %esp, %ecx; movl $1f, %edx", "sysexit\n1:");

SNIPPET(run_ud2, "ud2");
SNIPPET(run_lock_nop, ".byte 0xF0; nop");
SNIPPET(run_rdtsc, "rdtsc");
SNIPPET(run_cpuid, "pushl %ebx; xorl %eax, %eax; cpuid; popl %ebx");

static struct segment_table_register gdtr, idtr;
static uint8_t byte;

struct row {
	const char *name;
	catch_function *function;
	const char *at;
	enum in_ring_0 in_ring_0;
	uint32_t argument;
};
#define ROW(text, name, in_ring_0, argument)                           \
	{                                                              \
		text, name, name##_at, in_ring_0, (uint32_t)(argument) \
	}

/* An instruction that the processor lacks is #UD in every ring. */
static unsigned vector_outside(const struct row *row)
{
	bool lacks = row->in_ring_0 == NEEDS_SEP && !(cpu_id(1, 0).edx & CPUID1_EDX_SEP);

	return lacks ? VECTOR_UD : VECTOR_GP;
}

static void check_row(const struct row *row)
{
	for (unsigned ring = 0; ring < 4; ring++) {
		char what[] = "ring 0";
		what[5] = (char)('0' + ring);
		if (ring == 0 && (row->in_ring_0 == NOT_TRIED || row->in_ring_0 == NEEDS_SEP))
			continue;
		struct outcome outcome = call_in_ring(ring, row->function, row->argument);
		print("     %s\n", row->name);
		if (ring)
			test_traps_at(outcome, vector_outside(row), 0, (uint32_t)(uintptr_t)row->at,
			              what);
		else if (row->in_ring_0 == BUSY_TSS)
			test_traps_at(outcome, VECTOR_GP, SEGMENT_TSS, (uint32_t)(uintptr_t)row->at,
			              what);
		else
			test_returns(outcome, what);
	}
}

static void check_privileged(void)
{
	const struct row rows[] = {
	        ROW("cli", run_cli, RUNS, 0),
	        ROW("sti", run_sti, RUNS, 0),
	        ROW("hlt", run_hlt, NOT_TRIED, 0),
	        ROW("in al, imm8", run_in_immediate, RUNS, 0),
	        ROW("out imm8, al", run_out_immediate, RUNS, 0),
	        ROW("in eax, dx", run_in, RUNS, 0),
	        ROW("out dx, ax", run_out, RUNS, 0),
	        ROW("insb", run_ins, RUNS, &byte),
	        ROW("outsb", run_outs, RUNS, &byte),
	        ROW("lgdt", run_lgdt, RUNS, &gdtr),
	        ROW("lidt", run_lidt, RUNS, &idtr),
	        ROW("lldt", run_lldt, RUNS, 0),
	        ROW("ltr of a busy TSS", run_ltr, BUSY_TSS, SEGMENT_TSS),
	        ROW("lmsw", run_lmsw, RUNS, cpu_read_cr0() & 0xF),
	        ROW("clts", run_clts, RUNS, 0),
	        ROW("invlpg", run_invlpg, RUNS, &byte),
	        ROW("wbinvd", run_wbinvd, RUNS, 0),
	        ROW("rdmsr", run_rdmsr, RUNS, MSR_TSC),
	        ROW("wrmsr", run_wrmsr, RUNS, MSR_SYSENTER_CS),
	        ROW("mov eax, cr0", run_read_cr0, RUNS, 0),
	        ROW("mov eax, cr2", run_read_cr2, RUNS, 0),
	        ROW("mov eax, cr3", run_read_cr3, RUNS, 0),
	        ROW("mov eax, cr4", run_read_cr4, RUNS, 0),
	        ROW("mov cr0, eax", run_write_cr0, RUNS, cpu_read_cr0()),
	        ROW("mov cr2, eax", run_write_cr2, RUNS, 0),
	        ROW("mov cr3, eax", run_write_cr3, RUNS, 0),
	        ROW("mov cr4, eax", run_write_cr4, RUNS, cpu_read_cr4()),
	        ROW("mov eax, dr0", run_read_dr0, RUNS, 0),
	        ROW("mov eax, dr7", run_read_dr7, RUNS, 0),
	        ROW("mov dr0, eax", run_write_dr0, RUNS, 0),
	        ROW("mov dr7, eax", run_write_dr7, RUNS, 0x400),
	        ROW("sysexit", run_sysexit, NEEDS_SEP, 0),
	};
	for (unsigned i = 0; i < COUNT(rows); i++)
		check_row(&rows[i]);
}

static void check_not_privileged(void)
{
	for (unsigned ring = 0; ring < 4; ring++) {
		print("     ring %u\n", ring);
		test_traps_at(call_in_ring(ring, run_ud2, 0), VECTOR_UD, 0,
		              SNIPPET_ADDRESS(run_ud2), "ud2");
		test_traps_at(call_in_ring(ring, run_lock_nop, 0), VECTOR_UD, 0,
		              SNIPPET_ADDRESS(run_lock_nop), "lock nop");
		test_returns(call_in_ring(ring, run_cpuid, 0), "cpuid");
		test_returns(call_in_ring(ring, run_rdtsc, 0), "rdtsc");
	}
}

/* CR4.TSD makes rdtsc privileged. */
static void check_rdtsc(void)
{
	cpu_write_cr4(cpu_read_cr4() | CR4_TSD);
	test_returns(call_in_ring(0, run_rdtsc, 0), "rdtsc with CR4.TSD in ring 0");
	for (unsigned ring = 1; ring < 4; ring++)
		test_traps(call_in_ring(ring, run_rdtsc, 0), VECTOR_GP, 0,
		           "rdtsc with CR4.TSD outside");
	cpu_write_cr4(cpu_read_cr4() & ~CR4_TSD);
}

void guest_main(const struct boot_info *boot)
{
	(void)boot;
	test_begin("instructions",
	           "a privileged instruction runs in ring 0 and is #GP(0) in rings 1, "
	           "2 and 3, at its own address");
	__asm__ volatile("sgdt %0; sidt %1" : "=m"(gdtr), "=m"(idtr));
	check_privileged();
	check_not_privileged();
	check_rdtsc();
	test_end();
}
