/* The trace ring: the last things that happened, each a time and three words.
 *
 * Always on and cheap, so that a panic can say what led to it. Events come from trace.def. */
#ifndef KERNEL_TRACE_H
#define KERNEL_TRACE_H

#include <stddef.h>
#include <stdint.h>

enum trace_event {
#define TRACE_EVENT(name, first, second, third) TRACE_##name,
#include "kernel/trace.def"
#undef TRACE_EVENT
	TRACE_EVENTS
};

void trace_add(enum trace_event event, uint32_t a, uint32_t b, uint32_t c);

/* The event `back` steps before the newest as text; 0 when the ring does not reach so far. */
size_t trace_describe(uint32_t back, char *buffer, size_t size);

#endif
