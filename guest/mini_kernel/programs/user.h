/*
 * What every program of ring 3 needs: the system calls, a few words to say, and numbers to read.
 * Must not use anything of the kernel: it is linked beside it, but cannot be reached from ring 3.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "guest/mini_kernel/counters.h"

#define USER_FAILED ((uint32_t)-1)

_Noreturn void user_exit(uint32_t status);
uint32_t user_fork(void);
uint32_t user_exec(const char *program, const char *argument);
uint32_t user_wait(uint32_t *status);
void user_yield(void);
void user_sleep(uint32_t ticks);
uint32_t user_identity(void);
char user_read(void);
bool user_map(void *start, uint32_t size);
bool user_unmap(void *start, uint32_t size);
uint32_t user_raise(uint32_t task);
void user_counters(struct counters *copy);
void user_print_tasks(void);
_Noreturn void user_power_off(void);

/* The function that an upcall runs; what it interrupted goes on afterwards. */
void user_on_upcall(void (*function)(void));

/* Starts a program and waits until it has ended. Returns its status. */
uint32_t user_run(const char *program, const char *argument);

/* %u %d %x %s %c with a width; one system call for the whole. */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The decimal number at the start of a text, 0 if there is none. Stores where it ends. */
uint32_t user_number(const char *text, const char **end);
bool user_same(const char *a, const char *b);
