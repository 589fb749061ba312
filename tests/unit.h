/* What every unit test includes: TEST(name) { … } registers a case, CHECK… reports what differs.
 *
 * A test program has one or more TESTs and ends with UNIT_MAIN. It prints one line a case,
 * "ok NAME" or "FAIL NAME", and its exit status is the number of cases that failed (at most 99).
 * It must not know how the tests are found or counted: tests/run-unit does that. */
#ifndef TESTS_UNIT_H
#define TESTS_UNIT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

struct unit_case {
	const char *name;
	void (*run)(void);
	struct unit_case *next;
};

extern struct unit_case *unit_cases;
extern struct unit_case **unit_last;
extern bool unit_failed;

#define TEST(case_name)                                                            \
	static void case_name(void);                                               \
	__attribute__((constructor)) static void case_name##_register(void)        \
	{                                                                          \
		static struct unit_case this_case = {#case_name, case_name, NULL}; \
		*unit_last = &this_case;                                           \
		unit_last = &this_case.next;                                       \
	}                                                                          \
	static void case_name(void)

#define CHECK(condition)                                                                 \
	do {                                                                             \
		if (!(condition)) {                                                      \
			printf("%s:%d: not true: %s\n", __FILE__, __LINE__, #condition); \
			unit_failed = true;                                              \
		}                                                                        \
	} while (0)

#define CHECK_EQ(got, wanted)                                                                    \
	do {                                                                                     \
		uint64_t unit_got = (uint64_t)(got), unit_wanted = (uint64_t)(wanted);           \
		if (unit_got != unit_wanted) {                                                   \
			printf("%s:%d: %s is 0x%llx, wanted 0x%llx\n", __FILE__, __LINE__, #got, \
			       (unsigned long long)unit_got, (unsigned long long)unit_wanted);   \
			unit_failed = true;                                                      \
		}                                                                                \
	} while (0)

#define CHECK_STR(got, wanted)                                                                   \
	do {                                                                                     \
		const char *unit_got = (got), *unit_wanted = (wanted);                           \
		if (strcmp(unit_got, unit_wanted) != 0) {                                        \
			printf("%s:%d: %s is \"%s\", wanted \"%s\"\n", __FILE__, __LINE__, #got, \
			       unit_got, unit_wanted);                                           \
			unit_failed = true;                                                      \
		}                                                                                \
	} while (0)

#define UNIT_MAIN                                                                    \
	struct unit_case *unit_cases, **unit_last;                                   \
	bool unit_failed;                                                            \
	__attribute__((constructor(101))) static void unit_begin(void)               \
	{                                                                            \
		unit_last = &unit_cases;                                             \
	}                                                                            \
	int main(void)                                                               \
	{                                                                            \
		int failures = 0;                                                    \
		for (struct unit_case *test = unit_cases; test; test = test->next) { \
			unit_failed = false;                                         \
			test->run();                                                 \
			printf("%s %s\n", unit_failed ? "FAIL" : "ok", test->name);  \
			failures += unit_failed;                                     \
		}                                                                    \
		return failures > 99 ? 99 : failures;                                \
	}

#endif
