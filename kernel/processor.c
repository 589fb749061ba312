#include "kernel/processor.h"

#include "kernel/string.h"
#include "kernel/x86.h"

#define EXTENDED  0x80000000u
#define NAME_LEAF 0x80000002u

struct processor processor;

const char *const processor_feature_names[PROCESSOR_FEATURES] = {
#define PROCESSOR_FEATURE(name, leaf, reg, bit, text) text,
#include "kernel/processor_features.def"
#undef PROCESSOR_FEATURE
};

static bool has_leaf(uint32_t leaf)
{
	return leaf <= x86_cpuid(leaf & EXTENDED).eax;
}

static void read_name(void)
{
	if (!has_leaf(NAME_LEAF + 2))
		return;
	for (uint32_t i = 0; i < 3; i++) {
		struct x86_cpuid part = x86_cpuid(NAME_LEAF + i);
		memcpy(processor.name + 16 * i, &part, 16);
	}
}

void processor_start(void)
{
	struct x86_cpuid vendor = x86_cpuid(0);
	uint32_t signature = x86_cpuid(1).eax;

	memcpy(processor.vendor, &vendor.ebx, 4);
	memcpy(processor.vendor + 4, &vendor.edx, 4);
	memcpy(processor.vendor + 8, &vendor.ecx, 4);
	processor.stepping = signature & 15;
	processor.model = (signature >> 4) & 15;
	processor.family = (signature >> 8) & 15;
	if (processor.family == 6 || processor.family == 15)
		processor.model |= ((signature >> 16) & 15) << 4;
	if (processor.family == 15)
		processor.family += (signature >> 20) & 255;
	read_name();

#define PROCESSOR_FEATURE(name, leaf, reg, bit, text) \
	processor.features[PROCESSOR_##name] =        \
	        has_leaf(leaf) && (x86_cpuid(leaf).reg & (1u << bit));
#include "kernel/processor_features.def"
#undef PROCESSOR_FEATURE
}
