/* Proof that a guest has reached nothing outside its own memory (boot option canaries=).
 *
 * Frames with a pattern stand on both sides of the guest's memory, and a sum is taken over the
 * hypervisor's code and constants; at the guest's end both must be as they were. A difference is a
 * bug of ours, so it panics. Without the option nothing is allocated and nothing is looked at. */
#ifndef MONITOR_RUN_CANARIES_H
#define MONITOR_RUN_CANARIES_H

#include <stdint.h>

#include "kernel/address.h"

/* All zero when there are none. */
struct canaries {
	mpa_t below, above; /* the frames on either side */
	uint32_t frames;    /* on each side */
	uint32_t image_sum;
};

/* A run of frames for a guest's memory, canaries around it; FRAMES_NONE when that does not fit. */
mpa_t canaries_allocate(struct canaries *canaries, uint32_t frames, uint32_t alignment);
void canaries_free(const struct canaries *canaries);

/* Directly before the guest runs, and directly after. */
void canaries_start(struct canaries *canaries);
void canaries_check(const struct canaries *canaries);

#endif
