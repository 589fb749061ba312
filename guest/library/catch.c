#include "guest/library/catch.h"

#include <stddef.h>

#include "guest/library/cpu.h"

/* `int` to this vector is how code of an outer ring says that it is done. */
#define LEAVE_VECTOR 0xFF

struct catcher {
	void *resume[5]; /* as __builtin_setjmp fills it */
	struct outcome *outcome;
	struct catcher *outer;
	uint32_t eflags;
};

static struct catcher *innermost;

void catch_leave(void);
__asm__(".pushsection .text\n"
        ".globl catch_leave\n"
        "catch_leave:\n\t"
        "int $0xFF\n"
        ".popsection");
_Static_assert(LEAVE_VECTOR == 0xFF, "the number in catch_leave");

static bool catch_is_leave(const struct trap_frame *frame)
{
	return frame->vector == LEAVE_VECTOR && frame->eip == (uint32_t)(uintptr_t)catch_leave + 2;
}

bool catch_trap(struct trap_frame *frame)
{
	struct catcher *catcher = innermost;
	if (!catcher)
		return false;
	struct outcome *outcome = catcher->outcome;
	outcome->cr2 = cpu_read_cr2();
	outcome->frame = *frame;
	outcome->trapped = !catch_is_leave(frame);
	outcome->value = frame->eax;
	innermost = catcher->outer;
	__builtin_longjmp(catcher->resume, 1);
}

/* The trap may have come from a place with strange segments and flags; the caller had none. */
static void catch_restore(const struct catcher *catcher)
{
	__asm__ volatile("movw %w0, %%ds\n\t"
	                 "movw %w0, %%es\n\t"
	                 "movw %w0, %%fs\n\t"
	                 "movw %w0, %%gs\n\t"
	                 "movw %w0, %%ss"
	                 :
	                 : "r"(SEGMENT_DATA(0)));
	cpu_write_eflags(catcher->eflags);
}

/*
 * Never inlined: what is live in the caller must be on its stack or in registers
 * that this function saves, since __builtin_longjmp restores only ESP and EBP.
 */
__attribute__((noinline)) static void catch_run(struct outcome *outcome, void (*run)(void *),
                                                void *context)
{
	struct catcher catcher = {
	        .outcome = outcome, .outer = innermost, .eflags = cpu_read_eflags()};
	if (__builtin_setjmp(catcher.resume)) {
		catch_restore(&catcher);
		return;
	}
	innermost = &catcher;
	run(context);
	innermost = catcher.outer;
	outcome->trapped = false;
}

struct call {
	catch_function *function;
	uint32_t argument, value;
	unsigned ring;
	uint32_t eflags;
};

static void catch_run_here(void *context)
{
	struct call *call = context;
	call->value = call->function(call->argument);
}

static void catch_run_in_ring(void *context)
{
	struct call *call = context;
	uint32_t *stack = (void *)(uintptr_t)segment_stack_top(call->ring);
	*--stack = call->argument;
	*--stack = (uint32_t)(uintptr_t)catch_leave;
	__asm__ volatile(
	        "movw %w[data], %%ds\n\t"
	        "movw %w[data], %%es\n\t"
	        "movw %w[data], %%fs\n\t"
	        "movw %w[data], %%gs\n\t"
	        "pushl %[data]\n\t"
	        "pushl %[stack]\n\t"
	        "pushl %[flags]\n\t"
	        "pushl %[code]\n\t"
	        "pushl %[function]\n\t"
	        "iret"
	        :
	        : [data] "r"((uint32_t)SEGMENT_DATA(call->ring)), [stack] "r"(stack),
	          [flags] "r"(call->eflags | EFLAGS_FIXED),
	          [code] "r"((uint32_t)SEGMENT_CODE(call->ring)), [function] "r"(call->function)
	        : "memory");
	__builtin_unreachable();
}

struct outcome catch_call(catch_function *function, uint32_t argument)
{
	struct outcome outcome = {0};
	struct call call = {.function = function, .argument = argument};
	catch_run(&outcome, catch_run_here, &call);
	if (!outcome.trapped)
		outcome.value = call.value;
	return outcome;
}

struct outcome call_in_ring_with_flags(unsigned ring, uint32_t eflags, catch_function *function,
                                       uint32_t argument)
{
	struct outcome outcome = {0};
	struct call call = {function, argument, 0, ring, eflags};
	if (ring == 0)
		return catch_call(function, argument);
	trap_set_dpl(LEAVE_VECTOR, 3);
	catch_run(&outcome, catch_run_in_ring, &call);
	return outcome;
}

/* Interrupts are on, as for all user code: a monitor may run what has them off in another way. */
struct outcome call_in_ring(unsigned ring, catch_function *function, uint32_t argument)
{
	return call_in_ring_with_flags(ring, EFLAGS_IF, function, argument);
}
