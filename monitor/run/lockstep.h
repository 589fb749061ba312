/* Lockstep: each run of translated code is also made by the interpreter, and the two are compared.
 *
 * The interpreter goes first, on a journal (memory/journal.h), through some blocks or up to what
 * translated code leaves to it anyway: a callout, a fault, a device, a page that is watched. After
 * every instruction its state is noted; then all is taken back. Translated code runs next, through
 * as many blocks at the most (translator/limit.h), and wherever it is left, its state must be one
 * of those noted: registers, flags, segments, the unit,
 * and memory at each place that the interpreter wrote to.
 *
 * So an interrupt needs no replay: it only chooses the boundary. Nor does a device: those are
 * reached in callouts alone, and a callout runs once. Flags that the manuals leave undefined are
 * not compared; nor is memory where only the translated run has written, and what a push has begun
 * to write below the stack pointer. It must not know the machine. */
#ifndef MONITOR_RUN_LOCKSTEP_H
#define MONITOR_RUN_LOCKSTEP_H

#include "monitor/memory/journal.h"
#include "monitor/translator/translator.h"

#define LOCKSTEP_UNIT_SIZE 512

struct lockstep_state {
	uint32_t registers[VCPU_REGISTERS];
	uint32_t eip, eflags;
	uint32_t undefined; /* flags */
	uint8_t cpl;
	bool holds;       /* no interrupt may come here */
	uint32_t journal; /* entries until here */
	bool pushed;      /* the instruction before it writes below the stack pointer */
	uint32_t unit;    /* which of `units`, when there are any */
	uint32_t segments;
};

struct lockstep_segments {
	struct vcpu_segment_register registers[VCPU_SEGMENTS];
};

struct lockstep {
	struct translator *translator; /* NULL: off */
	void (*settle)(void); /* brings the guest's x87, MMX and SSE registers to vcpu->fpu */
	struct journal journal;
	struct lockstep_state *states;
	/* Of these there is a new one only where an instruction may have changed them. */
	uint8_t (*units)[LOCKSTEP_UNIT_SIZE];
	struct lockstep_segments *segments;
	uint32_t count, unit_count, segments_count, written;
	uint32_t undefined, class; /* of the instruction that is being done */
	uint32_t ends;             /* of blocks, that the interpreter has passed */
	bool pushes, uses_unit, may_lose_flags;
	bool no_limits;       /* the processor is TCG: it does not enforce those of segments */
	bool has_enough;      /* it might have gone on */
	bool cut_short;       /* no room to go on, or a flag is read that is undefined */
	bool is_beyond_limit; /* the interpreter found what the processor does not */
};

#define LOCKSTEP_BLOCKS  32u /* in one run */
#define LOCKSTEP_STATES  2048u
#define LOCKSTEP_ENTRIES 4096u
#define LOCKSTEP_RARE    (BLOCK_INSTRUCTIONS_MAX + 2) /* of units, and of segments */

/* Of a repeated instruction: a page as bytes is too long, as dwords it is not. */
#define LOCKSTEP_ITERATIONS 1024u

/* Bytes that lockstep_start divides. */
#define LOCKSTEP_ROOM                                                              \
	(LOCKSTEP_STATES * sizeof(struct lockstep_state) +                         \
	 LOCKSTEP_RARE * (LOCKSTEP_UNIT_SIZE + sizeof(struct lockstep_segments)) + \
	 LOCKSTEP_ENTRIES * sizeof(struct journal_entry))

void lockstep_start(struct lockstep *lockstep, struct translator *translator, void *room,
                    void (*settle)(void));

/* Before the cache is entered at `offset`. The virtual machine is as before. */
void lockstep_rehearse(struct lockstep *lockstep, struct vcpu *vcpu, uint32_t offset);

/* After it was left and the guest's state is recovered, before anything else is done with it. False
 * when it is none that the interpreter passed through; `problem` then is one sentence. */
bool lockstep_compare(struct lockstep *lockstep, struct vcpu *vcpu, char *problem, size_t size);

/* Puts what the interpreter had into `vcpu`, registers only, for showing it: the state that was
 * compared last. */
void lockstep_show(const struct lockstep *lockstep, struct vcpu *vcpu);

#endif
