#include "kernel/log.h"

#include <stdbool.h>

#include "kernel/options.h"
#include "kernel/serial.h"
#include "kernel/statistics.h"
#include "kernel/x86.h"

#define DEBUG_PORT 0xE9 /* a machine that has this port answers a read with its number */

static const char *const levels[] = {"error", "warning", "info", "debug"};
static bool has_debug_port;

static void put(void *unused, char c)
{
	(void)unused;
	if (c == '\n')
		serial_write(SERIAL_COM2, '\r');
	serial_write(SERIAL_COM2, c);
	if (has_debug_port)
		x86_out8(DEBUG_PORT, (uint8_t)c);
}

static void put_format(const char *format, ...) PRINT_FORMAT(1, 2);
static void put_format(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	print_to_sink(put, NULL, format, arguments);
	va_end(arguments);
}

/* Of a line that does not drain, whoever reads it later must know where something is missing. */
static void tell_of_loss(void)
{
	static uint32_t told;
	uint32_t lost = serial_dropped(SERIAL_COM2);

	if (lost == told)
		return;
	put_format("\nringfence: warning log: the line did not drain, and what was written here is "
	           "lost bytes=%u\n",
	           lost - told);
	if (serial_dropped(SERIAL_COM2) == lost)
		told = lost;
}

void log_start(void)
{
	serial_open(SERIAL_COM2);
	has_debug_port = x86_in8(DEBUG_PORT) == DEBUG_PORT;
}

void log_write(enum log_level level, const char *where, const char *format, ...)
{
	va_list arguments;

	if (level > options.log)
		return;
	statistics_count(log_lines);
	tell_of_loss();
	put_format("ringfence: %s %s: ", levels[level], where);
	va_start(arguments, format);
	print_to_sink(put, NULL, format, arguments);
	va_end(arguments);
	put(NULL, '\n');
}

void log_write_panic(const char *section, const char *text)
{
	put_format("ringfence: panic %s: %s\n", section, text);
}

void log_write_end(const char *reason, uint32_t status)
{
	tell_of_loss();
	put_format("ringfence: info vm0: ended reason=%s status=%u\n", reason, status);
}
