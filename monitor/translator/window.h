/* The window: what translated code reaches through GS, shared with the host.
 *
 * Two pages. The second holds nothing but the guest's interrupt flag, so that it can be made
 * read-only while an interrupt waits: then only the store that may let it in faults. Everything in
 * here can be overwritten by the guest where the processor does not enforce limits, so the host
 * believes none of it that matters to anybody but this guest. */
#ifndef MONITOR_TRANSLATOR_WINDOW_H
#define MONITOR_TRANSLATOR_WINDOW_H

#include <stddef.h>
#include <stdint.h>

#define WINDOW_PAGE      4096
#define WINDOW_JUMPS     256
#define WINDOW_SELECTORS 6

/* The flag is one of two values. Neither is 0, which has a meaning of its own in popf_table, and
 * bit 9 is where EFLAGS has it. */
#define WINDOW_INTERRUPTS_OFF 0x001u
#define WINDOW_INTERRUPTS_ON  0x201u

/* What a pushed image of the real flags and the flag above are too large by: the real IF is always
 * on. */
#define WINDOW_FLAGS_EXCESS 0x201u

struct translator_window {
	uint32_t target;                      /* where an indirect transfer or a return goes */
	uint32_t ecx, edx;                    /* the guest's, while a sequence uses the registers */
	uint32_t system_flags;                /* IOPL, less WINDOW_FLAGS_EXCESS */
	uint32_t cr[5];                       /* for reading; CR1 does not exist */
	uint32_t selectors[WINDOW_SELECTORS]; /* what the guest has loaded, by enum vcpu_segment */

	/* By bits 8 to 15 of the image that popf takes: the interrupt flag that it brings, or 0
	 * when it has to be interpreted (TF, another IOPL). */
	uint16_t popf_table[256];

	/* Cache offsets: by the low byte of a return address, and by a hash of other targets. */
	uint32_t returns[WINDOW_JUMPS];
	uint32_t jumps[WINDOW_JUMPS];

	uint8_t rest_of_page[WINDOW_PAGE - 15 * 4 - 512 - 2 * WINDOW_JUMPS * 4];
	uint32_t interrupt_flag;
	uint8_t rest_of_flag_page[WINDOW_PAGE - 4];
};

_Static_assert(offsetof(struct translator_window, target) == 0x00, "as translated code has it");
_Static_assert(offsetof(struct translator_window, ecx) == 0x04, "as translated code has it");
_Static_assert(offsetof(struct translator_window, cr) == 0x10, "as translated code has it");
_Static_assert(offsetof(struct translator_window, selectors) == 0x24, "as translated code has it");
_Static_assert(offsetof(struct translator_window, popf_table) == 0x3C, "as translated code has it");
_Static_assert(offsetof(struct translator_window, returns) == 0x23C, "as translated code has it");
_Static_assert(offsetof(struct translator_window, jumps) == 0x63C, "as translated code has it");
_Static_assert(offsetof(struct translator_window, interrupt_flag) == WINDOW_PAGE,
               "the flag has a page of its own");
_Static_assert(sizeof(struct translator_window) == 2 * WINDOW_PAGE, "two whole pages");

#endif
