#include "monitor/run/coverage.h"

#include "kernel/log.h"
#include "kernel/page_tables.h"
#include "monitor/translator/translator.h"

#define RANGES          (1u << 17)
#define PAGES           (1u << 20) /* of a linear address space */
#define COUNTERS_OFFSET (SLOT_COUNTERS - SLOT_WINDOW)

bool coverage_start(struct coverage *coverage, struct slot *slot)
{
	if (!slot_add_counters(slot) ||
	    !direct_allocate(&coverage->ranges, RANGES * sizeof(struct count_range)) ||
	    !direct_allocate(&coverage->user, PAGES / 8))
		return false;
	coverage->count = (struct count){
	        .counters = slot->counters,
	        .blocks = SLOT_COUNTERS_SIZE / sizeof(uint32_t),
	        .offset = COUNTERS_OFFSET,
	        .ranges = page_tables_direct(coverage->ranges.first),
	        .range_count = RANGES,
	};
	coverage->user_pages = page_tables_direct(coverage->user.first);
	return true;
}

void coverage_stop(const struct coverage *coverage)
{
	if (!coverage->user_pages)
		return;
	direct_release(&coverage->ranges);
	direct_release(&coverage->user);
}

static void report_user(const struct coverage *coverage)
{
	for (uint32_t page = 0; page < PAGES; page++)
		if (coverage->user_pages[page / 32] >> page % 32 & 1)
			log_info("coverage", "user page=0x%08x", page * PAGE_SIZE);
}

void coverage_report(const struct coverage *coverage, const struct translator *translator)
{
	const struct count *count = &coverage->count;
	uint32_t reported = 0;

	if (!coverage->user_pages)
		return;
	translator_count_collect(translator);
	for (uint32_t i = 0; i < count->range_count; i++) {
		const struct count_range *range = &count->ranges[i];

		if (!range->times)
			continue;
		log_info("coverage", "range from=0x%08x to=0x%08x times=%s%llu", range->from,
		         range->to, range->times < 0 ? "-" : "",
		         range->times < 0 ? -range->times : range->times);
		reported++;
	}
	report_user(coverage);
	log_info("coverage", "end ranges=%u lost=%llu", reported, count->lost);
}
