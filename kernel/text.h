/* Comparing and reading zero-ended text. Pure; knows nothing of consoles. */
#ifndef KERNEL_TEXT_H
#define KERNEL_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

bool text_equal(const char *a, const char *b);

/* False when the text did not fit and was cut. */
bool text_copy(char *to, size_t size, const char *from);

/* Decimal, or hexadecimal with 0x. False unless all of it is one number below 2^32. */
bool text_to_number(const char *text, uint32_t *number);

/* How many letters must be added, dropped or changed to make one word of the other. */
unsigned int text_distance(const char *a, const char *b);

#endif
