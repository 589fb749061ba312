#include "kernel/console.h"

#include "kernel/screen.h"
#include "kernel/serial.h"

static void put(void *unused, char c)
{
	(void)unused;
	if (c == '\n')
		serial_write(SERIAL_COM1, '\r');
	serial_write(SERIAL_COM1, c);
	screen_write(c);
}

void console_start(void)
{
	serial_open(SERIAL_COM1);
	screen_clear();
}

void console_print(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	print_to_sink(put, NULL, format, arguments);
	va_end(arguments);
}
