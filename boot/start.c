#include "boot/start.h"

#include "boot/boot_info.h"
#include "boot/echo.h"
#include "boot/memory.h"
#include "boot/multiboot.h"
#include "boot/panic_test.h"
#include "boot/report.h"
#include "boot/run_guest.h"
#include "boot/self_test.h"
#include "kernel/clock.h"
#include "kernel/console.h"
#include "kernel/interrupts.h"
#include "kernel/log.h"
#include "kernel/machine.h"
#include "kernel/options.h"
#include "kernel/page_tables.h"
#include "kernel/panic.h"
#include "kernel/probes.h"
#include "kernel/processor.h"
#include "kernel/serial.h"
#include "kernel/stacks.h"
#include "kernel/traps.h"
#include "kernel/x86.h"
#include "monitor/run/describe.h"

struct boot_info boot_info;

static char problem[BOOT_PROBLEM_MAX];

/* The tables of the way in show all machine addresses below the image at their own number. */
static const void *view_early(const struct boot_memory *memory, uint64_t at, uint64_t length)
{
	(void)memory;
	return at + length <= DIRECT_MAP_END ? (const void *)(uint32_t)at : NULL;
}

static void read_boot_info(uint32_t magic, uint32_t address)
{
	static const struct boot_memory memory = {view_early};

	if (!multiboot_read(&boot_info, magic, address, &memory, problem, sizeof(problem)))
		machine_refuse("boot", problem);
	if (!options_parse(&options, boot_info.command_line, problem, sizeof(problem)))
		machine_refuse("options", problem);
	if (boot_info.module_count < options.modules) {
		print_to_buffer(problem, sizeof(problem),
		                "this menu entry names %u modules, but the boot loader handed over "
		                "%u; is a file missing on the disc?",
		                options.modules, boot_info.module_count);
		machine_refuse("boot", problem);
	}
}

static void start_on_own_stack(void)
{
	interrupts_start();
	if (!clock_start())
		machine_refuse("clock", "no interval timer (8254) answers at port 0x40; Ringfence "
		                        "needs one to measure time");
	serial_start_input(SERIAL_COM1);
	serial_start_input(SERIAL_COM2);
	x86_enable_interrupts();
	probes_start();
	report_banner();
	panic_test_run();

	switch (options.mode) {
	case OPTION_MODE_RUN:
		run_guest();
	case OPTION_MODE_SELF_TEST:
		self_test_run();
	case OPTION_MODE_ECHO:
		echo_run();
	default:
		report_run();
	}
}

void start(uint32_t magic, uint32_t address)
{
	console_start();
	log_start();
	traps_start(stacks_top(STACK_DOUBLE_FAULT));
	panic_start();
	panic_set_disassembler(describe_code);
	processor_start();
	read_boot_info(magic, address);
	if (!memory_start(&boot_info, problem, sizeof(problem)))
		machine_refuse("memory", problem);
	page_tables_start(memory_direct_end(&boot_info));
	stacks_start();
	traps_expect_other_tables();
	stacks_switch(STACK_HOST, start_on_own_stack);
}
