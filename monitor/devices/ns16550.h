/* The 16550A serial port, with its FIFOs, its four interrupts and its loopback.
 *
 * Characters leave through `transmit`; characters come in with ns16550_receive. By default a
 * character is gone the moment it is written, because nobody gains by waiting for a wire that is
 * not there; with `timed` each takes the time that the divisor and the format say. The receive
 * time-out always follows virtual time. It must not know who sits at the other end. */
#ifndef MONITOR_DEVICES_NS16550_H
#define MONITOR_DEVICES_NS16550_H

#include <stdbool.h>
#include <stdint.h>

#include "monitor/devices/line.h"

#define NS16550_COM1  0x3F8
#define NS16550_COM2  0x2F8
#define NS16550_PORTS 8
#define NS16550_FIFO  16

/* Modem inputs, by their bits in the modem status register. */
enum { NS16550_CTS = 0x10, NS16550_DSR = 0x20, NS16550_RI = 0x40, NS16550_DCD = 0x80 };

/* What may be wrong with a received character, by its bits in the line status register. */
enum { NS16550_PARITY = 0x04, NS16550_FRAMING = 0x08, NS16550_BREAK = 0x10 };

struct ns16550_character {
	uint8_t byte, errors;
};

struct ns16550 {
	bool timed;
	uint8_t interrupt_enable, fifo_control, line_control, modem_control, scratch;
	uint16_t divisor;
	uint8_t line_errors;  /* OE, PE, FE and BI that the guest has not read yet */
	uint8_t modem_inputs; /* as they stand outside, whatever the loopback shows */
	uint8_t modem_changes;

	struct ns16550_character received[NS16550_FIFO];
	unsigned received_first, received_count;
	uint8_t last_received;
	bool timeout_pending;
	uint64_t timeout_due;

	uint8_t to_send[NS16550_FIFO];
	unsigned to_send_first, to_send_count;
	bool empty_pending; /* the interrupt "transmitter holding register empty" */
	bool shifting;
	uint8_t shift;
	uint64_t shift_done;

	bool interrupt;        /* the line as it was last driven */
	uint64_t overruns;     /* characters lost because the guest did not read */
	uint64_t dropped_send; /* characters written into a full FIFO or sent during a break */

	/* Wiring. */
	struct line line;
	void (*transmit)(void *owner, uint8_t byte);
	void *owner;
};

/* As the reset pin leaves it; `timed` and the modem inputs stay. */
void ns16550_reset(struct ns16550 *uart);

/* How many characters can come in now without loss. Nothing comes in during loopback. */
unsigned ns16550_room(const struct ns16550 *uart);
/* A character arrives. False: the receiver is not connected, and the character is still the
 * sender's. */
bool ns16550_receive(struct ns16550 *uart, uint64_t now, uint8_t byte, uint8_t errors);
void ns16550_set_modem(struct ns16550 *uart, uint64_t now, uint8_t inputs);

void ns16550_advance(struct ns16550 *uart, uint64_t now);
uint64_t ns16550_next_due(const struct ns16550 *uart);

uint32_t ns16550_read(void *uart, uint64_t now, uint16_t port, unsigned size);
/* As bus.h has it. */
bool ns16550_steady(void *uart, uint64_t now, uint16_t port);
void ns16550_write(void *uart, uint64_t now, uint16_t port, unsigned size, uint32_t value);

#endif
