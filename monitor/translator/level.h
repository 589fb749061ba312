/* Changes of the privilege level that do not need the host: iret, and `int n` of user code.
 *
 * An iret jumps by the low byte of the CS that it is to take to one of three stubs: back to kernel
 * code, which stays in the cache; to user code, which is an iret of the processor's own; or to the
 * interpreter. A gate stub is where the processor lands when user code uses a gate that the host
 * has opened: it makes of the frame on a stack in the window what the guest's gate would have made,
 * with the guest's task state read afresh each time. docs/translation.md. */
#ifndef MONITOR_TRANSLATOR_LEVEL_H
#define MONITOR_TRANSLATOR_LEVEL_H

#include "monitor/translator/emit.h"

bool level_iret(struct emit *emit, const struct instruction *in, const uint8_t *bytes);

/* Once. */
void level_start(struct translator *t);
/* With the shared stubs: all returns are the interpreter's until they are opened. */
void level_close_returns(struct translator *t);
void level_emit_stubs(struct emit *emit);

/* Where the state in a stub is: what RECOVER_STUB has beside it in the map. */
enum level_phase {
	LEVEL_SITE,          /* nothing done; eip is window.site, ECX in the window */
	LEVEL_SITE_ECX,      /* the same, with ECX back */
	LEVEL_POPPING,       /* done but for ESP, 12 too small, and for the flags */
	LEVEL_POPPED,        /* done but for ESP, 4 too small, and for the flags */
	LEVEL_FROM_USER,     /* user code, with its own segment registers; ECX is real, */
	LEVEL_FROM_USER_ECX, /* or in the window */
	LEVEL_FROM_USER_ALL, /* and the selectors are there as well */
	LEVEL_FAULT,         /* the same three for a fault of user code */
	LEVEL_FAULT_ECX,
	LEVEL_FAULT_ALL,
};

#define LEVEL_IRET_SIZE 1u /* of one that is not the interpreter's */

/* Its block has ended, and it is not done. */
static inline bool level_is_at_site(const struct block_entry *entry)
{
	return entry->kind & RECOVER_STUB && entry->guest <= LEVEL_SITE_ECX;
}

void level_recover(const struct translator *t, enum level_phase phase, struct vcpu *vcpu);

#endif
