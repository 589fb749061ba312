/* Memory and text helpers that a freestanding C program has to bring along.
 *
 * The mem… four are also what the compiler calls by itself. On the build machine the C library
 * has them, so there only text.c is linked. */
#ifndef KERNEL_STRING_H
#define KERNEL_STRING_H

#include <stddef.h>

void *memcpy(void *restrict to, const void *restrict from, size_t n);
void *memmove(void *to, const void *from, size_t n);
void *memset(void *to, int value, size_t n);
int memcmp(const void *a, const void *b, size_t n);

#endif
