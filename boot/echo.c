#include "boot/echo.h"

#include <stdint.h>

#include "kernel/console.h"
#include "kernel/log.h"
#include "kernel/machine.h"
#include "kernel/serial.h"
#include "kernel/x86.h"

#define CONTROL_D 0x04

static char read_waiting(void)
{
	char c;

	/* Between the look and the wait no interrupt may slip in: the byte would sit there. */
	for (;;) {
		x86_disable_interrupts();
		if (serial_read(SERIAL_COM1, &c))
			break;
		x86_wait_for_interrupt();
	}
	x86_enable_interrupts();
	return c;
}

void echo_run(void)
{
	uint32_t bytes = 0, sum = 0;

	console_print("echo: what you type comes back; Ctrl-D ends it\n");
	for (;;) {
		char c = read_waiting();
		if (c == CONTROL_D)
			break;
		bytes++;
		sum = sum * 31 + (uint8_t)c;
		if (c == '\r')
			console_print("\n");
		else
			console_print("%c", c);
	}
	console_print("\necho: %u bytes\n", bytes);
	log_info("echo", "read bytes=%u sum=0x%08x", bytes, sum);
	machine_end("echo-ended", STATUS_GOOD);
}
