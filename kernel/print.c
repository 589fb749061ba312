#include "kernel/print.h"

#include <stdbool.h>
#include <stdint.h>

struct print {
	print_sink sink;
	void *to;
	size_t count;
};

struct field {
	bool left, zero, wide;
	int width, precision;
};

#define DIGITS_MAX 20 /* 2^64 in decimal */

static void print_char(struct print *print, char c)
{
	print->sink(print->to, c);
	print->count++;
}

static void print_padding(struct print *print, int n, char c)
{
	while (n-- > 0)
		print_char(print, c);
}

static void print_text(struct print *print, const struct field *field, const char *text, int length)
{
	if (!field->left)
		print_padding(print, field->width - length, ' ');
	for (int i = 0; i < length; i++)
		print_char(print, text[i]);
	if (field->left)
		print_padding(print, field->width - length, ' ');
}

static void print_string(struct print *print, const struct field *field, const char *text)
{
	int length = 0;

	if (!text)
		text = "(null)";
	while ((field->precision < 0 || length < field->precision) && text[length])
		length++;
	print_text(print, field, text, length);
}

static void print_number(struct print *print, const struct field *field, uint64_t value,
                         bool negative, unsigned int base, const char *digits)
{
	char text[DIGITS_MAX + 1];
	int at = sizeof(text);

	do {
		text[--at] = digits[value % base];
		value /= base;
	} while (value);

	int length = (int)sizeof(text) - at;
	if (field->zero && !field->left) {
		if (negative)
			print_char(print, '-');
		print_padding(print, field->width - length - negative, '0');
		print_text(print, &(struct field){.width = 0}, text + at, length);
		return;
	}
	if (negative) {
		text[--at] = '-';
		length++;
	}
	print_text(print, field, text + at, length);
}

static const char *parse_number(const char *format, int *number)
{
	*number = 0;
	while (*format >= '0' && *format <= '9')
		*number = *number * 10 + (*format++ - '0');
	return format;
}

static const char *parse_field(const char *format, struct field *field, va_list *arguments)
{
	*field = (struct field){.precision = -1};
	for (;; format++) {
		if (*format == '-')
			field->left = true;
		else if (*format == '0')
			field->zero = true;
		else
			break;
	}
	if (*format == '*') {
		field->width = va_arg(*arguments, int);
		format++;
	} else {
		format = parse_number(format, &field->width);
	}
	if (*format == '.') {
		format++;
		if (*format == '*') {
			field->precision = va_arg(*arguments, int);
			format++;
		} else {
			format = parse_number(format, &field->precision);
		}
	}
	if (format[0] == 'l' && format[1] == 'l') {
		field->wide = true;
		format += 2;
	} else if (format[0] == 'l' || format[0] == 'z') {
		field->wide = sizeof(long) == sizeof(uint64_t);
		format++;
	}
	return format;
}

static uint64_t take_unsigned(const struct field *field, va_list *arguments)
{
	return field->wide ? va_arg(*arguments, uint64_t) : va_arg(*arguments, unsigned int);
}

static int64_t take_signed(const struct field *field, va_list *arguments)
{
	return field->wide ? va_arg(*arguments, int64_t) : va_arg(*arguments, int);
}

static void print_conversion(struct print *print, char kind, const struct field *field,
                             va_list *arguments)
{
	static const char lower[] = "0123456789abcdef", upper[] = "0123456789ABCDEF";
	char c;

	switch (kind) {
	case 'c':
		c = (char)va_arg(*arguments, int);
		print_text(print, field, &c, 1);
		break;
	case 's':
		print_string(print, field, va_arg(*arguments, const char *));
		break;
	case 'd':
	case 'i': {
		int64_t value = take_signed(field, arguments);
		uint64_t magnitude = value < 0 ? -(uint64_t)value : (uint64_t)value;
		print_number(print, field, magnitude, value < 0, 10, lower);
		break;
	}
	case 'u':
		print_number(print, field, take_unsigned(field, arguments), false, 10, lower);
		break;
	case 'x':
		print_number(print, field, take_unsigned(field, arguments), false, 16, lower);
		break;
	case 'X':
		print_number(print, field, take_unsigned(field, arguments), false, 16, upper);
		break;
	case 'p':
		print_char(print, '0');
		print_char(print, 'x');
		print_number(print, &(struct field){.zero = true, .width = 8},
		             (uintptr_t)va_arg(*arguments, void *), false, 16, lower);
		break;
	default:
		print_char(print, '%');
		if (kind != '%')
			print_char(print, kind);
	}
}

size_t print_to_sink(print_sink sink, void *to, const char *format, va_list list)
{
	struct print print = {sink, to, 0};
	va_list arguments;

	va_copy(arguments, list);
	while (*format) {
		if (*format != '%') {
			print_char(&print, *format++);
			continue;
		}
		struct field field;
		format = parse_field(format + 1, &field, &arguments);
		if (*format)
			print_conversion(&print, *format++, &field, &arguments);
	}
	va_end(arguments);
	return print.count;
}

struct buffer {
	char *at, *end;
};

static void buffer_put(void *to, char c)
{
	struct buffer *buffer = to;

	if (buffer->at < buffer->end)
		*buffer->at++ = c;
}

size_t print_list_to_buffer(char *buffer, size_t size, const char *format, va_list arguments)
{
	struct buffer to = {buffer, buffer + size - 1};
	size_t length = print_to_sink(buffer_put, &to, format, arguments);

	*to.at = 0;
	return length;
}

size_t print_to_buffer(char *buffer, size_t size, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	size_t length = print_list_to_buffer(buffer, size, format, arguments);
	va_end(arguments);
	return length;
}
