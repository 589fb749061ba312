#include "monitor/run/machine.h"

#include "kernel/clock.h"
#include "kernel/frames.h"
#include "kernel/log.h"
#include "kernel/page_tables.h"
#include "kernel/panic.h"
#include "kernel/print.h"
#include "kernel/serial.h"
#include "kernel/statistics.h"
#include "kernel/string.h"
#include "kernel/x86.h"
#include "monitor/cpu/control.h"
#include "monitor/devices/virtual_time.h"
#include "monitor/state/stop.h"

#define TIMER_LINE  0
#define SERIAL_LINE 4

#define MEGABYTE     (1u << 20)
#define LARGE_FRAMES (LARGE_PAGE_SIZE / PAGE_SIZE)

static const struct machine *machine_of(const struct vm *vm)
{
	return (const struct machine *)vm;
}
_Static_assert(offsetof(struct machine, vm) == 0, "machine_of() takes one for the other");

static uint64_t read_time(const struct vm *vm)
{
	return clock_now() - machine_of(vm)->started_ns;
}

static uint64_t read_tsc(const struct vm *vm)
{
	return x86_read_tsc() - machine_of(vm)->started_tsc;
}

static bool interrupt_waits(const struct vm *vm)
{
	return machine_of(vm)->pic.output;
}

static uint8_t acknowledge_interrupt(struct vm *vm)
{
	statistics_count(guest_interrupts);
	return i8259_acknowledge(&((struct machine *)vm)->pic);
}

static void set_interrupt_line(void *pic, unsigned int input, bool level)
{
	i8259_set_line(pic, input, level);
}

static void transmit(void *machine, uint8_t byte)
{
	(void)machine;
	serial_write(SERIAL_COM1, (char)byte);
}

static void hand_out_debug_line(void *machine, const char *line, unsigned int length)
{
	(void)machine;
	log_info("guest", "%.*s", (int)length, line);
}

static void report_unknown_port(void *owner, const struct bus_unknown *access)
{
	const struct machine *machine = owner;

	statistics_count(guest_ports_unknown);
	log_info(machine->vm.name, "no device at this port port=0x%04x bytes=%u access=%s",
	         access->port, access->size, access->write ? "write" : "read");
}

static void wire(struct machine *machine)
{
	machine->vm.vcpu.vm = &machine->vm;
	machine->vm.bus = &machine->bus;
	machine->vm.read_time = read_time;
	machine->vm.read_tsc = read_tsc;
	machine->vm.interrupt_waits = interrupt_waits;
	machine->vm.acknowledge_interrupt = acknowledge_interrupt;
	machine->bus.report = report_unknown_port;
	machine->bus.owner = machine;
	machine->pit.channel[0].line = (struct line){set_interrupt_line, &machine->pic, TIMER_LINE};
	machine->com1.line = (struct line){set_interrupt_line, &machine->pic, SERIAL_LINE};
	machine->com1.transmit = transmit;
	machine->com1.owner = machine;
	machine->port61.timer = &machine->pit;
	machine->debug_console.hand_out = hand_out_debug_line;
	machine->debug_console.owner = machine;
}

static void attach(struct machine *machine)
{
	const struct bus_range ranges[] = {
	        {.first = I8259_MASTER_PORT,
	         .last = I8259_MASTER_PORT + I8259_PORTS - 1,
	         .widest = 1,
	         .name = "i8259 master",
	         .read = i8259_read,
	         .write = i8259_write,
	         .chip = &machine->pic},
	        {.first = I8259_SLAVE_PORT,
	         .last = I8259_SLAVE_PORT + I8259_PORTS - 1,
	         .widest = 1,
	         .name = "i8259 slave",
	         .read = i8259_read,
	         .write = i8259_write,
	         .chip = &machine->pic},
	        {.first = I8259_LEVEL_PORT,
	         .last = I8259_LEVEL_PORT + I8259_PORTS - 1,
	         .widest = 1,
	         .name = "i8259 level",
	         .read = i8259_read,
	         .write = i8259_write,
	         .chip = &machine->pic},
	        {.first = I8254_PORT,
	         .last = I8254_PORT + I8254_PORTS - 1,
	         .widest = 1,
	         .name = "i8254",
	         .read = i8254_read,
	         .write = i8254_write,
	         .chip = &machine->pit},
	        {.first = PORT61,
	         .last = PORT61,
	         .widest = 1,
	         .name = "port 61",
	         .read = port61_read,
	         .write = port61_write,
	         .chip = &machine->port61},
	        {.first = NS16550_COM1,
	         .last = NS16550_COM1 + NS16550_PORTS - 1,
	         .widest = 1,
	         .name = "com1",
	         .read = ns16550_read,
	         .write = ns16550_write,
	         .chip = &machine->com1},
	        {.first = PORT_E9,
	         .last = PORT_E9,
	         .widest = 1,
	         .name = "port e9",
	         .read = port_e9_read,
	         .write = port_e9_write,
	         .chip = &machine->debug_console},
	        {.first = DEBUG_EXIT_PORT,
	         .last = DEBUG_EXIT_PORT + DEBUG_EXIT_PORTS - 1,
	         .widest = 4,
	         .name = "debug exit",
	         .read = debug_exit_read,
	         .write = debug_exit_write,
	         .chip = &machine->debug_exit},
	        {.first = POWER_CONTROL_PORT,
	         .last = POWER_CONTROL_PORT + 1,
	         .widest = 2,
	         .name = "power control",
	         .read = power_read,
	         .write = power_write,
	         .chip = &machine->power},
	        {.first = POWER_RESET_PORT,
	         .last = POWER_RESET_PORT,
	         .widest = 1,
	         .name = "reset control",
	         .read = power_read,
	         .write = power_write,
	         .chip = &machine->power},
	        {.first = POWER_KEYBOARD_PORT,
	         .last = POWER_KEYBOARD_PORT,
	         .widest = 1,
	         .name = "keyboard reset",
	         .read = power_read,
	         .write = power_write,
	         .chip = &machine->power},
	};

	bus_reset(&machine->bus);
	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++)
		panic_unless(bus_attach(&machine->bus, &ranges[i]));
}

static void reset_chips(struct machine *machine)
{
	i8259_reset(&machine->pic);
	i8254_reset(&machine->pit, 0);
	port61_reset(&machine->port61, 0);
	ns16550_reset(&machine->com1);
	ns16550_set_modem(&machine->com1, 0, NS16550_CTS | NS16550_DSR | NS16550_DCD);
	port_e9_reset(&machine->debug_console);
	debug_exit_reset(&machine->debug_exit);
	power_reset(&machine->power);
}

static bool allocate_memory(struct machine *machine, uint32_t megabytes, char *problem, size_t size)
{
	uint32_t free_mb = frames_count(FRAME_free) / (MEGABYTE / PAGE_SIZE);
	mpa_t run = FRAMES_NONE;

	if (megabytes && megabytes <= free_mb)
		run = frames_allocate_run(megabytes * (MEGABYTE / PAGE_SIZE), LARGE_FRAMES,
		                          FRAME_guest);
	if (frames_is_none(run)) {
		print_to_buffer(problem, size,
		                "a guest with %u MB of memory does not fit: %u MB are free, and "
		                "they must be in one piece; choose another guest-memory=",
		                megabytes, free_mb);
		return false;
	}
	machine->vm.ram = page_tables_direct(run);
	machine->vm.ram_size = (uint64_t)megabytes * MEGABYTE;
	memset(machine->vm.ram, 0, (size_t)machine->vm.ram_size);
	return true;
}

bool machine_create(struct machine *machine, const char *name, uint32_t memory_mb, char *problem,
                    size_t size)
{
	memset(machine, 0, sizeof(*machine));
	machine->vm.name = name;
	if (!allocate_memory(machine, memory_mb, problem, size))
		return false;
	wire(machine);
	attach(machine);
	reset_chips(machine);
	control_reset(&machine->vm.vcpu);
	machine->started_ns = clock_now();
	machine->started_tsc = x86_read_tsc();
	return true;
}

static void take_input(struct machine *machine, uint64_t now)
{
	char c;

	while (ns16550_room(&machine->com1) && serial_read(SERIAL_COM1, &c))
		ns16550_receive(&machine->com1, now, (uint8_t)c, 0);
}

static void look_for_the_end(struct machine *machine)
{
	if (machine->debug_exit.requested)
		vm_end(&machine->vm, EXIT_debug_exit, machine->debug_exit.status);
	else if (machine->power.off_requested)
		vm_end(&machine->vm, EXIT_power_off, 0);
	else if (machine->power.reset_requested)
		vm_end(&machine->vm, EXIT_reset, 0);
}

void machine_advance(struct machine *machine)
{
	uint64_t now = read_time(&machine->vm);

	look_for_the_end(machine);
	take_input(machine, now);
	ns16550_advance(&machine->com1, now);
	i8254_advance(&machine->pit, now);
}

uint64_t machine_next_due(const struct machine *machine)
{
	return virtual_time_earlier(i8254_next_due(&machine->pit),
	                            ns16550_next_due(&machine->com1));
}

void machine_destroy(struct machine *machine)
{
	uint32_t frames = (uint32_t)(machine->vm.ram_size / PAGE_SIZE);

	port_e9_flush(&machine->debug_console);
	panic_unless(frames_free_run(mpa((uint32_t)machine->vm.ram), frames, FRAME_guest));
	machine->vm.ram = NULL;
}
