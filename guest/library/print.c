#include "guest/library/print.h"

#include <stdbool.h>

#include "guest/library/console.h"
#include "guest/library/memory.h"

struct field {
	int width;
	bool zeros;
	bool left;
	int longs;
};

struct output {
	print_sink *sink;
	void *context;
};

/* Divides in place and returns the remainder; there is no libgcc to do it. */
static uint32_t print_divide(uint64_t *number, uint32_t divisor)
{
	uint32_t high = (uint32_t)(*number >> 32), low = (uint32_t)*number, rest;
	uint32_t high_quotient = high / divisor;
	/* The remainder of the upper half is below the divisor, so this div cannot overflow. */
	__asm__("divl %4" : "=a"(low), "=d"(rest) : "a"(low), "d"(high % divisor), "rm"(divisor));
	*number = (uint64_t)high_quotient << 32 | low;
	return rest;
}

static void print_padding(struct output *out, char c, int count)
{
	while (count-- > 0)
		out->sink(out->context, c);
}

static void print_field(struct output *out, struct field f, const char *text, int length)
{
	if (!f.left)
		print_padding(out, ' ', f.width - length);
	for (int i = 0; i < length; i++)
		out->sink(out->context, text[i]);
	if (f.left)
		print_padding(out, ' ', f.width - length);
}

static void print_number(struct output *out, struct field f, uint64_t number, uint32_t base,
                         bool negative, bool capitals)
{
	char text[24];
	int at = sizeof(text);
	const char *digits = capitals ? "0123456789ABCDEF" : "0123456789abcdef";
	do
		text[--at] = digits[print_divide(&number, base)];
	while (number);
	if (f.zeros && !f.left) {
		if (negative)
			out->sink(out->context, '-');
		print_padding(out, '0', f.width - ((int)sizeof(text) - at) - negative);
		f.width = 0;
	} else if (negative) {
		text[--at] = '-';
	}
	print_field(out, f, text + at, (int)sizeof(text) - at);
}

static const char *print_parse_field(const char *format, struct field *f)
{
	*f = (struct field){0};
	for (; *format == '0' || *format == '-'; format++)
		*(*format == '0' ? &f->zeros : &f->left) = true;
	for (; *format >= '0' && *format <= '9'; format++)
		f->width = f->width * 10 + *format - '0';
	for (; *format == 'l' || *format == 'h'; format++)
		f->longs += *format == 'l';
	return format;
}

static void print_string(struct output *out, struct field f, const char *text)
{
	if (!text)
		text = "(null)";
	print_field(out, f, text, (int)strlen(text));
}

void print_to(print_sink *sink, void *context, const char *format, va_list arguments)
{
	struct output out = {sink, context};
	struct field f;
	while (*format) {
		if (*format != '%') {
			sink(context, *format++);
			continue;
		}
		format = print_parse_field(format + 1, &f);
		char kind = *format ? *format++ : '%';
		if (kind == 'd' || kind == 'i') {
			int64_t n =
			        f.longs > 1 ? va_arg(arguments, long long) : va_arg(arguments, int);
			print_number(&out, f, n < 0 ? -(uint64_t)n : (uint64_t)n, 10, n < 0, false);
		} else if (kind == 'u' || kind == 'x' || kind == 'X') {
			uint64_t n = f.longs > 1 ? va_arg(arguments, unsigned long long)
			                         : va_arg(arguments, unsigned int);
			print_number(&out, f, n, kind == 'u' ? 10 : 16, false, kind == 'X');
		} else if (kind == 'p') {
			f = (struct field){.width = 8, .zeros = true};
			print_number(&out, f, va_arg(arguments, uint32_t), 16, false, false);
		} else if (kind == 's') {
			print_string(&out, f, va_arg(arguments, const char *));
		} else {
			char c = kind == 'c' ? (char)va_arg(arguments, int) : kind;
			print_field(&out, f, &c, 1);
		}
	}
}

static void print_sink_console(void *context, char c)
{
	(void)context;
	console_put(c);
}

static void print_sink_log(void *context, char c)
{
	(void)context;
	console_put_log(c);
}

void print(const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	print_to(print_sink_console, NULL, format, arguments);
	va_end(arguments);
}

void print_log(const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	print_to(print_sink_log, NULL, format, arguments);
	va_end(arguments);
}
