#include "guest/mini_kernel/main.h"

#include "guest/library/console.h"
#include "guest/library/cpu.h"
#include "guest/library/interrupts.h"
#include "guest/library/memory.h"
#include "guest/library/print.h"
#include "guest/library/segments.h"
#include "guest/library/traps.h"
#include "guest/mini_kernel/calls.h"
#include "guest/mini_kernel/counters.h"
#include "guest/mini_kernel/faults.h"
#include "guest/mini_kernel/frames.h"
#include "guest/mini_kernel/input.h"
#include "guest/mini_kernel/layout.h"
#include "guest/mini_kernel/panic.h"
#include "guest/mini_kernel/tasks.h"

#define TIMER_RATE 100

extern uint32_t kernel_directory[1024];
extern char kernel_end[];

struct counters counters;
static struct boot_info boot;
static char command_line[256];

static void kernel_tick(struct trap_frame *frame)
{
	bool from_program = (frame->cs & 3) == 3;
	interrupt_end(IRQ_TIMER);
	task_tick(from_program);
	if (from_program)
		task_before_return(frame);
}

static void kernel_spurious(struct trap_frame *frame)
{
	unsigned irq = frame->vector - VECTOR_IRQ0;
	if (interrupt_is_real(irq))
		interrupt_end(irq);
}

/* What the loader left lies in low memory, which is mapped only until memory is ours. */
static void kernel_read_boot(uint32_t magic, uint32_t information)
{
	if (information >= BOOT_MEMORY)
		panic("the loader's information lies past the first 16 MB");
	boot_parse(&boot, magic, information);
	if (boot.protocol == BOOT_UNKNOWN)
		panic("it was started by a loader that is neither Multiboot 1 nor 2");
	memcpy(command_line, boot.command_line,
	       strnlen(boot.command_line, sizeof(command_line) - 1));
	boot.command_line = command_line;
}

static void kernel_forget_low_memory(void)
{
	memset(kernel_directory, 0, KERNEL_DIRECTORY * sizeof(uint32_t));
	cpu_write_cr3(layout_physical(kernel_directory));
}

static void kernel_start_interrupts(void)
{
	interrupts_init();
	trap_set_handler(VECTOR_IRQ0 + IRQ_TIMER, kernel_tick);
	trap_set_handler(VECTOR_IRQ0 + 7, kernel_spurious);
	trap_set_handler(VECTOR_IRQ0 + 15, kernel_spurious);
	timer_start_periodic(TIMER_RATE);
	interrupt_unmask(IRQ_TIMER);
	input_init();
}

static void kernel_print_banner(void)
{
	print("\n  mini_kernel: paging, tasks and a shell on a 32-bit PC\n");
	print("  -----------------------------------------------------\n");
	print("  started by  %s\n", boot_protocol_name(boot.protocol));
	print("  memory      %u page frames of 4 KB are free\n", frames_free());
	print("  kernel      0x%08x to 0x%08x, ring 0\n", KERNEL_BASE + 0x100000,
	      (uint32_t)(uintptr_t)kernel_end);
	print("  programs    0x%08x, ring 3, system calls by int 0x%x\n", PROGRAM_BASE,
	      CALL_VECTOR);
	print("  timer       %u ticks a second, each may preempt a task\n\n", TIMER_RATE);
}

/* What the first task does: its argument is the option's word, and the value that it has. */
static void kernel_first_argument(char *argument, uint32_t size)
{
	static const char *const modes[] = {"demo", "stress", "bench"};
	for (unsigned i = 0; i < sizeof(modes) / sizeof(*modes); i++) {
		const char *value = boot_find_option(&boot, modes[i]);
		if (!value)
			continue;
		uint32_t length = strlen(modes[i]);
		memcpy(argument, modes[i], length);
		argument[length++] = ' ';
		while (length < size - 1 && *value && *value != ' ')
			argument[length++] = *value++;
		return;
	}
}

void kernel_start(uint32_t magic, uint32_t information)
{
	char argument[TASK_ARGUMENT] = {0};
	console_init();
	segments_init();
	traps_init();
	kernel_read_boot(magic, information);
	frames_init(&boot);
	kernel_forget_low_memory();
	faults_init();
	calls_init();
	kernel_start_interrupts();
	kernel_print_banner();
	kernel_first_argument(argument, sizeof(argument));
	tasks_start("first", argument);
	tasks_run();
}
