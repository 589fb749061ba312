#include "kernel/exception_table.h"

#include "kernel/statistics.h"
#include "kernel/trace.h"
#include "kernel/traps.h"

struct entry {
	uint32_t faulting, go_on;
};

extern const struct entry exception_table_start[], exception_table_end[];

uint8_t exception_table_vector;

bool exception_table_recover(struct trap_frame *frame)
{
	for (const struct entry *e = exception_table_start; e < exception_table_end; e++) {
		if (e->faulting != frame->eip)
			continue;
		statistics_count(accesses_recovered);
		trace_add(TRACE_recovered, frame->vector, frame->eip, 0);
		exception_table_vector = (uint8_t)frame->vector;
		frame->eip = e->go_on;
		return true;
	}
	return false;
}

/* `good` starts as 0 and only the instruction after the risky one makes it 1. */

bool recoverable_read8(const volatile void *at, uint8_t *value)
{
	uint32_t good = 0;
	uint8_t byte = 0;

	__asm__ volatile("1: movb %2, %1\n\t"
	                 "movl $1, %0\n"
	                 "2:\n\t" EXCEPTION_TABLE_ENTRY(2b)
	                 : "+r"(good), "+q"(byte)
	                 : "m"(*(const volatile uint8_t *)at));
	*value = byte;
	return good;
}

bool recoverable_write8(volatile void *at, uint8_t value)
{
	uint32_t good = 0;

	__asm__ volatile("1: movb %2, %1\n\t"
	                 "movl $1, %0\n"
	                 "2:\n\t" EXCEPTION_TABLE_ENTRY(2b)
	                 : "+r"(good), "=m"(*(volatile uint8_t *)at)
	                 : "q"(value));
	return good;
}

bool recoverable_read_msr(uint32_t number, uint64_t *value)
{
	uint32_t good = 0, low = 0, high = 0;

	__asm__ volatile("1: rdmsr\n\t"
	                 "movl $1, %0\n"
	                 "2:\n\t" EXCEPTION_TABLE_ENTRY(2b)
	                 : "+r"(good), "+a"(low), "+d"(high)
	                 : "c"(number));
	*value = ((uint64_t)high << 32) | low;
	return good;
}
