/* Running a guest's code directly on the processor, for as long as nothing unusual happens.
 *
 * Guest ring 0 runs in ring 1, guest ring 3 in ring 3, behind shadow page tables and shadow
 * descriptor tables. direct_run() takes the virtual processor's registers over, runs until a trap,
 * and gives them back: before and after, struct vcpu is the whole truth. What a trap means is for
 * the engine. */
#ifndef MONITOR_RUN_DIRECT_H
#define MONITOR_RUN_DIRECT_H

#include "kernel/traps.h"
#include "monitor/cpu/shadow_tables.h"
#include "monitor/run/slot.h"
#include "monitor/state/vm.h"

struct direct {
	struct slot slot;
	struct shadow_tables tables;
	mpa_t shadow_pages, shadow_storage;
	uint32_t shadow_page_count, shadow_storage_frames;
	uint64_t traps[TRAP_VECTORS]; /* why it came back, by vector */
};

/* False, with one sentence, when there is not enough memory. */
bool direct_start(struct direct *direct, struct vm *vm, char *problem, size_t size);
void direct_stop(struct direct *direct);

/* Whether the guest's next instruction may run directly. Cheap when nothing has changed. */
bool direct_is_possible(struct vcpu *vcpu);

/* With interrupts off, when it is possible. The frame says why it came back; NULL: it has not run,
 * and the machine is stopped. */
struct trap_frame *direct_run(struct direct *direct, struct vcpu *vcpu);

#endif
