/* What the fuzzing harnesses share: an input that is taken piece by piece, and MUST.
 *
 * A harness is tests/fuzz/fuzz_NAME.c, one for each target; it turns bytes into calls and says what
 * must hold whatever they are. What goes out of bounds or is undefined, the sanitizers see. It must
 * not know how inputs are made or kept: tests/fuzz/run does that. */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* libFuzzer's entry, which each harness is. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(condition)                                                                            \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "%s:%d: must hold and does not: %s\n", __FILE__, __LINE__, \
			        #condition);                                                       \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

struct fuzz_input {
	const uint8_t *at;
	size_t left;
};

/* Little endian; an input that has come to its end goes on with zeros. */
static inline uint64_t fuzz_take(struct fuzz_input *input, size_t bytes)
{
	uint64_t value = 0;
	size_t there = bytes < input->left ? bytes : input->left;

	memcpy(&value, input->at, there);
	input->at += there;
	input->left -= there;
	return value;
}

static inline uint8_t fuzz_take8(struct fuzz_input *input)
{
	return (uint8_t)fuzz_take(input, 1);
}

static inline uint16_t fuzz_take16(struct fuzz_input *input)
{
	return (uint16_t)fuzz_take(input, 2);
}

static inline uint32_t fuzz_take32(struct fuzz_input *input)
{
	return (uint32_t)fuzz_take(input, 4);
}

#endif
