/* Stores of kernel code to watched pages, done where they have faulted.
 *
 * Page tables that the shadow follows at each write, and data on a page that code was made of: the
 * store is allowed, and only whoever watches wants to know. A plain mov needs nothing of the
 * guest's state for that, so the guest world goes on behind it. docs/translation.md has what this
 * costs beside a callout, and why no block is made anew for it. */
#ifndef MONITOR_RUN_WATCHED_STORE_H
#define MONITOR_RUN_WATCHED_STORE_H

#include "monitor/run/translated.h"

/* After SHADOW_EMULATE. True when the guest goes on at the frame's eip, which then is the next
 * instruction's. Otherwise `is_done` says whether the store has been done all the same. */
bool watched_store_do(struct translated *translated, struct vcpu *vcpu, struct trap_frame *frame,
                      gva_t address);

#endif
