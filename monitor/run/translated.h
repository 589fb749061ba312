/* Running a guest's kernel code from the translation cache, and its user code as it is.
 *
 * The translator is pure: it makes code and reads state out of it. Here is what it needs around it:
 * the segments of ring 1, the window, the page with the interrupt flag, and the way in and out. The
 * guest may change between its levels by itself meanwhile, so it need not leave where it entered.
 * Before and after translated_run(), struct vcpu is the whole truth, at an instruction boundary. */
#ifndef MONITOR_RUN_TRANSLATED_H
#define MONITOR_RUN_TRANSLATED_H

#include "monitor/run/answer.h"
#include "monitor/run/coverage.h"
#include "monitor/run/direct.h"
#include "monitor/run/twins.h"
#include "monitor/run/user_gates.h"
#include "monitor/translator/translator.h"

struct translated {
	struct translator translator;
	struct direct *direct;
	struct direct_room room;
	struct twins twins;
	struct user_gates gates;
	struct coverage coverage;
	struct vcpu_segment_register code; /* the CS that was looked up last */
	bool code_is_listed;               /* the guest's table says the same, and is watched */
	bool interrupts; /* the stress option: leave translated code wherever it is */
	bool has_looked; /* at the page fault that the guest world was left with */
	struct answer_look look;
	uint32_t port_answer; /* the number of the one in the window */
	bool is_done;         /* what the guest world was left for: it goes on behind that */
};

/* False when there is not enough memory. */
bool translated_start(struct translated *translated, struct direct *direct, struct vm *vm);
void translated_stop(struct translated *translated);

/* Where the guest's next instruction is in the cache. False when it is to be interpreted. */
bool translated_find(struct translated *translated, struct vcpu *vcpu, uint32_t *offset);

enum translated_result {
	TRANSLATED_GO_ON,     /* ask for eip again; without a frame the machine is stopped */
	TRANSLATED_INTERPRET, /* one instruction */
	TRANSLATED_TRAP,      /* the frame says which, address is CR2 */
	TRANSLATED_PUSH,      /* a page fault, and the instruction is an `int n` of user code */
};

/* With interrupts off, from an offset that was found, or with user code that may run directly. */
enum translated_result translated_run(struct translated *translated, struct vcpu *vcpu,
                                      uint32_t offset, struct trap_frame **frame, gva_t *address);
enum translated_result translated_run_user(struct translated *translated, struct vcpu *vcpu,
                                           struct trap_frame **frame, gva_t *address);

/* What the page fault in this frame is; looked up once. */
const struct answer_look *translated_look(struct translated *translated, struct vcpu *vcpu,
                                          const struct trap_frame *frame, gva_t address);

/* An `int n` or a page fault of user code has come to the host, and is about to be delivered. */
static inline void translated_want_gate(struct translated *translated, uint8_t vector)
{
	translated->gates.wanted = vector;
}

#endif
