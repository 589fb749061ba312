#include "tests/unit.h"

#include "kernel/print.h"

static char text[80];

#define PRINTS(wanted, ...)                                                       \
	do {                                                                      \
		size_t length = print_to_buffer(text, sizeof(text), __VA_ARGS__); \
		CHECK_STR(text, wanted);                                          \
		CHECK_EQ(length, strlen(wanted));                                 \
	} while (0)

TEST(plain_text_and_percent)
{
	PRINTS("", "%s", "");
	PRINTS("100%", "100%%");
	PRINTS("%y", "%y");
	PRINTS("ends in ", "ends in %");
}

TEST(decimal_numbers)
{
	PRINTS("0", "%d", 0);
	PRINTS("-2147483648", "%d", INT32_MIN);
	PRINTS("4294967295", "%u", UINT32_MAX);
	PRINTS("18446744073709551615", "%llu", UINT64_MAX);
	PRINTS("-9223372036854775808", "%lld", INT64_MIN);
}

TEST(hexadecimal_numbers)
{
	PRINTS("deadbeef", "%x", 0xDEADBEEFu);
	PRINTS("DEADBEEF", "%X", 0xDEADBEEFu);
	PRINTS("0x00001000", "0x%08x", 0x1000);
	PRINTS("fedcba9876543210", "%llx", 0xFEDCBA9876543210ull);
}

TEST(width_and_padding)
{
	PRINTS("[   42]", "[%5d]", 42);
	PRINTS("[42   ]", "[%-5d]", 42);
	PRINTS("[-0042]", "[%05d]", -42);
	PRINTS("[  -42]", "[%5d]", -42);
	PRINTS("[    7]", "[%*u]", 5, 7u);
	PRINTS("[123456]", "[%3d]", 123456);
}

TEST(strings_and_characters)
{
	PRINTS("[  abc]", "[%5s]", "abc");
	PRINTS("[abc  ]", "[%-5s]", "abc");
	PRINTS("[ab]", "[%.2s]", "abc");
	PRINTS("[ab]", "[%.*s]", 2, "abc");
	PRINTS("(null)", "%s", NULL);
	PRINTS("x", "%c", 'x');
}

TEST(precision_never_reads_past_it)
{
	static const char unended[3] = {'a', 'b', 'c'};

	PRINTS("abc", "%.3s", unended);
}

TEST(long_text_is_cut_and_its_length_told)
{
	char small[5];

	CHECK_EQ(print_to_buffer(small, sizeof(small), "%s", "123456789"), 9);
	CHECK_STR(small, "1234");
	CHECK_EQ(print_to_buffer(small, 1, "%d", 77), 2);
	CHECK_STR(small, "");
}

UNIT_MAIN
