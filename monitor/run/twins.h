/* What ring 1 is given for the guest's segments: a twin of each in the slot's GDT, truncated.
 *
 * A twin is made when a segment register is found to hold something new. One that the guest's own
 * table still describes is listed in window.loadable, so that translated code loads it without the
 * host; the table's page is watched (cpu/shadow_tables.h), and a change takes it off the list. */
#ifndef MONITOR_RUN_TWINS_H
#define MONITOR_RUN_TWINS_H

#include "monitor/run/slot.h"
#include "monitor/state/vm.h"
#include "monitor/translator/window.h"

struct twins {
	struct slot *slot;
	struct translator_window *window;
	uint32_t cut; /* cpu/compression.h */

	struct vcpu_segment_register of[SLOT_TWIN_COUNT];
	uint16_t selectors_of[SLOT_TWIN_COUNT]; /* 0: it has no equivalent */
	bool listed[SLOT_TWIN_COUNT];
	unsigned int count;
	uint32_t generation; /* of all of them: then they were forgotten */

	struct vcpu_segment_register
	        held[VCPU_SEGMENTS];       /* by the registers, when last looked at */
	uint16_t selectors[VCPU_SEGMENTS]; /* what ring 1 is given for them */
	uint32_t loads;                    /* vcpu->loads then */
	bool again;                        /* something was taken off the list */
	bool all_listed; /* what the data segment registers hold is what the tables say */
};

void twins_start(struct twins *twins, struct slot *slot, uint32_t cut);

/* Makes twins of what the registers of a kernel hold. */
void twins_follow(struct twins *twins, struct vcpu *vcpu);

/* What ring 1 is given for what a register held when last followed; 0: nothing. */
static inline uint16_t twins_selector(const struct twins *twins, enum vcpu_segment segment)
{
	return twins->selectors[segment];
}

/* After running: the register was loaded with `selector`, which was listed. */
void twins_adopt(const struct twins *twins, struct vcpu *vcpu, enum vcpu_segment segment,
                 uint16_t selector);

/* The descriptor with this selector (RPL 0) is not known to be the guest's any more. */
void twins_taken_out(struct twins *twins, uint16_t selector);

#endif
