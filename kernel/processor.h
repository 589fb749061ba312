/* Which processor this is, and what it has.
 *
 * What Ringfence cannot do without was already asked by boot/processor_check.asm, before there
 * were page tables; here is the rest. What CPUID says is not always what the machine does:
 * probes.c tries it out. */
#ifndef KERNEL_PROCESSOR_H
#define KERNEL_PROCESSOR_H

#include <stdbool.h>
#include <stdint.h>

enum processor_feature {
#define PROCESSOR_FEATURE(name, leaf, reg, bit, text) PROCESSOR_##name,
#include "kernel/processor_features.def"
#undef PROCESSOR_FEATURE
	PROCESSOR_FEATURES
};

struct processor {
	char vendor[13];
	char name[49]; /* empty when the processor does not tell */
	uint32_t family, model, stepping;
	bool features[PROCESSOR_FEATURES];
};

extern struct processor processor;
extern const char *const processor_feature_names[PROCESSOR_FEATURES];

void processor_start(void);

static inline bool processor_has(enum processor_feature feature)
{
	return processor.features[feature];
}

#endif
