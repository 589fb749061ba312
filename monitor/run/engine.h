/* The engines: the ways to run a guest's kernel code.
 *
 * run() calls one for a slice at a time. Whatever it does, struct vcpu is the guest's exact state
 * when it returns. */
#ifndef MONITOR_RUN_ENGINE_H
#define MONITOR_RUN_ENGINE_H

#include "monitor/cpu/events.h"
#include "monitor/instructions/interpret.h"
#include "monitor/run/account.h"
#include "monitor/run/machine.h"

/* Guest instructions between two looks at the clock, where instructions are counted: well below a
 * tenth of a millisecond of a guest's time, and long enough that looking costs nothing. */
#define ENGINE_SLICE 1000u

struct engine {
	const char *name, *in_words;
	bool needs_alarm; /* it runs until something interrupts it */
	bool (*start)(struct machine *machine, char *problem, size_t size);
	void (*stop)(struct machine *machine);
	enum exit_reason (*run)(struct machine *machine);
};

/* In the order of the boot option engine=. */
extern const struct engine *const engines[];

bool engine_find_exit(const struct machine *machine, uint32_t accesses, enum exit_reason *exit);

/* For engines that run directly: whether run() has to see to something before the next instruction.
 * `accesses` is vm->device_accesses at the beginning of the slice. */
static inline bool engine_has_to_return(struct machine *machine, uint32_t accesses,
                                        enum exit_reason *exit)
{
	const struct vm *vm = &machine->vm;

	if (!machine_has_ended(machine) && vm->device_accesses == accesses && !vm->vcpu.halted)
		return false;
	return engine_find_exit(machine, accesses, exit);
}

/* For engines: what is to be delivered before the next instruction. True when something was done,
 * and everything is to be looked at anew. */
static inline bool engine_take_events(struct vcpu *vcpu)
{
	account_begin(CAUSE_return);
	if (!vcpu->interrupt_shadow && !vcpu->debug_shadow)
		return account_delivery(events_take_interrupt(vcpu));
	/* A shadow covers one instruction, so that one alone is done. */
	interpret_step(vcpu);
	return true;
}

/* For engines: runs directly what may run directly, up to the next trap, and answers it. False when
 * there was an interrupt of the real machine since interrupts_seen() was `seen`: then nothing has
 * run, for the chips must be looked at first. */
bool engine_run_directly(struct machine *machine, uint32_t seen);

#endif
