/* The state of x87, MMX and SSE that a case begins with, and what it has become.
 *
 * It promises the same state for the same seed, and leaves out of the sum what is not defined:
 * where the last x87 instruction was (G21 of docs/limitations.md). It must not know how cases are
 * run. */
#ifndef GUEST_CASES_UNIT_H
#define GUEST_CASES_UNIT_H

#include <stdbool.h>
#include <stdint.h>

/* Whether the processor has all that cases of the unit use. */
bool unit_is_there(void);

/* Loads a state made of these 64 random words, and the control registers as the flags of a case
 * (CASE_UNIT_…) say. */
void unit_load(const uint32_t random[64], uint32_t cr0, uint32_t flags);

/* Stores what there is now; needs CR0 without TS and EM. */
void unit_store(void);
uint32_t unit_sum(void);

/* For people: the parts of the sum, one behind the other. */
void unit_show(void);

#endif
