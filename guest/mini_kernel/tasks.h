/*
 * Tasks: what runs in ring 3, and who runs next.
 * Interrupts may come while the kernel works, but a task is never switched away inside the kernel
 * unless it calls task_yield. All functions that switch want interrupts off.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "guest/library/traps.h"
#include "guest/mini_kernel/spaces.h"

#define TASKS          24
#define TASK_NAME_SIZE 16
#define TASK_ARGUMENT  64

enum task_state {
	TASK_FREE,
	TASK_READY,
	TASK_SLEEPING, /* until wake_tick, or an upcall */
	TASK_WAITING,  /* for a child to end */
	TASK_READING,  /* for a byte from the console */
	TASK_ENDED,    /* its status waits for the parent */
};

struct task {
	uint32_t id;
	uint32_t parent;
	enum task_state state;
	char name[TASK_NAME_SIZE];
	struct space space;
	uint32_t kernel_esp; /* while it does not run */
	uint32_t wake_tick;
	uint32_t status; /* when it has ended */
	uint32_t ticks;  /* how often the timer found it running */
	uint32_t upcall; /* the program's function for upcalls; 0: none */
	uint32_t upcalls_due;
	bool in_upcall;
};

/* The first task; it runs a program when the scheduler comes to it. */
void tasks_start(const char *program, const char *argument);

/* The processor's owner until the machine is switched off: runs tasks, and waits if none can. */
_Noreturn void tasks_run(void);

struct task *task_current(void);
struct task *task_find(uint32_t id);
/* All slots in order, free ones as well. */
struct task *task_slot(unsigned index);

/* Lets somebody else run, if anybody can. Interrupts must be off. */
void task_yield(void);
void task_wait_as(enum task_state state);

/* The timer's tick, and what is done before every return to ring 3. */
void task_tick(bool from_program);
void task_before_return(struct trap_frame *frame);

/* What the system calls of the same names do. */
uint32_t task_fork(const struct trap_frame *frame);
bool task_exec(struct trap_frame *frame, const char *program, const char *argument);
_Noreturn void task_exit(uint32_t status);
uint32_t task_wait(uint32_t *status);
