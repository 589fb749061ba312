/* Traps and interrupts of the real processor: the IDT and the one table of handlers.
 *
 * Every vector comes in through one of 256 stubs with the same frame. A handler that returns
 * true has dealt with it; a trap that nobody deals with is a panic that names it. */
#ifndef KERNEL_TRAPS_H
#define KERNEL_TRAPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TRAP_VECTORS      256
#define TRAP_DEBUG        1
#define TRAP_NMI          2
#define TRAP_DOUBLE_FAULT 8
#define TRAP_STACK        12
#define TRAP_PROTECTION   13
#define TRAP_PAGE_FAULT   14
#define TRAP_EXCEPTIONS   32

/* What the stubs leave on the stack; esp and ss only exist when the trap changed rings. */
struct trap_frame {
	uint32_t gs, fs, es, ds;
	uint32_t edi, esi, ebp, pushad_esp, ebx, edx, ecx, eax;
	uint32_t vector, error;
	uint32_t eip, cs, eflags;
	uint32_t esp, ss;
};
_Static_assert(offsetof(struct trap_frame, vector) == 48, "what trap_stubs.asm pushes");
_Static_assert(offsetof(struct trap_frame, esp) == 68, "what trap_stubs.asm pushes");

typedef bool (*trap_handler)(struct trap_frame *frame);

/* Segments, IDT and the double fault's task; before this a fault is a reset. */
void traps_start(uint32_t double_fault_stack_top);

/* Once there are page tables: from now on an NMI finds its way also between the loads of another
 * GDT and of another IDT, in either order. */
void traps_expect_other_tables(void);

/* Segments and IDT again, after somebody else's. */
void traps_reload(void);

/* What the stubs call; also for an interrupt that came in through another IDT than ours. */
void trap_dispatch(struct trap_frame *frame);

void traps_connect(uint8_t vector, trap_handler handler);

/* "#PF" for 14; NULL for a vector that is no exception. */
const char *traps_mnemonic(uint32_t vector);

/* The stack pointer at the moment of the trap. */
uint32_t traps_stack_pointer(const struct trap_frame *frame);

/* Ends a handler of NMIs in ring 0 that has pushed EAX. No iret goes back: the code segment there
 * may be one that is in the table no more, and ours does as well. The next iret lets NMIs in again.
 */
#define TRAPS_RETURN_FROM_NMI        \
	"movl 4(%%esp), %%eax\n\t"   \
	"xchgl %%eax, 12(%%esp)\n\t" \
	"movl %%eax, 8(%%esp)\n\t"   \
	"popl %%eax\n\t"             \
	"leal 4(%%esp), %%esp\n\t"   \
	"popfl\n\t"                  \
	"ret"

#endif
