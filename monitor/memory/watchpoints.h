/* The guest's data breakpoints: which accesses DR0 to DR3 and DR7 ask to be told of.
 *
 * memory/linear.c does not buffer data rights for a page with a watchpoint on it, so that each
 * access there comes by; all others cost nothing. What is met is only noted: the #DB comes when the
 * instruction has ended (cpu/events.c). Breakpoints on instructions are not its business. */
#ifndef MONITOR_MEMORY_WATCHPOINTS_H
#define MONITOR_MEMORY_WATCHPOINTS_H

#include <stddef.h>

#include "monitor/state/vcpu.h"

/* Any L or G bit of DR7. */
static inline bool watchpoints_are_on(const struct vcpu *vcpu)
{
	return vcpu->debug[7] & 0xFF;
}

/* Whether one of them watches data in the page that `at` is in. */
bool watchpoints_touch_page(const struct vcpu *vcpu, gva_t at);

/* Notes what an access that has been done has met. */
void watchpoints_note_data(struct vcpu *vcpu, gva_t at, size_t size, bool write);
void watchpoints_note_port(struct vcpu *vcpu, uint16_t port, unsigned int size);

#endif
