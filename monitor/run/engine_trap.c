#include "kernel/interrupts.h"
#include "kernel/traps.h"
#include "kernel/x86.h"
#include "monitor/cpu/events.h"
#include "monitor/instructions/interpret.h"
#include "monitor/memory/linear.h"
#include "monitor/memory/page_walk.h"
#include "monitor/memory/shadow.h"
#include "monitor/run/direct.h"
#include "monitor/run/engine.h"
#include "monitor/state/fault.h"

/* The bits of a page fault's error code that say what the access was. */
#define ACCESS_BITS (PAGE_WALK_WRITE | PAGE_WALK_USER | PAGE_WALK_FETCH)

static bool start(struct machine *machine, char *problem, size_t size)
{
	return direct_start(&machine->direct, &machine->vm, problem, size);
}

static void stop(struct machine *machine)
{
	direct_stop(&machine->direct);
}

static void reflect_page_fault(struct vcpu *vcpu, gva_t at, uint32_t error)
{
	vcpu->instruction_eip = vcpu->eip;
	linear_raise_page_fault(vcpu, at, error);
	events_deliver(vcpu);
}

static void answer_page_fault(struct vcpu *vcpu, uint32_t access)
{
	gva_t at = gva(x86_read_cr2());
	uint32_t error;

	switch (shadow_fault(vcpu, at, access & ACCESS_BITS, &error)) {
	case SHADOW_MAPPED:
		return;
	case SHADOW_TRUE_FAULT:
		reflect_page_fault(vcpu, at, error);
		return;
	case SHADOW_EMULATE:
		interpret_step(vcpu);
		return;
	}
}

/* A popf has set TF, and the instruction after it has run. */
static void answer_step(struct vcpu *vcpu)
{
	vcpu->debug_trap = true;
	events_complete_slowly(vcpu);
}

/* Whatever a guest's instruction ran into, the interpreter finds out whether the guest would have,
 * too. */
static void answer(struct vcpu *vcpu, struct trap_frame *frame)
{
	if (frame->vector == TRAP_PAGE_FAULT)
		answer_page_fault(vcpu, frame->error);
	else if (frame->vector == TRAP_DEBUG)
		answer_step(vcpu);
	else if (frame->vector == TRAP_NMI)
		trap_dispatch(frame);
	else
		interpret_step(vcpu);
}

/* False when there is nothing to run directly: then a slice is interpreted, or less. */
static bool interpret_unusual(struct vcpu *vcpu, uint32_t *done)
{
	if (direct_is_possible(vcpu))
		return false;
	*done += interpret_run(vcpu, ENGINE_SLICE - *done);
	return true;
}

/* Real interrupts stay off between the last look and the entry, so that none is slept through. */
static bool run_directly(struct machine *machine, uint32_t seen)
{
	struct vcpu *vcpu = &machine->vm.vcpu;
	struct trap_frame *frame;

	x86_disable_interrupts();
	if (interrupts_seen() != seen) {
		x86_enable_interrupts();
		return false;
	}
	frame = direct_run(&machine->direct, vcpu);
	if (frame && frame->vector >= TRAP_EXCEPTIONS)
		trap_dispatch(frame);
	x86_enable_interrupts();
	if (frame && frame->vector < TRAP_EXCEPTIONS)
		answer(vcpu, frame);
	return true;
}

static enum exit_reason run(struct machine *machine)
{
	struct vcpu *vcpu = &machine->vm.vcpu;
	const struct vm *vm = &machine->vm;
	uint32_t seen = interrupts_seen(), accesses = vm->device_accesses, done = 0;

	while (done < ENGINE_SLICE) {
		if (machine_has_ended(machine))
			return vm->exit;
		if (vm->device_accesses != accesses)
			return EXIT_device;
		if (vcpu->halted && !vm->interrupt_waits)
			return EXIT_halted;
		if (events_take_interrupt(vcpu) || interpret_unusual(vcpu, &done))
			continue;
		if (!run_directly(machine, seen))
			return EXIT_interrupt;
	}
	return EXIT_slice_ended;
}

const struct engine engine_trap = {
        .name = "trap",
        .in_words = "kernel in ring 1, trapped",
        .needs_alarm = true,
        .start = start,
        .stop = stop,
        .run = run,
};
