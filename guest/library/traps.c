#include "guest/library/traps.h"

#include <stddef.h>

#include "guest/library/catch.h"
#include "guest/library/cpu.h"
#include "guest/library/memory.h"
#include "guest/library/test.h"

extern const uint32_t trap_stubs[256];

void trap_dispatch(struct trap_frame *frame);

/* A page of its own: a monitor may watch the page of a table, and stacks should not lie on it. */
static struct segment_gate table[256] __attribute__((aligned(4096)));
static trap_handler *handlers[256];

uint32_t trap_stub(uint8_t vector)
{
	return trap_stubs[vector];
}

struct segment_gate trap_gate(uint8_t vector)
{
	return table[vector];
}

void trap_set_gate(uint8_t vector, struct segment_gate gate)
{
	table[vector] = gate;
}

void trap_set_dpl(uint8_t vector, unsigned dpl)
{
	table[vector].access = (uint8_t)((table[vector].access & ~ACCESS_DPL(3)) | ACCESS_DPL(dpl));
}

trap_handler *trap_set_handler(uint8_t vector, trap_handler *handler)
{
	trap_handler *before = handlers[vector];
	handlers[vector] = handler;
	return before;
}

const char *trap_name(uint8_t vector)
{
	static const char *const names[] = {
	        "#DE", "#DB", "NMI", "#BP", "#OF", "#BR",       "#UD", "#NM", "#DF", "vector 9",
	        "#TS", "#NP", "#SS", "#GP", "#PF", "vector 15", "#MF", "#AC", "#MC", "#XM",
	};
	return vector < sizeof(names) / sizeof(*names) ? names[vector] : "int";
}

void trap_dispatch(struct trap_frame *frame)
{
	/* A push of a segment register may leave the upper half of its slot unwritten. */
	frame->cs &= 0xFFFF;
	if (handlers[frame->vector])
		handlers[frame->vector](frame);
	else if (!catch_trap(frame))
		test_crash(frame);
}

struct segment_table_register traps_idtr(void)
{
	return (struct segment_table_register){sizeof(table) - 1, (uint32_t)(uintptr_t)table};
}

void traps_init(void)
{
	for (unsigned vector = 0; vector < 256; vector++)
		table[vector] = segment_make_gate(SEGMENT_CODE(0), trap_stubs[vector],
		                                  ACCESS_PRESENT | ACCESS_INTERRUPT, 0);
	struct segment_table_register idtr = traps_idtr();
	__asm__ volatile("lidt %0" : : "m"(idtr));
}
