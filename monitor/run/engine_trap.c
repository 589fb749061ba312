#include "monitor/run/engine_trap.h"

#include "kernel/interrupts.h"
#include "monitor/instructions/interpret.h"
#include "monitor/run/account.h"

static bool start(struct machine *machine, char *problem, size_t size)
{
	return direct_start(&machine->direct, &machine->vm, DIRECT_ALL, problem, size);
}

static void stop(struct machine *machine)
{
	direct_stop(&machine->direct);
}

static uint32_t interpret(struct vcpu *vcpu, uint32_t most)
{
	account_begin(CAUSE_interpreted);
	return interpret_run(vcpu, most);
}

static enum exit_reason run(struct machine *machine)
{
	struct vcpu *vcpu = &machine->vm.vcpu;
	uint32_t seen = machine->interrupts_seen, done = 0;
	uint32_t accesses = machine->vm.device_accesses;
	enum exit_reason exit;

	while (done < ENGINE_SLICE) {
		if (engine_has_to_return(machine, accesses, &exit))
			return exit;
		if (engine_take_events(vcpu))
			continue;
		if (!direct_is_possible(vcpu) || !direct_make_way(&machine->direct, vcpu))
			done += interpret(vcpu, ENGINE_SLICE - done);
		else if (!engine_run_directly(machine, seen))
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
