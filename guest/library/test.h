/*
 * How a test guest reports. Its first line says its name and why it exists, then one line for
 * each check, and the last line is the verdict: SUCCESS, SKIP (with the reason), ERROR (the test
 * could not do its job), FAILURE (with the number of failed checks) or CRASH.
 * Each verdict has its own value for the debug-exit port.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "guest/library/catch.h"

enum test_verdict {
	TEST_SUCCESS = 0x10,
	TEST_SKIP = 0x11,
	TEST_ERROR = 0x12,
	TEST_FAILURE = 0x13,
	TEST_CRASH = 0x14,
};

/* The sentence completes "NAME exists to show that ...". All interrupt lines are masked. */
void test_begin(const char *name, const char *sentence);

/* One check. The text says what must hold. Returns whether it did. */
bool test_check(bool holds, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A fact on which machines are known to differ: says which one was seen. Never fails. */
void test_note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A machine may have one of two documented behaviours: says which; fails if it has neither. */
bool test_either(const char *what, bool first, const char *first_text, bool second,
                 const char *second_text);

/* What the outcome of catch_call or call_in_ring must be. */
bool test_returns(struct outcome outcome, const char *what);
bool test_value(struct outcome outcome, uint32_t value, const char *what);
bool test_traps(struct outcome outcome, uint8_t vector, uint32_t error_code, const char *what);
bool test_traps_at(struct outcome outcome, uint8_t vector, uint32_t error_code, uint32_t eip,
                   const char *what);
bool test_page_fault(struct outcome outcome, uint32_t error_code, uint32_t address,
                     const char *what);

_Noreturn void test_end(void);
_Noreturn void test_skip(const char *reason);
_Noreturn void test_error(const char *reason);

/* For traps.c: a trap that nobody expected. */
_Noreturn void test_crash(const struct trap_frame *frame);
