#include "monitor/run/machine.h"

#include "kernel/clock.h"
#include "kernel/date.h"
#include "kernel/frames.h"
#include "kernel/log.h"
#include "kernel/options.h"
#include "kernel/page_tables.h"
#include "kernel/panic.h"
#include "kernel/print.h"
#include "kernel/serial.h"
#include "kernel/statistics.h"
#include "kernel/string.h"
#include "kernel/x86.h"
#include "monitor/cpu/control.h"
#include "monitor/devices/virtual_time.h"
#include "monitor/devices/acpi_tables.h"
#include "monitor/memory/guest_memory.h"
#include "monitor/run/account.h"
#include "monitor/run/engine.h"
#include "monitor/run/real_unit.h"
#include "monitor/state/stop.h"

#define MEGABYTE         (1u << 20)
#define DISPLAY_INTERVAL 50000000      /* nanoseconds: often enough for the eye */
#define SECOND           1000000000ull /* nanoseconds */
#define STATUS_TIME_UP   124
#define LARGE_FRAMES     (LARGE_PAGE_SIZE / PAGE_SIZE)

static const struct machine *machine_of(const struct vm *vm)
{
	return (const struct machine *)vm;
}
_Static_assert(offsetof(struct machine, vm) == 0, "machine_of() takes one for the other");

static uint64_t read_time(const struct vm *vm)
{
	const struct machine *machine = machine_of(vm);
	uint64_t passed = clock_now() - machine->started_ns;

	return machine->slow_time == 1 ? passed : passed / machine->slow_time;
}

/* The real one, unless time is slow: a guest that runs directly reads it without asking. */
static uint64_t read_tsc(const struct vm *vm)
{
	const struct machine *machine = machine_of(vm);

	return machine->slow_time == 1 ? x86_read_tsc() : x86_read_tsc() / machine->slow_time;
}

uint64_t machine_real_time(const struct machine *machine, uint64_t virtual_time)
{
	return machine->started_ns + virtual_time * machine->slow_time;
}

static uint8_t acknowledge_interrupt(struct vm *vm)
{
	statistics_count(guest_interrupts);
	return pc_take_interrupt(&((struct machine *)vm)->pc);
}

static void set_processor_line(void *vm, unsigned int input, bool level)
{
	(void)input;
	((struct vm *)vm)->interrupt_waits = level;
}

static void raise_nmi(void *vm, unsigned int input, bool level)
{
	(void)input;
	((struct vm *)vm)->vcpu.nmi_pending |= level;
}

static void tell_of_console(struct machine *machine, bool stuck)
{
	machine->console_is_stuck = stuck;
	if (stuck)
		log_warning(machine->vm.name, "the console does not drain: what the guest writes "
		                              "is dropped until it does");
	else
		log_info(machine->vm.name, "the console drains again bytes-dropped=%u",
		         serial_dropped(SERIAL_COM1));
}

static void transmit(void *owner, uint8_t byte)
{
	struct machine *machine = owner;
	bool stuck;

	serial_write(SERIAL_COM1, (char)byte);
	stuck = serial_is_stuck(SERIAL_COM1);
	if (stuck != machine->console_is_stuck)
		tell_of_console(machine, stuck);
}

static void hand_out_debug_line(void *machine, const char *line, unsigned int length)
{
	log_info("guest", "%.*s", (int)length, line);
	account_report(&((struct machine *)machine)->vm.vcpu);
}

static void report_unknown_port(void *owner, const struct bus_unknown *access)
{
	const struct machine *machine = owner;

	statistics_count(guest_ports_unknown);
	log_info(machine->vm.name, "no device at this port port=0x%04x bytes=%u access=%s",
	         access->port, access->size, access->write ? "write" : "read");
}

static void read_memory(void *machine, uint32_t address, void *to, uint32_t size)
{
	guest_memory_read(&((struct machine *)machine)->vm, gpa(address), to, size);
}

static void write_memory(void *machine, uint32_t address, const void *from, uint32_t size)
{
	guest_memory_write(&((struct machine *)machine)->vm, gpa(address), from, size);
}

static void set_date(struct machine *machine)
{
	struct date date;

	if (!date_read(&date))
		log_warning(machine->vm.name,
		            "the real machine's clock shows no date; the guest's starts with the "
		            "year 2000");
	mc146818_set_date(&machine->pc.clock, 0,
	                  &(struct mc146818_date){.year = date.year,
	                                          .month = date.month,
	                                          .day = date.day,
	                                          .weekday = date.weekday,
	                                          .hour = date.hour,
	                                          .minute = date.minute,
	                                          .second = date.second});
	log_info(machine->vm.name, "the guest's clock is set date=%u-%02u-%02uT%02u:%02u:%02u",
	         date.year, date.month, date.day, date.hour, date.minute, date.second);
}

static void wire(struct machine *machine, const struct machine_parts *parts)
{
	const struct pc_outside outside = {
	        .processor = {set_processor_line, &machine->vm, 0},
	        .nmi = {raise_nmi, &machine->vm, 0},
	        .com1_transmit = transmit,
	        .debug_line = hand_out_debug_line,
	        .unknown_port = report_unknown_port,
	        .read_memory = read_memory,
	        .write_memory = write_memory,
	        .owner = machine,
	        .disk = parts->disk,
	        .disk_sectors = parts->disk_sectors,
	};

	machine->vm.vcpu.vm = &machine->vm;
	machine->vm.bus = &machine->pc.bus;
	machine->vm.local_apic = machine->pc.without.apic ? NULL : &machine->pc.local_apic;
	machine->vm.read_time = read_time;
	machine->vm.read_tsc = read_tsc;
	machine->vm.acknowledge_interrupt = acknowledge_interrupt;
	pc_wire(&machine->pc, &outside);
	pc_reset(&machine->pc, 0);
	pc_start(&machine->pc, 0, machine->vm.ram_size);
	set_date(machine);
	ns16550_set_modem(&machine->pc.com1, 0, NS16550_CTS | NS16550_DSR | NS16550_DCD);
}

static mpa_t allocate_run(struct canaries *canaries, uint32_t frames)
{
	if (options.canaries)
		return canaries_allocate(canaries, frames, LARGE_FRAMES);
	return frames_allocate_run(frames, LARGE_FRAMES, FRAME_guest);
}

static bool allocate_memory(struct machine *machine, uint32_t megabytes, char *problem, size_t size)
{
	uint32_t free_mb = frames_count(FRAME_free) / (MEGABYTE / PAGE_SIZE);
	mpa_t run = FRAMES_NONE;

	if (megabytes && megabytes <= free_mb)
		run = allocate_run(&machine->canaries, megabytes * (MEGABYTE / PAGE_SIZE));
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

/* Video memory. Text memory is RAM, which needs no chip to keep it, and what firmware has left is
 * read as RAM is. */
static void make_holes(struct vm *vm, bool has_text)
{
	vm->holes[0] = (struct vm_hole){0xA0000, has_text ? VGA_TEXT : ROM_ADAPTERS};
	vm->hole_count = 1;
	vm->rom = (struct vm_hole){ROM_ADAPTERS, ROM_END};
}

static uint16_t *text_memory(const struct machine *machine)
{
	return (uint16_t *)(machine->vm.ram + VGA_TEXT);
}

/* What firmware leaves in RAM: the BIOS data area says where the extended one is and how much
 * memory lies below it, and there is the one ACPI table that is written to. */
static void fill_low_memory(struct machine *machine)
{
	static const uint16_t extended_segment = 0x9FC0, kilobytes = 639;
	static const uint8_t extended_kilobytes = 1;
	uint8_t facs[ACPI_TABLES_FACS_SIZE];
	struct vm *vm = &machine->vm;

	guest_memory_write(vm, gpa(0x40E), &extended_segment, sizeof(extended_segment));
	guest_memory_write(vm, gpa(0x413), &kilobytes, sizeof(kilobytes));
	guest_memory_write(vm, gpa(extended_segment << 4), &extended_kilobytes, 1);
	rom_copy(&machine->pc.rom, vm->ram);
	if (machine->pc.without.acpi)
		return;
	acpi_tables_fill_facs(facs);
	guest_memory_write(vm, gpa(ACPI_TABLES_FACS), facs, sizeof(facs));
}

bool machine_create(struct machine *machine, const char *name, const struct machine_parts *parts,
                    char *problem, size_t size)
{
	memset(machine, 0, sizeof(*machine));
	machine->vm.name = name;
	machine->pc.without = parts->without;
	machine->slow_time = parts->slow_time;
	if (!allocate_memory(machine, parts->memory_mb, problem, size))
		return false;
	make_holes(&machine->vm, !parts->without.vga);
	if (!parts->without.vga)
		display_start(&machine->display, text_memory(machine), parts->screen_on_console);
	wire(machine, parts);
	machine->typist.controller = &machine->pc.keyboard;
	machine->keys_from_console = parts->keys_from_console;
	fill_low_memory(machine);
	machine->vm.unit = real_unit_start();
	if (!machine->vm.unit) {
		print_to_buffer(problem, size,
		                "there is not enough memory for the code that runs "
		                "instructions of the x87");
		return false;
	}
	control_reset(&machine->vm.vcpu);
	machine->started_ns = clock_now();
	machine->ends_ns = parts->ends_after ? parts->ends_after * SECOND : VIRTUAL_TIME_NEVER;
	machine->engine = parts->engine;
	elf_symbols_find(&machine->symbols, parts->image, parts->image_size);
	return machine->engine->start(machine, problem, size);
}

static void press(struct machine *machine, char c)
{
	enum console_key key = console_keys_type(&machine->console_keys, c);

	if (key == CONSOLE_KEY_COUNTERS)
		machine->counters_are_wanted = true;
	else if (key == CONSOLE_KEY_UNKNOWN)
		log_info(machine->vm.name,
		         "there is no such key behind Ctrl-A: c writes what has been counted to "
		         "the log, Ctrl-A goes to the guest key=0x%02x",
		         (uint8_t)c);
}

/* What has been typed for the guest. */
static bool read_console(struct machine *machine, char *c)
{
	if (!options.console_keys)
		return serial_read(SERIAL_COM1, c);
	return console_keys_read(&machine->console_keys, c);
}

/* Ahead of what the guest has room for. */
static void look_for_keys(struct machine *machine)
{
	char c;

	while (console_keys_has_room(&machine->console_keys) && serial_read(SERIAL_COM1, &c))
		press(machine, c);
}

static void take_keys(struct machine *machine, uint64_t now)
{
	char c;

	bus_forget_answer(&machine->pc.bus);
	us_keyboard_advance(&machine->typist, now);
	while (us_keyboard_has_room(&machine->typist) && read_console(machine, &c))
		us_keyboard_type(&machine->typist, now, (uint8_t)c);
}

static void take_input(struct machine *machine, uint64_t now)
{
	struct ns16550 *com1 = &machine->pc.com1;
	char c;

	if (options.console_keys)
		look_for_keys(machine);
	if (machine->keys_from_console) {
		take_keys(machine, now);
		return;
	}
	while (ns16550_room(com1) && read_console(machine, &c)) {
		bus_forget_answer(&machine->pc.bus);
		ns16550_receive(com1, now, (uint8_t)c, 0);
	}
}

void machine_note_end(struct machine *machine)
{
	const struct pc *pc = &machine->pc;

	if (pc->debug_exit.requested)
		vm_end(&machine->vm, EXIT_debug_exit, pc->debug_exit.status);
	else if (pc->power.off_requested)
		vm_end(&machine->vm, EXIT_power_off, 0);
	else
		vm_end(&machine->vm, EXIT_reset, 0);
}

void machine_show(struct machine *machine)
{
	if (!machine->pc.without.vga)
		display_refresh(&machine->display, &machine->pc.vga, text_memory(machine));
}

void machine_advance(struct machine *machine)
{
	uint64_t now = read_time(&machine->vm);

	take_input(machine, now);
	pc_advance(&machine->pc, now);
	if (now >= machine->ends_ns)
		vm_end(&machine->vm, EXIT_time_up, STATUS_TIME_UP);
	if (now >= machine->display.next) {
		machine->display.next = now + DISPLAY_INTERVAL;
		machine_show(machine);
	}
}

uint64_t machine_next_due(const struct machine *machine)
{
	uint64_t due = virtual_time_earlier(pc_next_due(&machine->pc),
	                                    us_keyboard_next_due(&machine->typist));

	return virtual_time_earlier(due, machine->ends_ns);
}

static void report_disk(const struct machine *machine)
{
	const struct ata_disk *disk = &machine->pc.ide.disk;

	if (disk->sectors_written)
		log_info(machine->vm.name,
		         "what was written to the disk is lost now sectors-written=%u",
		         (uint32_t)disk->sectors_written);
}

void machine_destroy(struct machine *machine)
{
	uint32_t frames = (uint32_t)(machine->vm.ram_size / PAGE_SIZE);

	machine->engine->stop(machine);
	machine_show(machine);
	report_disk(machine);
	port_e9_flush(&machine->pc.debug_console);
	panic_unless(frames_free_run(mpa((uint32_t)machine->vm.ram), frames, FRAME_guest));
	canaries_free(&machine->canaries);
	machine->vm.ram = NULL;
}
