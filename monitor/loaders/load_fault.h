/* Why a kernel is refused: the list of reasons, and the sentence for each.
 *
 * A fault is a reason and up to four numbers; load_fault_write makes the one sentence of it that
 * the user reads. The list is load_fault.def. It must not know where sentences are shown. */
#ifndef MONITOR_LOADERS_LOAD_FAULT_H
#define MONITOR_LOADERS_LOAD_FAULT_H

#include <stddef.h>
#include <stdint.h>

#define LOAD_FAULT(name, sentence) LOAD_FAULT_##name,
enum load_fault_reason {
#include "monitor/loaders/load_fault.def"
	LOAD_FAULT_REASONS
};
#undef LOAD_FAULT

#define LOAD_FAULT_NUMBERS 4

struct load_fault {
	enum load_fault_reason reason;
	uint32_t number[LOAD_FAULT_NUMBERS];
};

/* Writes the sentence without a full stop, cut to size, always with a zero at its end; size is not
 * 0. */
void load_fault_write(const struct load_fault *fault, char *buffer, size_t size);

#endif
