/* The division without a 64-bit divide instruction, against the compiler's own. */
#include "monitor/devices/virtual_time.h"
#include "tests/unit.h"

static uint64_t seed = 1;

static uint64_t random64(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

TEST(virtual_time_divides_like_the_compiler)
{
	for (int i = 0; i < 200000; i++) {
		uint64_t dividend = random64() >> random64() % 64;
		uint32_t divisor = 1 + (uint32_t)(random64() >> (41 + random64() % 23)), rest;
		divisor = divisor > 0xFFFFFF ? 0xFFFFFF : divisor;
		CHECK_EQ(virtual_time_divide(dividend, divisor, &rest), dividend / divisor);
		CHECK_EQ(rest, dividend % divisor);
	}
}

TEST(virtual_time_divides_the_largest)
{
	uint32_t rest;

	CHECK_EQ(virtual_time_divide(UINT64_MAX, 1, &rest), UINT64_MAX);
	CHECK_EQ(rest, 0);
	CHECK_EQ(virtual_time_divide(UINT64_MAX, 0xFFFFFF, &rest), UINT64_MAX / 0xFFFFFF);
	CHECK_EQ(rest, UINT64_MAX % 0xFFFFFF);
}

UNIT_MAIN
