#ifndef MONITOR_MEMORY_SHADOW_H
#define MONITOR_MEMORY_SHADOW_H
#include <stddef.h>
#include "monitor/state/vm.h"
struct shadow_setup {
	uint8_t *pages;
	uint64_t pages_machine;
	uint32_t page_count;
	uint64_t ram_machine;
	bool no_execute;
	void *storage; size_t storage_size;
};
size_t shadow_storage_size(uint32_t page_count, uint64_t ram_size);
void shadow_start(struct vm *vm, const struct shadow_setup *setup);
uint32_t shadow_root(struct vcpu *vcpu);
enum shadow_result { SHADOW_MAPPED, SHADOW_TRUE_FAULT, SHADOW_EMULATE };
enum shadow_result shadow_fault(struct vcpu *vcpu, gva_t at, uint32_t access, uint32_t *error);
void shadow_set_slot(struct vm *vm, uint32_t slot, const uint64_t directory_entries[2]);
bool shadow_slot_is_wanted(struct vcpu *vcpu);
#endif
