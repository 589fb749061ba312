/* The binary translator: guest code of CPL 0, 1 and 2 in, code for ring 1 out.
 *
 * It makes, finds, chains and drops blocks in the translation cache, and it tells the exact state
 * of the guest at any place in the cache. It runs nothing: the engine enters translated code at the
 * offset it is given and comes back with the offset where it was left. What ring 1 must look like
 * for that stands in docs/translation.md.
 *
 * The cache is a code segment of its own, so that EIP in it is a plain offset. `offset` below
 * always is that. After `int`, the processor has left the offset behind the instruction: so it is
 * given to translator_at_callout and translator_at_exit. */
#ifndef MONITOR_TRANSLATOR_TRANSLATOR_H
#define MONITOR_TRANSLATOR_TRANSLATOR_H

#include <stddef.h>

#include "monitor/state/vm.h"
#include "monitor/translator/block.h"
#include "monitor/translator/count.h"
#include "monitor/translator/plain.h"
#include "monitor/translator/rules.h"
#include "monitor/translator/scan.h"
#include "monitor/translator/window.h"

#define TRANSLATOR_VECTOR_CALLOUT 0x30 /* interpret one instruction for me */
#define TRANSLATOR_VECTOR_EXIT    0x31 /* find what comes next */
#define TRANSLATOR_VECTOR_CR3     0x32 /* load CR3 with window.operand, or as a callout */

/* Flags that translated code has in the real EFLAGS. There IF is always on, IOPL 0; the guest's are
 * in the window. */
#define TRANSLATOR_REAL_FLAGS                                                                 \
	(VCPU_EFLAGS_CF | VCPU_EFLAGS_PF | VCPU_EFLAGS_AF | VCPU_EFLAGS_ZF | VCPU_EFLAGS_SF | \
	 VCPU_EFLAGS_DF | VCPU_EFLAGS_OF | VCPU_EFLAGS_NT | VCPU_EFLAGS_AC | VCPU_EFLAGS_ID)

struct translator_options {
	uint32_t cache_blocks_max; /* flush after that many; 0: as many as fit */
	uint32_t flush_every;      /* flush whenever that many have been asked for; 0: never */
	bool no_chaining;          /* every way out of a block goes through the host */
	bool all_memory_callout;   /* so does every access to memory */
	bool repeatable;           /* so does what would not be the same a second time */
	bool limited;              /* it goes through as many blocks as limit.h has been told */
	bool unit_is_real;         /* x87, MMX and SSE find the guest's registers: copy them */
	bool tsc_is_real;          /* rdtsc is the guest's, less vcpu.tsc_offset and */
	uint32_t tsc_high;         /* this in the upper half */
};

#define TRANSLATOR_RETURNS_SLOW 0x100u /* in the place of a selector */

/* A gate of the guest's IDT that user code gets into, and where it leads. */
struct translator_gate {
	uint32_t eip, task; /* the handler; the guest's task state, by its address in SS */
	uint16_t ss;        /* as the guest sees it */
	bool interrupts;    /* they stay on */
	bool is_fault;      /* not by `int n`, and window.fault_error goes on the stack as well */
};

struct translator;

/* Whoever wants to see the work done: told when it has been. */
struct translator_observer {
	void (*made)(const struct translator *t, const struct block *block);
	/* Leads to another block now, or has been left out because that block is laid behind. */
	void (*chained)(const struct translator *t, const struct block_link *link);
};

struct translator_setup {
	uint8_t *cache; /* as the host sees it */
	uint32_t cache_size;
	struct translator_window *window;
	uint16_t window_selector; /* what GS holds in ring 1 */
	void *room; /* for records, only the host's; translator_room_size says how much */
	size_t room_size;
	/* A page with code is to be watched for writes from now on, or no longer. */
	void (*watch)(struct vcpu *vcpu, gpa_t page, bool on);
	struct vcpu *vcpu;
	struct translator_options options;
	const struct translator_observer *observer; /* or NULL */
	struct count *count;                        /* or NULL: nothing is counted */
};

#define TRANSLATOR_SEGMENTS 8
#define TRANSLATOR_BUCKETS  4096

/* Regions are as large as the largest piece of memory that one entry of the guest's tables maps. */
#define TRANSLATOR_REGION_SHIFT 22
#define TRANSLATOR_REGIONS      (1u << (32 - TRANSLATOR_REGION_SHIFT))

#define TRANSLATOR_BREAKPOINTS 3
#define TRANSLATOR_EXPECTED    256
/* Which places of a table are in use, while they are few. */
struct translator_expected {
	uint16_t places[TRANSLATOR_EXPECTED];
	uint32_t count; /* one more than that when it may be any */
};

#define TRANSLATOR_ADAPT_BITS 7
#define TRANSLATOR_ADAPT_SEEN 64

/* What becomes of an instruction that would be copied. */
enum adapt_wanted {
	ADAPT_NOTHING,
	ADAPT_SILENT,
	ADAPT_CALLOUT,
	ADAPT_COPY, /* after ADAPT_CALLOUT */
};

struct translator {
	struct translator_setup setup;

	/* cache.c */
	uint32_t used;        /* bytes from the front: blocks */
	uint32_t stubs_at;    /* from here to the end: stubs, the first link's last */
	struct block *blocks; /* in the order of their host offsets */
	struct block_link *links;
	struct block_entry *map;
	struct block_page *pages;
	uint32_t *buckets, *page_buckets; /* TRANSLATOR_BUCKETS each */
	uint32_t *places; /* for each CACHE_PLACE bytes the block that its first byte is in */
	uint32_t block_count, blocks_max, link_count, links_max;
	uint32_t map_count, map_max, page_count, pages_max;
	uint32_t last_page;  /* the one that was looked for last */
	uint32_t made;       /* since the last flush, for cache_blocks_max */
	uint32_t generation; /* of flushes and code segments: a gate is good for one */

	/* chain.c */
	uint32_t miss, exit_indirect;                                /* shared stubs */
	struct translator_expected expected_jumps, expected_returns; /* of the window's tables */
	uint32_t return_slowly, return_to_user, return_to_kernel;
	uint32_t returns_kernel_cs; /* level.c: which of them are open */
	bool returns_to_user;
	uint32_t pending;      /* the link that the last exit came through */
	bool pending_indirect; /* it came through exit_indirect */
	uint32_t pending_dead; /* the dropped block that it came to */

	/* translator.c */
	struct block_segment segments[TRANSLATOR_SEGMENTS];
	uint32_t segment_count, segment; /* the current one, BLOCK_NONE at first */
	uint32_t resume_block, resume_offset, resume_eip;
	uint64_t efer;
	uint32_t cr0, cr3, cr4; /* when mappings were last known to be good */
	uint64_t tsc_offset;    /* what blocks were made for */
	uint32_t asked;         /* since the last flush, for flush_every */
	uint8_t popf_iopl;      /* what the window's table was made for; 0xFF: nothing yet */

	/* invalidate.c */
	uint32_t local_pages;                      /* mapped, and not global */
	uint32_t regions[TRANSLATOR_REGIONS / 32]; /* a bit where a page of code has been */
	bool doubt_all, doubt_local;    /* mappings: of every page, of those that are not global */
	uint32_t doubt_region;          /* or BLOCK_NONE */
	uint32_t flushes, page_flushes; /* of the vcpu, when mappings were last known to be good */

	/* breakpoints.c */
	struct {
		uint32_t at;
		uint8_t byte; /* what stood there */
	} breakpoints[TRANSLATOR_BREAKPOINTS];
	uint32_t breakpoint_count, breakpoint_seed;

	/* adapt.c: by a hash of their eip, instructions that are known; by offset, those that have
	 * trapped. */
	struct {
		bool any;
		struct adapt_site {
			uint32_t eip;
			enum adapt_wanted wanted;
			uint16_t needless, patience; /* callouts */
		} sites[1u << TRANSLATOR_ADAPT_BITS];
		struct adapt_seen {
			uint32_t offset, count;
		} seen[TRANSLATOR_ADAPT_SEEN];
	} adapt;

	uint8_t rules[RULES_ROWS]; /* rules.c */
	struct plain plain;        /* plain.c */
	struct scan scan;          /* scan.c: of the block that is being made */
};

/* Why find_or_make has nothing; then one instruction is to be interpreted. */
enum translator_answer {
	TRANSLATOR_FOUND,
	TRANSLATOR_MODE,    /* CPL 3, 16-bit code or stack, virtual-8086 */
	TRANSLATOR_UNUSUAL, /* TF, breakpoints, a shadow, an event on its way */
	TRANSLATOR_FETCH,   /* the code cannot be fetched, or is no RAM */
};

/* How much room the records for a cache of this size want. */
size_t translator_room_size(uint32_t cache_size);
void translator_start(struct translator *t, const struct translator_setup *setup);

/* Where the guest's code at CS:eip is in the cache, translated now if need be. Everything made
 * before may be gone afterwards. Also chains what the last exit came through. */
enum translator_answer translator_find_or_make(struct translator *t, struct vcpu *vcpu,
                                               uint32_t *offset);

/* Before entering the cache, and after leaving it: what is not in registers. `real_flags` is the
 * EFLAGS of the processor in ring 1. */
void translator_load_window(struct translator *t, const struct vcpu *vcpu);
uint32_t translator_real_flags(const struct vcpu *vcpu);
void translator_store_window(const struct translator *t, struct vcpu *vcpu, uint32_t real_flags);
/* A part of it: what user code, too, may find changed by the kernel code before it. */
void translator_store_control(const struct translator *t, struct vcpu *vcpu);

/* Each of the three expects the real general registers in vcpu, and the flags by
 * translator_store_window; then all of vcpu is the guest's, with eip. */

/* Anywhere: an instruction boundary of the guest. After a fault it is that before the instruction
 * that faulted, with nothing of it done. */
void translator_recover(const struct translator *t, uint32_t offset, struct vcpu *vcpu);
/* After `int` with TRANSLATOR_VECTOR_CALLOUT: the instruction at eip is to be interpreted. */
void translator_at_callout(struct translator *t, uint32_t offset, struct vcpu *vcpu);
/* Instead, after TRANSLATOR_VECTOR_CR3, with CR3 loaded: whether all code is still where it was, so
 * that translated code may go on behind the instruction without asking for eip. */
bool translator_is_in_place(struct translator *t, struct vcpu *vcpu);
/* After `int` with TRANSLATOR_VECTOR_EXIT: eip is where to go on. */
void translator_at_exit(struct translator *t, uint32_t offset, struct vcpu *vcpu);

/* Whose state that is: the kernel's, or that of user code whose `int n` is on its way; then its
 * segment registers are real, or their selectors in the window. */
enum translator_place {
	TRANSLATOR_IN_KERNEL,
	TRANSLATOR_FROM_USER_REAL,
	TRANSLATOR_FROM_USER_WINDOW,
};
enum translator_place translator_place(const struct translator *t, uint32_t offset);

/* From now on iret returns without the host: to code with CS `kernel_cs` unless that is
 * TRANSLATOR_RETURNS_SLOW, to user code if `user` says so. Ends with a flush. */
void translator_open_returns(struct translator *t, uint32_t kernel_cs, bool user);

/* Where the processor is to land, or to be put, when user code gets into the gate, on a stack that
 * is window.from_user, with window.stack for SS; the selectors of CS and SS are in the window
 * before. False when the cache is full. Good until t->generation changes. */
bool translator_make_gate(struct translator *t, const struct translator_gate *gate,
                          uint32_t *offset);

/* False directly behind sti: an interrupt waits until the next instruction is done. */
bool translator_at_boundary(const struct translator *t, uint32_t offset);

void translator_flush(struct translator *t);

/* Guest memory has been written, by whomever: what was made of it is dropped. The engine must not
 * return to the offset it came from, but ask for eip again. */
void translator_written(struct translator *t, gpa_t at, uint32_t size);

/* The instruction there has trapped to store what was there. True when that has been the last time:
 * its block is dropped, and `offset` good only to recover from. */
bool translator_note_silent(struct translator *t, uint32_t offset);

/* The interpreter has done the instruction that has trapped there, because it reached a device, or
 * else memory behind the end of ring 1's segments: it may become a callout. */
void translator_note_answered(struct translator *t, uint32_t offset, bool device);
/* It has done what was a callout, with the offset that translator_at_callout was given: one that it
 * became in this way may be copied again. */
void translator_note_callout(struct translator *t, uint32_t offset, bool device);

/* The block that `offset` is in, or NULL: for whoever shows it. */
const struct block *translator_find_block(const struct translator *t, uint32_t offset);

#endif
