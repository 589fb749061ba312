#include "guest/mini_kernel/calls.h"

#include "guest/library/console.h"
#include "guest/library/cpu.h"
#include "guest/library/memory.h"
#include "guest/library/print.h"
#include "guest/library/stop.h"
#include "guest/mini_kernel/counters.h"
#include "guest/mini_kernel/frames.h"
#include "guest/mini_kernel/input.h"
#include "guest/mini_kernel/tasks.h"
#include "guest/mini_kernel/upcalls.h"

#define FAILED       ((uint32_t)-1)
#define LARGEST_COPY 4096u

typedef uint32_t call_function(struct trap_frame *frame);

/* Missing pages of an allowed range come through the page fault handler, in ring 0 as in ring 3. */
static bool call_may_read(uint32_t address, uint32_t size)
{
	return space_allows(&task_current()->space, address, size, false);
}

static bool call_may_write(uint32_t address, uint32_t size)
{
	return space_allows(&task_current()->space, address, size, true);
}

/* A text that ends within `size` bytes; the copy is filled up with zeros. */
static bool call_copy_text(char *to, uint32_t from, uint32_t size)
{
	memset(to, 0, size);
	for (uint32_t i = 0; i < size; i++) {
		if (!call_may_read(from + i, 1))
			return false;
		to[i] = *(const char *)(uintptr_t)(from + i);
		if (!to[i])
			return true;
	}
	return false;
}

static uint32_t call_exit(struct trap_frame *frame)
{
	task_exit(frame->ebx);
}

static uint32_t call_fork(struct trap_frame *frame)
{
	return task_fork(frame);
}

static uint32_t call_exec(struct trap_frame *frame)
{
	char name[TASK_NAME_SIZE], argument[TASK_ARGUMENT];
	if (!call_copy_text(name, frame->ebx, sizeof(name)) ||
	    !call_copy_text(argument, frame->ecx, sizeof(argument)) ||
	    !task_exec(frame, name, argument))
		return FAILED;
	return 0;
}

static uint32_t call_wait(struct trap_frame *frame)
{
	uint32_t status;
	if (!call_may_write(frame->ebx, sizeof(status)))
		return FAILED;
	cpu_disable_interrupts();
	uint32_t child = task_wait(&status);
	cpu_enable_interrupts();
	if (child != FAILED)
		*(uint32_t *)(uintptr_t)frame->ebx = status;
	return child;
}

static uint32_t call_yield(struct trap_frame *frame)
{
	(void)frame;
	cpu_disable_interrupts();
	task_yield();
	cpu_enable_interrupts();
	return 0;
}

static uint32_t call_sleep(struct trap_frame *frame)
{
	cpu_disable_interrupts();
	task_current()->wake_tick = counters.ticks + frame->ebx;
	task_wait_as(TASK_SLEEPING);
	cpu_enable_interrupts();
	return 0;
}

static uint32_t call_identity(struct trap_frame *frame)
{
	(void)frame;
	return task_current()->id;
}

static uint32_t call_write(struct trap_frame *frame)
{
	if (frame->ecx > LARGEST_COPY || !call_may_read(frame->ebx, frame->ecx))
		return FAILED;
	for (uint32_t i = 0; i < frame->ecx; i++)
		console_put(((const char *)(uintptr_t)frame->ebx)[i]);
	return frame->ecx;
}

static uint32_t call_read(struct trap_frame *frame)
{
	(void)frame;
	cpu_disable_interrupts();
	while (!input_is_waiting())
		task_wait_as(TASK_READING);
	char byte = input_take();
	cpu_enable_interrupts();
	return (uint8_t)byte;
}

static uint32_t call_map(struct trap_frame *frame)
{
	return space_map(&task_current()->space, frame->ebx, frame->ecx) ? 0 : FAILED;
}

static uint32_t call_unmap(struct trap_frame *frame)
{
	return space_unmap(&task_current()->space, frame->ebx, frame->ecx) ? 0 : FAILED;
}

static uint32_t call_upcall(struct trap_frame *frame)
{
	task_current()->upcall = frame->ebx;
	return 0;
}

static uint32_t call_raise(struct trap_frame *frame)
{
	struct task *task = task_find(frame->ebx);
	if (!task || task->state == TASK_ENDED || !task->upcall)
		return FAILED;
	task->upcalls_due++;
	return 0;
}

static uint32_t call_resume(struct trap_frame *frame)
{
	if (!upcall_resume(task_current(), frame, frame->ebx))
		return FAILED;
	return frame->eax;
}

static uint32_t call_counters(struct trap_frame *frame)
{
	if (!call_may_write(frame->ebx, sizeof(counters)))
		return FAILED;
	/* Touch it first, so that the copy is not changed by the fault that it causes. */
	memset((void *)(uintptr_t)frame->ebx, 0, sizeof(counters));
	counters.frames_free = frames_free();
	counters.frames_total = frames_total();
	memcpy((void *)(uintptr_t)frame->ebx, &counters, sizeof(counters));
	return 0;
}

static uint32_t call_tasks(struct trap_frame *frame)
{
	static const char *const states[] = {
	        [TASK_FREE] = "",
	        [TASK_READY] = "ready",
	        [TASK_SLEEPING] = "sleeping",
	        [TASK_WAITING] = "waiting",
	        [TASK_READING] = "reading",
	        [TASK_ENDED] = "ended",
	};
	(void)frame;
	print("  task parent state    ticks pages program\n");
	for (unsigned i = 0; i < TASKS; i++) {
		const struct task *task = task_slot(i);
		if (task->state == TASK_FREE)
			continue;
		print("  %4u %6u %-8s %5u %5u %s\n", task->id, task->parent,
		      task == task_current() ? "running" : states[task->state], task->ticks,
		      space_pages(&task->space), task->name);
	}
	return 0;
}

static uint32_t call_power_off(struct trap_frame *frame)
{
	(void)frame;
	cpu_disable_interrupts();
	stop_power_off();
}

static call_function *const call_functions[CALL_COUNT] = {
#define CALL(name, text) [CALL_##name] = call_##name,
#include "guest/mini_kernel/calls.def"
#undef CALL
};

static void calls_enter(struct trap_frame *frame)
{
	counters.system_calls++;
	cpu_enable_interrupts();
	frame->eax = frame->eax < CALL_COUNT ? call_functions[frame->eax](frame) : FAILED;
	cpu_disable_interrupts();
	task_before_return(frame);
}

void calls_init(void)
{
	trap_set_handler(CALL_VECTOR, calls_enter);
	trap_set_dpl(CALL_VECTOR, 3);
}
