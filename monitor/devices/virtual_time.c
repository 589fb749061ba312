#include "monitor/devices/virtual_time.h"

uint64_t virtual_time_divide(uint64_t dividend, uint32_t divisor, uint32_t *remainder)
{
	uint32_t high = (uint32_t)(dividend >> 32), low = (uint32_t)dividend;

	if (high == 0) {
		*remainder = low % divisor;
		return low / divisor;
	}
	uint64_t quotient = high / divisor;
	uint32_t rest = high % divisor;
	/* A rest below 2^24 and the next eight bits fit into 32 bits: each step is one division. */
	for (int shift = 24; shift >= 0; shift -= 8) {
		uint32_t part = rest << 8 | (low >> shift & 0xFF);
		quotient = quotient << 8 | part / divisor;
		rest = part % divisor;
	}
	*remainder = rest;
	return quotient;
}
