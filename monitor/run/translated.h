/* Running a guest's kernel code from the translation cache.
 *
 * The translator is pure: it makes code and reads state out of it. Here is what it needs around it:
 * the segments of ring 1, the window, the page with the interrupt flag, and the way in and out.
 * Before and after translated_run(), struct vcpu is the whole truth, at an instruction boundary. */
#ifndef MONITOR_RUN_TRANSLATED_H
#define MONITOR_RUN_TRANSLATED_H

#include "monitor/run/coverage.h"
#include "monitor/run/direct.h"
#include "monitor/translator/translator.h"

struct translated {
	struct translator translator;
	struct direct *direct;
	struct direct_room room;
	struct coverage coverage;
	/* What ring 1 is given for each segment register, and what that was made from. */
	struct vcpu_segment_register twins[VCPU_SEGMENTS];
	uint16_t selectors[VCPU_SEGMENTS];
	uint32_t cut;
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
};

/* With interrupts off. */
enum translated_result translated_run(struct translated *translated, struct vcpu *vcpu,
                                      uint32_t offset, struct trap_frame **frame, gva_t *address);

#endif
