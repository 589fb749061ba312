#include "kernel/stacks.h"

#include <stddef.h>

#include "kernel/frames.h"
#include "kernel/layout.h"
#include "kernel/page_tables.h"
#include "kernel/panic.h"

#define GUARD_PAGES 1
#define STACK_PAGES 4
#define SLOT_PAGES  (GUARD_PAGES + STACK_PAGES)

static const char *const names[STACKS] = {
        [STACK_HOST] = "host",
        [STACK_DOUBLE_FAULT] = "double-fault",
};

static uint32_t slot(enum stack stack)
{
	return layout_address(layout_stacks) + (uint32_t)stack * SLOT_PAGES * PAGE_SIZE;
}

void stacks_start(void)
{
	for (uint32_t stack = 0; stack < STACKS; stack++) {
		for (uint32_t page = GUARD_PAGES; page < SLOT_PAGES; page++) {
			mpa_t frame = frames_allocate(FRAME_stack);
			panic_unless(!frames_is_none(frame));
			page_tables_map(slot(stack) + page * PAGE_SIZE, frame, PTE_WRITABLE);
		}
	}
}

uint32_t stacks_top(enum stack stack)
{
	return slot(stack) + SLOT_PAGES * PAGE_SIZE;
}

const char *stacks_guard_owner(uint32_t address)
{
	for (uint32_t stack = 0; stack < STACKS; stack++)
		if (address - slot(stack) < GUARD_PAGES * PAGE_SIZE)
			return names[stack];
	return NULL;
}

void stacks_switch(enum stack stack, void (*function)(void))
{
	/* The zero is where the backtrace ends. */
	__asm__ volatile("mov %0, %%esp\n\t"
	                 "xor %%ebp, %%ebp\n\t"
	                 "push %%ebp\n\t"
	                 "call *%1"
	                 :
	                 : "r"(stacks_top(stack)), "r"(function)
	                 : "memory");
	__builtin_unreachable();
}
