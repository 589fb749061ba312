#include "kernel/serial.h"

#include "kernel/interrupts.h"
#include "kernel/statistics.h"
#include "kernel/x86.h"

enum {
	DATA = 0,
	DIVISOR_LOW = 0,
	INTERRUPT_ENABLE = 1,
	DIVISOR_HIGH = 1,
	INTERRUPT_IDENTIFY = 2,
	FIFO_CONTROL = 2,
	LINE_CONTROL = 3,
	MODEM_CONTROL = 4,
	LINE_STATUS = 5,
	SCRATCH = 7
};

#define ENABLE_RECEIVE       0x01
#define FIFO_ON_AND_CLEARED  0x07
#define LINE_8N1             0x03
#define LINE_DIVISOR         0x80
#define MODEM_DTR_RTS_OUT2   0x0B /* OUT2 lets the interrupt through to the 8259 */
#define STATUS_DATA          0x01
#define STATUS_OVERRUN       0x02
#define STATUS_HOLDING_EMPTY 0x20
#define STATUS_ALL_SENT      0x40

#define IDENTIFY_FIFO 0xC0 /* both bits: a 16550A, whose FIFO works */

#define FIFO_BYTES 16
#define RING_BYTES 4096

/* Reads of the status register: about a second on a real machine, where a byte takes 87 us. */
#define PATIENCE 1000000

struct port {
	uint16_t base;
	uint8_t irq;
	bool there;
	unsigned int fifo; /* bytes that the chip takes at once */
	unsigned int room; /* how many of them are left before the status must be read again */
	bool stuck;        /* waiting was in vain: nobody waits again until there is room */
	uint32_t dropped;
	volatile uint32_t head, tail;
	volatile bool held_off; /* the ring was full, and the interrupt is off */
	char ring[RING_BYTES];
};

static struct port ports[SERIAL_PORTS] = {
        [SERIAL_COM1] = {.base = 0x3F8, .irq = 4},
        [SERIAL_COM2] = {.base = 0x2F8, .irq = 3},
};

static uint8_t port_read(const struct port *port, int at)
{
	return x86_in8((uint16_t)(port->base + at));
}

static void port_write(const struct port *port, int at, uint8_t value)
{
	x86_out8((uint16_t)(port->base + at), value);
}

static void receive(struct port *port)
{
	uint8_t status;

	while ((status = port_read(port, LINE_STATUS)) & STATUS_DATA) {
		if (status & STATUS_OVERRUN)
			statistics_count(serial_overruns);
		if (port->head - port->tail == RING_BYTES) {
			port->held_off = true;
			port_write(port, INTERRUPT_ENABLE, 0);
			return;
		}
		port->ring[port->head % RING_BYTES] = (char)port_read(port, DATA);
		port->head++;
		statistics_count(serial_bytes_in);
	}
}

bool serial_open(enum serial_port which)
{
	struct port *port = &ports[which];

	port_write(port, SCRATCH, 0x5A);
	port->there = port_read(port, SCRATCH) == 0x5A;
	if (!port->there)
		return false;
	receive(port); /* what was typed ahead: turning the FIFO on would drop it */
	port_write(port, INTERRUPT_ENABLE, 0);
	port_write(port, LINE_CONTROL, LINE_DIVISOR);
	port_write(port, DIVISOR_LOW, 1); /* 115200 baud */
	port_write(port, DIVISOR_HIGH, 0);
	port_write(port, LINE_CONTROL, LINE_8N1);
	port_write(port, FIFO_CONTROL, FIFO_ON_AND_CLEARED);
	port->fifo = (port_read(port, INTERRUPT_IDENTIFY) & IDENTIFY_FIFO) == IDENTIFY_FIFO
	                     ? FIFO_BYTES
	                     : 1;
	port_write(port, MODEM_CONTROL, MODEM_DTR_RTS_OUT2);
	return true;
}

static void on_com1(void)
{
	receive(&ports[SERIAL_COM1]);
}

static void on_com2(void)
{
	receive(&ports[SERIAL_COM2]);
}

void serial_start_input(enum serial_port which)
{
	struct port *port = &ports[which];

	if (!port->there)
		return;
	interrupts_connect(port->irq, which == SERIAL_COM1 ? on_com1 : on_com2);
	port_write(port, INTERRUPT_ENABLE, ENABLE_RECEIVE);
}

bool serial_read(enum serial_port which, char *c)
{
	struct port *port = &ports[which];

	if (port->head == port->tail)
		return false;
	*c = port->ring[port->tail % RING_BYTES];
	port->tail++;
	/* In this order: whoever holds it off from here on finds more in the ring for us to read.
	 */
	if (port->held_off) {
		port->held_off = false;
		port_write(port, INTERRUPT_ENABLE, ENABLE_RECEIVE);
	}
	return true;
}

static bool wait_for(const struct port *port, uint8_t status, int patience)
{
	for (int i = 0; i < patience; i++)
		if (port_read(port, LINE_STATUS) & status)
			return true;
	return false;
}

static bool make_room(struct port *port)
{
	int patience;

	if (port->room)
		return true;
	patience = port->stuck ? 1 : PATIENCE;
	port->stuck = !wait_for(port, STATUS_HOLDING_EMPTY, patience);
	if (!port->stuck)
		port->room = port->fifo;
	else if (patience > 1)
		statistics_count(serial_waits_in_vain);
	return !port->stuck;
}

void serial_write(enum serial_port which, char c)
{
	struct port *port = &ports[which];

	if (!port->there)
		return;
	if (!make_room(port)) {
		port->dropped++;
		statistics_count(serial_bytes_dropped);
		return;
	}
	port_write(port, DATA, (uint8_t)c);
	port->room--;
}

bool serial_is_stuck(enum serial_port which)
{
	return ports[which].stuck;
}

uint32_t serial_dropped(enum serial_port which)
{
	return ports[which].dropped;
}

void serial_drain(enum serial_port which)
{
	struct port *port = &ports[which];

	if (port->there && !port->stuck && !wait_for(port, STATUS_ALL_SENT, PATIENCE))
		statistics_count(serial_bytes_dropped);
}
