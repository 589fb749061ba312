#include "tests/unit.h"

#include "kernel/divide.h"

static uint64_t state = 0x9E3779B97F4A7C15ull;

/* Numbers of all magnitudes: a random one shifted by a random amount. */
static uint64_t next(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state >> (state * 0x2545F4914F6CDD1Dull >> 58);
}

TEST(unsigned_division_agrees_with_the_machine)
{
	for (int i = 0; i < 200000; i++) {
		uint64_t a = next(), b = next() | 1, rest;
		uint64_t quotient = divide_unsigned(a, b, &rest);
		if (quotient != a / b || rest != a % b) {
			CHECK_EQ(quotient, a / b);
			CHECK_EQ(rest, a % b);
			return;
		}
	}
}

TEST(edges)
{
	uint64_t rest;

	CHECK_EQ(divide_unsigned(UINT64_MAX, 1, &rest), UINT64_MAX);
	CHECK_EQ(divide_unsigned(UINT64_MAX, UINT64_MAX, &rest), 1);
	CHECK_EQ(divide_unsigned(1ull << 63, (1ull << 63) + 1, &rest), 0);
	CHECK_EQ(rest, 1ull << 63);
	CHECK_EQ(divide_unsigned(UINT64_MAX - 1, UINT64_MAX, &rest), 0);
	CHECK_EQ(rest, UINT64_MAX - 1);
}

TEST(division_by_a_word_agrees_with_the_machine)
{
	for (int i = 0; i < 200000; i++) {
		uint64_t a = next();
		uint32_t b = (uint32_t)next() | 1, rest;
		uint64_t quotient = divide_by_word(a, b, &rest);
		if (quotient != a / b || rest != a % b) {
			CHECK_EQ(quotient, a / b);
			CHECK_EQ(rest, a % b);
			return;
		}
	}
}

TEST(signed_division_rounds_to_zero)
{
	CHECK_EQ(__divdi3(-7, 2), -3);
	CHECK_EQ(__moddi3(-7, 2), -1);
	CHECK_EQ(__divdi3(7, -2), -3);
	CHECK_EQ(__moddi3(7, -2), 1);
	CHECK_EQ(__divdi3(INT64_MIN, 1), INT64_MIN);
}

TEST(scaled_product_keeps_its_middle)
{
	for (int i = 0; i < 200000; i++) {
		uint64_t a = next() >> 8;
		uint32_t b = (uint32_t)next(), c = (uint32_t)next() | 0x80000000u;
		uint64_t wanted = (uint64_t)((unsigned __int128)a * b / c);
		if (divide_scaled(a, b, c) != wanted) {
			CHECK_EQ(divide_scaled(a, b, c), wanted);
			return;
		}
	}
}

UNIT_MAIN
