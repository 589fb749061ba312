#include "guest/library/cpu.h"
#include "guest/library/interrupts.h"
#include "guest/library/memory.h"
#include "guest/library/paging.h"
#include "guest/library/ports.h"
#include "guest/library/print.h"
#include "guest/library/start.h"
#include "guest/library/test.h"

#define BORDER      0xFFC00000u
#define IDENTITY    (PAGE_PRESENT | PAGE_WRITE | PAGE_USER)
#define MASTER_MASK 0x21
#define SCRATCH     0x3FF /* a register of the serial port that means nothing */
#define HARMLESS    0x80
#define OTHER_TSS   SEGMENT_FREE(0)
#define IOPL_3      (3u << EFLAGS_IOPL_N)
#define LATE        0xFFFF
#define SOON        200
#define FAR_MAP     0xFFFF /* an I/O bitmap as far behind the task's state as it can be */

/* The argument is the port, and above it what is written. */
SNIPPET_BEFORE(in8, "movl %ecx, %edx", "xorl %eax, %eax; inb %dx, %al");
SNIPPET_BEFORE(in32, "movl %ecx, %edx", "inl %dx, %eax");
SNIPPET_BEFORE(out8, "movl %ecx, %edx; movl %ecx, %eax; shrl $16, %eax", "outb %al, %dx");
SNIPPET_BEFORE(ins_there, "movl $0x80, %edx; movl %ecx, %edi", "insb");
SNIPPET_BEFORE(outs_there, "movl $0x80, %edx; movl %ecx, %esi", "outsb");
SNIPPET(halt, "hlt");
SNIPPET(disable, "cli; movl $0x40000, %ecx\n1: decl %ecx; jnz 1b; pushfl; popl %eax");
SNIPPET(pop_flags,
        "pushl %ecx; popfl; movl $0x40000, %ecx\n1: decl %ecx; jnz 1b; pushfl; popl %eax");
/* The controller's requests are polled with interrupts off until the timer's is there. */
SNIPPET(poll_request,
        "cli; movb $0x0A, %al; outb %al, $0x20\n1: inb $0x20, %al; testb $1, %al; jz 1b\n\t"
        "movl interrupts_seen, %edx; sti; nop; nop; cli; movl %edx, %eax");
SNIPPET(keep_flags_off, "pushl $2; popfl; pushl $2; pushl %cs; pushl $1f; iret\n"
                        "1: cmpl $0, interrupts_seen; je 1b");

volatile uint32_t interrupts_seen;
static struct paging paging;
static uint8_t wide_task[0x13000] __attribute__((aligned(4096)));

static void on_timer(struct trap_frame *frame)
{
	(void)frame;
	interrupts_seen++;
	interrupt_end(IRQ_TIMER);
}

/* A request that goes away before it is taken, as when the timer is set anew, comes as line 7. */
static void on_spurious(struct trap_frame *frame)
{
	if (interrupt_is_real(frame->vector - VECTOR_IRQ0))
		interrupt_end(frame->vector - VECTOR_IRQ0);
}

static void start_timer(void)
{
	timer_start_once(LATE);
	cpu_enable_interrupts();
	__asm__ volatile("nop; nop");
	cpu_disable_interrupts();
	interrupts_seen = 0;
	timer_start_once(SOON);
}

static void open_all(bool open)
{
	memset(segment_task.io_bitmap, open ? 0 : 0xFF, sizeof(segment_task.io_bitmap));
}

static uint32_t with(uint16_t port, uint8_t value)
{
	return port | (uint32_t)value << 16;
}

/* With every port open, ring 3 drives the guest's own devices, and reads what others say. */
static void check_devices(uint32_t flags)
{
	static const uint16_t readable[] = {0x40,  0x42,  0x60,  0x61,  0x64,  0x71,  0x92, 0x1F7,
	                                    0x3DA, 0x3FD, 0xCF8, 0xCF9, 0xCFC, 0x604, 0xB2, 0xFFFF};
	unsigned trapped = 0;
	uint8_t mask = port_read8(MASTER_MASK);
	test_returns(call_in_ring_with_flags(3, flags, out8, with(MASTER_MASK, 0xDB)),
	             "ring 3 masks interrupts");
	test_check(port_read8(MASTER_MASK) == 0xDB, "the controller has its mask");
	port_write8(MASTER_MASK, mask);
	test_value(call_in_ring_with_flags(3, flags, in8, MASTER_MASK), mask, "ring 3 reads it");
	test_returns(call_in_ring_with_flags(3, flags, out8, with(SCRATCH, 0x5C)),
	             "ring 3 writes to the serial port");
	test_check(port_read8(SCRATCH) == 0x5C, "the serial port has it");
	for (unsigned i = 0; i < sizeof(readable) / sizeof(*readable); i++)
		trapped += call_in_ring_with_flags(3, flags, in8, readable[i]).trapped;
	test_check(!trapped, "ring 3 reads many ports, and none traps");
	test_returns(call_in_ring_with_flags(3, flags, in32, 0xCF8), "a dword");
	test_traps(call_in_ring_with_flags(3, flags, halt, 0), VECTOR_GP, 0, "but hlt is no port");
}

static void check_strings(void)
{
	paging_map(&paging, BORDER, 0, 0);
	cpu_flush_page(BORDER);
	test_page_fault(call_in_ring(3, ins_there, BORDER + 8), FAULT_USER | FAULT_WRITE,
	                BORDER + 8, "ins from an open port to nowhere");
	test_page_fault(call_in_ring(3, outs_there, BORDER + 8), FAULT_USER, BORDER + 8,
	                "outs to an open port from nowhere");
	open_all(false);
	test_traps(call_in_ring(3, ins_there, BORDER + 8), VECTOR_GP, 0, "ins from a closed port");
	test_traps(call_in_ring(3, outs_there, BORDER + 8), VECTOR_GP, 0, "outs to a closed port");
}

static void load_tss(uint32_t base, uint32_t limit, unsigned flags)
{
	segment_set(OTHER_TSS, segment_make(base, limit, ACCESS_PRESENT | ACCESS_TSS, flags));
	__asm__ volatile("ltr %w0" : : "r"(OTHER_TSS) : "memory");
}

static void load_own_tss(void)
{
	segment_table[SEGMENT_TSS >> 3].access &= (uint8_t)~2u;
	__asm__ volatile("ltr %w0" : : "r"(SEGMENT_TSS) : "memory");
}

/* A bitmap that begins as far away as 16 bits can say, in a TSS longer than 64 KB. */
static void check_far_map(void)
{
	struct segment_tss *tss = (void *)wide_task;
	*tss = segment_task.tss;
	tss->io_map = FAR_MAP;
	memset(wide_task + sizeof(*tss), 0xFF, sizeof(wide_task) - sizeof(*tss));
	load_tss((uint32_t)(uintptr_t)wide_task, sizeof(wide_task) / PAGE_SIZE - 1, FLAG_PAGES);
	test_traps(call_in_ring(3, in8, HARMLESS), VECTOR_GP, 0, "a far bitmap: closed");
	wide_task[FAR_MAP + HARMLESS / 8] = 0xFE;
	test_returns(call_in_ring(3, in8, HARMLESS), "a far bitmap: open");
	test_traps(call_in_ring(3, in8, HARMLESS + 1), VECTOR_GP, 0, "a far bitmap: its neighbour");
	load_tss((uint32_t)(uintptr_t)wide_task, 0xFFFF, 0);
	memset(wide_task + FAR_MAP, 0, sizeof(wide_task) - FAR_MAP);
	test_traps(call_in_ring(3, in8, HARMLESS), VECTOR_GP, 0, "an open bitmap past the limit");
	tss->io_map = __builtin_offsetof(struct segment_tss, stack[0].ss);
	test_traps(call_in_ring(3, in8, 4), VECTOR_GP, 0, "the bitmap is SS0: closed by its bit 4");
	test_returns(call_in_ring(3, in8, 8), "the bitmap is SS0: open by its bit 8");
	load_own_tss();
}

/* A bitmap in the last 4 MB, there and not there. */
static void check_high_map(void)
{
	struct segment_tss *tss = (void *)wide_task;
	uint32_t base = BORDER - PAGE_SIZE;
	*tss = segment_task.tss;
	tss->io_map = PAGE_SIZE;
	memset(wide_task + PAGE_SIZE, 0xFF, 2 * PAGE_SIZE);
	for (uint32_t i = 0; i < 4 * PAGE_SIZE; i += PAGE_SIZE)
		paging_map(&paging, base + i, (uint32_t)(uintptr_t)wide_task + i, IDENTITY);
	paging_flush_all();
	load_tss(base, 0x3FFF, 0);
	test_traps(call_in_ring(3, in8, HARMLESS), VECTOR_GP, 0, "a bitmap at the border: closed");
	wide_task[PAGE_SIZE + HARMLESS / 8] = 0xFE;
	test_returns(call_in_ring(3, in8, HARMLESS), "a bitmap at the border: open");
	paging_map(&paging, BORDER, 0, 0);
	cpu_flush_page(BORDER);
	test_page_fault(call_in_ring(3, in8, HARMLESS), 0, BORDER + HARMLESS / 8,
	                "a bitmap that is not there");
	test_returns(call_in_ring_with_flags(3, IOPL_3, in8, HARMLESS),
	             "with IOPL 3 it is not asked");
	load_own_tss();
}

/* The interrupt flag belongs to whom IOPL lets: then interrupts wait, and come when it is set. */
static void check_interrupt_flag(void)
{
	struct outcome outcome = call_in_ring_with_flags(3, IOPL_3 | EFLAGS_IF, disable, 0);
	test_check(!outcome.trapped && !(outcome.value & EFLAGS_IF),
	           "ring 3, IOPL 3: cli and a loop");
	outcome = call_in_ring_with_flags(3, IOPL_3 | EFLAGS_IF, pop_flags, EFLAGS_FIXED);
	test_check(!outcome.trapped && !(outcome.value & EFLAGS_IF), "popf and a loop");
	start_timer();
	test_value(call_in_ring_with_flags(3, IOPL_3, poll_request, 0), 0,
	           "ring 3, IOPL 3, IF off: the timer's interrupt waits");
	test_check(interrupts_seen == 1, "and comes after sti");
	start_timer();
	test_value(catch_call(poll_request, 0), 0, "ring 0, IF off: the timer's interrupt waits");
	test_check(interrupts_seen == 1, "and comes after sti");
	start_timer();
	test_returns(call_in_ring_with_flags(3, EFLAGS_IF, keep_flags_off, 0),
	             "ring 3, IOPL 0, popf and iret without IF: interrupted all the same");
	test_traps(call_in_ring_with_flags(3, EFLAGS_IF, disable, 0), VECTOR_GP, 0, "cli");
}

void guest_main(const struct boot_info *boot)
{
	(void)boot;
	test_begin("ports", "ring 3 gets those ports and that interrupt flag which the guest's "
	                    "kernel gives it, and they are the guest's own");
	paging = paging_create(PAGING_TWO_LEVEL);
	paging_map_identity(&paging, IDENTITY);
	paging_enable(&paging, CR0_WP);
	trap_set_handler(VECTOR_IRQ0 + IRQ_TIMER, on_timer);
	trap_set_handler(VECTOR_IRQ0 + 7, on_spurious);
	interrupt_unmask(IRQ_TIMER);
	print("     every port open in the bitmap\n");
	open_all(true);
	check_devices(0);
	check_strings();
	print("     every port open by IOPL\n");
	check_devices(IOPL_3);
	check_far_map();
	check_high_map();
	check_interrupt_flag();
	test_end();
}
