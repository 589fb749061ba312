#include "guest/privileged/seventeen/table.h"

#include "guest/library/cpu.h"
#include "guest/library/interrupts.h"
#include "guest/library/print.h"
#include "guest/library/segments.h"
#include "guest/library/traps.h"
#include "guest/privileged/seventeen/instructions.h"

#define LDT SEGMENT_FREE(0)

static uint8_t stored[8];

/* Says what a value means. */
typedef void describe_function(uint32_t value);

static void describe_base(uint32_t base, uint32_t own)
{
	print(base == own ? "the table's base, as the kernel loaded it" : "another base");
}

static void describe_gdt(uint32_t value)
{
	describe_base(value, (uint32_t)(uintptr_t)segment_table);
}

static uint32_t idt_base;

static void describe_idt(uint32_t value)
{
	describe_base(value, idt_base);
}

static void describe_selector(uint32_t value)
{
	print("%04x", value & 0xFFFF);
}

static void describe_machine_status(uint32_t value)
{
	print("NE is %u", !!(value & CR0_NE));
}

static void describe_flags(uint32_t value)
{
	print("IF is %u, IOPL is %u", !!(value & EFLAGS_IF),
	      (value & EFLAGS_IOPL) >> EFLAGS_IOPL_N);
}

static void describe_zero_flag(uint32_t value)
{
	print("ZF is %u", value);
}

/* What is tried: the argument is a selector, or room for six bytes. */
static const struct row {
	const char *name;
	catch_function *function;
	uint32_t argument;
	describe_function *describe;
} rows[] = {
        {"sgdt", run_sgdt, 0, describe_gdt},
        {"sidt", run_sidt, 0, describe_idt},
        {"sldt", run_sldt, 0, describe_selector},
        {"str", run_str, 0, describe_selector},
        {"smsw", run_smsw, 0, describe_machine_status},
        {"pushf", run_pushf, 0, describe_flags},
        {"popf", run_popf_if, 0, describe_flags},
        {"popf of IOPL 3", run_popf_iopl, 0, describe_flags},
        {"lar", run_lar, SEGMENT_DATA(0), describe_zero_flag},
        {"lsl", run_lsl, SEGMENT_DATA(0), describe_zero_flag},
        {"verr", run_verr, SEGMENT_DATA(0), describe_zero_flag},
        {"verw", run_verw, SEGMENT_DATA(0), describe_zero_flag},
        {"push of a segment register", run_push_cs, 0, describe_selector},
        {"pop of a segment register", run_pop_ss, SEGMENT_DATA(0), describe_selector},
        {"mov from a segment register", run_mov_ss, 0, describe_selector},
        {"mov to a segment register", run_mov_to_ds, SEGMENT_DATA(0), describe_selector},
        {"far call", run_far_call, 0, describe_selector},
        {"far jmp", run_far_jump, 0, describe_selector},
        {"far ret", run_far_return, 0, describe_selector},
        {"iret", run_iret, 0, describe_selector},
        {"int n", run_int, 0, describe_selector},
};

static void print_row(const struct row *row, unsigned ring)
{
	uint32_t room = (uint32_t)(uintptr_t)stored;
	bool stores = row->function == run_sgdt || row->function == run_sidt;
	struct outcome outcome = call_in_ring(ring, row->function, stores ? room : row->argument);
	cpu_disable_interrupts();
	print("row | %s | %u | ", row->name, ring);
	if (outcome.trapped)
		print("%s(%x)", trap_name((uint8_t)outcome.frame.vector), outcome.frame.error_code);
	else
		row->describe(outcome.value);
	print("\n");
}

static void on_open_vector(struct trap_frame *frame)
{
	frame->eax = frame->cs;
}

/* What the instructions show is set to something that a kernel of another kind would not have. */
static void prepare(void)
{
	struct segment_table_register idt;
	interrupts_init();
	trap_set_handler(OPEN_VECTOR, on_open_vector);
	trap_set_dpl(OPEN_VECTOR, 3);
	segment_set(LDT, segment_make((uint32_t)(uintptr_t)segment_table, sizeof(segment_table) - 1,
	                              ACCESS_PRESENT | ACCESS_LDT, 0));
	__asm__ volatile("lldt %w0" : : "r"(LDT));
	cpu_write_cr0(cpu_read_cr0() & ~CR0_NE);
	__asm__ volatile("sidt %0" : "=m"(idt));
	idt_base = idt.base;
}

void table_print(void)
{
	prepare();
	for (unsigned i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		for (unsigned ring = 0; ring < 4; ring += 3)
			print_row(&rows[i], ring);
}
