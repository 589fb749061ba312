/* What a virtual processor IS: every bit that a guest could find out, and nothing else.
 *
 * No behaviour. Sections are named after the file that owns them; whoever else changes a field
 * goes through that file. All of it is the guest's own truth: what the hardware is given in its
 * stead stands elsewhere. */
#ifndef MONITOR_STATE_VCPU_H
#define MONITOR_STATE_VCPU_H

#include <stdbool.h>
#include <stdint.h>

#include "monitor/state/address.h"

struct vm;

#define VCPU_EFLAGS_CF   (1u << 0)
#define VCPU_EFLAGS_ONE  (1u << 1)
#define VCPU_EFLAGS_PF   (1u << 2)
#define VCPU_EFLAGS_AF   (1u << 4)
#define VCPU_EFLAGS_ZF   (1u << 6)
#define VCPU_EFLAGS_SF   (1u << 7)
#define VCPU_EFLAGS_TF   (1u << 8)
#define VCPU_EFLAGS_IF   (1u << 9)
#define VCPU_EFLAGS_DF   (1u << 10)
#define VCPU_EFLAGS_OF   (1u << 11)
#define VCPU_EFLAGS_IOPL (3u << 12)
#define VCPU_EFLAGS_NT   (1u << 14)
#define VCPU_EFLAGS_RF   (1u << 16)
#define VCPU_EFLAGS_VM   (1u << 17)
#define VCPU_EFLAGS_AC   (1u << 18)
#define VCPU_EFLAGS_VIF  (1u << 19)
#define VCPU_EFLAGS_VIP  (1u << 20)
#define VCPU_EFLAGS_ID   (1u << 21)

#define VCPU_CR0_PE (1u << 0)
#define VCPU_CR0_MP (1u << 1)
#define VCPU_CR0_EM (1u << 2)
#define VCPU_CR0_TS (1u << 3)
#define VCPU_CR0_ET (1u << 4)
#define VCPU_CR0_NE (1u << 5)
#define VCPU_CR0_WP (1u << 16)
#define VCPU_CR0_AM (1u << 18)
#define VCPU_CR0_NW (1u << 29)
#define VCPU_CR0_CD (1u << 30)
#define VCPU_CR0_PG (1u << 31)

#define VCPU_CR4_VME        (1u << 0)
#define VCPU_CR4_PVI        (1u << 1)
#define VCPU_CR4_TSD        (1u << 2)
#define VCPU_CR4_DE         (1u << 3)
#define VCPU_CR4_PSE        (1u << 4)
#define VCPU_CR4_PAE        (1u << 5)
#define VCPU_CR4_MCE        (1u << 6)
#define VCPU_CR4_PGE        (1u << 7)
#define VCPU_CR4_PCE        (1u << 8)
#define VCPU_CR4_OSFXSR     (1u << 9)
#define VCPU_CR4_OSXMMEXCPT (1u << 10)

#define VCPU_EFER_NXE (1u << 11)

/* In the order of the encodings, as in monitor/instructions/decode.h; then the two system ones. */
enum vcpu_segment { VCPU_ES, VCPU_CS, VCPU_SS, VCPU_DS, VCPU_FS, VCPU_GS, VCPU_SEGMENTS };
enum vcpu_register {
	VCPU_EAX,
	VCPU_ECX,
	VCPU_EDX,
	VCPU_EBX,
	VCPU_ESP,
	VCPU_EBP,
	VCPU_ESI,
	VCPU_EDI,
	VCPU_REGISTERS
};

/* A segment register, the hidden part included. `attributes` is the descriptor's second word from
 * bit 8 on: type, S, DPL, P in bits 0 to 7, AVL, -, D/B, G in bits 12 to 15. */
struct vcpu_segment_register {
	uint16_t selector;
	uint16_t attributes;
	bool usable; /* false after a null selector was loaded */
	uint32_t base;
	uint32_t limit; /* in bytes, granularity applied: the last valid offset */
};

#define VCPU_ATTRIBUTE_TYPE      0x000Fu
#define VCPU_ATTRIBUTE_ACCESSED  0x0001u
#define VCPU_ATTRIBUTE_WRITABLE  0x0002u /* data */
#define VCPU_ATTRIBUTE_READABLE  0x0002u /* code */
#define VCPU_ATTRIBUTE_DOWN      0x0004u /* data: expands down */
#define VCPU_ATTRIBUTE_CONFORMS  0x0004u /* code */
#define VCPU_ATTRIBUTE_CODE      0x0008u
#define VCPU_ATTRIBUTE_S         0x0010u /* code or data, not a system descriptor */
#define VCPU_ATTRIBUTE_DPL_SHIFT 5
#define VCPU_ATTRIBUTE_PRESENT   0x0080u
#define VCPU_ATTRIBUTE_BIG       0x4000u /* D or B: 32 bits */
#define VCPU_ATTRIBUTE_GRANULAR  0x8000u

struct vcpu_table {
	uint32_t base;
	uint16_t limit;
};

/* What is on its way to the guest. A fault is raised by whoever finds it and delivered by
 * monitor/cpu/events.c before the next instruction. */
struct vcpu_event {
	bool pending;
	uint8_t vector;
	bool has_error;
	bool is_fault;       /* eip is that of the instruction; RF is set in the pushed image */
	bool is_software;    /* int n, int3, into: checks the gate's DPL, EXT is clear */
	bool by_instruction; /* int n and its kin: a failing delivery goes back to instruction_eip
	                      */
	uint32_t error;
};

/* For the report after a triple fault: what happened, in order, with the registers then. */
struct vcpu_chain_link {
	uint8_t vector;
	uint32_t error, eip, esp, cr2;
	uint16_t cs, ss;
};

#define VCPU_CHAIN_MAX 3
#define VCPU_TLB_SIZE  512

#define VCPU_TLB_LARGE_WORDS 32

/* The interpreter's own translation buffer: what a walk found. A tag of 0 is an empty entry. */
struct vcpu_tlb_entry {
	uint32_t tag;    /* the linear page with bit 0 set */
	uint16_t rights; /* memory/linear.h */
	bool global;
	bool listed;   /* in tlb_listed; it may have become global since */
	uint64_t page; /* guest-physical */
	uint8_t *ram;  /* the page in our memory; NULL where the guest has none */
};

struct vcpu {
	struct vm *vm;

	/* Registers: whoever runs instructions. */
	uint32_t registers[VCPU_REGISTERS];
	uint32_t eip;
	uint32_t instruction_eip; /* where the instruction that runs has begun */
	uint32_t eflags;          /* complete: arithmetic, IF, IOPL, VM as the guest sees them */

	/* cpu/segments.c */
	struct vcpu_segment_register segments[VCPU_SEGMENTS];
	struct vcpu_segment_register ldtr, tr;
	struct vcpu_table gdtr, idtr;
	uint8_t cpl;
	uint32_t loads; /* of ES, DS, FS, GS, GDTR, LDTR: whoever changes one counts it, and who
	                   remembers them looks whether it moved */

	/* cpu/control.c */
	uint32_t cr0, cr2, cr3, cr4;
	uint64_t pdptes[4]; /* with PAE: read at a load of CR3, not at each walk */
	uint32_t debug[8];  /* DR0 to DR3, DR6, DR7; 4 and 5 are not used */

	/* cpu/identity.c */
	uint64_t efer;
	uint32_t sysenter_cs, sysenter_esp, sysenter_eip;
	uint64_t tsc_offset;          /* of the guest's counter from the real one, */
	uint64_t tsc_adjust;          /* and what of it the guest has made */
	uint8_t machine_check_status; /* written and read back; nothing ever sets it */
	uint64_t pat; /* memory types: they change nothing here but what is read back */

	/* cpu/events.c */
	struct vcpu_event event;
	bool delivering;       /* an event is being delivered; the one in `chain` last */
	uint32_t chain_length; /* faults since an instruction last completed */
	struct vcpu_chain_link chain[VCPU_CHAIN_MAX];
	bool interrupt_shadow; /* the instruction after sti, mov ss, pop ss */
	bool debug_shadow;     /* mov ss, pop ss only: holds debug exceptions off too */
	bool debug_trap;       /* TF was set when the instruction began: #DB when it ends */
	uint32_t debug_met;    /* bits of DR6 that the instruction has earned: #DB when it ends */
	bool keeps_resume;     /* iret and task switches: RF is the next instruction's */
	bool nmi_pending, nmi_blocked;
	bool halted;

	/* instructions/: x87, MMX and SSE as fxsave lays them out. */
	uint8_t fpu[512] __attribute__((aligned(16)));

	/* memory/linear.c */
	struct vcpu_tlb_entry tlb[VCPU_TLB_SIZE];
	uint16_t tlb_listed[VCPU_TLB_SIZE]; /* entries that a load of CR3 empties */
	uint32_t tlb_listed_count;
	bool tlb_has_global;                      /* the others are all listed */
	uint32_t tlb_large[VCPU_TLB_LARGE_WORDS]; /* a bit for each 4 MB with large pages */
	/* Of anything: who remembers a translation looks whether it moved. Of those by invlpg, and
	 * the last of these. */
	uint32_t flushes, page_flushes, flushed_page;

	/* Counted by the run loop and the engines. */
	uint64_t instructions;
};

#endif
