#include "guest/library/console.h"

#include <stdint.h>

#include "guest/library/ports.h"

#define COM1        0x3F8
#define COM1_DATA   (COM1 + 0)
#define COM1_IRQS   (COM1 + 1)
#define COM1_FIFO   (COM1 + 2)
#define COM1_LINE   (COM1 + 3)
#define COM1_MODEM  (COM1 + 4)
#define COM1_STATUS (COM1 + 5)

#define LINE_8N1     0x03
#define LINE_DIVISOR 0x80
#define IRQ_RECEIVED 0x01
#define STATUS_READY 0x01
#define STATUS_THRE  0x20
#define STATUS_TEMT  0x40

#define DEBUG_PORT 0xE9

static bool present;

void console_init(void)
{
	/* A bus that nobody answers reads all ones; waiting for it would never end. */
	present = port_read8(COM1_STATUS) != 0xFF;
	port_write8(COM1_IRQS, 0);
	port_write8(COM1_LINE, LINE_DIVISOR);
	port_write8(COM1_DATA, 1);
	port_write8(COM1_IRQS, 0);
	port_write8(COM1_LINE, LINE_8N1);
	port_write8(COM1_FIFO, 0x07);
	port_write8(COM1_MODEM, 0x0B);
}

static void console_put_raw(char c)
{
	while (!(port_read8(COM1_STATUS) & STATUS_THRE))
		;
	port_write8(COM1_DATA, (uint8_t)c);
}

void console_put(char c)
{
	if (!present)
		return;
	if (c == '\n')
		console_put_raw('\r');
	console_put_raw(c);
}

int console_poll(void)
{
	if (!present || !(port_read8(COM1_STATUS) & STATUS_READY))
		return -1;
	return port_read8(COM1_DATA);
}

void console_interrupt_on_input(void)
{
	if (present)
		port_write8(COM1_IRQS, IRQ_RECEIVED);
}

void console_drain(void)
{
	while (present && !(port_read8(COM1_STATUS) & STATUS_TEMT))
		;
}

void console_put_log(char c)
{
	port_write8(DEBUG_PORT, (uint8_t)c);
}
