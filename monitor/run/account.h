/* Where the time goes: each tick of the time-stamp counter belongs to one cause of causes.def, or
 * to the instruction that was interpreted then, so that the ticks of all causes add up to the time
 * that has passed.
 *
 * Boot option account=causes turns it on; account=counters shows the counters alone. What has come
 * together is written to the log at each line that the guest writes to port 0xE9, and at the end;
 * what keeping the account costs is a cause of its own. It must not change anything that it looks
 * at. */
#ifndef MONITOR_RUN_ACCOUNT_H
#define MONITOR_RUN_ACCOUNT_H

#include <stdbool.h>
#include <stdint.h>

struct vcpu;

enum cause {
#define CAUSE(name, text) CAUSE_##name,
#include "monitor/run/causes.def"
#undef CAUSE
	CAUSES /* the rows of opcodes.def follow */
};

extern bool account_is_on;

void account_start(void);
/* All that has come together until now; `of` are the guest's instructions that were interpreted. */
void account_report(const struct vcpu *of);

void account_change(enum cause cause);
void account_rename(enum cause cause);
void account_rename_by_instruction(struct vcpu *vcpu);

/* From here on time belongs to `cause`. */
static inline void account_begin(enum cause cause)
{
	if (account_is_on)
		account_change(cause);
}

/* What began last turns out to be for `cause`. */
static inline void account_name(enum cause cause)
{
	if (account_is_on)
		account_rename(cause);
}

/* The same, when something was delivered. */
static inline bool account_delivery(bool delivered)
{
	if (delivered)
		account_name(CAUSE_delivery);
	return delivered;
}

/* The same, for the instruction at eip. */
static inline void account_name_instruction(struct vcpu *vcpu)
{
	if (account_is_on)
		account_rename_by_instruction(vcpu);
}

#endif
