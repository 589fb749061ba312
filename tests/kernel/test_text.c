#include "tests/unit.h"

#include "kernel/text.h"

TEST(numbers_are_whole_or_nothing)
{
	uint32_t n = 7;

	CHECK(text_to_number("0", &n) && n == 0);
	CHECK(text_to_number("4294967295", &n) && n == UINT32_MAX);
	CHECK(text_to_number("0xfFfFFFfF", &n) && n == UINT32_MAX);
	CHECK(!text_to_number("4294967296", &n));
	CHECK(!text_to_number("0x100000000", &n));
	CHECK(!text_to_number("", &n));
	CHECK(!text_to_number("0x", &n));
	CHECK(!text_to_number("12a", &n));
	CHECK(!text_to_number("-1", &n));
	CHECK(!text_to_number(" 1", &n));
}

TEST(copy_says_when_it_cuts)
{
	char to[4];

	CHECK(text_copy(to, sizeof(to), "abc"));
	CHECK_STR(to, "abc");
	CHECK(!text_copy(to, sizeof(to), "abcd"));
	CHECK_STR(to, "abc");
}

TEST(distance_counts_changed_letters)
{
	CHECK_EQ(text_distance("mode", "mode"), 0);
	CHECK_EQ(text_distance("mod", "mode"), 1);
	CHECK_EQ(text_distance("mood", "mode"), 2);
	CHECK_EQ(text_distance("", "log"), 3);
	CHECK_EQ(text_distance("log", ""), 3);
	CHECK_EQ(text_distance("kitten", "sitting"), 3);
}

TEST(long_words_do_not_overflow)
{
	char word[200];

	memset(word, 'a', sizeof(word) - 1);
	word[sizeof(word) - 1] = 0;
	CHECK(text_distance(word, word) > 0);
	CHECK(text_distance("a", word) >= 30);
}

TEST(equality)
{
	CHECK(text_equal("", ""));
	CHECK(!text_equal("a", ""));
	CHECK(!text_equal("a", "ab"));
	CHECK(!text_equal("ab", "a"));
}

UNIT_MAIN
