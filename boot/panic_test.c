#include "boot/panic_test.h"

#include <stddef.h>
#include <stdint.h>

#include "kernel/layout.h"
#include "kernel/options.h"
#include "kernel/panic.h"

/* A vector that no device, no exception and no part of ours uses. */
#define UNUSED_VECTOR 0x99

static void read_null_pointer(void)
{
	/* Through a volatile variable, or the compiler sees what is coming and refuses. */
	const volatile uint32_t *volatile nothing = NULL;

	(void)nothing[1];
}

/* Every level keeps something on the stack that it needs after the call. */
static uint32_t recurse_for_ever(volatile uint32_t depth)
{
	volatile uint8_t filler[256];

	if (depth == UINT32_MAX)
		return 0;
	filler[depth % sizeof(filler)] = (uint8_t)depth;
	uint32_t below = recurse_for_ever(depth + 1);
	return below + filler[depth % sizeof(filler)];
}

static void overflow_stack(void)
{
	recurse_for_ever(0);
}

static void write_to_code(void)
{
	*(volatile char *)layout_image = 0;
}

static void fail_assertion(void)
{
	panic_unless(options.panic_test == OPTION_PANIC_TEST_NONE);
}

static void raise_interrupt(void)
{
	__asm__ volatile("int %0" : : "i"(UNUSED_VECTOR));
}

void panic_test_run(void)
{
	static void (*const tests[])(void) = {
	        [OPTION_PANIC_TEST_NULL] = read_null_pointer,
	        [OPTION_PANIC_TEST_STACK] = overflow_stack,
	        [OPTION_PANIC_TEST_CODE] = write_to_code,
	        [OPTION_PANIC_TEST_ASSERT] = fail_assertion,
	        [OPTION_PANIC_TEST_INTERRUPT] = raise_interrupt,
	};

	if (options.panic_test == OPTION_PANIC_TEST_NONE)
		return;
	tests[options.panic_test]();
	panic("panic-test: nothing broke");
}
