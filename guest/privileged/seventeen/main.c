#include "guest/library/cpu.h"
#include "guest/library/print.h"
#include "guest/library/start.h"
#include "guest/library/test.h"
#include "guest/privileged/seventeen/instructions.h"
#include "guest/privileged/seventeen/table.h"

static uint8_t stored[8];

static void on_open_vector(struct trap_frame *frame)
{
	frame->eax = frame->cs;
}

static uint32_t loaded_base(void (*read)(struct segment_table_register *))
{
	struct segment_table_register image;
	read(&image);
	return image.base;
}

static void read_gdtr(struct segment_table_register *image)
{
	__asm__ volatile("sgdt %0" : "=m"(*image));
}

static void read_idtr(struct segment_table_register *image)
{
	__asm__ volatile("sidt %0" : "=m"(*image));
}

/* With interrupts off: with them on, Ringfence's ring 3 is told of the real tables where there is
 * no UMIP, which is row G17 of docs/limitations.md. */
static struct outcome ask(unsigned ring, catch_function *reader, uint32_t argument)
{
	return call_in_ring_with_flags(ring, 0, reader, argument);
}

static void check_readers(unsigned ring)
{
	uint32_t room = (uint32_t)(uintptr_t)stored;
	test_value(ask(ring, run_sgdt, room), loaded_base(read_gdtr), "sgdt: the base");
	test_value(ask(ring, run_sidt, room), loaded_base(read_idtr), "sidt: the base");
	test_value(ask(ring, run_sldt, 0), 0, "sldt");
	test_value(ask(ring, run_str, 0), SEGMENT_TSS, "str");
	test_value(ask(ring, run_smsw, 0), cpu_read_cr0() & 0xFFFF, "smsw");
	test_value(call_in_ring(ring, run_push_cs, 0), SEGMENT_CODE(ring), "push cs");
	test_value(call_in_ring(ring, run_mov_cs, 0), SEGMENT_CODE(ring), "mov eax, cs");
	test_value(call_in_ring(ring, run_mov_ss, 0), SEGMENT_DATA(ring), "mov eax, ss");
}

/* A ring sees descriptors whose DPL is at least its own. */
static void check_lookers(unsigned ring)
{
	for (unsigned dpl = 0; dpl < 4; dpl++) {
		uint32_t data = SEGMENT_DATA(dpl) & ~3u, visible = dpl >= ring;
		print("     a data segment with DPL %u\n", dpl);
		test_value(call_in_ring(ring, run_lar, data), visible, "lar: ZF");
		test_value(call_in_ring(ring, run_lsl, data), visible, "lsl: ZF");
		test_value(call_in_ring(ring, run_verr, data), visible, "verr: ZF");
		test_value(call_in_ring(ring, run_verw, data), visible, "verw: ZF");
	}
	test_value(call_in_ring(ring, run_verw, SEGMENT_CODE(3)), 0, "verw of a code segment: ZF");
	test_value(call_in_ring(ring, run_lar, 0), 0, "lar of the null selector: ZF");
}

static void check_flags(unsigned ring)
{
	struct outcome outcome = call_in_ring_with_flags(ring, 0, run_popf_if, 0);
	test_check(!outcome.trapped && !!(outcome.value & EFLAGS_IF) == (ring == 0),
	           "popf: sets IF in ring 0 only, silently");
	cpu_disable_interrupts();
	outcome = call_in_ring(ring, run_popf_iopl, 0);
	test_check(!outcome.trapped && (outcome.value & EFLAGS_IOPL) == (ring ? 0 : EFLAGS_IOPL),
	           "popf: sets IOPL in ring 0 only, silently");
	outcome = call_in_ring_with_flags(ring, EFLAGS_IF, run_pushf, 0);
	if (ring)
		test_check(!outcome.trapped && (outcome.value & EFLAGS_IF),
		           "pushf: shows IF when it is on");
	outcome = call_in_ring_with_flags(ring, 0, run_pushf, 0);
	test_check(!outcome.trapped && !(outcome.value & EFLAGS_IF),
	           "pushf: shows IF when it is off");
}

static void check_segments(unsigned ring)
{
	uint32_t own = SEGMENT_DATA(ring);
	test_value(call_in_ring(ring, run_mov_to_ds, own), own, "mov ds, ax");
	test_value(call_in_ring(ring, run_pop_ss, own), own, "pop ss");
	test_value(call_in_ring(ring, run_mov_to_ds, SEGMENT_DATA(3)), SEGMENT_DATA(3),
	           "mov ds, a segment of ring 3");
	if (ring)
		test_traps(call_in_ring(ring, run_mov_to_ds, SEGMENT_DATA(0)), VECTOR_GP,
		           SEGMENT_DATA(0), "mov ds, a segment of ring 0");
}

static void check_transfers(unsigned ring)
{
	uint32_t own = SEGMENT_CODE(ring);
	test_value(call_in_ring(ring, run_far_call, 0), own, "far call: the CS that it pushes");
	test_value(call_in_ring(ring, run_far_jump, 0), own, "far jump: CS");
	test_value(call_in_ring(ring, run_far_return, 0), own, "far return: CS");
	test_value(call_in_ring(ring, run_iret, 0), own, "iret: CS");
	test_value(call_in_ring(ring, run_int, 0), own, "int: the CS that it pushes");
}

void guest_main(const struct boot_info *boot)
{
	if (boot_find_option(boot, "table")) {
		table_print();
		return;
	}
	test_begin("seventeen",
	           "the sensitive instructions that do not trap show and change the real "
	           "state of the processor in every ring");
	trap_set_handler(OPEN_VECTOR, on_open_vector);
	trap_set_dpl(OPEN_VECTOR, 3);
	for (unsigned ring = 0; ring < 4; ring++) {
		print("     -- ring %u\n", ring);
		check_readers(ring);
		check_lookers(ring);
		check_flags(ring);
		check_segments(ring);
		check_transfers(ring);
	}
	test_end();
}
