/* Tables let loose: the guest may write to them without the host, until it flushes.
 *
 * A real processor need not notice a change of a table before the next flush, and what the guest
 * has just made accessible costs a fault, which looks at the table again. So a table that is
 * written to is watched no longer; its shadow may then be what a translation buffer may be, old but
 * once right. With the guest's next full flush each entry that is there is worked out anew, and the
 * table is watched again. Directories are never loose, nor what others watch as well. */
#ifndef MONITOR_MEMORY_SHADOW_LOOSE_H
#define MONITOR_MEMORY_SHADOW_LOOSE_H

#include "monitor/memory/shadow_state.h"

/* Lets a page of tables loose, or gives them up if nothing points to them any more. False when it
 * must stay watched. */
bool shadow_loosen(struct shadow *shadow, uint32_t frame);

void shadow_tighten_all(struct shadow *shadow);

/* Full flushes are those that are not of one page. */
static inline void shadow_loose_follow(struct shadow *shadow, const struct vcpu *vcpu)
{
	uint32_t full = vcpu->flushes - vcpu->page_flushes;

	if (shadow->full_flushes == full)
		return;
	shadow->full_flushes = full;
	if (shadow->loose)
		shadow_tighten_all(shadow);
}

/* An entry of a directory is about to lead to it that has led elsewhere: there nothing old has been
 * seen, so that nothing old may be shown. It may be the table of another address space by now. */
void shadow_loose_refresh(struct shadow *shadow, struct shadow_page *page);

/* A table has been made of this page: it is watched from now on, or loose as the others are. */
void shadow_loose_start(struct shadow *shadow, struct shadow_page *page);

/* It is about to be dropped. */
void shadow_loose_leave(struct shadow *shadow, struct shadow_page *page);

#endif
