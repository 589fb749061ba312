/* 64-bit division, which libgcc would bring and plain gcc -m32 without multilib does not have.
 *
 * gcc calls the five with two underscores by itself; pure, tested against the build machine's own
 * division. */
#ifndef KERNEL_DIVIDE_H
#define KERNEL_DIVIDE_H

#include <stdint.h>

uint64_t divide_unsigned(uint64_t dividend, uint64_t divisor, uint64_t *remainder);

/* By a divisor of 32 bits: two divisions of the processor. */
uint64_t divide_by_word(uint64_t dividend, uint32_t divisor, uint32_t *remainder);

/* a * b / c with a 96-bit product in between; the quotient must fit 64 bits. */
uint64_t divide_scaled(uint64_t a, uint32_t b, uint32_t c);

uint64_t __udivmoddi4(uint64_t dividend, uint64_t divisor, uint64_t *remainder);
uint64_t __udivdi3(uint64_t dividend, uint64_t divisor);
uint64_t __umoddi3(uint64_t dividend, uint64_t divisor);
int64_t __divdi3(int64_t dividend, int64_t divisor);
int64_t __moddi3(int64_t dividend, int64_t divisor);

#endif
