/* Many words made one: when a word differs, the sum does. Two instructions a word, since what a
 * case costs beside itself is mostly this. */
#ifndef GUEST_CASES_SUM_H
#define GUEST_CASES_SUM_H

#include <stdint.h>

static inline uint32_t sum_add(uint32_t sum, uint32_t word)
{
	return (sum << 5 | sum >> 27) + word;
}

static inline uint32_t sum_words(uint32_t sum, const void *from, uint32_t count)
{
	const uint32_t *word = from;

#pragma GCC unroll 16
	for (uint32_t i = 0; i < count; i++)
		sum = sum_add(sum, word[i]);
	return sum;
}

#endif
