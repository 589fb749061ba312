#include "tests/unit.h"

#include "kernel/options.h"

static struct options parsed;
static char problem[512];

static bool parse(const char *line)
{
	problem[0] = 0;
	return options_parse(&parsed, line, problem, sizeof(problem));
}

TEST(nothing_gives_the_defaults)
{
	CHECK(parse(""));
	CHECK(parse("  \t "));
	CHECK_EQ(parsed.mode, OPTION_MODE_REPORT);
	CHECK_EQ(parsed.at_end, OPTION_AT_END_HALT);
	CHECK_EQ(parsed.modules, 0);
}

TEST(words_become_values)
{
	CHECK(parse("  mode=self-test at-end=off\tmodules=0x10 "));
	CHECK_EQ(parsed.mode, OPTION_MODE_SELF_TEST);
	CHECK_EQ(parsed.at_end, OPTION_AT_END_OFF);
	CHECK_EQ(parsed.modules, 16);
	CHECK(parse("panic-test=interrupt"));
	CHECK_EQ(parsed.panic_test, OPTION_PANIC_TEST_INTERRUPT);
}

TEST(an_unknown_option_is_named_with_its_neighbours)
{
	static const char names[] =
#define OPTION(field, name, kind, initial, values, help) ", " name
#include "kernel/options.def"
#undef OPTION
	        ;
	char wanted[512];

	CHECK(!parse("modul=3"));
	CHECK_STR(problem, "there is no boot option \"modul\"; did you mean mode, modules");
	CHECK(!parse("panic_test=null"));
	CHECK_STR(problem, "there is no boot option \"panic_test\"; did you mean panic-test");
	CHECK(!parse("extraordinary"));
	snprintf(wanted, sizeof(wanted), "there is no boot option \"extraordinary\"; there are%s",
	         names + 1);
	CHECK_STR(problem, wanted);
}

TEST(a_malformed_value_is_refused_with_what_was_expected)
{
	CHECK(!parse("at-end=of"));
	CHECK_STR(problem, "the boot option \"at-end\" needs at-end=halt|off, not \"of\"");
	CHECK(!parse("at-end"));
	CHECK_STR(problem, "the boot option \"at-end\" needs at-end=halt|off, not \"\"");
	CHECK(!parse("modules=many"));
	CHECK_STR(problem, "the boot option \"modules\" needs modules=a number, not \"many\"");
	CHECK(!parse("mode=report|self-test"));
	CHECK(!parse("mode=reporter"));
	CHECK(!parse("mode="));
}

TEST(several_words_become_bits)
{
	CHECK(parse("stress=flush"));
	CHECK_EQ(parsed.stress, OPTION_STRESS_FLUSH);
	CHECK(parse("stress=interrupts,tiny-cache"));
	CHECK_EQ(parsed.stress, OPTION_STRESS_INTERRUPTS | OPTION_STRESS_TINY_CACHE);
	CHECK(!parse("stress=flush,"));
	CHECK(!parse("stress=,flush"));
	CHECK(!parse("stress=flush,flus"));
	CHECK_STR(problem, "the boot option \"stress\" needs stress=tiny-cache|no-chaining|flush|"
	                   "callouts|interrupts, not \"flush,flus\"");
	CHECK(!parse("stress="));
	CHECK(!parse("stress"));
}

TEST(of_what_is_off_the_name_alone_means_yes)
{
	CHECK(parse("lockstep"));
	CHECK_EQ(parsed.lockstep, 1);
	CHECK(parse("lockstep=no"));
	CHECK_EQ(parsed.lockstep, 0);
	CHECK(!parse("acpi"));
	CHECK(!parse("modules"));
}

TEST(an_option_given_twice_is_refused)
{
	CHECK(!parse("mode=report log=info mode=report"));
	CHECK_STR(problem, "the boot option \"mode\" is given twice");
}

TEST(a_very_long_word_is_refused_not_cut)
{
	char line[300];

	memset(line, 'x', sizeof(line) - 1);
	line[sizeof(line) - 1] = 0;
	CHECK(!parse(line));
	CHECK(strstr(problem, "\"xxxxxxxxxxxxxxxxxxxx...\" is longer than") != NULL);
}

UNIT_MAIN
