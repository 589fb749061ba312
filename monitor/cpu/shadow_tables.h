/* The descriptor tables that the processor is given for the guest's GDT and LDT.
 *
 * A descriptor gets into them when a segment register holds it: only then it is known to be good,
 * and its accessed bit is set. The page of the guest's table that it came from is watched, and a
 * change takes it out again. While a register holds what its table no longer says, or what has no
 * equivalent, the guest cannot run directly: shadow_tables_admit() says no, and the interpreter
 * goes on. Pure: the tables are handed in. */
#ifndef MONITOR_CPU_SHADOW_TABLES_H
#define MONITOR_CPU_SHADOW_TABLES_H

#include "kernel/descriptors.h"
#include "monitor/state/vm.h"

#define SHADOW_TABLES_ENTRIES 64

struct shadow_tables_entry {
	uint16_t selector; /* the index and the table, RPL 0 */
	bool user_code;    /* where only ring 3 may go */
	gva_t linear;
	gpa_t source;
	struct vcpu_segment_register written; /* what the guest's descriptor says */
};

struct shadow_tables {
	/* Set once: 8192 descriptors each. */
	struct descriptor *gdt, *ldt;
	uint32_t last_index; /* of the GDT, for a guest */
	uint32_t cut;        /* cpu/compression.h */

	struct shadow_tables_entry entries[SHADOW_TABLES_ENTRIES];
	uint32_t count;
	bool user_code_is_open; /* ring 3 runs, or is about to */
	bool user_code_stays;   /* open: in ring 1 nothing runs that could go there unseen */
	void (*taken_out)(struct vm *vm, uint16_t selector); /* tells of it; may be NULL */

	/* What was admitted last, and for which tables. */
	uint32_t
	        code_limit; /* of CS as the processor is given it: a return behind it would fault */
	struct vcpu_segment_register admitted[VCPU_SEGMENTS];
	struct vcpu_table gdtr;
	struct vcpu_segment_register ldtr;
	uint32_t flushes;
	bool changed; /* an entry was taken out */
};

void shadow_tables_start(struct vm *vm, struct shadow_tables *tables);

/* Makes what the six segment registers hold loadable at the present level. False when one of them
 * cannot be: then nothing can be run directly. */
bool shadow_tables_admit(struct vcpu *vcpu);

/* Whether the guest's own table describes what a register holds; from now on, taken_out tells when
 * it no longer does. */
bool shadow_tables_list(struct vcpu *vcpu, const struct vcpu_segment_register *held);

/* To be called before either, when anything may have changed: the tables may be elsewhere. */
void shadow_tables_follow(struct vcpu *vcpu);

/* After running directly: the register was loaded with `selector` behind our back. */
void shadow_tables_adopt(struct vcpu *vcpu, enum vcpu_segment segment, uint16_t selector);

#endif
