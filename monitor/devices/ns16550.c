#include "monitor/devices/ns16550.h"

#include "kernel/divide.h"
#include "monitor/devices/virtual_time.h"

enum {
	DATA,
	INTERRUPT_ENABLE,
	INTERRUPT_IDENTIFICATION, /* written it is the FIFO control register */
	LINE_CONTROL,
	MODEM_CONTROL,
	LINE_STATUS,
	MODEM_STATUS,
	SCRATCH,
};

enum {
	ENABLE_RECEIVED = 0x01,
	ENABLE_EMPTY = 0x02,
	ENABLE_LINE_STATUS = 0x04,
	ENABLE_MODEM_STATUS = 0x08,
	ENABLE_ALL = 0x0F,
};

enum {
	IDENTIFY_MODEM_STATUS = 0x00,
	IDENTIFY_NONE = 0x01,
	IDENTIFY_EMPTY = 0x02,
	IDENTIFY_RECEIVED = 0x04,
	IDENTIFY_LINE_STATUS = 0x06,
	IDENTIFY_TIMEOUT = 0x0C,
	IDENTIFY_FIFOS = 0xC0,
};

enum {
	FIFO_ENABLE = 0x01,
	FIFO_CLEAR_RECEIVER = 0x02,
	FIFO_CLEAR_TRANSMITTER = 0x04,
	FIFO_TRIGGER_SHIFT = 6,
};

enum {
	LINE_DATA_BITS = 0x03,
	LINE_TWO_STOP_BITS = 0x04,
	LINE_PARITY_ENABLE = 0x08,
	LINE_SEND_BREAK = 0x40,
	LINE_DIVISOR_ACCESS = 0x80,
};

enum {
	MODEM_DTR = 0x01,
	MODEM_RTS = 0x02,
	MODEM_OUT1 = 0x04,
	MODEM_OUT2 = 0x08,
	MODEM_LOOPBACK = 0x10,
	MODEM_ALL = 0x1F,
};

enum {
	STATUS_DATA_READY = 0x01,
	STATUS_OVERRUN = 0x02,
	STATUS_HOLDING_EMPTY = 0x20,
	STATUS_ALL_EMPTY = 0x40,
	STATUS_ERROR_IN_FIFO = 0x80,
};

/* 9600 baud of 1.8432 MHz: the divisor has no reset value, but a guest may send without setting it.
 */
enum { DIVISOR_9600 = 12 };

static const uint8_t trigger_levels[4] = {1, 4, 8, 14};

static bool uart_has_fifos(const struct ns16550 *uart)
{
	return uart->fifo_control & FIFO_ENABLE;
}

static bool uart_loops(const struct ns16550 *uart)
{
	return uart->modem_control & MODEM_LOOPBACK;
}

static uint8_t uart_trim(const struct ns16550 *uart, uint8_t byte)
{
	return byte & (uint8_t)(0xFF >> (3 - (uart->line_control & LINE_DATA_BITS)));
}

/* The clock gives 16 pulses a bit; half bits, because a stop bit may last one and a half. */
static uint64_t uart_character_time(const struct ns16550 *uart)
{
	unsigned data_bits = 5 + (uart->line_control & LINE_DATA_BITS);
	unsigned half_bits = 2 * (1 + data_bits) + 2;
	uint32_t divisor = uart->divisor ? uart->divisor : 65536, rest;

	if (uart->line_control & LINE_PARITY_ENABLE)
		half_bits += 2;
	if (uart->line_control & LINE_TWO_STOP_BITS)
		half_bits += data_bits == 5 ? 1 : 2;
	/* Half a bit at divisor 1 is 10^9 / 230400 ns = 78125 / 18 ns. */
	return divide_by_word((uint64_t)half_bits * divisor * 78125, 18, &rest);
}

static uint8_t uart_modem_lines(const struct ns16550 *uart)
{
	uint8_t control = uart->modem_control, lines = 0;

	if (!uart_loops(uart))
		return uart->modem_inputs;
	lines |= control & MODEM_RTS ? NS16550_CTS : 0;
	lines |= control & MODEM_DTR ? NS16550_DSR : 0;
	lines |= control & MODEM_OUT1 ? NS16550_RI : 0;
	lines |= control & MODEM_OUT2 ? NS16550_DCD : 0;
	return lines;
}

/* Every input reports each change, but the ring indicator only the end of a ring. */
static void uart_note_modem(struct ns16550 *uart, uint8_t before)
{
	uint8_t after = uart_modem_lines(uart), changed = before ^ after;

	changed &= (uint8_t) ~(NS16550_RI & after);
	uart->modem_changes |= changed >> 4;
}

static bool uart_reached_trigger(const struct ns16550 *uart)
{
	unsigned level = trigger_levels[uart->fifo_control >> FIFO_TRIGGER_SHIFT];

	return uart->received_count >= (uart_has_fifos(uart) ? level : 1);
}

static uint8_t uart_identify(const struct ns16550 *uart)
{
	uint8_t enabled = uart->interrupt_enable;

	if (enabled & ENABLE_LINE_STATUS && uart->line_errors)
		return IDENTIFY_LINE_STATUS;
	if (enabled & ENABLE_RECEIVED && uart_reached_trigger(uart))
		return IDENTIFY_RECEIVED;
	if (enabled & ENABLE_RECEIVED && uart->timeout_pending)
		return IDENTIFY_TIMEOUT;
	if (enabled & ENABLE_EMPTY && uart->empty_pending)
		return IDENTIFY_EMPTY;
	if (enabled & ENABLE_MODEM_STATUS && uart->modem_changes)
		return IDENTIFY_MODEM_STATUS;
	return IDENTIFY_NONE;
}

/* On a PC the interrupt passes a gate that OUT2 opens, and in loopback that pin is inactive. */
static void uart_update(struct ns16550 *uart)
{
	bool open = (uart->modem_control & (MODEM_OUT2 | MODEM_LOOPBACK)) == MODEM_OUT2;
	bool interrupt = open && uart_identify(uart) != IDENTIFY_NONE;

	if (interrupt == uart->interrupt)
		return;
	uart->interrupt = interrupt;
	line_set(&uart->line, interrupt);
}

static void uart_clear_receiver(struct ns16550 *uart)
{
	uart->received_first = uart->received_count = 0;
	uart->timeout_pending = false;
	uart->timeout_due = VIRTUAL_TIME_NEVER;
}

static void uart_clear_transmitter(struct ns16550 *uart)
{
	uart->empty_pending |= uart->to_send_count != 0;
	uart->to_send_first = uart->to_send_count = 0;
}

void ns16550_reset(struct ns16550 *uart)
{
	*uart = (struct ns16550){.timed = uart->timed,
	                         .modem_inputs = uart->modem_inputs,
	                         .divisor = DIVISOR_9600,
	                         .line = uart->line,
	                         .transmit = uart->transmit,
	                         .owner = uart->owner};
	uart_clear_receiver(uart);
	line_set(&uart->line, false);
}

static void uart_restart_timeout(struct ns16550 *uart, uint64_t now)
{
	bool waits = uart_has_fifos(uart) && uart->received_count;

	uart->timeout_due = waits ? now + 4 * uart_character_time(uart) : VIRTUAL_TIME_NEVER;
}

/* The errors of a character show when it is the next one to be read. */
static void uart_show_errors(struct ns16550 *uart)
{
	struct ns16550_character *next = &uart->received[uart->received_first];

	if (uart->received_count == 0)
		return;
	uart->line_errors |= next->errors;
	next->errors = 0;
}

static void uart_take_in(struct ns16550 *uart, uint64_t now, uint8_t byte, uint8_t errors)
{
	struct ns16550_character character = {uart_trim(uart, byte), errors};
	unsigned size = uart_has_fifos(uart) ? NS16550_FIFO : 1;

	if (uart->received_count == size) {
		uart->line_errors |= STATUS_OVERRUN;
		uart->overruns++;
		/* A full FIFO keeps what it has; the single register is overwritten. */
		if (uart_has_fifos(uart))
			return;
		uart->received_count = 0;
	}
	unsigned last = (uart->received_first + uart->received_count++) % NS16550_FIFO;
	uart->received[last] = character;
	uart_show_errors(uart);
	if (!uart->timeout_pending)
		uart_restart_timeout(uart, now);
}

static uint8_t uart_read_data(struct ns16550 *uart, uint64_t now)
{
	if (uart->received_count == 0)
		return uart->last_received;
	uart->last_received = uart->received[uart->received_first].byte;
	uart->received_first = (uart->received_first + 1) % NS16550_FIFO;
	uart->received_count--;
	uart_show_errors(uart);
	uart->timeout_pending = false;
	uart_restart_timeout(uart, now);
	return uart->last_received;
}

static void uart_send(struct ns16550 *uart, uint64_t now, uint8_t byte)
{
	byte = uart_trim(uart, byte);
	if (uart_loops(uart))
		uart_take_in(uart, now, byte, 0);
	else if (uart->line_control & LINE_SEND_BREAK)
		uart->dropped_send++;
	else if (uart->transmit)
		uart->transmit(uart->owner, byte);
}

static void uart_start_shift(struct ns16550 *uart, uint64_t start)
{
	uart->shifting = uart->to_send_count != 0;
	if (!uart->shifting)
		return;
	uart->shift = uart->to_send[uart->to_send_first];
	uart->to_send_first = (uart->to_send_first + 1) % NS16550_FIFO;
	uart->shift_done = start + uart_character_time(uart);
	if (--uart->to_send_count == 0)
		uart->empty_pending = true;
}

static void uart_write_data(struct ns16550 *uart, uint64_t now, uint8_t byte)
{
	unsigned size = uart_has_fifos(uart) ? NS16550_FIFO : 1;

	/* The line must be seen to fall, or the interrupt for an emptied register is no edge. */
	uart->empty_pending = false;
	uart_update(uart);
	if (!uart->timed) {
		uart_send(uart, now, byte);
		uart->empty_pending = true;
		return;
	}
	if (uart->to_send_count == size) {
		uart->dropped_send++;
		return;
	}
	uart->to_send[(uart->to_send_first + uart->to_send_count++) % NS16550_FIFO] = byte;
	if (!uart->shifting)
		uart_start_shift(uart, now);
}

/* At most one character in the shift register and a FIFO full behind it, however long it was. */
static void uart_settle(struct ns16550 *uart, uint64_t now)
{
	while (uart->shifting && uart->shift_done <= now) {
		uint64_t done = uart->shift_done;
		uart_send(uart, done, uart->shift);
		uart_start_shift(uart, done);
	}
	if (uart->timeout_due <= now) {
		uart->timeout_pending = true;
		uart->timeout_due = VIRTUAL_TIME_NEVER;
	}
}

void ns16550_advance(struct ns16550 *uart, uint64_t now)
{
	uart_settle(uart, now);
	uart_update(uart);
}

uint64_t ns16550_next_due(const struct ns16550 *uart)
{
	uint64_t due = uart->shifting ? uart->shift_done : VIRTUAL_TIME_NEVER;

	/* Nobody hears a time-out whose interrupt is off, or while the trigger level speaks. */
	if (uart->interrupt_enable & ENABLE_RECEIVED && !uart_reached_trigger(uart))
		due = virtual_time_earlier(due, uart->timeout_due);
	return due;
}

unsigned ns16550_room(const struct ns16550 *uart)
{
	if (uart_loops(uart))
		return 0;
	return (uart_has_fifos(uart) ? NS16550_FIFO : 1) - uart->received_count;
}

bool ns16550_receive(struct ns16550 *uart, uint64_t now, uint8_t byte, uint8_t errors)
{
	if (uart_loops(uart))
		return false;
	uart_settle(uart, now);
	uart_take_in(uart, now, byte, errors);
	uart_update(uart);
	return true;
}

void ns16550_set_modem(struct ns16550 *uart, uint64_t now, uint8_t inputs)
{
	uint8_t before = uart_modem_lines(uart);

	uart_settle(uart, now);
	uart->modem_inputs = inputs;
	uart_note_modem(uart, before);
	uart_update(uart);
}

static bool uart_error_in_fifo(const struct ns16550 *uart)
{
	if (!uart_has_fifos(uart))
		return false;
	if (uart->line_errors & ~STATUS_OVERRUN)
		return true;
	for (unsigned i = 0; i < uart->received_count; i++) {
		if (uart->received[(uart->received_first + i) % NS16550_FIFO].errors)
			return true;
	}
	return false;
}

static uint8_t uart_read_line_status(struct ns16550 *uart)
{
	uint8_t status = uart->line_errors;

	if (uart->received_count)
		status |= STATUS_DATA_READY;
	if (uart->to_send_count == 0)
		status |= STATUS_HOLDING_EMPTY;
	if (uart->to_send_count == 0 && !uart->shifting)
		status |= STATUS_ALL_EMPTY;
	if (uart_error_in_fifo(uart))
		status |= STATUS_ERROR_IN_FIFO;
	uart->line_errors = 0;
	return status;
}

static uint8_t uart_read_identification(struct ns16550 *uart)
{
	uint8_t source = uart_identify(uart);

	if (source == IDENTIFY_EMPTY)
		uart->empty_pending = false;
	return source | (uart_has_fifos(uart) ? IDENTIFY_FIFOS : 0);
}

static uint8_t uart_read_modem_status(struct ns16550 *uart)
{
	uint8_t status = uart_modem_lines(uart) | uart->modem_changes;

	uart->modem_changes = 0;
	return status;
}

static void uart_write_fifo_control(struct ns16550 *uart, uint8_t value)
{
	bool switched = (value ^ uart->fifo_control) & FIFO_ENABLE;

	if (switched || (value & FIFO_ENABLE && value & FIFO_CLEAR_RECEIVER))
		uart_clear_receiver(uart);
	if (switched || (value & FIFO_ENABLE && value & FIFO_CLEAR_TRANSMITTER))
		uart_clear_transmitter(uart);
	/* The other bits hold only when the FIFOs are on. */
	uart->fifo_control = value & FIFO_ENABLE ? value : 0;
}

static void uart_write_interrupt_enable(struct ns16550 *uart, uint8_t value)
{
	/* Enabled while the register is empty, the interrupt comes at once. */
	if (value & ~uart->interrupt_enable & ENABLE_EMPTY && uart->to_send_count == 0)
		uart->empty_pending = true;
	uart->interrupt_enable = value & ENABLE_ALL;
}

static void uart_write_modem_control(struct ns16550 *uart, uint8_t value)
{
	uint8_t before = uart_modem_lines(uart);

	uart->modem_control = value & MODEM_ALL;
	uart_note_modem(uart, before);
}

static uint8_t uart_read(struct ns16550 *uart, uint64_t now, unsigned number)
{
	bool divisor = uart->line_control & LINE_DIVISOR_ACCESS;

	switch (number) {
	case DATA:
		return divisor ? (uint8_t)uart->divisor : uart_read_data(uart, now);
	case INTERRUPT_ENABLE:
		return divisor ? (uint8_t)(uart->divisor >> 8) : uart->interrupt_enable;
	case INTERRUPT_IDENTIFICATION:
		return uart_read_identification(uart);
	case LINE_CONTROL:
		return uart->line_control;
	case MODEM_CONTROL:
		return uart->modem_control;
	case LINE_STATUS:
		return uart_read_line_status(uart);
	case MODEM_STATUS:
		return uart_read_modem_status(uart);
	default:
		return uart->scratch;
	}
}

static void uart_write_divisor(struct ns16550 *uart, unsigned number, uint8_t value)
{
	if (number == DATA)
		uart->divisor = (uint16_t)((uart->divisor & 0xFF00) | value);
	else
		uart->divisor = (uint16_t)((uart->divisor & 0x00FF) | value << 8);
}

static void uart_write(struct ns16550 *uart, uint64_t now, unsigned number, uint8_t value)
{
	if (uart->line_control & LINE_DIVISOR_ACCESS && number <= INTERRUPT_ENABLE) {
		uart_write_divisor(uart, number, value);
		return;
	}
	switch (number) {
	case DATA:
		uart_write_data(uart, now, value);
		break;
	case INTERRUPT_ENABLE:
		uart_write_interrupt_enable(uart, value);
		break;
	case INTERRUPT_IDENTIFICATION:
		uart_write_fifo_control(uart, value);
		break;
	case LINE_CONTROL:
		uart->line_control = value;
		break;
	case MODEM_CONTROL:
		uart_write_modem_control(uart, value);
		break;
	case LINE_STATUS:
	case MODEM_STATUS:
		/* Both are for reading; writing them is for the factory's tests. */
		break;
	default:
		uart->scratch = value;
	}
}

uint32_t ns16550_read(void *chip, uint64_t now, uint16_t port, unsigned size)
{
	struct ns16550 *uart = chip;

	(void)size;
	uart_settle(uart, now);
	uint8_t value = uart_read(uart, now, port % NS16550_PORTS);
	uart_update(uart);
	return value;
}

/* The line status, when there are no errors that are gone once they have been read, and nothing is
 * on its way out. */
bool ns16550_steady(void *chip, uint64_t now, uint16_t port)
{
	struct ns16550 *uart = chip;

	uart_settle(uart, now);
	return port % NS16550_PORTS == LINE_STATUS && !uart->line_errors && !uart->to_send_count &&
	       !uart->shifting;
}

void ns16550_write(void *chip, uint64_t now, uint16_t port, unsigned size, uint32_t value)
{
	struct ns16550 *uart = chip;

	(void)size;
	uart_settle(uart, now);
	uart_write(uart, now, port % NS16550_PORTS, (uint8_t)value);
	uart_update(uart);
}
