#include "guest/library/memory.h"

#include <stdint.h>

void *memcpy(void *to, const void *from, size_t size)
{
	void *start = to;
	__asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(size) : : "memory");
	return start;
}

void *memmove(void *to, const void *from, size_t size)
{
	uint8_t *t = to;
	const uint8_t *f = from;
	if ((uintptr_t)to <= (uintptr_t)from)
		return memcpy(to, from, size);
	while (size--)
		/* Without the barrier the compiler makes a call to memmove out of this loop. */
		__asm__ volatile("movb %1, %0" : "=m"(t[size]) : "q"(f[size]));
	return to;
}

void *memset(void *to, int byte, size_t size)
{
	void *start = to;
	__asm__ volatile("rep stosb" : "+D"(to), "+c"(size) : "a"(byte) : "memory");
	return start;
}

int memcmp(const void *a, const void *b, size_t size)
{
	const uint8_t *x = a, *y = b;
	for (size_t i = 0; i < size; i++)
		if (x[i] != y[i])
			return x[i] - y[i];
	return 0;
}

size_t strnlen(const char *text, size_t size)
{
	size_t length = 0;
	/* As in memmove: the barrier keeps this loop from becoming a call to itself. */
	while (length < size && text[length]) {
		__asm__ volatile("");
		length++;
	}
	return length;
}

size_t strlen(const char *text)
{
	return strnlen(text, SIZE_MAX);
}

int strcmp(const char *a, const char *b)
{
	return strncmp(a, b, SIZE_MAX);
}

int strncmp(const char *a, const char *b, size_t size)
{
	for (; size && *a && *a == *b; size--)
		a++, b++;
	return size ? (unsigned char)*a - (unsigned char)*b : 0;
}
