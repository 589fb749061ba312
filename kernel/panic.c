#include "kernel/panic.h"

#include <stdbool.h>
#include <stdint.h>

#include "kernel/backtrace.h"
#include "kernel/console.h"
#include "kernel/descriptors.h"
#include "kernel/exception_table.h"
#include "kernel/layout.h"
#include "kernel/log.h"
#include "kernel/machine.h"
#include "kernel/stacks.h"
#include "kernel/statistics.h"
#include "kernel/trace.h"
#include "kernel/traps.h"
#include "kernel/x86.h"

/* panic() traps to this vector, so that every report starts from a full set of registers. */
#define PANIC_VECTOR 0xFF

#define PAGE_FAULT_PRESENT 0x01
#define PAGE_FAULT_WRITE   0x02
#define PAGE_FAULT_FETCH   0x10

#define NULL_POINTER_END 0x10000u
#define CODE_BYTES       16
#define TRACE_LINES      16

static char reason[200];
static bool traps_ready, reporting;
static const char *section;
static void (*describe_guest)(panic_line line);
static panic_disassembler disassemble;

static void begin(const char *name)
{
	section = name;
	console_print("%s\n", name);
}

static void line(const char *text)
{
	console_print("  %s\n", text);
	log_write_panic(section, text);
}

static void format_line(const char *format, ...) PRINT_FORMAT(1, 2);
static void format_line(const char *format, ...)
{
	char text[200];
	va_list arguments;

	va_start(arguments, format);
	print_list_to_buffer(text, sizeof(text), format, arguments);
	va_end(arguments);
	line(text);
}

static void report_registers(const struct trap_frame *f)
{
	begin("registers");
	format_line("eax=%08x ebx=%08x ecx=%08x edx=%08x", f->eax, f->ebx, f->ecx, f->edx);
	format_line("esi=%08x edi=%08x ebp=%08x esp=%08x", f->esi, f->edi, f->ebp,
	            traps_stack_pointer(f));
	format_line("eip=%08x eflags=%08x cs=%04x ds=%04x es=%04x fs=%04x gs=%04x", f->eip,
	            f->eflags, f->cs & 0xFFFF, f->ds & 0xFFFF, f->es & 0xFFFF, f->fs & 0xFFFF,
	            f->gs & 0xFFFF);
	format_line("cr0=%08x cr2=%08x cr3=%08x cr4=%08x", x86_read_cr0(), x86_read_cr2(),
	            x86_read_cr3(), x86_read_cr4());
}

static void report_code(uint32_t eip)
{
	uint8_t bytes[CODE_BYTES];
	char text[CODE_BYTES * 3 + 48] = "";
	size_t count = 0, used = 0;

	begin("code");
	while (count < CODE_BYTES && recoverable_read8((const void *)(eip + count), &bytes[count]))
		used += print_to_buffer(text + used, sizeof(text) - used, "%02x ", bytes[count++]);
	format_line("at eip: %s", used ? text : "not readable");
	if (count && disassemble && disassemble(bytes, count, eip, text, sizeof(text)))
		format_line("instruction: %s", text);
}

static void report_guest(void)
{
	begin("guest");
	if (describe_guest)
		describe_guest(line);
	else
		line("none was running");
}

static void report_trace(void)
{
	char text[160];

	begin("trace");
	for (uint32_t back = 0; back < TRACE_LINES && trace_describe(back, text, sizeof(text));
	     back++)
		line(text);
}

static void report_counters(void)
{
	begin("counters");
	for (int i = 0; i < STATISTICS; i++)
		if (statistics[i])
			format_line("%s=%llu", statistics_names[i], statistics[i]);
}

static _Noreturn void report(const struct trap_frame *frame)
{
	x86_disable_interrupts();
	if (reporting) {
		console_print("ringfence: panic inside the panic report: %s\n", reason);
		machine_stop("panic", STATUS_PANIC);
	}
	reporting = true;
	console_print("\nringfence: panic\n");
	begin("reason");
	line(reason);
	report_registers(frame);
	begin("backtrace");
	backtrace_walk(frame->eip, frame->ebp, traps_stack_pointer(frame), line);
	report_code(frame->eip);
	report_guest();
	report_trace();
	report_counters();
	machine_stop("panic", STATUS_PANIC);
}

static bool on_panic(struct trap_frame *frame)
{
	report(frame);
}

void panic_set_guest(void (*describe)(panic_line line))
{
	describe_guest = describe;
}

void panic_set_disassembler(panic_disassembler function)
{
	disassemble = function;
}

void panic_start(void)
{
	traps_connect(PANIC_VECTOR, on_panic);
	traps_ready = true;
}

void panic(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	print_list_to_buffer(reason, sizeof(reason), format, arguments);
	va_end(arguments);
	if (traps_ready)
		__asm__ volatile("int %0" : : "i"(PANIC_VECTOR));
	console_print("ringfence: panic before the traps were ready: %s\n", reason);
	machine_stop("panic", STATUS_PANIC);
}

static const char *describe_address(uint32_t address)
{
	if (address < NULL_POINTER_END)
		return "a null pointer";
	if (stacks_guard_owner(address))
		return "the guard page of a stack";
	if (address >= layout_address(layout_image) && address < layout_address(image_code_end))
		return "the hypervisor's code";
	if (address >= layout_address(image_code_end) && address < layout_address(image_const_end))
		return "the hypervisor's constants";
	return "an address";
}

static void explain_page_fault(uint32_t error, uint32_t address)
{
	const char *what = "read", *forbidden = "not readable";

	if (error & PAGE_FAULT_FETCH) {
		what = "execution";
		forbidden = "not executable";
	} else if (error & PAGE_FAULT_WRITE) {
		what = "write";
		forbidden = "read-only";
	}
	print_to_buffer(reason, sizeof(reason), "#PF: %s at 0x%08x, %s: %s", what, address,
	                describe_address(address),
	                error & PAGE_FAULT_PRESENT ? forbidden : "not mapped");
}

void panic_trap(const struct trap_frame *frame)
{
	const char *mnemonic = traps_mnemonic(frame->vector);

	if (!reporting && frame->vector == TRAP_PAGE_FAULT)
		explain_page_fault(frame->error, x86_read_cr2());
	else if (!reporting && mnemonic)
		print_to_buffer(reason, sizeof(reason), "%s in the hypervisor, error code 0x%x",
		                mnemonic, frame->error);
	else if (!reporting)
		print_to_buffer(reason, sizeof(reason),
		                "unexpected interrupt, vector 0x%02x: nobody has connected to it",
		                frame->vector);
	report(frame);
}

void panic_double_fault(const struct task_state *task)
{
	const char *guard = stacks_guard_owner(x86_read_cr2());

	/* The task switch has kept esp, as if rings had changed: cs says so to those who ask. */
	struct trap_frame frame = {
	        .eax = task->eax,
	        .ebx = task->ebx,
	        .ecx = task->ecx,
	        .edx = task->edx,
	        .esi = task->esi,
	        .edi = task->edi,
	        .ebp = task->ebp,
	        .ds = task->ds,
	        .es = task->es,
	        .fs = task->fs,
	        .gs = task->gs,
	        .vector = TRAP_DOUBLE_FAULT,
	        .eip = task->eip,
	        .cs = task->cs | 3,
	        .eflags = task->eflags,
	        .esp = task->esp,
	        .ss = task->ss,
	};

	if (guard && !reporting)
		print_to_buffer(
		        reason, sizeof(reason),
		        "stack overflow: the %s stack has run into its guard page at 0x%08x", guard,
		        x86_read_cr2());
	else if (!reporting)
		print_to_buffer(reason, sizeof(reason),
		                "#DF: a fault could not be delivered, cr2=0x%08x", x86_read_cr2());
	report(&frame);
}
