#include "guest/mini_kernel/faults.h"

#include "guest/library/cpu.h"
#include "guest/library/print.h"
#include "guest/mini_kernel/counters.h"
#include "guest/mini_kernel/layout.h"
#include "guest/mini_kernel/panic.h"
#include "guest/mini_kernel/tasks.h"

#define FAULT_WRITE  0x2
#define FIRST_IRQ    32
#define STATUS_CRASH 0x100

static bool fault_is_from_program(const struct trap_frame *frame)
{
	return (frame->cs & 3) == 3;
}

static void fault_describe(const struct trap_frame *frame, uint32_t address)
{
	if (frame->vector == VECTOR_PF)
		print("it may not %s 0x%08x", frame->error_code & FAULT_WRITE ? "write" : "read",
		      address);
	else
		print("%s, error code %x", trap_name((uint8_t)frame->vector), frame->error_code);
}

static void fault_end_task(const struct trap_frame *frame, uint32_t address)
{
	const struct task *task = task_current();
	counters.tasks_crashed++;
	print("kernel: task %u (%s) is stopped at 0x%08x: ", task->id, task->name, frame->eip);
	fault_describe(frame, address);
	print("\n");
	task_exit(STATUS_CRASH | frame->vector);
}

static void fault_exception(struct trap_frame *frame)
{
	if (!fault_is_from_program(frame))
		panic_at("an exception in the kernel", frame);
	fault_end_task(frame, 0);
}

static void fault_page(struct trap_frame *frame)
{
	/* Read before interrupts are on again: the next fault would overwrite it. */
	uint32_t address = cpu_read_cr2();
	struct task *task = task_current();
	bool program = fault_is_from_program(frame);
	if (!task || (!program && address >= KERNEL_BASE))
		panic_at("a page fault in the kernel", frame);
	counters.page_faults++;
	/* The kernel touches programs' memory only after space_allows, so this is want of memory.
	 */
	if (!space_fault(&task->space, address, frame->error_code & FAULT_WRITE))
		fault_end_task(frame, address);
	if (program)
		task_before_return(frame);
}

void faults_init(void)
{
	for (uint8_t vector = 0; vector < FIRST_IRQ; vector++)
		trap_set_handler(vector, fault_exception);
	trap_set_handler(VECTOR_PF, fault_page);
}
