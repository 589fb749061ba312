/* A virtual processor in words: for the report of a panic, and for a guest that was stopped. */
#ifndef MONITOR_RUN_DESCRIBE_H
#define MONITOR_RUN_DESCRIBE_H

#include "monitor/state/vcpu.h"

/* Registers, flags by name, segments decoded, control registers, tables: a line each. */
void describe_vcpu(const struct vcpu *vcpu, void (*line)(const char *text));

/* The bytes at eip. */
void describe_instruction(struct vcpu *vcpu, void (*line)(const char *text));

#endif
