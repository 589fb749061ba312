#include "tests/monitor/instructions/run_bytes.h"

#include "monitor/memory/watch.h"

static void point(struct vcpu *vcpu, uint32_t source, uint32_t destination, uint32_t count)
{
	vcpu->registers[VCPU_ESI] = source;
	vcpu->registers[VCPU_EDI] = destination;
	vcpu->registers[VCPU_ECX] = count;
}

/* Steps until the instruction at RUN_CODE is done. */
static void finish(struct vcpu *vcpu)
{
	for (int i = 0; i < 10000 && vcpu->eip == RUN_CODE; i++)
		interpret_step(vcpu);
}

TEST(one_element_up_and_down)
{
	struct vcpu *vcpu = run_start();

	small_put32(&run_machine, RUN_DATA, 0x44332211);
	point(vcpu, RUN_DATA, RUN_DATA + 0x100, 7);
	RUN(vcpu, 0xA4);
	CHECK_EQ(run_machine.ram[RUN_DATA + 0x100], 0x11);
	CHECK_EQ(vcpu->registers[VCPU_ESI], RUN_DATA + 1);
	vcpu->eflags |= VCPU_EFLAGS_DF;
	RUN(vcpu, 0x66, 0xAD); /* lodsw */
	CHECK_EQ(vcpu->registers[VCPU_EAX], 0x11113322);
	CHECK_EQ(vcpu->registers[VCPU_ESI], RUN_DATA - 1);
	CHECK_EQ(vcpu->registers[VCPU_ECX], 7);
}

TEST(a_long_copy_across_pages)
{
	struct vcpu *vcpu = run_start();

	run_paging(vcpu);
	for (uint32_t i = 0; i < 9000; i++)
		run_machine.ram[RUN_DATA + i] = (uint8_t)(i * 7);
	point(vcpu, RUN_DATA, RUN_DATA + 0x4003, 9000);
	RUN(vcpu, 0xF3, 0xA4);
	finish(vcpu);
	CHECK_EQ(vcpu->registers[VCPU_ECX], 0);
	CHECK_EQ(vcpu->eip, RUN_CODE + 2);
	CHECK(memcmp(run_machine.ram + RUN_DATA, run_machine.ram + RUN_DATA + 0x4003, 9000) == 0);
	CHECK_EQ(vcpu->registers[VCPU_EDI], RUN_DATA + 0x4003 + 9000);
}

static uint8_t watchers[SMALL_RAM / GUEST_PAGE_SIZE];
static uint32_t told_times, told_bytes;

static void written(struct vm *vm, gpa_t at, uint32_t size)
{
	(void)vm, (void)at;
	told_times++;
	told_bytes += size;
}

/* With the page of data, and the one behind it, watched. */
static struct vcpu *start_watched(void)
{
	struct vcpu *vcpu = run_start();

	run_paging(vcpu);
	memset(watchers, 0, sizeof(watchers));
	told_times = told_bytes = 0;
	run_machine.vm.watchers = watchers;
	watch_register(&run_machine.vm, WATCH_CODE, written);
	watch_start(&run_machine.vm, gpa(RUN_DATA), WATCH_CODE);
	watch_start(&run_machine.vm, gpa(RUN_DATA + 0x1000), WATCH_CODE);
	return vcpu;
}

TEST(whoever_watches_is_told_of_many_elements_at_once)
{
	struct vcpu *vcpu = start_watched();

	vcpu->registers[VCPU_EAX] = 0x04030201;
	point(vcpu, 0, RUN_DATA + 0x10, 1500);
	RUN(vcpu, 0xF3, 0xAB); /* rep stosd */
	finish(vcpu);
	CHECK_EQ(vcpu->registers[VCPU_ECX], 0);
	CHECK_EQ(vcpu->registers[VCPU_EDI], RUN_DATA + 0x10 + 6000);
	CHECK_EQ(told_bytes, 6000);
	CHECK(told_times <= 8);
	for (uint32_t i = 0; i < 1500; i++)
		CHECK_EQ(small_get32(&run_machine, RUN_DATA + 0x10 + i * 4), 0x04030201);
	CHECK_EQ(small_get32(&run_machine, RUN_DATA + 0x10 + 6000), 0);
	run_machine.vm.watchers = NULL;
}

TEST(whoever_watches_is_told_of_a_copy_at_once)
{
	struct vcpu *vcpu = start_watched();

	for (uint32_t i = 0; i < 3000; i++)
		run_machine.ram[RUN_DATA + 0x4000 + i] = (uint8_t)(i * 7);
	point(vcpu, RUN_DATA + 0x4000, RUN_DATA + 0x800, 3000);
	RUN(vcpu, 0xF3, 0xA4);
	finish(vcpu);
	CHECK_EQ(told_bytes, 3000);
	CHECK_EQ(told_times, 2);
	CHECK(memcmp(run_machine.ram + RUN_DATA + 0x4000, run_machine.ram + RUN_DATA + 0x800,
	             3000) == 0);
	run_machine.vm.watchers = NULL;
}

TEST(an_overlapping_copy_is_told_of_one_by_one)
{
	struct vcpu *vcpu = start_watched();

	run_machine.ram[RUN_DATA] = 0x5A;
	point(vcpu, RUN_DATA, RUN_DATA + 1, 600);
	RUN(vcpu, 0xF3, 0xA4);
	finish(vcpu);
	CHECK_EQ(told_times, 600);
	for (uint32_t i = 0; i <= 600; i++)
		CHECK_EQ(run_machine.ram[RUN_DATA + i], 0x5A);
	run_machine.vm.watchers = NULL;
}

TEST(an_overlapping_copy_reads_what_it_wrote)
{
	struct vcpu *vcpu = run_start();

	run_paging(vcpu);
	run_machine.ram[RUN_DATA] = 0x5A;
	point(vcpu, RUN_DATA, RUN_DATA + 1, 600);
	RUN(vcpu, 0xF3, 0xA4);
	finish(vcpu);
	for (uint32_t i = 0; i <= 600; i++)
		CHECK_EQ(run_machine.ram[RUN_DATA + i], 0x5A);
	CHECK_EQ(run_machine.ram[RUN_DATA + 601], 0);
}

TEST(a_fault_in_the_middle_goes_on_from_there)
{
	struct vcpu *vcpu = run_start();

	run_paging(vcpu);
	run_change_page(vcpu, RUN_DATA + 0x1000, 0);
	point(vcpu, 0, RUN_DATA + 0xF00, 0x200);
	vcpu->registers[VCPU_EAX] = 0x77;
	RUN(vcpu, 0xF3, 0xAA);
	finish(vcpu);
	CHECK(run_faulted(vcpu, FAULT_PF, 2, RUN_CODE));
	CHECK_EQ(vcpu->cr2, RUN_DATA + 0x1000);
	CHECK_EQ(vcpu->registers[VCPU_ECX], 0x100);
	CHECK_EQ(vcpu->registers[VCPU_EDI], RUN_DATA + 0x1000);
	run_change_page(vcpu, RUN_DATA + 0x1000, BITS_ALL);
	vcpu->eip = RUN_CODE;
	finish(vcpu);
	CHECK_EQ(vcpu->registers[VCPU_ECX], 0);
	CHECK_EQ(run_machine.ram[RUN_DATA + 0x10FF], 0x77);
	CHECK_EQ(run_machine.ram[RUN_DATA + 0x1100], 0);
}

TEST(comparing_and_scanning_stop_where_they_should)
{
	struct vcpu *vcpu = run_start();

	memcpy(run_machine.ram + RUN_DATA, "one and two", 12);
	memcpy(run_machine.ram + RUN_DATA + 0x100, "one or two", 11);
	point(vcpu, RUN_DATA, RUN_DATA + 0x100, 11);
	RUN(vcpu, 0xF3, 0xA6); /* repe cmpsb */
	CHECK_EQ(vcpu->registers[VCPU_ECX], 6);
	CHECK(!(vcpu->eflags & VCPU_EFLAGS_ZF));
	CHECK(vcpu->eflags & VCPU_EFLAGS_CF); /* 'a' is below 'o' */
	point(vcpu, 0, RUN_DATA, 100);
	vcpu->registers[VCPU_EAX] = 0;
	RUN(vcpu, 0xF2, 0xAE); /* repne scasb */
	CHECK_EQ(vcpu->registers[VCPU_ECX], 88);
	CHECK(vcpu->eflags & VCPU_EFLAGS_ZF);
}

TEST(nothing_to_repeat_is_done_at_once)
{
	struct vcpu *vcpu = run_start();

	point(vcpu, 0, 0xFFFFFFFF, 0);
	vcpu->eflags |= VCPU_EFLAGS_ZF;
	CHECK_EQ(RUN(vcpu, 0xF3, 0xA5), INTERPRET_COMPLETED);
	CHECK_EQ(vcpu->eip, RUN_CODE + 2);
	CHECK_EQ(RUN(vcpu, 0xF2, 0xA7), INTERPRET_COMPLETED);
	CHECK(vcpu->eflags & VCPU_EFLAGS_ZF);
}

TEST(sixteen_bit_addresses_wrap)
{
	struct vcpu *vcpu = run_start();

	run_set_segment(vcpu, VCPU_ES, RUN_DATA0);
	point(vcpu, 0, 0xABCDFFFF, 0x12340002);
	vcpu->registers[VCPU_EAX] = 0x66;
	RUN(vcpu, 0x67, 0xF3, 0xAA);
	CHECK_EQ(vcpu->registers[VCPU_EDI], 0xABCD0001);
	CHECK_EQ(vcpu->registers[VCPU_ECX], 0x12340000);
	CHECK_EQ(run_machine.ram[0xFFFF], 0x66);
	CHECK_EQ(run_machine.ram[0], 0x66);
}

TEST(single_steps_come_after_each_iteration)
{
	struct vcpu *vcpu = run_start();

	point(vcpu, 0, RUN_DATA, 3);
	vcpu->eflags |= VCPU_EFLAGS_TF;
	vcpu->debug_trap = true;
	RUN(vcpu, 0xF3, 0xAB);
	CHECK(run_faulted(vcpu, FAULT_DB, -1, RUN_CODE));
	CHECK_EQ(vcpu->registers[VCPU_ECX], 2);
}

TEST(an_interrupt_fits_between_two_iterations)
{
	struct vcpu *vcpu = run_start();

	point(vcpu, 0, RUN_DATA, 1000);
	run_write(0x66, 0xF3, 0xAF); /* repe scasw */
	vcpu->registers[VCPU_EAX] = 0;
	vcpu->eip = RUN_CODE;
	interpret_step(vcpu);
	CHECK_EQ(vcpu->eip, RUN_CODE);
	CHECK(vcpu->registers[VCPU_ECX] > 0 && vcpu->registers[VCPU_ECX] < 1000);
	vcpu->nmi_pending = true;
	CHECK_EQ(interpret_step(vcpu), INTERPRET_DELIVERED);
	CHECK(run_faulted(vcpu, FAULT_NMI, -1, RUN_CODE));
}

static uint32_t port_reads;

static uint32_t read_port(void *chip, uint64_t now, uint16_t port, unsigned size)
{
	(void)chip;
	(void)now;
	(void)size;
	return port_reads++ + port;
}

TEST(a_port_is_not_read_for_nothing)
{
	const struct bus_range range = {
	        .first = 0x80, .last = 0x8F, .widest = 4, .name = "counter", .read = read_port};
	struct vcpu *vcpu = run_start();

	CHECK(bus_attach(&run_bus, &range));
	port_reads = 0;
	run_paging(vcpu);
	run_change_page(vcpu, RUN_DATA, BIT_P | BIT_US);
	vcpu->registers[VCPU_EDX] = 0x80;
	point(vcpu, 0, RUN_DATA, 2);
	CHECK_EQ(RUN(vcpu, 0xF3, 0x6D), INTERPRET_DELIVERED);
	CHECK(run_faulted(vcpu, FAULT_PF, 3, RUN_CODE));
	CHECK_EQ(port_reads, 0);
	run_change_page(vcpu, RUN_DATA, BITS_ALL);
	vcpu->eip = RUN_CODE;
	finish(vcpu);
	CHECK_EQ(small_get32(&run_machine, RUN_DATA), 0x80);
	CHECK_EQ(small_get32(&run_machine, RUN_DATA + 4), 0x81);
	CHECK_EQ(port_reads, 2);
}

/* As on silicon: the port is looked at before the count. */
TEST(a_port_is_refused_even_when_there_is_none)
{
	static const uint8_t codes[] = {0x6C, 0x6D, 0x6E, 0x6F};

	for (uint32_t i = 0; i < sizeof(codes); i++) {
		struct vcpu *vcpu = run_start();

		run_set_ring(vcpu, 3);
		vcpu->registers[VCPU_EDX] = 0x80;
		point(vcpu, RUN_DATA, RUN_DATA, 0);
		CHECK_EQ(RUN(vcpu, 0xF3, codes[i]), INTERPRET_DELIVERED);
		CHECK(run_faulted(vcpu, FAULT_GP, 0, RUN_CODE));
		run_set_ring(vcpu, 0);
		vcpu->eip = RUN_CODE;
		CHECK_EQ(interpret_step(vcpu), INTERPRET_COMPLETED);
	}
}

UNIT_MAIN
