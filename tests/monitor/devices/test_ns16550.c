/* The serial port: registers, interrupts and their priorities, FIFOs, time-outs, loopback, baud
 * timing. */
#include "monitor/devices/ns16550.h"
#include "monitor/devices/virtual_time.h"
#include "tests/unit.h"

enum { RBR, IER, IIR, LCR, MCR, LSR, MSR, SCR, THR = RBR, FCR = IIR, DLL = RBR, DLM = IER };

/* One character of 8N1 at 115200 baud, rounded down to a nanosecond. */
enum { CHARACTER = 86805 };

static struct ns16550 uart;
static uint64_t now;
static char sent[600];
static unsigned rises;

static void hear_line(void *owner, unsigned input, bool level)
{
	CHECK(owner == &uart);
	CHECK_EQ(input, 4);
	rises += level;
}

static void hear(void *owner, uint8_t byte)
{
	size_t length = strlen(sent);

	CHECK(owner == sent);
	sent[length] = (char)byte;
	sent[length + 1] = 0;
}

static uint8_t in(uint16_t number)
{
	return (uint8_t)ns16550_read(&uart, now, (uint16_t)(NS16550_COM1 + number), 1);
}

static void out(uint16_t number, uint8_t value)
{
	ns16550_write(&uart, now, (uint16_t)(NS16550_COM1 + number), 1, value);
}

static void receive(const char *text)
{
	for (; *text; text++)
		CHECK(ns16550_receive(&uart, now, (uint8_t)*text, 0));
}

static void reset(bool timed)
{
	memset(&uart, 0, sizeof(uart));
	uart.timed = timed;
	uart.modem_inputs = NS16550_CTS | NS16550_DSR | NS16550_DCD;
	uart.line = (struct line){hear_line, &uart, 4};
	uart.transmit = hear;
	uart.owner = sent;
	now = 1000000;
	rises = 0;
	sent[0] = 0;
	ns16550_reset(&uart);
}

/* 115200 8N1, interrupts allowed through, FIFOs as asked. */
static void set_up(bool timed, uint8_t fifo_control)
{
	reset(timed);
	out(LCR, 0x83);
	out(DLL, 1);
	out(DLM, 0);
	out(LCR, 0x03);
	out(MCR, 0x0B);
	out(FCR, fifo_control);
}

TEST(ns16550_registers_after_reset)
{
	reset(false);
	CHECK_EQ(in(IER), 0);
	CHECK_EQ(in(IIR), 1);
	CHECK_EQ(in(LCR), 0);
	CHECK_EQ(in(MCR), 0);
	CHECK_EQ(in(LSR), 0x60);
	CHECK_EQ(in(MSR), 0xB0);
	CHECK_EQ(in(RBR), 0);
}

TEST(ns16550_registers_keep_what_they_can)
{
	reset(false);
	out(SCR, 0xA5);
	CHECK_EQ(in(SCR), 0xA5);
	out(IER, 0xFF);
	CHECK_EQ(in(IER), 0x0F);
	out(MCR, 0xFF);
	CHECK_EQ(in(MCR), 0x1F);
	out(LCR, 0xFF);
	CHECK_EQ(in(LCR), 0xFF);
	out(DLL, 0x34);
	out(DLM, 0x12);
	CHECK_EQ(in(DLL), 0x34);
	CHECK_EQ(in(DLM), 0x12);
	out(LCR, 0x03);
	CHECK_EQ(in(IER), 0x0F);
	out(LSR, 0xFF);
	CHECK_EQ(in(LSR), 0x60);
	CHECK_EQ(sent[0], 0);
}

TEST(ns16550_sends_at_once_when_time_is_not_asked_for)
{
	set_up(false, 0x01);
	for (const char *text = "Hello"; *text; text++) {
		out(THR, (uint8_t)*text);
		CHECK_EQ(in(LSR), 0x60);
	}
	CHECK_STR(sent, "Hello");
	CHECK_EQ(ns16550_next_due(&uart), VIRTUAL_TIME_NEVER);
}

TEST(ns16550_sends_as_many_bits_as_the_format_has)
{
	set_up(false, 0x01);
	out(LCR, 0x02);
	out(THR, 0xC1);
	out(LCR, 0x00);
	out(THR, 0x7F);
	CHECK_STR(sent, "A\x1F");
	CHECK(ns16550_receive(&uart, now, 0xFF, 0));
	CHECK_EQ(in(RBR), 0x1F);
}

TEST(ns16550_identification_shows_whether_the_fifos_are_on)
{
	set_up(false, 0x00);
	CHECK_EQ(in(IIR), 0x01);
	out(FCR, 0x01);
	CHECK_EQ(in(IIR), 0xC1);
	out(FCR, 0xC0);
	CHECK_EQ(in(IIR), 0x01);
	/* The trigger level was not taken over with the FIFOs off. */
	out(IER, 0x01);
	out(FCR, 0x01);
	receive("x");
	CHECK_EQ(in(IIR), 0xC4);
}

TEST(ns16550_receives_without_fifos)
{
	set_up(false, 0x00);
	out(IER, 0x01);
	CHECK_EQ(ns16550_room(&uart), 1);
	receive("a");
	CHECK_EQ(ns16550_room(&uart), 0);
	CHECK(uart.interrupt);
	CHECK_EQ(in(IIR), 0x04);
	CHECK_EQ(in(LSR), 0x61);
	CHECK_EQ(in(RBR), 'a');
	CHECK(!uart.interrupt);
	CHECK_EQ(in(LSR), 0x60);
	CHECK_EQ(in(RBR), 'a');
	/* The second one overwrites the first. */
	receive("bc");
	CHECK_EQ(in(LSR), 0x63);
	CHECK_EQ(in(LSR), 0x61);
	CHECK_EQ(in(RBR), 'c');
	CHECK_EQ(uart.overruns, 1);
}

TEST(ns16550_trigger_levels)
{
	static const unsigned levels[] = {1, 4, 8, 14};

	for (unsigned i = 0; i < 4; i++) {
		set_up(false, (uint8_t)(i << 6 | 1));
		out(IER, 0x01);
		for (unsigned count = 1; count <= 16; count++) {
			receive("x");
			CHECK_EQ(uart.interrupt, count >= levels[i]);
			CHECK_EQ(ns16550_room(&uart), 16 - count);
		}
		for (unsigned count = 16; count; count--) {
			CHECK_EQ(in(IIR), count >= levels[i] ? 0xC4 : 0xC1);
			in(RBR);
		}
		CHECK_EQ(in(LSR), 0x60);
	}
}

TEST(ns16550_a_full_fifo_keeps_what_it_has)
{
	set_up(false, 0x01);
	receive("0123456789abcdefX");
	CHECK_EQ(in(LSR), 0x63);
	for (const char *text = "0123456789abcdef"; *text; text++)
		CHECK_EQ(in(RBR), *text);
	CHECK_EQ(in(LSR), 0x60);
}

TEST(ns16550_times_out_after_four_characters_of_silence)
{
	set_up(false, 0xC1);
	out(IER, 0x01);
	receive("ab");
	uint64_t due = now + 4 * CHARACTER;
	CHECK_EQ(ns16550_next_due(&uart), due);
	CHECK_EQ(in(IIR), 0xC1);
	now = due - 1;
	receive("c");
	due = now + 4 * CHARACTER;
	CHECK_EQ(ns16550_next_due(&uart), due);
	now = due - 1;
	ns16550_advance(&uart, now);
	CHECK(!uart.interrupt);
	now = due;
	ns16550_advance(&uart, now);
	CHECK(uart.interrupt);
	CHECK_EQ(in(IIR), 0xCC);
	/* It stays until a character is read, even if another one comes. */
	receive("d");
	CHECK_EQ(in(IIR), 0xCC);
	CHECK_EQ(in(RBR), 'a');
	CHECK_EQ(in(IIR), 0xC1);
	now += 4 * CHARACTER;
	CHECK_EQ(in(IIR), 0xCC);
	CHECK_EQ(in(RBR), 'b');
	CHECK_EQ(in(RBR), 'c');
	CHECK_EQ(in(RBR), 'd');
	CHECK_EQ(ns16550_next_due(&uart), VIRTUAL_TIME_NEVER);
}

TEST(ns16550_no_time_out_without_fifos_or_without_its_interrupt)
{
	set_up(false, 0x00);
	out(IER, 0x01);
	receive("a");
	CHECK_EQ(ns16550_next_due(&uart), VIRTUAL_TIME_NEVER);
	set_up(false, 0xC1);
	receive("a");
	CHECK_EQ(ns16550_next_due(&uart), VIRTUAL_TIME_NEVER);
	out(IER, 0x01);
	CHECK_EQ(ns16550_next_due(&uart), now + 4 * CHARACTER);
}

TEST(ns16550_errors_show_with_their_character)
{
	set_up(false, 0x01);
	out(IER, 0x04);
	receive("a");
	CHECK(ns16550_receive(&uart, now, 'b', NS16550_PARITY));
	CHECK(ns16550_receive(&uart, now, 0, NS16550_BREAK | NS16550_FRAMING));
	CHECK_EQ(in(IIR), 0xC1);
	CHECK_EQ(in(LSR), 0xE1);
	CHECK_EQ(in(RBR), 'a');
	CHECK(uart.interrupt);
	CHECK_EQ(in(IIR), 0xC6);
	CHECK_EQ(in(LSR), 0xE5);
	CHECK_EQ(in(LSR), 0xE1);
	CHECK_EQ(in(RBR), 'b');
	CHECK_EQ(in(LSR), 0xF9);
	CHECK_EQ(in(LSR), 0x61);
	CHECK_EQ(in(RBR), 0);
	CHECK_EQ(in(LSR), 0x60);
}

TEST(ns16550_interrupts_come_in_the_order_of_their_priority)
{
	set_up(false, 0x01);
	out(IER, 0x0F);
	ns16550_set_modem(&uart, now, NS16550_DSR | NS16550_DCD);
	CHECK(ns16550_receive(&uart, now, 'x', NS16550_PARITY));
	CHECK_EQ(in(IIR), 0xC6);
	CHECK_EQ(in(LSR), 0xE5);
	CHECK_EQ(in(IIR), 0xC4);
	CHECK_EQ(in(RBR), 'x');
	CHECK_EQ(in(IIR), 0xC2);
	CHECK_EQ(in(IIR), 0xC0);
	CHECK_EQ(in(MSR), 0xA1);
	CHECK_EQ(in(IIR), 0xC1);
	CHECK(!uart.interrupt);
}

TEST(ns16550_the_empty_interrupt)
{
	set_up(false, 0x01);
	CHECK(!uart.interrupt);
	out(IER, 0x02);
	CHECK_EQ(rises, 1);
	CHECK_EQ(in(IIR), 0xC2);
	CHECK(!uart.interrupt);
	CHECK_EQ(in(IIR), 0xC1);
	/* Enabling it again while it is enabled says nothing new; switching it off and on does. */
	out(IER, 0x02);
	CHECK(!uart.interrupt);
	out(IER, 0x00);
	out(IER, 0x02);
	CHECK_EQ(rises, 2);
	/* A write falls and rises: an edge for each character that is gone. */
	out(THR, 'a');
	out(THR, 'b');
	CHECK_EQ(rises, 4);
	CHECK_STR(sent, "ab");
}

TEST(ns16550_out2_gates_the_interrupt)
{
	set_up(false, 0x01);
	out(MCR, 0x03);
	out(IER, 0x01);
	receive("a");
	CHECK_EQ(in(IIR), 0xC4);
	CHECK(!uart.interrupt);
	out(MCR, 0x08);
	CHECK(uart.interrupt);
	out(MCR, 0x18);
	CHECK(!uart.interrupt);
}

TEST(ns16550_modem_lines_report_changes_once)
{
	set_up(false, 0x00);
	CHECK_EQ(in(MSR), 0xB0);
	ns16550_set_modem(&uart, now, NS16550_RI);
	CHECK_EQ(in(MSR), 0x4B);
	CHECK_EQ(in(MSR), 0x40);
	ns16550_set_modem(&uart, now, 0);
	CHECK_EQ(in(MSR), 0x04);
	CHECK_EQ(in(MSR), 0x00);
}

TEST(ns16550_loopback_ties_outputs_to_inputs)
{
	set_up(false, 0x01);
	static const uint8_t wanted[] = {0x00, 0x20, 0x10, 0x30, 0x40, 0x60, 0x50, 0x70,
	                                 0x80, 0xA0, 0x90, 0xB0, 0xC0, 0xE0, 0xD0, 0xF0};

	for (uint8_t lines = 0; lines < 16; lines++) {
		out(MCR, 0x10 | lines);
		CHECK_EQ(in(MSR)&0xF0, wanted[lines]);
	}
	in(MSR);
	out(MCR, 0x10);
	CHECK_EQ(in(MSR), 0x0F);
	out(MCR, 0x00);
	CHECK_EQ(in(MSR), 0xBB);
}

TEST(ns16550_loopback_returns_what_is_sent_and_nothing_else)
{
	set_up(false, 0x01);
	out(MCR, 0x1B);
	CHECK_EQ(ns16550_room(&uart), 0);
	CHECK(!ns16550_receive(&uart, now, 'x', 0));
	for (unsigned i = 0; i < 20; i++)
		out(THR, (uint8_t)i);
	CHECK_STR(sent, "");
	CHECK_EQ(in(LSR), 0x63);
	unsigned count = 0;
	while (in(LSR)&1)
		CHECK_EQ(in(RBR), count++);
	CHECK_EQ(count, 16);
}

TEST(ns16550_nothing_is_sent_during_a_break)
{
	set_up(false, 0x01);
	out(LCR, 0x43);
	out(THR, 'x');
	out(LCR, 0x03);
	out(THR, 'y');
	CHECK_STR(sent, "y");
	CHECK_EQ(uart.dropped_send, 1);
}

TEST(ns16550_characters_take_their_time)
{
	set_up(true, 0x01);
	out(IER, 0x02);
	in(IIR);
	out(THR, 'a');
	CHECK_EQ(in(LSR), 0x20);
	CHECK_EQ(in(IIR), 0xC2);
	out(THR, 'b');
	out(THR, 'c');
	CHECK_EQ(in(LSR), 0x00);
	uint64_t first = now + CHARACTER;
	CHECK_EQ(ns16550_next_due(&uart), first);
	ns16550_advance(&uart, first - 1);
	CHECK_STR(sent, "");
	ns16550_advance(&uart, first);
	CHECK_STR(sent, "a");
	CHECK(!uart.interrupt);
	now = first + CHARACTER;
	CHECK_EQ(in(LSR), 0x20);
	CHECK(uart.interrupt);
	CHECK_STR(sent, "ab");
	now = first + 2 * CHARACTER;
	CHECK_EQ(in(LSR), 0x60);
	CHECK_STR(sent, "abc");
	CHECK_EQ(ns16550_next_due(&uart), VIRTUAL_TIME_NEVER);
}

TEST(ns16550_a_full_transmit_fifo_drops)
{
	set_up(true, 0x01);
	for (char c = 'a'; c < 'a' + 18; c++)
		out(THR, (uint8_t)c);
	CHECK_EQ(uart.dropped_send, 1);
	now += 17 * CHARACTER;
	ns16550_advance(&uart, now);
	CHECK_STR(sent, "abcdefghijklmnopq");
	/* Clearing the FIFO leaves the character that is on the wire. */
	out(THR, 'X');
	out(THR, 'Y');
	out(FCR, 0x05);
	CHECK_EQ(in(LSR), 0x20);
	now += CHARACTER;
	CHECK_EQ(in(LSR), 0x60);
	CHECK_STR(sent, "abcdefghijklmnopqX");
}

TEST(ns16550_character_times_follow_divisor_and_format)
{
	static const struct {
		uint8_t line_control;
		uint16_t divisor;
		uint64_t time;
	} rows[] = {
	        {0x03, 1, 86805},    {0x03, 12, 1041666},        {0x07, 1, 95486},
	        {0x0B, 1, 95486},    {0x00, 1, 60763},           {0x04, 1, 65104},
	        {0x1A, 12, 1041666}, {0x03, 0xFFFF, 5688802083}, {0x03, 0, 5688888888},
	};

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		set_up(true, 0x00);
		out(LCR, 0x80);
		out(DLL, (uint8_t)rows[i].divisor);
		out(DLM, (uint8_t)(rows[i].divisor >> 8));
		out(LCR, rows[i].line_control);
		out(THR, 'x');
		CHECK_EQ(ns16550_next_due(&uart) - now, rows[i].time);
	}
}

TEST(ns16550_switching_the_fifos_clears_both)
{
	set_up(true, 0x01);
	out(THR, 'a');
	out(THR, 'b');
	receive("xyz");
	out(FCR, 0x00);
	CHECK_EQ(in(LSR), 0x20);
	CHECK_EQ(ns16550_room(&uart), 1);
	now += CHARACTER;
	CHECK_EQ(in(LSR), 0x60);
	CHECK_STR(sent, "a");
	out(FCR, 0x01);
	receive("xyz");
	out(FCR, 0x03);
	CHECK_EQ(in(LSR), 0x60);
}

TEST(ns16550_without_fifos_their_control_bits_do_nothing)
{
	set_up(true, 0x00);
	out(THR, 'a');
	out(THR, 'b');
	receive("x");
	out(FCR, 0x06);
	CHECK_EQ(in(LSR), 0x01);
	CHECK_EQ(in(RBR), 'x');
}

UNIT_MAIN
