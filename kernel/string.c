#include "kernel/string.h"

#include <stdint.h>

void *memcpy(void *restrict to, const void *restrict from, size_t n)
{
	void *at = to;
	size_t words = n / 4, rest = n % 4;

	__asm__ volatile("rep movsl" : "+D"(at), "+S"(from), "+c"(words) : : "memory");
	__asm__ volatile("rep movsb" : "+D"(at), "+S"(from), "+c"(rest) : : "memory");
	return to;
}

void *memmove(void *to, const void *from, size_t n)
{
	/* Going upwards is right unless `to` lies inside what is still to be read. */
	if ((uintptr_t)to - (uintptr_t)from >= n)
		return memcpy(to, from, n);

	char *last_to = (char *)to + n - 1;
	const char *last_from = (const char *)from + n - 1;
	__asm__ volatile("std; rep movsb; cld"
	                 : "+D"(last_to), "+S"(last_from), "+c"(n)
	                 :
	                 : "memory");
	return to;
}

void *memset(void *to, int value, size_t n)
{
	void *at = to;
	size_t words = n / 4, rest = n % 4;
	uint32_t pattern = (uint8_t)value * 0x01010101u;

	__asm__ volatile("rep stosl" : "+D"(at), "+c"(words) : "a"(pattern) : "memory");
	__asm__ volatile("rep stosb" : "+D"(at), "+c"(rest) : "a"(pattern) : "memory");
	return to;
}

int memcmp(const void *a, const void *b, size_t n)
{
	const unsigned char *x = a, *y = b;
	uint32_t one, other;

	/* Words, up to the first that differ. */
	for (; n >= sizeof(one); n -= sizeof(one), x += sizeof(one), y += sizeof(one)) {
		__builtin_memcpy(&one, x, sizeof(one));
		__builtin_memcpy(&other, y, sizeof(other));
		if (one != other)
			break;
	}
	for (; n; n--, x++, y++)
		if (*x != *y)
			return *x - *y;
	return 0;
}
