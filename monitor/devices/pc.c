#include "monitor/devices/pc.h"

#include <stddef.h>

#include "monitor/devices/virtual_time.h"

/* Guests poll the request registers for timer ticks, so they must show the present. */
static uint32_t pc_read_interrupts(void *board, uint64_t now, uint16_t port, unsigned size)
{
	struct pc *pc = board;

	pc_advance(pc, now);
	return i8259_read(&pc->interrupts, now, port, size);
}

static void pc_write_interrupts(void *board, uint64_t now, uint16_t port, unsigned size,
                                uint32_t value)
{
	struct pc *pc = board;

	pc_advance(pc, now);
	i8259_write(&pc->interrupts, now, port, size, value);
}

static const struct {
	uint16_t first, count;
	uint8_t widest;
	const char *name;
	bus_read_function *read;
	bus_write_function *write;
	size_t chip; /* its offset in struct pc; zero is the board itself */
} ranges[] = {
        {I8259_MASTER_PORT, I8259_PORTS, 1, "8259 master", pc_read_interrupts, pc_write_interrupts,
         0},
        {I8254_PORT, I8254_PORTS, 1, "8254", i8254_read, i8254_write, offsetof(struct pc, timer)},
        {I8042_DATA_PORT, 1, 1, "8042 data", i8042_read, i8042_write,
         offsetof(struct pc, keyboard)},
        {PORT61, 1, 1, "port 0x61", port61_read, port61_write, offsetof(struct pc, port61)},
        {I8042_COMMAND_PORT, 1, 1, "8042 command", i8042_read, i8042_write,
         offsetof(struct pc, keyboard)},
        {MC146818_PORT, MC146818_PORTS, 1, "MC146818", mc146818_read, mc146818_write,
         offsetof(struct pc, clock)},
        {PORT92, 1, 1, "port 0x92", port92_read, port92_write, offsetof(struct pc, port92)},
        {I8259_SLAVE_PORT, I8259_PORTS, 1, "8259 slave", pc_read_interrupts, pc_write_interrupts,
         0},
        {PORT_E9, 1, 1, "port 0xE9", port_e9_read, port_e9_write,
         offsetof(struct pc, debug_console)},
        {DEBUG_EXIT_PORT, DEBUG_EXIT_PORTS, 4, "debug-exit", debug_exit_read, debug_exit_write,
         offsetof(struct pc, debug_exit)},
        {NS16550_COM2, NS16550_PORTS, 1, "COM2", ns16550_read, ns16550_write,
         offsetof(struct pc, com2)},
        {NS16550_COM1, NS16550_PORTS, 1, "COM1", ns16550_read, ns16550_write,
         offsetof(struct pc, com1)},
        {I8259_LEVEL_PORT, I8259_PORTS, 1, "8259 edge/level", pc_read_interrupts,
         pc_write_interrupts, 0},
        {POWER_CONTROL_PORT, 2, 2, "power control", power_read, power_write,
         offsetof(struct pc, power)},
        {POWER_RESET_PORT, 1, 1, "reset control", power_read, power_write,
         offsetof(struct pc, power)},
};

static void pc_drive_interrupt(void *board, unsigned input, bool level)
{
	struct pc *pc = board;

	i8259_set_line(&pc->interrupts, input, level);
}

static struct line pc_interrupt(struct pc *pc, unsigned input)
{
	return (struct line){pc_drive_interrupt, pc, input};
}

static void pc_wire_lines(struct pc *pc)
{
	const struct line reset = {power_pull_reset, &pc->power, 0};

	pc->timer.channel[0].line = pc_interrupt(pc, PC_TIMER_INTERRUPT);
	pc->keyboard.keyboard_line = pc_interrupt(pc, PC_KEYBOARD_INTERRUPT);
	pc->keyboard.mouse_line = pc_interrupt(pc, PC_MOUSE_INTERRUPT);
	pc->keyboard.reset = pc->port92.reset = reset;
	pc->clock.line = pc_interrupt(pc, PC_CLOCK_INTERRUPT);
	pc->com1.line = pc_interrupt(pc, PC_COM1_INTERRUPT);
	pc->com2.line = pc_interrupt(pc, PC_COM2_INTERRUPT);
}

void pc_wire(struct pc *pc, const struct pc_outside *outside)
{
	pc->bus.report = outside->unknown_port;
	pc->bus.owner = outside->owner;
	for (unsigned i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
		struct bus_range range = {.first = ranges[i].first,
		                          .last = (uint16_t)(ranges[i].first + ranges[i].count - 1),
		                          .widest = ranges[i].widest,
		                          .name = ranges[i].name,
		                          .read = ranges[i].read,
		                          .write = ranges[i].write,
		                          .chip = (uint8_t *)pc + ranges[i].chip};
		bus_attach(&pc->bus, &range);
	}
	pc->interrupts.processor = outside->processor;
	pc_wire_lines(pc);
	pc->port61.timer = &pc->timer;
	pc->com1.transmit = outside->com1_transmit;
	pc->com1.owner = outside->owner;
	pc->debug_console.hand_out = outside->debug_line;
	pc->debug_console.owner = outside->owner;
}

void pc_reset(struct pc *pc, uint64_t now)
{
	i8259_reset(&pc->interrupts);
	i8254_reset(&pc->timer, now);
	port61_reset(&pc->port61, now);
	port92_reset(&pc->port92);
	i8042_reset(&pc->keyboard);
	mc146818_reset(&pc->clock);
	ns16550_reset(&pc->com1);
	ns16550_reset(&pc->com2);
	port_e9_reset(&pc->debug_console);
	debug_exit_reset(&pc->debug_exit);
	power_reset(&pc->power);
}

/* Vectors 8 and 0x70, timer, keyboard and cascade open; counter 0 goes round 18.2 times a second,
 * counter 1 asks for refresh; the console is 9600 baud, eight bits. */
static const struct {
	uint16_t port;
	uint8_t value;
} firmware[] = {
        {0x20, 0x11},  {0x21, 0x08},  {0x21, 0x04},  {0x21, 0x01},  {0x21, 0xF8},
        {0xA0, 0x11},  {0xA1, 0x70},  {0xA1, 0x02},  {0xA1, 0x01},  {0xA1, 0xFF},
        {0x43, 0x34},  {0x40, 0x00},  {0x40, 0x00},  {0x43, 0x54},  {0x41, 0x12},
        {0x3FB, 0x83}, {0x3F8, 0x0C}, {0x3F9, 0x00}, {0x3FB, 0x03},
};

void pc_start(struct pc *pc, uint64_t now, uint64_t ram_size)
{
	i8042_start(&pc->keyboard);
	mc146818_start(&pc->clock, now, ram_size);
	/* Not through the bus: the guest's accesses are what is counted there. */
	for (unsigned i = 0; i < sizeof(firmware) / sizeof(firmware[0]); i++) {
		uint16_t port = firmware[i].port;
		if (port >= NS16550_COM1)
			ns16550_write(&pc->com1, now, port, 1, firmware[i].value);
		else if ((port & ~3) == I8254_PORT)
			i8254_write(&pc->timer, now, port, 1, firmware[i].value);
		else
			i8259_write(&pc->interrupts, now, port, 1, firmware[i].value);
	}
}

uint32_t pc_read(struct pc *pc, uint64_t now, uint16_t port, unsigned size)
{
	return bus_read(&pc->bus, now, port, size);
}

void pc_write(struct pc *pc, uint64_t now, uint16_t port, unsigned size, uint32_t value)
{
	bus_write(&pc->bus, now, port, size, value);
}

void pc_advance(struct pc *pc, uint64_t now)
{
	i8254_advance(&pc->timer, now);
	ns16550_advance(&pc->com1, now);
	ns16550_advance(&pc->com2, now);
	mc146818_advance(&pc->clock, now);
}

uint64_t pc_next_due(const struct pc *pc)
{
	uint64_t due = i8254_next_due(&pc->timer);

	due = virtual_time_earlier(due, ns16550_next_due(&pc->com1));
	due = virtual_time_earlier(due, ns16550_next_due(&pc->com2));
	return virtual_time_earlier(due, mc146818_next_due(&pc->clock));
}

bool pc_acknowledge(struct pc *pc, uint64_t now, uint8_t *vector)
{
	pc_advance(pc, now);
	if (!pc->interrupts.output)
		return false;
	*vector = i8259_acknowledge(&pc->interrupts);
	return true;
}
