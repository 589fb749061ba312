/* Running a guest's code directly on the processor, for as long as nothing unusual happens.
 *
 * Guest ring 0 runs in ring 1, guest ring 3 in ring 3, behind shadow page tables and shadow
 * descriptor tables. direct_run() takes the virtual processor's registers over, runs until a trap,
 * and gives them back: before and after, struct vcpu is the whole truth. What a trap means is for
 * the engine. */
#ifndef MONITOR_RUN_DIRECT_H
#define MONITOR_RUN_DIRECT_H

#include "kernel/interrupts.h"
#include "kernel/probes.h"
#include "kernel/traps.h"
#include "monitor/cpu/shadow_tables.h"
#include "monitor/memory/shadow_slot.h"
#include "monitor/run/slot.h"
#include "monitor/state/vm.h"

struct direct_room {
	mpa_t first;
	uint32_t frames;
};

/* What runs directly: everything, or only what is in ring 3. */
enum direct_kind { DIRECT_ALL, DIRECT_USER };

struct direct {
	struct slot slot;
	struct shadow_tables tables;
	struct direct_room shadow_pages, shadow_storage, watchers;
	uint64_t traps[TRAP_VECTORS]; /* why it came back, by vector */
	bool is_crowded_out;          /* the slot has found no place last time */
};

/* False, with one sentence, when there is not enough memory. */
bool direct_start(struct direct *direct, struct vm *vm, enum direct_kind kind, char *problem,
                  size_t size);
void direct_stop(struct direct *direct);

/* Whether the guest's next instruction may run directly. Cheap when nothing has changed. */
bool direct_is_possible(struct vcpu *vcpu);

/* With interrupts off, when it is possible. The frame says why it came back, `address` is CR2 then.
 * NULL: it has not run, and the machine is stopped. */
struct trap_frame *direct_run(struct direct *direct, struct vcpu *vcpu, gva_t *address);

/* The frame is that of an interrupt, which belongs to the host kernel. */
static inline bool direct_is_interrupt(const struct trap_frame *frame)
{
	return frame->vector == TRAP_NMI ||
	       (frame->vector >= INTERRUPT_VECTOR_BASE &&
	        frame->vector < INTERRUPT_VECTOR_BASE + INTERRUPT_LINES);
}

/* For run/translated.c, which runs something else in the same world. */
bool direct_allocate(struct direct_room *room, size_t size);
void direct_release(const struct direct_room *room);
void direct_give_registers(struct trap_frame *frame, const struct vcpu *vcpu);
void direct_take_registers(struct vcpu *vcpu, const struct trap_frame *frame);
/* All of user code's state; taken also where it has got to ring 3 since the entry. */
void direct_give_user(const struct direct *direct, const struct vcpu *vcpu);
void direct_take_user(const struct direct *direct, struct vcpu *vcpu);
/* The switch itself. False, and the machine is stopped, when the guest is beyond reach. */
bool direct_enter(struct direct *direct, struct vcpu *vcpu);
bool direct_move_away(struct direct *direct, struct vcpu *vcpu);
/* Before anything runs directly. Where limits are not enforced it moves the slot when the guest
 * wants its place. False when there is no other: then the guest is interpreted. */
static inline bool direct_make_way(struct direct *direct, struct vcpu *vcpu)
{
	return probes.segment_limits || !shadow_slot_is_wanted(vcpu) ||
	       direct_move_away(direct, vcpu);
}

#endif
