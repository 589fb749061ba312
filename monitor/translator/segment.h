/* Loads of segment registers, without the host: for selectors whose descriptor it has seen loaded
 * and watches, window.loadable holds what ring 1 is given; what stands there for all others faults,
 * and the fault leads to the interpreter. Rows of the emitters' table, as inline.h. */
#ifndef MONITOR_TRANSLATOR_SEGMENT_H
#define MONITOR_TRANSLATOR_SEGMENT_H

#include "monitor/translator/emit.h"

bool segment_mov(struct emit *emit, const struct instruction *in, const uint8_t *bytes);
bool segment_pop(struct emit *emit, const struct instruction *in, const uint8_t *bytes);

/* Whether it is a load that can do without the guest's ECX, and so can follow another one. */
bool segment_shares_ecx(const struct instruction *in, enum rule rule);

/* mov segment,loadable[ecx]. Behind GS, the window is not within reach. */
void segment_give(struct emit *emit, unsigned int segment);

static inline uint32_t segment_selector(unsigned int segment)
{
	return (uint32_t)offsetof(struct translator_window, selectors) + segment * 4;
}

#endif
