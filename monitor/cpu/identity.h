/* What processor the guest sees: CPUID and the model-specific registers. */
#ifndef MONITOR_CPU_IDENTITY_H
#define MONITOR_CPU_IDENTITY_H

#include "monitor/state/vcpu.h"

void identity_cpuid(struct vcpu *vcpu);

/* An unknown register raises #GP(0). */
bool identity_read_msr(struct vcpu *vcpu, uint32_t number, uint64_t *value);
bool identity_write_msr(struct vcpu *vcpu, uint32_t number, uint64_t value);

#endif
