#include "guest/mini_kernel/programs/user.h"

#include <stdarg.h>

#include "guest/mini_kernel/calls.h"

#define LINE_SIZE 160

static uint32_t user_call(enum call number, uint32_t b, uint32_t c)
{
	uint32_t answer;
	__asm__ volatile("int %1"
	                 : "=a"(answer)
	                 : "i"(CALL_VECTOR), "a"(number), "b"(b), "c"(c)
	                 : "memory");
	return answer;
}

static uint32_t user_address(const void *at)
{
	return (uint32_t)(uintptr_t)at;
}

void user_exit(uint32_t status)
{
	user_call(CALL_exit, status, 0);
	__builtin_unreachable();
}

uint32_t user_fork(void)
{
	return user_call(CALL_fork, 0, 0);
}

uint32_t user_exec(const char *program, const char *argument)
{
	return user_call(CALL_exec, user_address(program), user_address(argument));
}

uint32_t user_wait(uint32_t *status)
{
	return user_call(CALL_wait, user_address(status), 0);
}

void user_yield(void)
{
	user_call(CALL_yield, 0, 0);
}

void user_sleep(uint32_t ticks)
{
	user_call(CALL_sleep, ticks, 0);
}

uint32_t user_identity(void)
{
	return user_call(CALL_identity, 0, 0);
}

char user_read(void)
{
	return (char)user_call(CALL_read, 0, 0);
}

bool user_map(void *start, uint32_t size)
{
	return user_call(CALL_map, user_address(start), size) == 0;
}

bool user_unmap(void *start, uint32_t size)
{
	return user_call(CALL_unmap, user_address(start), size) == 0;
}

uint32_t user_raise(uint32_t task)
{
	return user_call(CALL_raise, task, 0);
}

void user_counters(struct counters *copy)
{
	user_call(CALL_counters, user_address(copy), 0);
}

void user_print_tasks(void)
{
	user_call(CALL_tasks, 0, 0);
}

void user_power_off(void)
{
	user_call(CALL_power_off, 0, 0);
	__builtin_unreachable();
}

static void (*upcall_function)(void);

void user_upcall_run(void);
void user_upcall_run(void)
{
	upcall_function();
}

/* The kernel enters here, with the address of the saved registers on top of the stack. */
extern const char user_upcall_enter[];
__asm__(".pushsection .text\n"
        "user_upcall_enter:\n\t"
        "call user_upcall_run\n\t"
        "movl (%esp), %ebx\n\t"
        "jmp user_upcall_leave\n"
        ".popsection");

void user_upcall_leave(void);
__attribute__((naked)) void user_upcall_leave(void)
{
	__asm__ volatile("movl %0, %%eax\n\tint %1" : : "i"(CALL_resume), "i"(CALL_VECTOR));
}

void user_on_upcall(void (*function)(void))
{
	upcall_function = function;
	user_call(CALL_upcall, user_address(user_upcall_enter), 0);
}

uint32_t user_run(const char *program, const char *argument)
{
	uint32_t status = 0, child = user_fork();
	if (child == 0) {
		user_exec(program, argument);
		say("%s: there is no such program, or no memory for it; try help\n", program);
		user_exit(1);
	}
	while (user_wait(&status) != child)
		;
	return status;
}

struct line {
	char text[LINE_SIZE];
	uint32_t length;
};

static void line_put(struct line *line, char c)
{
	if (line->length < LINE_SIZE)
		line->text[line->length++] = c;
}

static void line_put_text(struct line *line, const char *text, uint32_t width)
{
	uint32_t length = 0;
	for (; text[length]; length++)
		line_put(line, text[length]);
	for (; length < width; length++)
		line_put(line, ' ');
}

static void line_put_number(struct line *line, uint32_t number, uint32_t base, uint32_t width,
                            char fill)
{
	char digits[12];
	uint32_t count = 0;
	do
		digits[count++] = "0123456789abcdef"[number % base];
	while (number /= base);
	for (uint32_t i = count; i < width; i++)
		line_put(line, fill);
	while (count)
		line_put(line, digits[--count]);
}

void say(const char *format, ...)
{
	struct line line;
	va_list arguments;
	line.length = 0;
	va_start(arguments, format);
	while (*format) {
		if (*format != '%') {
			line_put(&line, *format++);
			continue;
		}
		format++;
		char fill = *format == '0' ? '0' : ' ';
		format += *format == '-';
		uint32_t width = user_number(format, &format);
		char kind = *format++;
		if (kind == 's')
			line_put_text(&line, va_arg(arguments, const char *), width);
		else if (kind == 'c')
			line_put(&line, (char)va_arg(arguments, int));
		else
			line_put_number(&line, va_arg(arguments, uint32_t), kind == 'x' ? 16 : 10,
			                width, fill);
	}
	va_end(arguments);
	user_call(CALL_write, user_address(line.text), line.length);
}

uint32_t user_number(const char *text, const char **end)
{
	uint32_t number = 0;
	for (; *text >= '0' && *text <= '9'; text++)
		number = number * 10 + (uint32_t)(*text - '0');
	*end = text;
	return number;
}

bool user_same(const char *a, const char *b)
{
	for (; *a && *a == *b; a++, b++)
		;
	return *a == *b;
}
