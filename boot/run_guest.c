#include "boot/run_guest.h"

#include "boot/boot_info.h"
#include "boot/disturbance.h"
#include "kernel/console.h"
#include "kernel/frames.h"
#include "kernel/log.h"
#include "kernel/machine.h"
#include "kernel/options.h"
#include "kernel/panic.h"
#include "kernel/print.h"
#include "monitor/loaders/kernel_image.h"
#include "monitor/memory/guest_memory.h"
#include "monitor/run/describe.h"
#include "monitor/run/engine.h"
#include "monitor/run/engine_translate.h"
#include "monitor/run/run.h"

#define PROFILE_MOST   10000
#define SLOW_TIME_MOST 1000

static struct machine machine;
static struct load load;
static char problem[VM_REASON_MAX];

static void describe_guest(panic_line line)
{
	describe_vcpu(&machine.vm.vcpu, line);
}

static void copy_to_guest(void *vm, uint32_t address, const void *bytes, uint32_t size)
{
	guest_memory_write(vm, gpa(address), bytes, size);
}

static void clear_guest(void *vm, uint32_t address, uint32_t size)
{
	static const uint8_t zeros[GUEST_PAGE_SIZE];

	while (size) {
		uint32_t part = size < sizeof(zeros) ? size : (uint32_t)sizeof(zeros);
		guest_memory_write(vm, gpa(address), zeros, part);
		address += part;
		size -= part;
	}
}

/* A Multiboot kernel sees its own name first, as QEMU and older loaders give it. */
static struct load_module as_load_module(const struct boot_module *module, char *line, size_t size)
{
	print_to_buffer(line, size, "%s%s%s", module->name, *module->text ? " " : "", module->text);
	return (struct load_module){
	        .bytes = (const uint8_t *)(uint32_t)module->start,
	        .size = (uint32_t)(module->end - module->start),
	        .command_line = line,
	};
}

static void load_kernel(void)
{
	static struct load_module modules[BOOT_MODULES_MAX];
	static char lines[BOOT_MODULES_MAX][sizeof(struct boot_module)];
	const struct guest_ram ram = {
	        .size = (uint32_t)machine.vm.ram_size,
	        .copy = copy_to_guest,
	        .clear = clear_guest,
	        .owner = &machine.vm,
	};

	uint32_t count = 0;

	for (uint32_t i = 0; i < boot_info.module_count; i++)
		if (i + 1 != options.disk)
			modules[count++] =
			        as_load_module(&boot_info.modules[i], lines[i], sizeof(lines[i]));
	const struct load_request request = {
	        .image = modules[0].bytes,
	        .image_size = modules[0].size,
	        .command_line = modules[0].command_line,
	        .arguments = boot_info.modules[0].text,
	        .text_screen = !machine.pc.without.vga,
	        .modules = modules + 1,
	        .module_count = count - 1,
	        .ram = &ram,
	};
	if (kernel_image_load(&load, &request))
		return;
	load_fault_write(&load.fault, problem, sizeof(problem));
	machine_refuse(boot_info.modules[0].name, problem);
}

static void enter(struct vcpu *vcpu)
{
	const struct load_entry *entry = &load.entry;

	vcpu->eip = entry->eip;
	vcpu->registers[VCPU_EAX] = entry->eax;
	vcpu->registers[VCPU_EBX] = entry->ebx;
	vcpu->registers[VCPU_ESI] = entry->esi;
	vcpu->gdtr = (struct vcpu_table){entry->gdt_base, entry->gdt_limit};
	for (unsigned int i = 0; i < VCPU_SEGMENTS; i++)
		vcpu->segments[i].selector =
		        i == VCPU_CS ? entry->code_selector : entry->data_selector;
}

static void report_line(const char *text)
{
	log_info(machine.vm.name, "%s", text);
}

static void report_stop(void)
{
	console_print("\r\nringfence: %s stopped: %s\n", machine.vm.name, machine.vm.exit_text);
	describe_vcpu(&machine.vm.vcpu, report_line);
	describe_instruction(&machine.vm.vcpu, report_line);
	log_error(machine.vm.name, "%s", machine.vm.exit_text);
}

/* The module with the disk, in which the guest will write. */
static const struct boot_module *find_disk(void)
{
	if (!options.disk)
		return NULL;
	if (options.disk < 2 || options.disk > boot_info.module_count) {
		print_to_buffer(problem, sizeof(problem),
		                "disk=%u names no module that could be a disk: there are %u, and "
		                "the first is the kernel",
		                options.disk, boot_info.module_count);
		machine_refuse("boot", problem);
	}
	const struct boot_module *disk = &boot_info.modules[options.disk - 1];
	uint32_t size = (uint32_t)(disk->end - disk->start);
	if (!size || size % ATA_SECTOR) {
		print_to_buffer(problem, sizeof(problem),
		                "a disk consists of sectors of %u bytes, but the file has %u bytes",
		                ATA_SECTOR, size);
		machine_refuse(disk->name, problem);
	}
	log_info("vm0",
	         "the disk is in memory, and what is written to it is lost in the end "
	         "file=\"%s\" sectors=%u",
	         disk->name, size / ATA_SECTOR);
	return disk;
}

static struct machine_parts parts_of_options(void)
{
	const struct boot_module *disk = find_disk(), *kernel = &boot_info.modules[0];

	return (struct machine_parts){
	        .memory_mb = options.guest_memory,
	        .engine = engines[options.engine],
	        .without = {.apic = options.apic == OPTION_NO,
	                    .vga = options.vga == OPTION_VGA_NO,
	                    .acpi = options.acpi == OPTION_NO,
	                    .mp_table = options.mp_table == OPTION_NO,
	                    .pci = options.pci == OPTION_NO},
	        .disk = disk ? (uint8_t *)(uint32_t)disk->start : NULL,
	        .disk_sectors = disk ? (uint32_t)(disk->end - disk->start) / ATA_SECTOR : 0,
	        .image = (const uint8_t *)(uint32_t)kernel->start,
	        .image_size = (uint32_t)(kernel->end - kernel->start),
	        .ends_after = options.ends_after,
	        .slow_time = options.slow_time,
	        .screen_on_console = options.vga == OPTION_VGA_SERIAL,
	        .keys_from_console = options.keyboard == OPTION_KEYBOARD_CONSOLE,
	};
}

static void refuse_what_does_not_fit(const struct engine *engine)
{
	if (options.coverage && engine != &engine_translate)
		machine_refuse("boot", "coverage=yes needs engine=translate: only translated code "
		                       "has counters");
	if (options.slow_time < 1 || options.slow_time > SLOW_TIME_MOST)
		machine_refuse("boot", "slow-time= is a number from 1 to 1000");
	if (options.profile > PROFILE_MOST)
		machine_refuse("boot", "profile= is a number of samples a second up to 10000");
}

void run_guest(void)
{
	static const char *const words[EXIT_REASONS] = {
#define EXIT(name, word, text) word,
#include "monitor/state/exits.def"
#undef EXIT
	};

	const struct engine *engine = engines[options.engine];

	if (!boot_info.module_count)
		machine_refuse("boot",
		               "mode=run needs a guest kernel as first module, but the boot "
		               "loader handed over none");
	refuse_what_does_not_fit(engine);
	const struct machine_parts parts = parts_of_options();
	frames_fail_at(options.frames_fail);
	if (!machine_create(&machine, "vm0", &parts, problem, sizeof(problem)))
		machine_refuse("vm0", problem);
	load_kernel();
	enter(&machine.vm.vcpu);
	panic_set_guest(describe_guest);
	log_info("vm0", "starting kernel=\"%s\" memory-mb=%u engine=%s eip=0x%08x",
	         boot_info.modules[0].name, options.guest_memory, engine->name,
	         machine.vm.vcpu.eip);
	console_print("guest      %s, %u MB, %s\n\n", boot_info.modules[0].name,
	              options.guest_memory, engine->in_words);
	canaries_start(&machine.canaries);
	disturbance_start();
	run(&machine);
	disturbance_stop();
	canaries_check(&machine.canaries);
	panic_set_guest(NULL);
	if (machine.vm.exit == EXIT_stopped)
		report_stop();
	machine_destroy(&machine);
	machine_end(words[machine.vm.exit], machine.vm.exit_status);
}
