#include "guest/library/interrupts.h"
#include "guest/library/ports.h"
#include "guest/library/start.h"
#include "guest/library/test.h"

#define PORT61          0x61
#define GATE_2          0x01
#define OUTPUT_2        0x20
#define TIMER           0x40
#define TIMER_2         0x42
#define TIMER_CONTROL   0x43
#define ONE_SHOT_2      0xB0
#define SPEAKER_CONTROL 0x0Fu
#define MEASURED        20000u /* ticks: 17 ms */
#define ATTEMPTS        10
#define POLLS           1000

#define COM1         0x3F8
#define COM1_DATA    (COM1 + 0)
#define COM1_MODEM   (COM1 + 4)
#define COM1_STATUS  (COM1 + 5)
#define STATUS_READY 0x01
#define STATUS_SENT  0x60
#define MODEM_USUAL  0x0B
#define MODEM_LOOP   0x10
#define BYTES        200
#define PATIENCE     1000000

#define ARITHMETIC_FLAGS 0x8D5u
#define FLAGS_FIXED      0x002u

static uint16_t read_counter(void)
{
	port_write8(TIMER_CONTROL, 0);
	uint8_t low = port_read8(TIMER);
	return (uint16_t)(port_read8(TIMER) << 8 | low);
}

/* In ticks of counter 0, from a moment not behind the start of counter 2: before its output was
 * last seen low, and behind when it was seen to have risen. */
struct span {
	uint16_t low, high;
};

static bool is_high_soon(void)
{
	for (int i = 0; i < POLLS; i++)
		if (port_read8(PORT61) & OUTPUT_2)
			return true;
	return false;
}

static struct span wait_for_output(void)
{
	struct span span;
	uint16_t start;

	timer_start_once(0xFFFF);
	while (read_counter() > 0xFFF0)
		;
	port_write8(PORT61, GATE_2);
	port_write8(TIMER_CONTROL, ONE_SHOT_2);
	port_write8(TIMER_2, MEASURED & 0xFF);
	start = read_counter();
	port_write8(TIMER_2, MEASURED >> 8);
	do {
		span.low = (uint16_t)(start - read_counter());
	} while (!is_high_soon());
	span.high = (uint16_t)(start - read_counter());
	return span;
}

/* However slow the computer underneath is, it is never seen too early. */
static void check_output(void)
{
	struct span span;
	bool is_soon = false, is_early = false;

	for (int i = 0; i < ATTEMPTS && !is_soon; i++) {
		span = wait_for_output();
		is_early |= span.high < MEASURED;
		is_soon = span.low <= MEASURED + MEASURED / 50 &&
		          span.high <= MEASURED + MEASURED / 50;
	}
	test_check(!is_early,
	           "the output of counter 2 is not seen to rise before its count is over");
	test_note("it is seen %s",
	          is_soon ? "as soon as it is" : "late: this computer is too slow to tell");
}

static void check_refresh(void)
{
	unsigned changes = 0;
	uint8_t last = port_read8(PORT61), now;

	for (unsigned i = 0; i < PATIENCE && changes < 100; i++) {
		now = port_read8(PORT61);
		changes += (now ^ last) >> 4 & 1;
		last = now;
	}
	test_check(changes == 100, "the refresh bit goes on changing");
}

struct registers {
	uint32_t eax, ecx, edx, flags;
};

/* With these before. */
static struct registers read_with_dx(struct registers before)
{
	struct registers after = before;

	__asm__ volatile("pushl %3\n popfl\n inb %%dx, %%al\n pushfl\n popl %3"
	                 : "+a"(after.eax), "+c"(after.ecx), "+d"(after.edx), "+r"(after.flags)
	                 :
	                 : "cc");
	return after;
}

static struct registers read_with_immediate(struct registers before)
{
	struct registers after = before;

	__asm__ volatile("pushl %3\n popfl\n inb $0x61, %%al\n pushfl\n popl %3"
	                 : "+a"(after.eax), "+c"(after.ecx), "+d"(after.edx), "+r"(after.flags)
	                 :
	                 : "cc");
	return after;
}

static bool only_al_changed(struct registers before, struct registers after)
{
	return (before.eax ^ after.eax) < 0x100 && before.ecx == after.ecx &&
	       before.edx == after.edx &&
	       before.flags == (after.flags & (ARITHMETIC_FLAGS | FLAGS_FIXED));
}

static void check_registers(void)
{
	unsigned right = 0;

	for (uint32_t i = 0; i < 2000; i++) {
		uint32_t mixed = i * 0x9E3779B9u;
		struct registers before = {mixed, ~mixed, (mixed & 0xFFFF0000u) | PORT61,
		                           (mixed >> 3 & ARITHMETIC_FLAGS) | FLAGS_FIXED};
		right += only_al_changed(before, read_with_dx(before));
		right += only_al_changed(before, read_with_immediate(before));
	}
	test_check(right == 4000, "a read changes AL, and no flag and no other register");
}

static uint8_t wait_for_status(uint8_t bits)
{
	uint8_t status = port_read8(COM1_STATUS);

	for (unsigned i = 0; i < PATIENCE && (status & bits) != bits; i++)
		status = port_read8(COM1_STATUS);
	return status;
}

/* Each byte comes back at once: asked in a loop, the status must show it, and that it was taken. */
static void check_status(void)
{
	unsigned came = 0, right = 0, empty = 0;

	wait_for_status(STATUS_SENT);
	port_write8(COM1_MODEM, MODEM_USUAL | MODEM_LOOP);
	for (unsigned i = 0; i < BYTES; i++) {
		empty += !(wait_for_status(STATUS_SENT) & STATUS_READY);
		port_write8(COM1_DATA, (uint8_t)i);
		came += wait_for_status(STATUS_READY) & STATUS_READY;
		right += port_read8(COM1_DATA) == (uint8_t)i;
	}
	wait_for_status(STATUS_SENT);
	port_write8(COM1_MODEM, MODEM_USUAL);
	test_check(came == BYTES, "the status of COM1 shows each byte that comes back");
	test_check(right == BYTES && empty == BYTES, "and that it has been read");
}

/* One after the other, each has its own answer. */
static void check_in_turn(void)
{
	unsigned right = 0;

	port_write8(PORT61, 0);
	wait_for_status(STATUS_SENT);
	for (unsigned i = 0; i < 1000; i++) {
		right += !(port_read8(PORT61) & SPEAKER_CONTROL);
		right += (port_read8(COM1_STATUS) & STATUS_SENT) == STATUS_SENT;
		port_write8(PORT61, i & 1 ? GATE_2 : 2);
		right += (port_read8(PORT61) & SPEAKER_CONTROL) == (i & 1 ? GATE_2 : 2u);
		port_write8(PORT61, 0);
	}
	test_check(right == 3000, "ports that are asked in turn have their own answers");
}

void guest_main(const struct boot_info *boot)
{
	(void)boot;
	test_begin("polled", "what a chip has to say is seen by a guest that asks it in a loop");
	check_output();
	check_refresh();
	check_registers();
	check_status();
	check_in_turn();
	test_end();
}
