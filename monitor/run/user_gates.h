/* The gates of the guest's IDT that user code reaches without the host.
 *
 * A gate is opened after the host has once delivered an `int n` of user code through it, or a page
 * fault, for then
 * all that the processor checks has been checked: what was read for that is watched or compared
 * before each entry, and when any of it may have changed all gates are closed. The stack is read
 * from the guest's task state each time. Vectors that the processor or a device of the real machine
 * raises, and the two of translated code, are never opened to user code. A page fault comes to the
 * host first; once it is known to be the guest's own, it goes on from there. */
#ifndef MONITOR_RUN_USER_GATES_H
#define MONITOR_RUN_USER_GATES_H

#include "monitor/run/slot.h"
#include "monitor/run/twins.h"
#include "monitor/translator/translator.h"

#define USER_GATES_MAX  8
#define USER_GATES_NONE 0u /* a vector that is never opened */

struct user_gate {
	uint8_t vector;
	gva_t linear; /* of the gate in the guest's IDT */
	gpa_t source;
};

struct user_gates {
	struct vm *vm;
	struct slot *slot;
	struct translator *translator;
	struct twins *twins;
	uint8_t wanted; /* the vector that was just delivered */

	struct user_gate open[USER_GATES_MAX];
	unsigned int count;
	uint32_t page_fault; /* where the host puts user code with a page fault; or BLOCK_NONE */

	/* What all of them lead to, kept while they are closed, and what they are good for. */
	struct vcpu_segment_register code, stack;
	uint16_t real_stack; /* what ring 1 is given for it */
	struct vcpu_table idtr;
	uint32_t task, flushes, generation, twins_generation, moves;
};

void user_gates_start(struct user_gates *gates, struct vm *vm, struct slot *slot,
                      struct translator *translator, struct twins *twins);

/* Before each entry of the guest world: closes them if they may be wrong. */
void user_gates_follow(struct user_gates *gates, struct vcpu *vcpu);

/* With the guest at the first instruction of a handler: opens the wanted gate if that is its. */
void user_gates_open(struct user_gates *gates, struct vcpu *vcpu);

/* The guest has written there; or the descriptor with this selector (RPL 0) is in doubt. */
void user_gates_written(struct user_gates *gates, gpa_t at, uint32_t size);
void user_gates_taken_out(struct user_gates *gates, uint16_t selector);

#endif
