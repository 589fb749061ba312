#include "monitor/run/engine_interpret.h"

#include "monitor/instructions/interpret.h"
#include "monitor/run/account.h"

static bool start(struct machine *machine, char *problem, size_t size)
{
	(void)machine;
	(void)problem;
	(void)size;
	return true;
}

static void stop(struct machine *machine)
{
	(void)machine;
}

static enum exit_reason run(struct machine *machine)
{
	struct vcpu *vcpu = &machine->vm.vcpu;
	const struct vm *vm = &machine->vm;

	account_begin(CAUSE_interpreted);
	for (uint32_t done = 0; done < ENGINE_SLICE;) {
		if (machine_has_ended(machine))
			return vm->exit;
		if (vcpu->halted && !vm->interrupt_waits && !vcpu->nmi_pending)
			return EXIT_halted;
		done += interpret_run(vcpu, ENGINE_SLICE - done);
	}
	return EXIT_slice_ended;
}

const struct engine engine_interpret = {
        .name = "interpret",
        .in_words = "interpreted",
        .start = start,
        .stop = stop,
        .run = run,
};
