/* Runs a guest on this computer, without a machine underneath: the interpreter, the board and the
 * loaders are pure, so they also make a 32-bit Linux program without a library.
 *
 *     build/interpret_here KERNEL RAMDISK|- "ARGUMENTS" MEGABYTES [DISK]
 *
 * Some twenty times faster than the hypervisor on an emulated machine, and the same from run to run
 * to the bit: an instruction takes a nanosecond, and a halt takes none. For long hunts; what counts
 * is what the hypervisor does. Standard output is COM1; so is standard input, which is read
 * whenever the guest halts. The status is 0 when the guest switched off or asked for a reset.
 */
#include "kernel/print.h"
#include "kernel/string.h"
#include "monitor/cpu/control.h"
#include "monitor/cpu/identity.h"
#include "monitor/devices/acpi_tables.h"
#include "monitor/devices/pc.h"
#include "monitor/devices/virtual_time.h"
#include "monitor/instructions/interpret.h"
#include "monitor/loaders/kernel_image.h"
#include "monitor/memory/guest_memory.h"
#include "monitor/state/stop.h"
#include "monitor/state/vm.h"

enum {
	SYSTEM_READ = 3,
	SYSTEM_WRITE = 4,
	SYSTEM_OPEN = 5,
	SYSTEM_LSEEK = 19,
	SYSTEM_POLL = 168,
	SYSTEM_MMAP2 = 192,
};
enum {
	PROTECTION_READ_WRITE = 3,
	PROTECTION_ALL = 7,
	MAP_PRIVATE = 2,
	MAP_ANONYMOUS = 0x20,
	SEEK_END = 2,
	POLL_IN = 1
};

#define SLICE     1000
#define UNIT_ROOM (512 + 16)
#define START_DATE                     \
	{                              \
		2026, 1, 1, 5, 0, 0, 0 \
	}

/* In interpret_here_entry.asm, with all arguments on the stack. */
#define IN_ASSEMBLY __attribute__((regparm(0)))

IN_ASSEMBLY int system_call(int number, uint32_t a, uint32_t b, uint32_t c, uint32_t d, uint32_t e,
                            uint32_t f);
IN_ASSEMBLY void unit_call(const uint8_t *code, uint32_t *registers, uint32_t *flags,
                           uint8_t *state);
int interpret_here(char **stack);

static struct vm vm;
static struct pc pc;
static struct load load;
static uint64_t skipped; /* nanoseconds that the guest halted */
static uint8_t unit_memory[UNIT_ROOM] __attribute__((aligned(16)));
static uint8_t *unit_code;

static void say(const char *text)
{
	system_call(SYSTEM_WRITE, 2, (uint32_t)text, load_string_size(text) - 1, 0, 0, 0);
}

static void *get_pages(uint32_t size)
{
	return (void *)system_call(SYSTEM_MMAP2, 0, size, PROTECTION_ALL,
	                           MAP_PRIVATE | MAP_ANONYMOUS, UINT32_MAX, 0);
}

/* What is written to it stays here. */
static uint8_t *read_file(const char *path, uint32_t *size)
{
	int file = system_call(SYSTEM_OPEN, (uint32_t)path, 0, 0, 0, 0, 0);

	if (file < 0)
		return NULL;
	*size = (uint32_t)system_call(SYSTEM_LSEEK, (uint32_t)file, 0, SEEK_END, 0, 0, 0);
	return (uint8_t *)system_call(SYSTEM_MMAP2, 0, *size, PROTECTION_READ_WRITE, MAP_PRIVATE,
	                              (uint32_t)file, 0);
}

static uint64_t read_time(const struct vm *of)
{
	return of->vcpu.instructions + skipped;
}

static uint8_t acknowledge_interrupt(struct vm *of)
{
	(void)of;
	return pc_take_interrupt(&pc);
}

static void set_processor_line(void *owner, unsigned input, bool level)
{
	(void)owner, (void)input;
	vm.interrupt_waits = level;
}

static void raise_nmi(void *owner, unsigned input, bool level)
{
	(void)owner, (void)input;
	vm.vcpu.nmi_pending |= level;
}

static void transmit(void *owner, uint8_t byte)
{
	(void)owner;
	system_call(SYSTEM_WRITE, 1, (uint32_t)&byte, 1, 0, 0, 0);
}

static void report_unknown_port(void *owner, const struct bus_unknown *access)
{
	char line[80];

	(void)owner;
	print_to_buffer(line, sizeof(line), "no device at port 0x%04x bytes=%u access=%s\n",
	                access->port, access->size, access->write ? "write" : "read");
	say(line);
}

/* Guests are told of no MMX and no SSE, so nothing here can fault but what they ask for. */
static uint8_t run_on_unit(struct vm_unit_run *run)
{
	memcpy(unit_code, run->code, run->length);
	unit_code[run->length] = 0xC3;
	unit_call(unit_code, run->registers, &run->flags, run->state);
	return VM_UNIT_NO_FAULT;
}

static void copy_in(void *owner, uint32_t address, const void *bytes, uint32_t size)
{
	memcpy((uint8_t *)owner + address, bytes, size);
}

static void clear(void *owner, uint32_t address, uint32_t size)
{
	memset((uint8_t *)owner + address, 0, size);
}

/* As monitor/run/machine.c does it. */
static void fill_low_memory(void)
{
	static const uint16_t extended_segment = 0x9FC0, kilobytes = 639;

	memcpy(vm.ram + 0x40E, &extended_segment, sizeof(extended_segment));
	memcpy(vm.ram + 0x413, &kilobytes, sizeof(kilobytes));
	vm.ram[extended_segment << 4] = 1;
	rom_copy(&pc.rom, vm.ram);
	acpi_tables_fill_facs(vm.ram + ACPI_TABLES_FACS);
}

static void read_memory(void *owner, uint32_t address, void *to, uint32_t size)
{
	(void)owner;
	guest_memory_read(&vm, gpa(address), to, size);
}

static void write_memory(void *owner, uint32_t address, const void *from, uint32_t size)
{
	(void)owner;
	guest_memory_write(&vm, gpa(address), from, size);
}

static void make_machine(uint32_t megabytes, uint8_t *disk, uint32_t disk_size)
{
	static struct vm_unit unit = {.memory = unit_memory, .run = run_on_unit};
	static const struct mc146818_date date = START_DATE;
	const struct identity_host host = {.fxsr = true, .nx = true};
	const struct pc_outside outside = {.processor = {set_processor_line, NULL, 0},
	                                   .nmi = {raise_nmi, NULL, 0},
	                                   .com1_transmit = transmit,
	                                   .unknown_port = report_unknown_port,
	                                   .read_memory = read_memory,
	                                   .write_memory = write_memory,
	                                   .disk = disk,
	                                   .disk_sectors = disk_size / ATA_SECTOR};

	unit_code = get_pages(4096);
	unit.address = (uint32_t)unit_memory;
	unit.code = (uint32_t)unit_code;
	vm.name = "here";
	vm.ram_size = (uint64_t)megabytes << 20;
	vm.ram = get_pages((uint32_t)vm.ram_size);
	vm.vcpu.vm = &vm;
	vm.bus = &pc.bus;
	vm.local_apic = &pc.local_apic;
	vm.holes[0] = (struct vm_hole){0xA0000, VGA_TEXT};
	vm.hole_count = 1;
	vm.rom = (struct vm_hole){ROM_ADAPTERS, ROM_END};
	vm.read_time = vm.read_tsc = read_time;
	vm.acknowledge_interrupt = acknowledge_interrupt;
	vm.unit = &unit;
	pc_wire(&pc, &outside);
	pc_reset(&pc, 0);
	pc_start(&pc, 0, vm.ram_size);
	mc146818_set_date(&pc.clock, 0, &date);
	ns16550_set_modem(&pc.com1, 0, NS16550_CTS | NS16550_DSR | NS16550_DCD);
	identity_start(&host);
	fill_low_memory();
	control_reset(&vm.vcpu);
}

static bool load_files(char **arguments)
{
	static struct load_module ramdisk;
	static struct guest_ram ram;
	static struct load_request request;
	char sentence[200];

	ram = (struct guest_ram){(uint32_t)vm.ram_size, copy_in, clear, vm.ram};
	request = (struct load_request){.command_line = arguments[2],
	                                .arguments = arguments[2],
	                                .modules = &ramdisk,
	                                .text_screen = true,
	                                .ram = &ram};
	request.image = read_file(arguments[0], &request.image_size);
	if (arguments[1][0] != '-')
		ramdisk.bytes = read_file(arguments[1], &ramdisk.size);
	request.module_count = ramdisk.bytes != NULL;
	if (request.image && kernel_image_load(&load, &request))
		return true;
	load_fault_write(&load.fault, sentence, sizeof(sentence));
	say(request.image ? sentence : "cannot read the kernel");
	say("\n");
	return false;
}

static void enter(void)
{
	struct vcpu *vcpu = &vm.vcpu;

	vcpu->eip = load.entry.eip;
	vcpu->registers[VCPU_EAX] = load.entry.eax;
	vcpu->registers[VCPU_EBX] = load.entry.ebx;
	vcpu->registers[VCPU_ESI] = load.entry.esi;
	vcpu->gdtr = (struct vcpu_table){load.entry.gdt_base, load.entry.gdt_limit};
	for (unsigned i = 0; i < VCPU_SEGMENTS; i++)
		vcpu->segments[i].selector =
		        i == VCPU_CS ? load.entry.code_selector : load.entry.data_selector;
}

static bool take_input(int patience)
{
	struct {
		int file;
		uint16_t events, found;
	} poll = {0, POLL_IN, 0};
	uint8_t byte;

	if (!ns16550_room(&pc.com1) ||
	    system_call(SYSTEM_POLL, (uint32_t)&poll, 1, (uint32_t)patience, 0, 0, 0) <= 0 ||
	    system_call(SYSTEM_READ, 0, (uint32_t)&byte, 1, 0, 0, 0) <= 0)
		return false;
	return ns16550_receive(&pc.com1, read_time(&vm), byte, 0);
}

/* A halt lasts until something is due, and no longer. */
static bool skip_halt(void)
{
	uint64_t now = read_time(&vm), due;

	take_input(0);
	pc_advance(&pc, now);
	due = pc_next_due(&pc);
	if (vm.interrupt_waits)
		return true;
	if (due == VIRTUAL_TIME_NEVER || !(vm.vcpu.eflags & VCPU_EFLAGS_IF))
		return false;
	if (due > now)
		skipped += due - now;
	pc_advance(&pc, due);
	return true;
}

static const char *run(bool *good)
{
	*good = false;
	for (;;) {
		pc_advance(&pc, read_time(&vm));
		for (uint32_t done = 0; done < SLICE;) {
			if (vm.ended)
				return vm.exit_text;
			*good = pc.power.off_requested || pc.power.reset_requested;
			if (*good)
				return pc.power.off_requested ? "the guest switched off"
				                              : "the guest asked for a reset";
			if (pc.debug_exit.requested)
				return "the guest ended the machine";
			if (vm.vcpu.halted && !vm.interrupt_waits) {
				if (!skip_halt())
					return "the guest halted for ever";
				break;
			}
			done += interpret_run(&vm.vcpu, SLICE - done);
		}
	}
}

int interpret_here(char **stack)
{
	char line[200];
	uint32_t megabytes = 0, disk_size = 0;
	uint8_t *disk = NULL;
	bool good;

	if ((uint32_t)stack[0] != 5 && (uint32_t)stack[0] != 6) {
		say("usage: interpret_here KERNEL RAMDISK|- \"ARGUMENTS\" MEGABYTES [DISK]\n");
		return 2;
	}
	for (const char *digit = stack[5]; *digit; digit++)
		megabytes = megabytes * 10 + (uint32_t)(*digit - '0');
	if (stack[6])
		disk = read_file(stack[6], &disk_size);
	make_machine(megabytes, disk, disk_size);
	if (!load_files(stack + 2))
		return 2;
	enter();
	print_to_buffer(line, sizeof(line), "\n%s: eip=%08x", run(&good), vm.vcpu.eip);
	say(line);
	print_to_buffer(line, sizeof(line), " instructions=%llu nanoseconds=%llu\n",
	                vm.vcpu.instructions, read_time(&vm));
	say(line);
	return good ? 0 : 1;
}
