/* The slot: 4 MB of every guest's linear space that are not the guest's.
 *
 * Two directory entries, the same in every directory of the slot's quarter, also in those that are
 * not in the root now. */
#ifndef MONITOR_MEMORY_SHADOW_SLOT_H
#define MONITOR_MEMORY_SHADOW_SLOT_H

#include "monitor/memory/shadow_state.h"

#define SHADOW_SLOT_SHIFT 22

static inline bool shadow_slot_holds(const struct shadow *shadow, uint32_t linear)
{
	return shadow->has_slot && linear >> SHADOW_SLOT_SHIFT == shadow->slot >> SHADOW_SLOT_SHIFT;
}

bool shadow_slot_look(struct vcpu *vcpu);

/* Whether the guest's present directory has nothing for the 4 MB from an address on. */
bool shadow_slot_is_free_at(const struct vcpu *vcpu, uint32_t slot);

/* Whether the guest's present directory has anything for these 4 MB. */
static inline bool shadow_slot_is_wanted(struct vcpu *vcpu)
{
	const struct shadow *shadow = vcpu->vm->shadow;

	return (!shadow->slot_is_free || shadow->flushes != vcpu->flushes) &&
	       shadow_slot_look(vcpu);
}

/* A directory has been made: when the slot is in its quarter, it gets the two entries. */
void shadow_slot_install(struct shadow *shadow, struct shadow_page *directory);

/* And loses them again. */
void shadow_slot_take_out(struct shadow *shadow, struct shadow_page *directory);

#endif
