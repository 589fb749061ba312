/* Memory by linear address, as an instruction sees it: translated, checked, and faulting.
 *
 * Goes through the guest's page tables (memory/page_walk.c) and a translation buffer that is as
 * stale as a real one may be and no more. A fault is raised with its error code and CR2; nothing of
 * a faulting access has been done, also where it crosses a page. */
#ifndef MONITOR_MEMORY_LINEAR_H
#define MONITOR_MEMORY_LINEAR_H

#include <stddef.h>

#include "monitor/state/vcpu.h"

/* An access is the current instruction's own, at the current CPL, or one that the processor makes
 * for itself (descriptor tables, task states): as supervisor whatever the CPL. */
enum linear_as { LINEAR_AS_CPL, LINEAR_AS_SUPERVISOR };

bool linear_read(struct vcpu *vcpu, gva_t at, void *to, size_t size, enum linear_as as);
bool linear_write(struct vcpu *vcpu, gva_t at, const void *from, size_t size, enum linear_as as);

/* Whether a write would be allowed; raises the fault if not. Read-modify-write asks first. */
bool linear_check_write(struct vcpu *vcpu, gva_t at, size_t size, enum linear_as as);

/* Up to `wanted` bytes of code. Returns how many were readable without a fault, none after the
 * first page that faults; only when not even one was, the fault is raised. */
size_t linear_fetch(struct vcpu *vcpu, gva_t at, uint8_t *to, size_t wanted);

void linear_flush_page(struct vcpu *vcpu, gva_t at);
void linear_flush(struct vcpu *vcpu, bool globals_too);

#endif
