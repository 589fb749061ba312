/*
 * The guest's IDT: 256 entries, each with a stub, and one function that all of them reach.
 * A vector goes to the handler that was set for it; without one, to whoever is catching
 * (catch.h); and if nobody is, the guest ends with a report.
 */
#pragma once

#include <stdint.h>

#include "guest/library/segments.h"

enum {
	VECTOR_DE = 0,
	VECTOR_DB = 1,
	VECTOR_NMI = 2,
	VECTOR_BP = 3,
	VECTOR_OF = 4,
	VECTOR_BR = 5,
	VECTOR_UD = 6,
	VECTOR_NM = 7,
	VECTOR_DF = 8,
	VECTOR_TS = 10,
	VECTOR_NP = 11,
	VECTOR_SS = 12,
	VECTOR_GP = 13,
	VECTOR_PF = 14,
	VECTOR_MF = 16,
	VECTOR_AC = 17,
	VECTOR_MC = 18,
	VECTOR_XM = 19,
	VECTOR_IRQ0 = 0x20,
};

/* As the stubs push it. ESP and SS are there only if the trap came from an outer ring. */
struct trap_frame {
	uint32_t gs, fs, es, ds;
	uint32_t edi, esi, ebp, esp_ignored, ebx, edx, ecx, eax;
	uint32_t vector, error_code;
	uint32_t eip, cs, eflags;
	uint32_t esp, ss;
};
_Static_assert(sizeof(struct trap_frame) == 19 * 4, "what traps.asm pushes");

typedef void trap_handler(struct trap_frame *frame);

void traps_init(void);

/* What IDTR holds since then. */
struct segment_table_register traps_idtr(void);

/* Who handles a vector from now on; NULL gives it back. Returns the handler before. */
trap_handler *trap_set_handler(uint8_t vector, trap_handler *handler);

/* The gate of a vector may be read and replaced at will. */
struct segment_gate trap_gate(uint8_t vector);
void trap_set_gate(uint8_t vector, struct segment_gate gate);

/* Lets code of outer rings use `int vector`. */
void trap_set_dpl(uint8_t vector, unsigned dpl);

/* The entry point of a vector's stub, for gates that are built by hand. */
uint32_t trap_stub(uint8_t vector);

/* Continues what a frame describes; ESP must point to the frame. A label to jump to, not to call.
 */
extern const char trap_return[];

/* "#GP" and the like; "int" for a vector without a name. */
const char *trap_name(uint8_t vector);
