#include "guest/mini_kernel/tasks.h"

#include "guest/library/cpu.h"
#include "guest/library/memory.h"
#include "guest/library/segments.h"
#include "guest/mini_kernel/counters.h"
#include "guest/mini_kernel/input.h"
#include "guest/mini_kernel/layout.h"
#include "guest/mini_kernel/panic.h"
#include "guest/mini_kernel/programs/programs.h"
#include "guest/mini_kernel/upcalls.h"

#define KERNEL_STACK 8192
#define FIRST_TASK   1

void task_switch(uint32_t *old_esp, uint32_t new_esp);
extern uint32_t kernel_directory[1024];

static const struct program {
	const char *name;
	void (*start)(const char *argument); /* in ring 3; never called from here */
} programs[] = {
#define PROGRAM(name, argument, text) {#name, program_##name},
#include "guest/mini_kernel/programs/programs.def"
#undef PROGRAM
};
#define PROGRAM_COUNT (sizeof(programs) / sizeof(*programs))

static struct task tasks[TASKS];
static uint8_t kernel_stacks[TASKS][KERNEL_STACK] __attribute__((aligned(16)));
static struct task *current; /* NULL: the idle loop */
static uint32_t idle_esp, last_id;
static bool switch_wanted;

struct task *task_current(void)
{
	return current;
}

struct task *task_slot(unsigned index)
{
	return &tasks[index];
}

struct task *task_find(uint32_t id)
{
	for (unsigned i = 0; i < TASKS; i++)
		if (tasks[i].state != TASK_FREE && tasks[i].id == id)
			return &tasks[i];
	return NULL;
}

static uint32_t task_stack_top(const struct task *task)
{
	return (uint32_t)(uintptr_t)&kernel_stacks[task - tasks + 1];
}

static void task_set_name(struct task *task, const char *name)
{
	memset(task->name, 0, TASK_NAME_SIZE);
	memcpy(task->name, name, strlen(name));
}

static struct task *task_new(const char *name)
{
	for (unsigned i = 0; i < TASKS; i++)
		if (tasks[i].state == TASK_FREE) {
			tasks[i] = (struct task){.id = ++last_id, .state = TASK_READY};
			task_set_name(&tasks[i], name);
			counters.tasks_started++;
			return &tasks[i];
		}
	return NULL;
}

/* A new task's kernel stack looks as if it had been switched away right before its return. */
static void task_prepare(struct task *task, const struct trap_frame *frame)
{
	struct trap_frame *copy = (void *)(uintptr_t)(task_stack_top(task) - sizeof(*frame));
	uint32_t *stack = (uint32_t *)copy;
	*copy = *frame;
	*--stack = (uint32_t)(uintptr_t)trap_return;
	stack -= 4; /* what task_switch pops */
	task->kernel_esp = (uint32_t)(uintptr_t)stack;
}

static struct task *task_child(uint32_t parent, enum task_state state)
{
	for (unsigned i = 0; i < TASKS; i++)
		if (tasks[i].state == state && tasks[i].parent == parent)
			return &tasks[i];
	return NULL;
}

static bool task_can_run(const struct task *task)
{
	switch (task->state) {
	case TASK_READY:
		return true;
	case TASK_SLEEPING:
		return task->upcalls_due || (int32_t)(counters.ticks - task->wake_tick) >= 0;
	case TASK_WAITING:
		return task_child(task->id, TASK_ENDED) != NULL;
	case TASK_READING:
		return input_is_waiting();
	default:
		return false;
	}
}

static struct task *task_choose(void)
{
	unsigned start = current ? (unsigned)(current - tasks) + 1 : 0;
	for (unsigned i = 0; i < TASKS; i++) {
		struct task *task = &tasks[(start + i) % TASKS];
		if (task_can_run(task))
			return task;
	}
	return NULL;
}

static void task_switch_to(struct task *next)
{
	uint32_t *old_esp = current ? &current->kernel_esp : &idle_esp;
	if (next == current)
		return;
	current = next;
	counters.switches++;
	if (!next) {
		task_switch(old_esp, idle_esp);
		return;
	}
	segment_task.tss.stack[0].esp = task_stack_top(next);
	space_use(&next->space);
	task_switch(old_esp, next->kernel_esp);
}

void task_yield(void)
{
	struct task *next = task_choose();
	switch_wanted = false;
	if (next)
		next->state = TASK_READY;
	task_switch_to(next);
}

void task_wait_as(enum task_state state)
{
	current->state = state;
	task_yield();
}

void tasks_run(void)
{
	for (;;) {
		cpu_disable_interrupts();
		if (task_choose())
			task_yield();
		else
			cpu_wait_for_interrupt();
	}
}

void task_tick(bool from_program)
{
	counters.ticks++;
	if (from_program)
		current->ticks++;
	switch_wanted = true;
}

void task_before_return(struct trap_frame *frame)
{
	if (switch_wanted) {
		uint32_t switches = counters.switches;
		task_yield();
		counters.preemptions += counters.switches != switches;
	}
	upcall_deliver(current, frame);
}

uint32_t task_fork(const struct trap_frame *frame)
{
	struct task *child = task_new(current->name);
	if (!child)
		return (uint32_t)-1;
	if (!space_copy(&child->space, &current->space)) {
		child->state = TASK_FREE;
		return (uint32_t)-1;
	}
	struct trap_frame copy = *frame;
	copy.eax = 0;
	child->parent = current->id;
	child->upcall = current->upcall;
	task_prepare(child, &copy);
	return child->id;
}

/* The registers with which a program starts; its argument lies on top of its stack. */
static struct trap_frame task_first_frame(uint32_t entry)
{
	uint32_t data = SEGMENT_DATA(3);
	return (struct trap_frame){
	        .gs = data,
	        .fs = data,
	        .es = data,
	        .ds = data,
	        .eip = entry,
	        .cs = SEGMENT_CODE(3),
	        .eflags = EFLAGS_FIXED | EFLAGS_IF,
	        .esp = STACK_TOP - TASK_ARGUMENT - 2 * sizeof(uint32_t),
	        .ss = data,
	};
}

/* The space of the task must be in use. */
static void task_push_argument(const char *argument)
{
	char *target = (char *)(uintptr_t)(STACK_TOP - TASK_ARGUMENT);
	memcpy(target, argument, TASK_ARGUMENT);
	uint32_t *stack = (uint32_t *)target;
	stack[-1] = (uint32_t)(uintptr_t)target;
	stack[-2] = 0; /* programs do not return */
}

static const struct program *task_program(const char *name)
{
	for (unsigned i = 0; i < PROGRAM_COUNT; i++)
		if (strcmp(programs[i].name, name) == 0)
			return &programs[i];
	return NULL;
}

bool task_exec(struct trap_frame *frame, const char *name, const char *argument)
{
	const struct program *program = task_program(name);
	struct space fresh;
	if (!program || !space_create(&fresh))
		return false;
	space_use(&fresh);
	space_destroy(&current->space);
	current->space = fresh;
	current->upcall = current->upcalls_due = 0;
	current->in_upcall = false;
	task_set_name(current, program->name);
	*frame = task_first_frame((uint32_t)(uintptr_t)program->start);
	task_push_argument(argument);
	return true;
}

static void task_start_first(struct task *task, const struct program *program, const char *argument)
{
	char text[TASK_ARGUMENT] = {0};
	memcpy(text, argument, strnlen(argument, TASK_ARGUMENT - 1));
	struct trap_frame frame = task_first_frame((uint32_t)(uintptr_t)program->start);
	task_prepare(task, &frame);
	current = task;
	space_use(&task->space);
	task_push_argument(text);
	cpu_write_cr3(layout_physical(kernel_directory));
	current = NULL;
}

void tasks_start(const char *name, const char *argument)
{
	const struct program *program = task_program(name);
	struct task *task = program ? task_new(program->name) : NULL;
	if (task && space_create(&task->space))
		task_start_first(task, program, argument);
	else
		panic("the first task cannot start");
}

/* Children of a task that ends go to the first task, which waits for anybody. */
static void task_leave_children(const struct task *task)
{
	for (unsigned i = 0; i < TASKS; i++)
		if (tasks[i].state != TASK_FREE && tasks[i].parent == task->id)
			tasks[i].parent = FIRST_TASK;
}

void task_exit(uint32_t status)
{
	cpu_disable_interrupts();
	if (current->id == FIRST_TASK)
		panic("the first task ended");
	cpu_write_cr3(layout_physical(kernel_directory));
	space_destroy(&current->space);
	task_leave_children(current);
	current->status = status;
	current->state = TASK_ENDED;
	task_yield();
	panic("a task ran after its end");
}

uint32_t task_wait(uint32_t *status)
{
	while (!task_child(current->id, TASK_ENDED)) {
		bool alone = true;
		for (unsigned i = 0; i < TASKS && alone; i++)
			alone = tasks[i].state == TASK_FREE || tasks[i].parent != current->id;
		if (alone)
			return (uint32_t)-1;
		task_wait_as(TASK_WAITING);
	}
	struct task *child = task_child(current->id, TASK_ENDED);
	*status = child->status;
	child->state = TASK_FREE;
	return child->id;
}
