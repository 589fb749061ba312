#include "monitor/run/engine.h"

#include "kernel/interrupts.h"
#include "kernel/x86.h"
#include "monitor/run/answer.h"
#include "monitor/run/engine_interpret.h"
#include "monitor/run/engine_translate.h"
#include "monitor/run/engine_trap.h"

const struct engine *const engines[] = {&engine_translate, &engine_trap, &engine_interpret};

bool engine_find_exit(const struct machine *machine, uint32_t accesses, enum exit_reason *exit)
{
	const struct vm *vm = &machine->vm;

	if (vm->ended)
		*exit = vm->exit;
	else if (vm->device_accesses != accesses)
		*exit = EXIT_device;
	else if (vm->vcpu.halted && !vm->interrupt_waits && !vm->vcpu.nmi_pending)
		*exit = EXIT_halted;
	else
		return false;
	return true;
}

bool engine_run_directly(struct machine *machine, uint32_t seen)
{
	struct vcpu *vcpu = &machine->vm.vcpu;
	struct trap_frame *frame;
	gva_t address;

	x86_disable_interrupts();
	if (interrupts_seen() != seen) {
		x86_enable_interrupts();
		return false;
	}
	frame = direct_run(&machine->direct, vcpu, &address);
	if (frame && direct_is_interrupt(frame)) {
		trap_dispatch(frame);
		frame = NULL;
	}
	x86_enable_interrupts();
	if (frame)
		answer_trap(vcpu, frame, address);
	return true;
}
