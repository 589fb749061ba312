/* What this machine really does, tried out: emulators leave things out that CPUID promises.
 *
 * Each probe gets a line in the log, and one more line says what protects the monitor here. */
#ifndef KERNEL_PROBES_H
#define KERNEL_PROBES_H

#include <stdbool.h>

struct probes {
	bool segment_limits, umip, nx, pge, sse;
};

extern struct probes probes;

/* Needs traps_start() and page_tables_start(). */
void probes_start(void);

const char *probes_describe_protection(void);

#endif
