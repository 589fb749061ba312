/* The run loop: runs a virtual machine until it has ended.
 *
 * Every exit comes back through one place, where it is counted and traced. While the guest waits
 * for an interrupt the real processor waits too. */
#ifndef MONITOR_RUN_RUN_H
#define MONITOR_RUN_RUN_H

#include "monitor/run/machine.h"

void run(struct machine *machine);

#endif
