/* Boot options: words name=value on the command line, each from the one list options.def.
 *
 * Parsing is pure and complete: an option that is unknown, malformed or given twice is refused
 * with one sentence that names it and the near ones. It must not know who reads the values. */
#ifndef KERNEL_OPTIONS_H
#define KERNEL_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct options {
#define OPTION(field, name, kind, initial, values, help) uint32_t field;
#include "kernel/options.def"
#undef OPTION
};

/* In the order of the words in options.def. */
enum { OPTION_YES, OPTION_NO }; /* of all that ask whether, and mostly are */
enum { OPTION_ACCOUNT_NO, OPTION_ACCOUNT_COUNTERS, OPTION_ACCOUNT_CAUSES };
enum { OPTION_AT_END_HALT, OPTION_AT_END_OFF };
enum {
	OPTION_CANARIES_NO,
	OPTION_CANARIES_YES,
	OPTION_CANARIES_BROKEN_BELOW,
	OPTION_CANARIES_BROKEN_ABOVE,
	OPTION_CANARIES_BROKEN_CODE
};
enum {
	OPTION_CLOCK_JUMPS_NO,
	OPTION_CLOCK_JUMPS_HOUR,
	OPTION_CLOCK_JUMPS_BACK,
	OPTION_CLOCK_JUMPS_FAR
};
enum { OPTION_COVERAGE_NO, OPTION_COVERAGE_YES };
enum { OPTION_KEYBOARD_NONE, OPTION_KEYBOARD_CONSOLE };
enum { OPTION_MODE_REPORT, OPTION_MODE_RUN, OPTION_MODE_SELF_TEST, OPTION_MODE_ECHO };
enum {
	OPTION_PANIC_TEST_NONE,
	OPTION_PANIC_TEST_NULL,
	OPTION_PANIC_TEST_STACK,
	OPTION_PANIC_TEST_CODE,
	OPTION_PANIC_TEST_ASSERT,
	OPTION_PANIC_TEST_INTERRUPT
};
enum {
	OPTION_STRESS_TINY_CACHE = 1 << 0,
	OPTION_STRESS_NO_CHAINING = 1 << 1,
	OPTION_STRESS_FLUSH = 1 << 2,
	OPTION_STRESS_CALLOUTS = 1 << 3,
	OPTION_STRESS_INTERRUPTS = 1 << 4,
};
enum { OPTION_TRACE_NO, OPTION_TRACE_TRANSLATE };
enum { OPTION_VGA_YES, OPTION_VGA_SERIAL, OPTION_VGA_NO };

/* The options of this boot: the defaults until options_parse() has filled them in. */
extern struct options options;

/* False, with one sentence in `problem`, when the command line is not right. */
bool options_parse(struct options *into, const char *command_line, char *problem, size_t size);

#endif
