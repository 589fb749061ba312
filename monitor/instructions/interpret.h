/* The interpreter: one instruction of the guest after the other, exactly as a processor does it.
 *
 * It is the reference for every other engine. Interrupts are taken, faults delivered, traps sprung
 * between two steps, so whoever looks at the processor after a step sees a state that a real one
 * could show. It must not know who calls it, nor how time passes. */
#ifndef MONITOR_INSTRUCTIONS_INTERPRET_H
#define MONITOR_INSTRUCTIONS_INTERPRET_H

#include "monitor/instructions/decode.h"
#include "monitor/state/vcpu.h"

enum interpret_result {
	INTERPRET_COMPLETED, /* an instruction, or some iterations of a repeated one */
	INTERPRET_DELIVERED, /* an interrupt or a fault: eip is at its handler */
	INTERPRET_HALTED,    /* nothing was done: hlt waits for an interrupt */
	INTERPRET_ENDED,     /* the machine has stopped */
};

enum interpret_result interpret_step(struct vcpu *vcpu);

/* The instruction of which it is known that it is to run now: events before it have been looked
 * for, and the processor is not halted. */
enum interpret_result interpret_instruction(struct vcpu *vcpu);

/* The same as several steps, in less time: at least one and at most `most`, and none after the
 * first that may concern anybody outside: a device, a halt, an interrupt or fault. Returns how
 * many. */
uint32_t interpret_run(struct vcpu *vcpu, uint32_t most);

/* For a run that is taken back (memory/journal.h): the instruction at eip, if `may` says so, or one
 * iteration of it; no interrupt is taken and nothing delivered. False when it may not, or faults:
 * then registers and the event are for the caller to restore. */
typedef bool interpret_judge(void *judge, const struct instruction *in);
bool interpret_rehearse(struct vcpu *vcpu, interpret_judge *may, void *judge);

#endif
