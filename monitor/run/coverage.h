/* How often a guest's kernel code has run, for boot option coverage=yes: room for the translator's
 * counts, and in the end, or when asked, the log lines that `./ringfence coverage` reads.
 *
 * docs/coverage.md has their form. Code of ring 3 runs as it is and is not counted; which pages it
 * was seen on is told, so that its lines do not pass for lines that have never run. */
#ifndef MONITOR_RUN_COVERAGE_H
#define MONITOR_RUN_COVERAGE_H

#include "monitor/run/direct.h"
#include "monitor/translator/count.h"

struct translator;

struct coverage {
	struct count count;
	struct direct_room ranges, user;
	uint32_t *user_pages; /* a bit each; NULL: nothing is counted */
};

/* False when there is not enough memory. */
bool coverage_start(struct coverage *coverage, struct slot *slot);
void coverage_stop(const struct coverage *coverage);

/* The guest goes on in ring 3 at this linear address. */
static inline void coverage_note_user(struct coverage *coverage, uint32_t at)
{
	if (coverage->user_pages)
		coverage->user_pages[at / PAGE_SIZE / 32] |= 1u << at / PAGE_SIZE % 32;
}

/* All that has been counted so far; nothing where nothing is. */
void coverage_report(const struct coverage *coverage, const struct translator *translator);

#endif
