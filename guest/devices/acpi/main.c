#include "guest/library/apic.h"
#include "guest/library/cpu.h"
#include "guest/library/interrupts.h"
#include "guest/library/memory.h"
#include "guest/library/ports.h"
#include "guest/library/start.h"
#include "guest/library/test.h"
#include "guest/library/traps.h"

#define FIRMWARE       0xE0000u
#define FIRMWARE_END   0x100000u
#define FADT_DSDT      40
#define FADT_INTERRUPT 46
#define FADT_SMI       48
#define FADT_ENABLE    52
#define FADT_EVENT     56
#define FADT_CONTROL   64
#define FADT_TIMER     76
#define CONTROL_SCI    1u
#define EVENT_TIMER    1u
#define TIMER_MASK     0xFFFFFFu
#define VECTOR_POWER   0x59
#define VECTOR_NONE    0xFF
#define MEASURED       20000u /* ticks of the 8254: 17 ms */
#define PATIENCE_TICKS                                                             \
	12000000u /* of the ACPI timer: 3.3 s; its highest bit changes every 2.3 s \
	           */

static volatile uint32_t count;
static uint16_t event_port;

static uint32_t word_at(uint32_t address)
{
	return *(const uint32_t *)(uintptr_t)address;
}

static bool adds_up(uint32_t address, uint32_t size)
{
	const uint8_t *bytes = (const uint8_t *)(uintptr_t)address;
	uint8_t sum = 0;
	while (size--)
		sum = (uint8_t)(sum + *bytes++);
	return sum == 0;
}

static uint32_t find_pointer(void)
{
	for (uint32_t at = FIRMWARE; at < FIRMWARE_END; at += 16)
		if (memcmp((const void *)(uintptr_t)at, "RSD PTR ", 8) == 0 && adds_up(at, 20))
			return at;
	return 0;
}

static uint32_t find_table(uint32_t rsdt, const char *signature)
{
	for (uint32_t at = rsdt + 36; at < rsdt + word_at(rsdt + 4); at += 4)
		if (memcmp((const void *)(uintptr_t)word_at(at), signature, 4) == 0)
			return word_at(at);
	return 0;
}

static bool is_whole(uint32_t table)
{
	return table && adds_up(table, word_at(table + 4));
}

/* Some machines begin in a mode in which the firmware has the registers. */
static void enter_acpi_mode(uint32_t fadt)
{
	uint16_t command = (uint16_t)word_at(fadt + FADT_SMI);
	uint16_t control = (uint16_t)word_at(fadt + FADT_CONTROL);
	if (command && !(port_read16(control) & CONTROL_SCI))
		port_write8(command, *(const uint8_t *)(uintptr_t)(fadt + FADT_ENABLE));
	test_check(port_read16(control) & CONTROL_SCI, "the machine is in ACPI mode");
}

static uint16_t read_counter(void)
{
	port_write8(0x43, 0);
	uint8_t low = port_read8(0x40);
	return (uint16_t)(port_read8(0x40) << 8 | low);
}

/* How far the 8254 has counted, and how far the timer has at least and at most meanwhile. */
struct pace {
	uint32_t elapsed, least, most;
};

static struct pace measure(uint16_t port)
{
	struct pace pace;

	timer_start_once(0xFFFF);
	while (read_counter() > 0xFFF0)
		;
	uint32_t before = port_read32(port);
	uint16_t start = read_counter();
	uint32_t behind = port_read32(port);
	do {
		pace.least = (port_read32(port) - behind) & TIMER_MASK;
		pace.elapsed = (uint16_t)(start - read_counter());
		pace.most = (port_read32(port) - before) & TIMER_MASK;
	} while (pace.elapsed < MEASURED && pace.most < 4 * MEASURED);
	return pace;
}

/* Again when the computer underneath has done something else between two reads. */
static void check_timer(uint16_t port)
{
	struct pace pace = measure(port);

	for (unsigned i = 0;
	     i < 200 && (pace.most - pace.least > pace.elapsed / 10 || pace.most >= 4 * MEASURED);
	     i++)
		pace = measure(port);
	test_check(pace.least < 3 * pace.elapsed + pace.elapsed / 10 &&
	                   pace.most > 3 * pace.elapsed - pace.elapsed / 50,
	           "the timer counts three times as fast as the 8254");
}

static void on_power(struct trap_frame *frame)
{
	(void)frame;
	count++;
	port_write16(event_port, EVENT_TIMER);
	apic_write(APIC_END, 0);
}

static void on_spurious(struct trap_frame *frame)
{
	(void)frame;
}

/* A level that is taken back by the handler: it comes once. */
static void check_interrupt(uint16_t timer, unsigned pin)
{
	uint32_t start = port_read32(timer);
	trap_set_handler(VECTOR_POWER, on_power);
	trap_set_handler(VECTOR_NONE, on_spurious);
	trap_set_handler(VECTOR_IRQ0 + 7, on_spurious);
	apic_start(VECTOR_NONE);
	port_write16(event_port, EVENT_TIMER);
	io_apic_route(pin, VECTOR_POWER | APIC_LEVEL);
	port_write16((uint16_t)(event_port + 2), EVENT_TIMER);
	cpu_enable_interrupts();
	while (!count && ((port_read32(timer) - start) & TIMER_MASK) < PATIENCE_TICKS)
		;
	cpu_disable_interrupts();
	bool is_set = port_read16(event_port) & EVENT_TIMER;
	if (count == 1 && !is_set)
		test_note("a change of its highest bit interrupts through the I/O APIC, once");
	else
		test_note("a change of its highest bit: %u interrupts, %s", count,
		          is_set ? "an event" : "no event");
	port_write16(event_port, EVENT_TIMER);
	test_check(!(port_read16(event_port) & EVENT_TIMER), "an event is cleared by a write");
	port_write16((uint16_t)(event_port + 2), 0);
}

void guest_main(const struct boot_info *boot)
{
	(void)boot;
	test_begin("acpi", "the tables are whole, and the registers that they name are there");
	uint32_t pointer = find_pointer();
	if (!pointer)
		test_skip("this machine has no ACPI tables");
	uint32_t rsdt = word_at(pointer + 16), fadt = find_table(rsdt, "FACP");
	test_check(is_whole(rsdt) && is_whole(fadt) && is_whole(word_at(fadt + FADT_DSDT)),
	           "RSDT, FADT and DSDT have right sums");
	if (apic_is_there())
		test_check(is_whole(find_table(rsdt, "APIC")), "there is a table of the APICs");
	event_port = (uint16_t)word_at(fadt + FADT_EVENT);
	uint16_t timer = (uint16_t)word_at(fadt + FADT_TIMER);
	enter_acpi_mode(fadt);
	check_timer(timer);
	if (apic_is_there())
		check_interrupt(timer, word_at(fadt + FADT_INTERRUPT) & 0xFFFF);
	test_end();
}
