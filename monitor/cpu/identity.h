/* What processor the guest sees: CPUID and the model-specific registers.
 *
 * cpuid.def has every bit and why it is seen. What the guest's instructions need from the real
 * processor is told once, by identity_start; this file asks no machine. */
#ifndef MONITOR_CPU_IDENTITY_H
#define MONITOR_CPU_IDENTITY_H

#include "monitor/state/vcpu.h"

/* Instructions that are executed by the real unit exist only where it has them, and a page that is
 * not to be executed needs a processor that looks. */
struct identity_host {
	bool mmx, fxsr, sse, sse2, nx;
};

#define IDENTITY_PAT_AT_RESET 0x0007040600070406ull

/* Until then the real processor is taken to have none of them. */
void identity_start(const struct identity_host *host);

/* Whether the guest's processor has it, by the names of cpuid.def. */
enum identity_feature {
#define CPUID_FEATURE(name, leaf, reg, bit, seen, why) IDENTITY_##name,
#include "monitor/cpu/cpuid.def"
	IDENTITY_FEATURES
};
bool identity_has(enum identity_feature feature);

/* What EDX holds after a reset: family, model and stepping. */
uint32_t identity_signature(void);

/* The bits of CR4 that may be set. */
uint32_t identity_cr4_bits(void);

void identity_cpuid(struct vcpu *vcpu);

/* An unknown register raises #GP(0), and so does a value that the register does not take. */
bool identity_read_msr(struct vcpu *vcpu, uint32_t number, uint64_t *value);
bool identity_write_msr(struct vcpu *vcpu, uint32_t number, uint64_t value);

#endif
