#include "monitor/devices/pc.h"

#include <stddef.h>

#include "monitor/devices/acpi_tables.h"
#include "monitor/devices/mp_table.h"
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

struct port_range {
	uint16_t first, count;
	uint8_t widest;
	const char *name;
	bus_read_function *read;
	bus_write_function *write;
	size_t chip; /* its offset in struct pc; zero is the board itself */
};

static const struct port_range ranges[] = {
        {I8259_MASTER_PORT, I8259_PORTS, 1, "8259 master", pc_read_interrupts, pc_write_interrupts,
         0},
        {I8042_DATA_PORT, 1, 1, "8042 data", i8042_read, i8042_write,
         offsetof(struct pc, keyboard)},
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
        {ACPI_PM_EVENT_PORT, ACPI_PM_EVENT_PORTS, 4, "ACPI events", acpi_pm_read, acpi_pm_write,
         offsetof(struct pc, acpi_pm)},
        {POWER_CONTROL_PORT, 2, 2, "power control", power_read, power_write,
         offsetof(struct pc, power)},
};

/* What guests poll: to read it does not change when a chip is due next. */
static const struct port_range quiet_ranges[] = {
        {I8254_PORT, I8254_PORTS, 1, "8254", i8254_read, i8254_write, offsetof(struct pc, timer)},
        {PORT61, 1, 1, "port 0x61", port61_read, port61_write, offsetof(struct pc, port61)},
        {ACPI_PM_TIMER_PORT, ACPI_PM_TIMER_PORTS, 4, "ACPI timer", acpi_pm_read, acpi_pm_write,
         offsetof(struct pc, acpi_pm)},
};

/* The reset control register lies within the address register of the PCI bus, which is for words of
 * four bytes only. */
static uint32_t pc_read_pci(void *board, uint64_t now, uint16_t port, unsigned size)
{
	struct pc *pc = board;
	uint32_t value = 0;

	if (port >= PCI_DATA_PORT || size == 4)
		return pci_read(&pc->pci, now, port, size);
	for (unsigned i = 0; i < size; i++) {
		bool is_reset = port + i == POWER_RESET_PORT;
		value |= (is_reset ? power_read(&pc->power, now, POWER_RESET_PORT, 1) : 0xFF)
		         << 8 * i;
	}
	return value;
}

static void pc_write_pci(void *board, uint64_t now, uint16_t port, unsigned size, uint32_t value)
{
	struct pc *pc = board;
	unsigned shift = 8 * (unsigned)(POWER_RESET_PORT - port);

	if (port >= PCI_DATA_PORT || size == 4)
		pci_write(&pc->pci, now, port, size, value);
	else if (port <= POWER_RESET_PORT && port + size > POWER_RESET_PORT)
		power_write(&pc->power, now, POWER_RESET_PORT, 1, value >> shift & 0xFF);
}

static const struct port_range pci_ranges[] = {
        {PCI_ADDRESS_PORT, 8, 4, "PCI", pc_read_pci, pc_write_pci, 0},
};

static const struct port_range without_pci_ranges[] = {
        {POWER_RESET_PORT, 1, 1, "reset control", power_read, power_write,
         offsetof(struct pc, power)},
};

static const struct port_range ide_ranges[] = {
        {IDE_PORT, IDE_PORTS, 4, "IDE", ide_read, ide_write, offsetof(struct pc, ide)},
        {IDE_CONTROL_PORT, 1, 1, "IDE control", ide_read, ide_write, offsetof(struct pc, ide)},
};

static const struct port_range vga_ranges[] = {
        {VGA_PORT, VGA_PORTS, 1, "VGA", vga_read, vga_write, offsetof(struct pc, vga)},
        {VGA_CRTC_PORT, 2, 1, "VGA CRTC", vga_read, vga_write, offsetof(struct pc, vga)},
        {VGA_STATUS, 1, 1, "VGA status", vga_read, vga_write, offsetof(struct pc, vga)},
};

/* The request register of the local APIC shows the present of the other chips, too. */
static uint32_t pc_read_local_apic(void *board, uint64_t now, uint32_t offset, unsigned size)
{
	struct pc *pc = board;

	if (offset >= LOCAL_APIC_REQUESTS && offset < LOCAL_APIC_REQUESTS_END)
		pc_advance(pc, now);
	return local_apic_read(&pc->local_apic, now, offset, size);
}

static void pc_write_local_apic(void *board, uint64_t now, uint32_t offset, unsigned size,
                                uint32_t value)
{
	local_apic_write(&((struct pc *)board)->local_apic, now, offset, size, value);
}

/* In memory. What the board may be without is put there by pc_wire_apics(). */
static const struct bus_memory_range local_apic_range = {
        .first = LOCAL_APIC_ADDRESS,
        .last = LOCAL_APIC_ADDRESS + LOCAL_APIC_SIZE - 1,
        .widest = 4,
        .name = "local APIC",
        .read = pc_read_local_apic,
        .write = pc_write_local_apic,
};
static const struct bus_memory_range io_apic_range = {
        .first = IO_APIC_ADDRESS,
        .last = IO_APIC_ADDRESS + IO_APIC_SIZE - 1,
        .widest = 4,
        .name = "I/O APIC",
        .read = io_apic_read,
        .write = io_apic_write,
};

static const struct bus_memory_range rom_range = {
        .first = ROM_ADDRESS,
        .last = ROM_ADDRESS + ROM_SIZE - 1,
        .widest = 4,
        .name = "firmware",
        .read = rom_read,
        .write = rom_write,
};

/* The timer's line is on pin 2 of the I/O APIC, because pin 0 is the 8259's by tradition. */
static void pc_drive_interrupt(void *board, unsigned input, bool level)
{
	struct pc *pc = board;

	i8259_set_line(&pc->interrupts, input, level);
	if (!pc->without.apic)
		io_apic_set_line(&pc->io_apic, input == PC_TIMER_INTERRUPT ? PC_TIMER_PIN : input,
		                 level);
}

static struct line pc_interrupt(struct pc *pc, unsigned input)
{
	return (struct line){pc_drive_interrupt, pc, input};
}

/* Whether the timer's last tick is still to be taken, from either controller. */
static bool pc_timer_waits(void *board)
{
	const struct pc *pc = board;
	uint8_t vector;

	if (i8259_is_waiting(&pc->interrupts, PC_TIMER_INTERRUPT))
		return true;
	return !pc->without.apic && io_apic_vector(&pc->io_apic, PC_TIMER_PIN, &vector) &&
	       local_apic_requests(&pc->local_apic, vector);
}

static void pc_wire_lines(struct pc *pc)
{
	const struct line reset = {power_pull_reset, &pc->power, 0};

	pc->timer.channel[0].line = pc_interrupt(pc, PC_TIMER_INTERRUPT);
	pc->timer.channel[0].is_waiting = pc_timer_waits;
	pc->timer.channel[0].owner = pc;
	pc->keyboard.keyboard_line = pc_interrupt(pc, PC_KEYBOARD_INTERRUPT);
	pc->keyboard.mouse_line = pc_interrupt(pc, PC_MOUSE_INTERRUPT);
	pc->keyboard.reset = pc->port92.reset = reset;
	pc->acpi_pm.line = pc_interrupt(pc, ACPI_TABLES_INTERRUPT);
	pc->clock.line = pc_interrupt(pc, PC_CLOCK_INTERRUPT);
	pc->com1.line = pc_interrupt(pc, PC_COM1_INTERRUPT);
	pc->com2.line = pc_interrupt(pc, PC_COM2_INTERRUPT);
}

static bool pc_send_message(void *board, const struct local_apic_message *message)
{
	return local_apic_accept(&((struct pc *)board)->local_apic, message);
}

static void pc_end_interrupt(void *board, uint8_t vector)
{
	io_apic_end(&((struct pc *)board)->io_apic, vector);
}

static void pc_attach_memory(struct pc *pc, const struct bus_memory_range *range, void *chip)
{
	struct bus_memory_range with_chip = *range;

	with_chip.chip = chip;
	bus_attach_memory(&pc->bus, &with_chip);
}

/* The 8259's request goes through the local APIC, where there is one. */
static void pc_wire_apics(struct pc *pc, const struct pc_outside *outside)
{
	if (pc->without.apic) {
		pc->interrupts.processor = outside->processor;
		return;
	}
	pc_attach_memory(pc, &local_apic_range, pc);
	pc_attach_memory(pc, &io_apic_range, &pc->io_apic);
	pc->interrupts.processor = (struct line){local_apic_set_pin, &pc->local_apic, 0};
	pc->local_apic.processor = outside->processor;
	pc->local_apic.nmi = outside->nmi;
	pc->local_apic.end = pc_end_interrupt;
	pc->local_apic.owner = pc;
	pc->io_apic.send = pc_send_message;
	pc->io_apic.owner = pc;
}

/* Of what guests ask in loops whether it is ready, by the first port of its range. Not port 0x61:
 * docs/virtual-pc.md says why. */
static bus_steady_function *steady_function(uint16_t first)
{
	switch (first) {
	case I8042_COMMAND_PORT:
		return i8042_steady;
	case NS16550_COM1:
	case NS16550_COM2:
		return ns16550_steady;
	default:
		return NULL;
	}
}

static void pc_attach(struct pc *pc, const struct port_range *rows, size_t count,
                      bool reads_quietly)
{
	for (size_t i = 0; i < count; i++) {
		struct bus_range range = {.first = rows[i].first,
		                          .last = (uint16_t)(rows[i].first + rows[i].count - 1),
		                          .widest = rows[i].widest,
		                          .name = rows[i].name,
		                          .read = rows[i].read,
		                          .write = rows[i].write,
		                          .steady = steady_function(rows[i].first),
		                          .reads_quietly = reads_quietly,
		                          .chip = (uint8_t *)pc + rows[i].chip};
		bus_attach(&pc->bus, &range);
	}
}

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

static uint32_t pc_read_master(void *board, uint64_t now, uint16_t port, unsigned size)
{
	struct pc *pc = board;

	(void)now;
	return ide_read_master(&pc->ide, port - pc->ide_master_port, size);
}

static void pc_write_master(void *board, uint64_t now, uint16_t port, unsigned size, uint32_t value)
{
	struct pc *pc = board;

	(void)now;
	ide_write_master(&pc->ide, port - pc->ide_master_port, size, value);
}

/* The bus master's ports follow its base register. Where somebody else is already, it is nowhere.
 */
static void pc_place_master(void *board, enum pci_function_index function)
{
	struct pc *pc = board;
	uint16_t port = pci_register(&pc->pci, PCI_IDE, PCI_BASE_4, 2) & 0xFFF0;
	bool is_on = pci_register(&pc->pci, PCI_IDE, PCI_COMMAND, 2) & PCI_COMMAND_IO;
	const struct bus_range range = {.first = port,
	                                .last = (uint16_t)(port + IDE_MASTER_PORTS - 1),
	                                .widest = 4,
	                                .name = "IDE bus master",
	                                .read = pc_read_master,
	                                .write = pc_write_master,
	                                .chip = pc};

	if (function != PCI_IDE)
		return;
	if (pc->ide_master_port)
		bus_detach(&pc->bus, pc->ide_master_port);
	pc->ide_master_port = 0;
	if (pc->pci.functions[PCI_IDE].is_there && is_on && port && bus_attach(&pc->bus, &range))
		pc->ide_master_port = port;
}

static void pc_wire_disk(struct pc *pc, const struct pc_outside *outside)
{
	pc->ide.disk.image = outside->disk;
	pc->ide.disk.sectors = outside->disk_sectors;
	if (!outside->disk)
		return;
	pc_attach(pc, ide_ranges, COUNT(ide_ranges), false);
	pc->ide.line = (struct line){pc_drive_interrupt, pc, IDE_INTERRUPT};
	pc->ide.read_memory = outside->read_memory;
	pc->ide.write_memory = outside->write_memory;
	pc->ide.owner = outside->owner;
}

static void pc_wire_pci(struct pc *pc)
{
	if (pc->without.pci) {
		pc_attach(pc, without_pci_ranges, COUNT(without_pci_ranges), false);
		return;
	}
	pc_attach(pc, pci_ranges, COUNT(pci_ranges), true);
	pc->pci.written = pc_place_master;
	pc->pci.owner = pc;
	pc_place_master(pc, PCI_IDE);
}

void pc_wire(struct pc *pc, const struct pc_outside *outside)
{
	pc->bus.report = outside->unknown_port;
	pc->bus.owner = outside->owner;
	pc_attach(pc, ranges, COUNT(ranges), false);
	pc_attach(pc, quiet_ranges, COUNT(quiet_ranges), true);
	if (!pc->without.vga)
		pc_attach(pc, vga_ranges, COUNT(vga_ranges), false);
	pc_attach_memory(pc, &rom_range, &pc->rom);
	pc_wire_disk(pc, outside);
	pc_wire_pci(pc);
	pc_wire_apics(pc, outside);
	pc_wire_lines(pc);
	pc->port61.timer = &pc->timer;
	pc->com1.transmit = outside->com1_transmit;
	pc->com1.owner = outside->owner;
	pc->debug_console.hand_out = outside->debug_line;
	pc->debug_console.owner = outside->owner;
}

void pc_reset(struct pc *pc, uint64_t now)
{
	bus_forget_answer(&pc->bus);
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
	local_apic_reset(&pc->local_apic);
	io_apic_reset(&pc->io_apic);
	vga_reset(&pc->vga);
	acpi_pm_reset(&pc->acpi_pm, now);
	rom_reset(&pc->rom);
	ide_reset(&pc->ide);
	pci_reset(&pc->pci, pc->ide.disk.image && !pc->without.pci);
	pc_place_master(pc, PCI_IDE);
}

/* Vectors 8 and 0x70, timer, keyboard and cascade open, ACPI's line a level; counter 0 goes
 * round 18.2 times a second, counter 1 asks for refresh; the console is 9600 baud, eight bits. */
static const struct {
	uint16_t port;
	uint8_t value;
} firmware[] = {
        {0x20, 0x11},  {0x21, 0x08},  {0x21, 0x04},  {0x21, 0x01},  {0x21, 0xF8},
        {0xA0, 0x11},  {0xA1, 0x70},  {0xA1, 0x02},  {0xA1, 0x01},  {0xA1, 0xFF},
        {0x4D1, 0x02}, {0x43, 0x34},  {0x40, 0x00},  {0x40, 0x00},  {0x43, 0x54},
        {0x41, 0x12},  {0x3FB, 0x83}, {0x3F8, 0x0C}, {0x3F9, 0x00}, {0x3FB, 0x03},
};

static void pc_build_tables(struct pc *pc)
{
	if (!pc->without.acpi)
		acpi_tables_build(&pc->rom, !pc->without.apic, !pc->without.pci);
	if (!pc->without.mp_table && !pc->without.apic)
		mp_table_build(&pc->rom);
}

void pc_start(struct pc *pc, uint64_t now, uint64_t ram_size)
{
	i8042_start(&pc->keyboard);
	mc146818_start(&pc->clock, now, ram_size);
	local_apic_start(&pc->local_apic);
	pc->io_apic.id = MP_TABLE_IO_APIC;
	pc_build_tables(pc);
	/* Not through the bus: the guest's accesses are what is counted there. */
	for (unsigned i = 0; i < sizeof(firmware) / sizeof(firmware[0]); i++) {
		uint16_t port = firmware[i].port;
		if (port >= NS16550_COM1 && port < NS16550_COM1 + NS16550_PORTS)
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
	local_apic_advance(&pc->local_apic, now);
	acpi_pm_advance(&pc->acpi_pm, now);
}

uint64_t pc_next_due(const struct pc *pc)
{
	uint64_t due = i8254_next_due(&pc->timer);

	due = virtual_time_earlier(due, ns16550_next_due(&pc->com1));
	due = virtual_time_earlier(due, ns16550_next_due(&pc->com2));
	due = virtual_time_earlier(due, mc146818_next_due(&pc->clock));
	due = virtual_time_earlier(due, local_apic_next_due(&pc->local_apic));
	return virtual_time_earlier(due, acpi_pm_next_due(&pc->acpi_pm));
}

uint8_t pc_take_interrupt(struct pc *pc)
{
	uint8_t vector;

	if (pc->without.apic || !local_apic_acknowledge(&pc->local_apic, &vector))
		vector = i8259_acknowledge(&pc->interrupts);
	i8254_catch_up(&pc->timer);
	return vector;
}

bool pc_acknowledge(struct pc *pc, uint64_t now, uint8_t *vector)
{
	pc_advance(pc, now);
	if (!(pc->without.apic ? pc->interrupts.output : pc->local_apic.output))
		return false;
	*vector = pc_take_interrupt(pc);
	return true;
}
