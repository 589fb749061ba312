#include "kernel/statistics.h"

uint64_t statistics[STATISTICS];

const char *const statistics_names[STATISTICS] = {
#define STATISTIC(name, text) #name,
#include "kernel/statistics.def"
#undef STATISTIC
};
