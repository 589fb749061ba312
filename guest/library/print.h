/*
 * Formatted output: %d %i %u %x %X %p %s %c %% with width, '0', '-' and the lengths h, l and ll.
 * Anything else in a format is printed as it stands.
 */
#pragma once

#include <stdarg.h>
#include <stdint.h>

typedef void print_sink(void *context, char c);

/* To the console. */
void print(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* To the debug console, port 0xE9. */
void print_log(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* To wherever the sink puts it. */
void print_to(print_sink *sink, void *context, const char *format, va_list arguments);
