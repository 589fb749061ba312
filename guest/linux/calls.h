/* The system calls that our programs inside Linux need, made by `int 0x80` and without a C library.
 */
#pragma once

#include <stdint.h>

enum {
	CALL_exit = 1,
	CALL_fork = 2,
	CALL_read = 3,
	CALL_write = 4,
	CALL_open = 5,
	CALL_close = 6,
	CALL_waitpid = 7,
	CALL_execve = 11,
	CALL_mknod = 14,
	CALL_lseek = 19,
	CALL_pipe = 42,
	CALL_dup2 = 63,
	CALL_getppid = 64,
	CALL_mmap = 90, /* takes all it needs from memory */
	CALL_munmap = 91,
	CALL_mprotect = 125,
	CALL_sched_setscheduler = 156,
};

static inline int32_t call(int32_t number, int32_t first, int32_t second, int32_t third)
{
	int32_t result;

	__asm__ volatile("int $0x80"
	                 : "=a"(result)
	                 : "a"(number), "b"(first), "c"(second), "d"(third)
	                 : "memory");
	return result;
}

#define CALL(name, first, second, third) \
	call(CALL_##name, (int32_t)(first), (int32_t)(second), (int32_t)(third))
