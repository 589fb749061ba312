/* Counters that are always on, from the one list statistics.def.
 *
 * Counting is one increment; who shows them is somebody else's affair. */
#ifndef KERNEL_STATISTICS_H
#define KERNEL_STATISTICS_H

#include <stdint.h>

enum statistic {
#define STATISTIC(name, text) STATISTIC_##name,
#include "kernel/statistics.def"
#undef STATISTIC
	STATISTICS
};

extern uint64_t statistics[STATISTICS];
extern const char *const statistics_names[STATISTICS];

#define statistics_count(name) ((void)statistics[STATISTIC_##name]++)

#endif
