/* Attempts on what the processor reads by itself: directories, the task's port map and stack, code
 * that changes under it, and interrupts in the middle of it all. */
#include "guest/attack/random/attempt.h"
#include "guest/library/cpu.h"
#include "guest/library/interrupts.h"
#include "guest/library/memory.h"
#include "guest/library/print.h"
#include "guest/library/test.h"

#define HARMLESS_PORT 0x80 /* and some behind it */
#define PORTS         12
#define FAR_MAP       0xFFFFu
#define STACK_ROOM    0x800u /* what the guest's own handlers may need */
#define OWN_MAP       __builtin_offsetof(struct segment_task, io_bitmap)
#define BLOCK_MOST    12
#define CODE_ROOM     0x100u

SNIPPET(look, "movl (%ecx), %eax");
SNIPPET(change, "movl $0x55AA1234, (%ecx); movl (%ecx), %eax");
SNIPPET(jump_there, "call *%ecx");
SNIPPET(fault_there, "ud2");
SNIPPET(privileged_there, "clts");
SNIPPET(divide_there, "xorl %edx, %edx; xorl %ecx, %ecx; divl %ecx");
SNIPPET(port_in8, "movl %ecx, %edx; inb %dx, %al; xorl %eax, %eax");
SNIPPET(port_in16, "movl %ecx, %edx; inw %dx, %ax; xorl %eax, %eax");
SNIPPET(port_in32, "movl %ecx, %edx; inl %dx, %eax; xorl %eax, %eax");
SNIPPET(port_out8, "movl %ecx, %edx; xorl %eax, %eax; outb %al, %dx");

/* Registers, flags and stack must be after each interrupt what they were before it. */
SNIPPET(work, "pushl %ebx; pushl %esi; movl %ecx, %esi; movl $0x13579BDF, %ebx; xorl %eax, %eax\n"
              "1: addl %ebx, %eax; pushl %eax; roll $5, %eax; popl %edx; xorl %edx, %eax;"
              "stc; adcl $0, %eax; decl %esi; jnz 1b; popl %esi; popl %ebx");
SNIPPET(work_open,
        "pushl %ebx; pushl %esi; movl %ecx, %esi; movl $0x13579BDF, %ebx; xorl %eax, %eax\n"
        "1: sti; addl %ebx, %eax; pushfl; pushl %eax; cli; roll $5, %eax; popl %edx;"
        "xorl %edx, %eax; popfl; decl %esi; jnz 1b; cli; popl %esi; popl %ebx");

/* Any rights in the directory over a page with its own, accessed bits and all. */
void try_directory(void)
{
	static const struct operation operations[] = {OPERATION(look), OPERATION(change),
	                                              OPERATION(jump_there)};
	static const uint32_t rights[] = {IDENTITY, IDENTITY, PAGE_PRESENT | PAGE_USER,
	                                  PAGE_PRESENT | PAGE_WRITE};
	const uint32_t flags = PAGE_USER | PAGE_WRITE | PAGE_WT | PAGE_CD | PAGE_A | PAGE_D;
	const struct operation *operation = &operations[CHOOSE(operations)];
	unsigned ring = pick_ring(), frame;
	uint32_t page = map_place(rights[CHOOSE(rights)], &frame);
	uint32_t at = page + pick(PAGE_SIZE / 4 - 1) * 4;
	uint64_t before = paging_directory_entry(&paging, page);

	frames[frame][at % PAGE_SIZE] = 0xC3; /* ret */
	paging_set_directory_entry(&paging, page,
	                           (before & ~0x7Full) | (pick(0x80) & flags) |
	                                   (pick(4) ? PAGE_PRESENT : 0));
	paging_flush_all();
	run(operation, ring, at);
	paging_set_directory_entry(&paging, page, before);
	paging_flush_all();
}

/* A map of any bits, that begins where it does, late, at the end of the task or past it. */
void try_port(void)
{
	static const struct operation operations[] = {OPERATION(port_in8), OPERATION(port_in16),
	                                              OPERATION(port_in32), OPERATION(port_out8)};
	static const uint32_t begins[] = {OWN_MAP,
	                                  OWN_MAP,
	                                  OWN_MAP,
	                                  OWN_MAP + 1,
	                                  sizeof(segment_task) - HARMLESS_PORT / 8 - 2,
	                                  sizeof(segment_task) - 1,
	                                  FAR_MAP};

	for (unsigned i = 0; i < PORTS; i++)
		segment_task.io_bitmap[HARMLESS_PORT / 8 + i / 4] = (uint8_t)pick(0x100);
	segment_task.tss.io_map = (uint16_t)begins[CHOOSE(begins)];
	run(&operations[CHOOSE(operations)], 3, HARMLESS_PORT + pick(PORTS));
	segment_task.tss.io_map = OWN_MAP;
	memset(segment_task.io_bitmap, 0xFF, HARMLESS_PORT / 8 + PORTS);
}

/* The stack for ring 0 lies in any of the pages when ring 3 faults. */
void try_stack(void)
{
	static const struct operation operations[] = {
	        OPERATION(fault_there), OPERATION(privileged_there), OPERATION(divide_there)};
	uint32_t before = segment_task.tss.stack[0].esp;
	unsigned frame;
	uint32_t page = map_place(PAGE_PRESENT | PAGE_WRITE, &frame);

	segment_task.tss.stack[0].esp = page + STACK_ROOM + pick(PAGE_SIZE - STACK_ROOM);
	run(&operations[CHOOSE(operations)], 3, page);
	segment_task.tss.stack[0].esp = before;
	/* What traps left there is not the same everywhere: QEMU's TCG pushes no RF. */
	memset(frames[frame], 0, PAGE_SIZE);
}

/* Instructions with an immediate, between stores into the immediates of others, before and behind.
 */
struct code {
	uint8_t *bytes;
	uint32_t size, immediates[BLOCK_MOST], stores[BLOCK_MOST];
	unsigned immediate_count, store_count;
};

static void put(struct code *code, uint8_t byte)
{
	code->bytes[code->size++] = byte;
}

static void put_long(struct code *code, uint32_t value)
{
	for (unsigned i = 0; i < 4; i++, value >>= 8)
		put(code, (uint8_t)value);
}

static void put_instruction(struct code *code, unsigned kind)
{
	static const uint8_t with_immediate[] = {0x05, 0x35, 0x2D, 0xB8}; /* add xor sub mov eax */

	if (kind >= sizeof(with_immediate)) {
		put(code, 0xC6); /* mov byte [address], value */
		put(code, 0x05);
		code->stores[code->store_count++] = code->size;
		put_long(code, 0);
		put(code, (uint8_t)pick(0x100));
		return;
	}
	put(code, with_immediate[kind]);
	code->immediates[code->immediate_count++] = code->size;
	put_long(code, pick(0xFFFFFFFF));
}

static void make_code(struct code *code, uint32_t linear)
{
	unsigned count = 2 + pick(BLOCK_MOST - 2);

	put_instruction(code, 3);
	for (unsigned i = 1; i < count; i++)
		put_instruction(code, pick(7));
	put(code, 0xC3);
	for (unsigned i = 0; i < code->store_count; i++) {
		uint32_t target = linear + code->immediates[pick(code->immediate_count)] + pick(4);
		memcpy(code->bytes + code->stores[i], &target, sizeof(target));
	}
}

/* Twice as it changes itself, then changed by ring 0 under another address, and once more. */
void try_own_code(void)
{
	static const struct operation operation = {"own_code", jump_there};
	unsigned ring = pick_ring(), frame;
	uint32_t page = map_place(IDENTITY, &frame);
	uint32_t offset = pick(PAGE_SIZE - CODE_ROOM);
	struct code code = {.bytes = frames[frame] + offset};

	make_code(&code, page + offset);
	for (unsigned i = 0; i < 2; i++)
		run(&operation, ring, page + offset);
	code.bytes[code.immediates[pick(code.immediate_count)] + pick(4)] ^=
	        (uint8_t)(1 + pick(255));
	run(&operation, ring, page + offset);
}

static volatile uint32_t interrupts_seen;

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

/* Interrupts as fast as the timer gives them, while user code or the kernel works. */
void try_storm(void)
{
	static const struct operation operation = {"work", work}, open = {"work_open", work_open};
	static const uint32_t rates[] = {200, 500, 1000};
	unsigned ring = pick_ring();
	uint32_t rounds = 1 + pick(200);

	interrupt_unmask(IRQ_TIMER);
	timer_start_periodic(rates[CHOOSE(rates)]);
	report(ring ? &operation : &open, ring, rounds,
	       ring ? call_in_ring(ring, work, rounds) : catch_call(work_open, rounds));
	interrupt_mask(IRQ_TIMER);
}

void machinery_start(void)
{
	trap_set_handler(VECTOR_IRQ0 + IRQ_TIMER, on_timer);
	trap_set_handler(VECTOR_IRQ0 + 7, on_spurious);
}
