/* The debug-exit port, with which a test guest ends its machine and says how it went.
 *
 * A write of V asks for the exit status (V << 1) | 1, the way QEMU's isa-debug-exit does; so a
 * guest never ends with status 0 here. The first write counts: the machine is about to stop, and
 * what a guest still does until then changes nothing. Whoever runs the machine looks at
 * `requested`. It must not know how a machine is stopped. */
#ifndef MONITOR_DEVICES_DEBUG_EXIT_H
#define MONITOR_DEVICES_DEBUG_EXIT_H

#include <stdbool.h>
#include <stdint.h>

#define DEBUG_EXIT_PORT  0xF4
#define DEBUG_EXIT_PORTS 4 /* as wide as it is commonly asked for on QEMU's command line */

struct debug_exit {
	bool requested;
	uint32_t status;
};

void debug_exit_reset(struct debug_exit *exit);
uint32_t debug_exit_read(void *exit, uint64_t now, uint16_t port, unsigned size);
void debug_exit_write(void *exit, uint64_t now, uint16_t port, unsigned size, uint32_t value);

#endif
