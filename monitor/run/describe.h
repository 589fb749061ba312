/* A virtual processor in words: for the report of a panic, and for a guest that was stopped. */
#ifndef MONITOR_RUN_DESCRIBE_H
#define MONITOR_RUN_DESCRIBE_H

#include <stddef.h>

#include "monitor/state/vcpu.h"

/* Registers, flags by name, segments decoded, control registers, tables: a line each. */
void describe_vcpu(const struct vcpu *vcpu, void (*line)(const char *text));

/* One instruction of 32-bit code in words; false when the bytes are none. */
bool describe_code(const uint8_t *bytes, size_t count, uint32_t address, char *text, size_t size);

/* The bytes at eip, and the instruction that they make. */
void describe_instruction(struct vcpu *vcpu, void (*line)(const char *text));

#endif
