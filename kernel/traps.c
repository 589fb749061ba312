#include "kernel/traps.h"

#include "kernel/exception_table.h"
#include "kernel/panic.h"
#include "kernel/segments.h"
#include "kernel/statistics.h"
#include "kernel/trace.h"
#include "kernel/x86.h"

extern void (*const trap_stubs[TRAP_VECTORS])(void);
static struct gate idt[TRAP_VECTORS] __attribute__((aligned(8)));

static struct {
	const char *mnemonic;
	trap_handler handler;
} table[TRAP_VECTORS] = {
        [0] = {"#DE", NULL},  [1] = {"#DB", NULL},  [2] = {"NMI", NULL},  [3] = {"#BP", NULL},
        [4] = {"#OF", NULL},  [5] = {"#BR", NULL},  [6] = {"#UD", NULL},  [7] = {"#NM", NULL},
        [8] = {"#DF", NULL},  [9] = {"#MF9", NULL}, [10] = {"#TS", NULL}, [11] = {"#NP", NULL},
        [12] = {"#SS", NULL}, [13] = {"#GP", NULL}, [14] = {"#PF", NULL}, [16] = {"#MF", NULL},
        [17] = {"#AC", NULL}, [18] = {"#MC", NULL}, [19] = {"#XM", NULL}, [20] = {"#VE", NULL},
        [21] = {"#CP", NULL}, [28] = {"#HV", NULL}, [29] = {"#VC", NULL}, [30] = {"#SX", NULL},
};

const char *traps_mnemonic(uint32_t vector)
{
	return vector < TRAP_VECTORS ? table[vector].mnemonic : NULL;
}

void traps_connect(uint8_t vector, trap_handler handler)
{
	table[vector].handler = handler;
}

uint32_t traps_stack_pointer(const struct trap_frame *frame)
{
	return frame->cs & 3 ? frame->esp : (uint32_t)&frame->esp;
}

void trap_dispatch(struct trap_frame *frame)
{
	if (frame->vector < TRAP_EXCEPTIONS) {
		statistics_count(traps);
		trace_add(TRACE_trap, frame->vector, frame->error, frame->eip);
	}
	if (table[frame->vector].handler && table[frame->vector].handler(frame))
		return;
	if (exception_table_recover(frame))
		return;
	panic_trap(frame);
}

/* Nobody here asks for NMIs. One that comes, from a button or a watchdog, finds us anywhere: also
 * in the world switch, with segments that are in no table. So it is counted and no more. */
__attribute__((naked, used)) static void on_nmi(void)
{
	__asm__ volatile("pushl %%eax\n\t"
	                 "incl %%ss:%[count]\n\t" TRAPS_RETURN_FROM_NMI
	                 :
	                 : [count] "m"(statistics[STATISTIC_nmis]));
}

/* One that came out of a guest. */
static bool count_nmi(struct trap_frame *frame)
{
	(void)frame;
	statistics_count(nmis);
	return true;
}

static void on_double_fault(void)
{
	panic_double_fault(segments_interrupted_task());
}

static void set_gate(uint32_t vector, uint16_t selector, uint8_t type, uint32_t offset)
{
	idt[vector] = (struct gate){
	        .offset_low = (uint16_t)offset,
	        .selector = selector,
	        .type = type,
	        .offset_high = (uint16_t)(offset >> 16),
	};
}

static void load_idt(void)
{
	struct table_pointer pointer = {sizeof(idt) - 1, (uint32_t)idt};

	__asm__ volatile("lidt %0" : : "m"(pointer));
}

void traps_start(uint32_t double_fault_stack_top)
{
	for (uint32_t vector = 0; vector < TRAP_VECTORS; vector++)
		set_gate(vector, SEGMENT_CODE, GATE_INTERRUPT, (uint32_t)trap_stubs[vector]);
	set_gate(TRAP_DOUBLE_FAULT, SEGMENT_DOUBLE_FAULT, GATE_TASK, 0);
	segments_start(on_double_fault, double_fault_stack_top);
	set_gate(TRAP_NMI, SEGMENT_CODE, GATE_INTERRUPT, (uint32_t)on_nmi);
	load_idt();
	traps_connect(TRAP_NMI, count_nmi);
}

void traps_expect_other_tables(void)
{
	segments_extend();
	set_gate(TRAP_NMI, SEGMENT_CODE_ALWAYS, GATE_INTERRUPT, (uint32_t)on_nmi);
}

void traps_reload(void)
{
	segments_reload();
	load_idt();
}
