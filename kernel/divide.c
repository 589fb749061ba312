#include "kernel/divide.h"

/* Two steps of the processor's own 64-by-32 division; the first remainder is below the divisor,
 * so the second step cannot overflow. */
uint64_t divide_by_word(uint64_t dividend, uint32_t divisor, uint32_t *remainder)
{
	uint32_t high = (uint32_t)(dividend >> 32), low = (uint32_t)dividend;
	uint32_t high_quotient = high / divisor, rest = high % divisor, low_quotient;

	__asm__("divl %4" : "=a"(low_quotient), "=d"(rest) : "0"(low), "1"(rest), "rm"(divisor));
	*remainder = rest;
	return ((uint64_t)high_quotient << 32) | low_quotient;
}

uint64_t divide_unsigned(uint64_t dividend, uint64_t divisor, uint64_t *remainder)
{
	uint64_t quotient = 0, rest = 0;

	if (divisor >> 32 == 0) {
		uint32_t word_rest;
		quotient = divide_by_word(dividend, (uint32_t)divisor, &word_rest);
		*remainder = word_rest;
		return quotient;
	}
	for (int bit = 63; bit >= 0; bit--) {
		uint64_t carry = rest >> 63;
		rest = (rest << 1) | ((dividend >> bit) & 1);
		if (carry || rest >= divisor) {
			rest -= divisor;
			quotient |= (uint64_t)1 << bit;
		}
	}
	*remainder = rest;
	return quotient;
}

uint64_t divide_scaled(uint64_t a, uint32_t b, uint32_t c)
{
	uint64_t low = (a & UINT32_MAX) * b;
	uint32_t rest;
	uint64_t high = (a >> 32) * b + (low >> 32);
	uint64_t quotient = divide_by_word(high, c, &rest);

	return (quotient << 32) + divide_by_word((uint64_t)rest << 32 | (uint32_t)low, c, &rest);
}

uint64_t __udivmoddi4(uint64_t dividend, uint64_t divisor, uint64_t *remainder)
{
	return divide_unsigned(dividend, divisor, remainder);
}

uint64_t __udivdi3(uint64_t dividend, uint64_t divisor)
{
	uint64_t remainder;

	return divide_unsigned(dividend, divisor, &remainder);
}

uint64_t __umoddi3(uint64_t dividend, uint64_t divisor)
{
	uint64_t remainder;

	divide_unsigned(dividend, divisor, &remainder);
	return remainder;
}

static uint64_t magnitude(int64_t value)
{
	return value < 0 ? -(uint64_t)value : (uint64_t)value;
}

int64_t __divdi3(int64_t dividend, int64_t divisor)
{
	uint64_t quotient = __udivdi3(magnitude(dividend), magnitude(divisor));

	return (int64_t)((dividend < 0) != (divisor < 0) ? -quotient : quotient);
}

int64_t __moddi3(int64_t dividend, int64_t divisor)
{
	uint64_t remainder = __umoddi3(magnitude(dividend), magnitude(divisor));

	return (int64_t)(dividend < 0 ? -remainder : remainder);
}
