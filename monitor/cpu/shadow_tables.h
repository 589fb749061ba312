/* The descriptor tables that the processor is given for the guest's GDT and LDT.
 *
 * A descriptor gets into them when a segment register holds it: only then it is known to be good,
 * and its accessed bit is set. The page of the guest's table that it came from is watched, and a
 * change takes it out again. While a register holds what its table no longer says, or what has no
 * equivalent, the guest cannot run directly: shadow_tables_admit() says no, and the interpreter
 * goes on. Pure: the tables are handed in. */
#ifndef MONITOR_CPU_SHADOW_TABLES_H
#define MONITOR_CPU_SHADOW_TABLES_H

#include <stddef.h>

#include "kernel/descriptors.h"
#include "monitor/state/vm.h"

#define SHADOW_TABLES_ENTRIES 64

struct shadow_tables_entry {
	uint16_t selector; /* the index and the table, RPL 0 */
	gva_t linear;
	gpa_t source;
	struct vcpu_segment_register written; /* what the guest's descriptor says */
};

/* What was admitted last at one level of the guest, and what the processor is given for it. */
struct shadow_tables_level {
	struct vcpu_segment_register admitted[VCPU_SEGMENTS];
	uint32_t given[VCPU_SEGMENTS]; /* selectors */
	uint32_t code_limit;           /* of CS as it is given: a return behind it would fault */
	uint32_t loads;                /* vcpu->loads then */
	bool changed;                  /* an entry was taken out since */
};

struct shadow_tables {
	/* Set once: 8192 descriptors each. */
	struct descriptor *gdt, *ldt;
	uint32_t last_index; /* of the GDT, for a guest */
	uint32_t cut;        /* cpu/compression.h */

	struct shadow_tables_entry entries[SHADOW_TABLES_ENTRIES];
	uint32_t count;
	struct descriptor *user_codes[SHADOW_TABLES_ENTRIES]; /* where only ring 3 may go */
	uint32_t user_code_count;
	bool user_code_is_open; /* ring 3 runs, or is about to */
	bool user_code_stays;   /* open: in ring 1 nothing runs that could go there unseen */
	void (*taken_out)(struct vm *vm, uint16_t selector); /* tells of it; may be NULL */

	/* For which tables it all holds. */
	struct vcpu_table gdtr;
	struct vcpu_segment_register ldtr;
	uint32_t flushes;
	struct shadow_tables_level kernel, user; /* ring 0, ring 3: others never run directly */
};

static inline struct shadow_tables_level *shadow_tables_level(const struct vcpu *vcpu)
{
	struct shadow_tables *tables = vcpu->vm->shadow_tables;

	return vcpu->cpl == 3 ? &tables->user : &tables->kernel;
}

void shadow_tables_start(struct vm *vm, struct shadow_tables *tables);

/* Selector and attributes at once. A null selector has no attributes, so `usable` needs no look. */
static inline uint32_t shadow_tables_first_word(const struct vcpu_segment_register *segment)
{
	uint32_t word;

	__builtin_memcpy(&word, segment, sizeof(word));
	return word;
}
_Static_assert(offsetof(struct vcpu_segment_register, attributes) == 2,
               "the first word has the selector and the attributes");

/* 0 when nothing differs. */
static inline uint32_t shadow_tables_difference(const struct vcpu_segment_register *one,
                                                const struct vcpu_segment_register *other)
{
	return (shadow_tables_first_word(one) ^ shadow_tables_first_word(other)) |
	       (one->base ^ other->base) | (one->limit ^ other->limit);
}

void shadow_tables_open_user_code(struct shadow_tables *tables, bool open);
bool shadow_tables_admit_slowly(struct vcpu *vcpu);

/* Makes what the six segment registers hold loadable at the present level. False when one of them
 * cannot be: then nothing can be run directly. That nothing has changed since it was last asked at
 * this level is found out here: CS and SS are those that events and returns change. */
static inline bool shadow_tables_admit(struct vcpu *vcpu)
{
	struct shadow_tables *tables = vcpu->vm->shadow_tables;
	const struct shadow_tables_level *level = shadow_tables_level(vcpu);

	if (tables->user_code_is_open != (vcpu->cpl == 3 || tables->user_code_stays))
		shadow_tables_open_user_code(tables, !tables->user_code_is_open);
	if (level->loads == vcpu->loads && tables->flushes == vcpu->flushes && !level->changed &&
	    !(shadow_tables_difference(&vcpu->segments[VCPU_CS], &level->admitted[VCPU_CS]) |
	      shadow_tables_difference(&vcpu->segments[VCPU_SS], &level->admitted[VCPU_SS])))
		return true;
	return shadow_tables_admit_slowly(vcpu);
}

/* Whether the guest's own table describes what a register holds; from now on, taken_out tells when
 * it no longer does. */
bool shadow_tables_list(struct vcpu *vcpu, const struct vcpu_segment_register *held);

/* To be called before either, when anything may have changed: the tables may be elsewhere. */
void shadow_tables_follow(struct vcpu *vcpu);

/* What a register is that user code has loaded with `selector`, without anybody faulting over it.
 */
struct vcpu_segment_register shadow_tables_meaning(struct vcpu *vcpu, uint16_t selector);

/* After running directly: the register was loaded with `selector` behind our back. */
void shadow_tables_adopt(struct vcpu *vcpu, enum vcpu_segment segment, uint16_t selector);

#endif
