/* One wire between two chips, or between a chip and the processor.
 *
 * A chip drives its lines with line_set; whoever puts the machine together says what hangs on the
 * other end. A line that leads nowhere is all zero, and driving it does nothing. The receiving end
 * sees every call, so a line that is set low and high again in one go is an edge.
 * Lines are wiring, not state: a copy of a chip is wired anew. */
#ifndef MONITOR_DEVICES_LINE_H
#define MONITOR_DEVICES_LINE_H

#include <stdbool.h>

struct line {
	void (*set)(void *owner, unsigned input, bool level);
	void *owner;
	unsigned input;
};

static inline void line_set(const struct line *line, bool level)
{
	if (line->set)
		line->set(line->owner, line->input, level);
}

#endif
