#include "monitor/run/run.h"

#include "kernel/clock.h"
#include "kernel/log.h"
#include "kernel/statistics.h"
#include "kernel/trace.h"
#include "kernel/x86.h"
#include "monitor/devices/virtual_time.h"
#include "monitor/instructions/interpret.h"

/* Instructions between two looks at the clock: well below a tenth of a millisecond of a guest's
 * time, and long enough that looking costs nothing. */
#define SLICE 1000

static enum exit_reason run_slice(struct machine *machine)
{
	struct vcpu *vcpu = &machine->vm.vcpu;
	const struct vm *vm = &machine->vm;

	for (uint32_t done = 0; done < SLICE;) {
		if (machine_has_ended(machine))
			return vm->exit;
		if (vcpu->halted && !vm->interrupt_waits && !vcpu->nmi_pending)
			return EXIT_halted;
		done += interpret_run(vcpu, SLICE - done);
	}
	return EXIT_slice_ended;
}

static void do_nothing(struct timer *timer)
{
	(void)timer;
}

static void warn_if_nothing_can_wake(const struct vcpu *vcpu)
{
	static bool warned;

	if (warned || (vcpu->eflags & VCPU_EFLAGS_IF))
		return;
	warned = true;
	log_warning(vcpu->vm->name,
	            "the guest has halted with interrupts off, and only an NMI could wake it "
	            "eip=0x%08x",
	            vcpu->eip);
}

/* Interrupts of the real machine stay off between the last look and the wait, so that none is
 * slept through. */
static void wait_for_interrupt(struct machine *machine)
{
	struct timer timer = {.expired = do_nothing};
	uint64_t due = machine_next_due(machine);

	statistics_count(guest_halts);
	x86_disable_interrupts();
	machine_advance(machine);
	if (machine->vm.interrupt_waits || machine->vm.vcpu.nmi_pending || machine->vm.ended) {
		x86_enable_interrupts();
		return;
	}
	machine_show(machine);
	warn_if_nothing_can_wake(&machine->vm.vcpu);
	if (due != VIRTUAL_TIME_NEVER) {
		trace_add(TRACE_guest_wait, (uint32_t)(due - machine->vm.read_time(&machine->vm)),
		          0, 0);
		clock_set_timer(&timer, machine->started_ns + due);
	}
	x86_wait_for_interrupt();
	clock_cancel_timer(&timer);
}

void run(struct machine *machine)
{
	while (!machine->vm.ended) {
		machine_advance(machine);
		uint64_t before = x86_read_tsc();
		enum exit_reason exit = run_slice(machine);
		statistics[STATISTIC_guest_cycles] += x86_read_tsc() - before;
		if (exit == EXIT_halted)
			wait_for_interrupt(machine);
	}
	statistics[STATISTIC_guest_instructions] += machine->vm.vcpu.instructions;
}
