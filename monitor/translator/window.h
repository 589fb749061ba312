/* The window: what translated code reaches through GS, shared with the host.
 *
 * Its second page holds nothing but the guest's interrupt flag, so that it can be made read-only
 * while an interrupt waits: then only the store that may let it in faults. In the guest world the
 * third page is the second one once more, always writable, for stores that turn interrupts off.
 * Behind it lie tables that ring 1 only reads. Everything before can be overwritten by the guest
 * where the processor does not enforce limits, so the host believes none of it that matters to
 * anybody but this guest. */
#ifndef MONITOR_TRANSLATOR_WINDOW_H
#define MONITOR_TRANSLATOR_WINDOW_H

#include <stddef.h>
#include <stdint.h>

#define WINDOW_PAGE      4096
#define WINDOW_RETURNS   65536
#define WINDOW_JUMPS     16384
#define WINDOW_SELECTORS 6

#define WINDOW_ALL_SELECTORS 65536u
#define WINDOW_FLAGS         65536u

/* The flag is one of two values. Neither is 0, which has a meaning of its own in popf_table, and
 * bit 9 is where EFLAGS has it. */
#define WINDOW_INTERRUPTS_OFF 0x001u
#define WINDOW_INTERRUPTS_ON  0x201u

/* What a pushed image of the real flags and the flag above are too large by: the real IF is always
 * on. */
#define WINDOW_FLAGS_EXCESS 0x201u

/* A selector that faults when ring 1 loads it: the fault leads to the interpreter. */
#define WINDOW_NOT_LOADABLE 0xFFF8u

struct window_frame {
	uint32_t eip, cs, eflags, esp, ss;
};

struct translator_window {
	uint32_t target;                      /* where an indirect transfer or a return goes */
	uint32_t ecx, edx;                    /* the guest's, while a sequence uses the registers */
	uint32_t system_flags;                /* IOPL, less WINDOW_FLAGS_EXCESS */
	uint32_t cr[5];                       /* for reading; CR1 does not exist */
	uint32_t selectors[WINDOW_SELECTORS]; /* what the guest has loaded, by enum vcpu_segment */

	/* By bits 8 to 15 of the image that popf takes: the interrupt flag that it brings, or 0
	 * when it has to be interpreted (TF, another IOPL). */
	uint16_t popf_table[256];

	uint32_t self;                 /* the selector of the window */
	uint32_t stack;                /* that of ring 1's stack behind a gate */
	uint32_t loading;              /* the guest's, that is being loaded */
	uint32_t new_flags;            /* the image that iret takes */
	struct window_frame from_user; /* what a gate pushes, on a stack that ends here */
	uint32_t fault_error;          /* the guest's, of a fault of user code */
	uint32_t site;                 /* eip of the iret that is being done */
	uint32_t operand;              /* of an instruction that the host answers at once */
	uint32_t product;              /* the middle of it is the hash of a target */
	uint32_t blocks_left;          /* limit.c */
	uint32_t cr0_without_ts;       /* what clts makes of it */

	/* What reads of a port give (inline_in). */
	uint32_t answer_port; /* in its lower half: the negative of the port */
	uint32_t answer_value, answer_missing;
	uint32_t answers; /* that were taken */

	uint8_t rest_of_page[WINDOW_PAGE - 34 * 4 - 512];

	uint32_t interrupt_flag;
	uint32_t lets_in; /* written by what lets interrupts in without that flag */
	uint8_t rest_of_flag_page[WINDOW_PAGE - 2 * 4];

	uint32_t flag_again; /* interrupt_flag */
	uint8_t rest_of_flag_again[WINDOW_PAGE - 4];

	/* Cache offsets, by the low byte of the CS that iret is to take. */
	uint32_t returns_by_cs[256];
	/* Whether iret to kernel code is for us, by bits 16 to 23 of the image of the flags. */
	uint8_t high_flags[256];
	/* Whether loading CS with a selector below 256 changes nothing. */
	uint8_t same_code[256];
	uint8_t rest_of_tables[WINDOW_PAGE - 256 * 4 - 2 * 256];

	/* The same for user code, by bits 8 to 23. */
	uint8_t user_flags[WINDOW_FLAGS];

	/* What ring 1 is given for a selector of the guest. */
	uint16_t loadable[WINDOW_ALL_SELECTORS];

	/* Cache offsets, by a hash of a target that is not expected where it is jumped to. */
	uint32_t jumps[WINDOW_JUMPS];

	/* Cache offsets, by the lower half of a return address: where the call that it belongs to
	 * is gone on from. */
	uint32_t returns[WINDOW_RETURNS];
};

_Static_assert(offsetof(struct translator_window, target) == 0x00, "as translated code has it");
_Static_assert(offsetof(struct translator_window, ecx) == 0x04, "as translated code has it");
_Static_assert(offsetof(struct translator_window, cr) == 0x10, "as translated code has it");
_Static_assert(offsetof(struct translator_window, selectors) == 0x24, "as translated code has it");
_Static_assert(offsetof(struct translator_window, popf_table) == 0x3C, "as translated code has it");
_Static_assert(offsetof(struct translator_window, interrupt_flag) == WINDOW_PAGE,
               "the flag has a page of its own");
_Static_assert(offsetof(struct translator_window, returns_by_cs) == 3 * WINDOW_PAGE,
               "what is only read begins with a page");
_Static_assert(sizeof(struct translator_window) ==
                       4 * WINDOW_PAGE + WINDOW_FLAGS + WINDOW_ALL_SELECTORS * sizeof(uint16_t) +
                               WINDOW_JUMPS * sizeof(uint32_t) + WINDOW_RETURNS * sizeof(uint32_t),
               "whole pages");

#endif
