/* Formatted text: the printf that the hypervisor has.
 *
 * %d %i %u %x %X %c %s %p %%, with -, 0, width, *, precision for strings, and ll for 64 bits.
 * The text goes character by character to a sink; pure, so it is tested on the build machine.
 * It must not know where text ends up: that is console.c and log.c. */
#ifndef KERNEL_PRINT_H
#define KERNEL_PRINT_H

#include <stdarg.h>
#include <stddef.h>

typedef void (*print_sink)(void *to, char c);

#define PRINT_FORMAT(format_at, first) __attribute__((format(printf, format_at, first)))

/* Returns how many characters it gave to the sink. */
size_t print_to_sink(print_sink sink, void *to, const char *format, va_list arguments)
        PRINT_FORMAT(3, 0);

/* Always ends the text with a zero, cutting what does not fit; returns the uncut length. */
size_t print_to_buffer(char *buffer, size_t size, const char *format, ...) PRINT_FORMAT(3, 4);
size_t print_list_to_buffer(char *buffer, size_t size, const char *format, va_list arguments)
        PRINT_FORMAT(3, 0);

#endif
