#include "tests/monitor/memory/small_machine.h"

#include "monitor/cpu/identity.h"

static struct small_machine machine;

#define PAGED    (VCPU_CR0_PE | VCPU_CR0_ET | VCPU_CR0_PG)
#define POINTERS 0x3000u

static bool refused(struct vcpu *vcpu, unsigned int number, uint32_t value)
{
	uint32_t before[4] = {vcpu->cr0, vcpu->cr2, vcpu->cr3, vcpu->cr4};

	if (control_write_cr(vcpu, number, value) || !small_took(vcpu, FAULT_GP, 0))
		return false;
	return before[0] == vcpu->cr0 && before[1] == vcpu->cr2 && before[2] == vcpu->cr3 &&
	       before[3] == vcpu->cr4;
}

static bool undefined(struct vcpu *vcpu)
{
	struct vcpu_event event = vcpu->event;

	memset(&vcpu->event, 0, sizeof(vcpu->event));
	return event.pending && event.is_fault && event.vector == FAULT_UD && !event.has_error;
}

static uint32_t read_cr(struct vcpu *vcpu, unsigned int number)
{
	uint32_t value = 0;

	CHECK(control_read_cr(vcpu, number, &value));
	return value;
}

TEST(after_a_reset)
{
	struct vcpu *vcpu = small_start(&machine);

	vcpu->tlb[5].tag = 1;
	vcpu->halted = true;
	control_reset(vcpu);
	CHECK(vcpu->vm == &machine.vm);
	CHECK_EQ(vcpu->cr0, 0x11);
	CHECK_EQ(vcpu->eflags, 2);
	CHECK_EQ(vcpu->debug[6], 0xFFFF0FF0);
	CHECK_EQ(vcpu->debug[7], 0x400);
	CHECK_EQ(vcpu->segments[VCPU_CS].attributes, 0xC09B);
	CHECK_EQ(vcpu->segments[VCPU_SS].attributes, 0xC093);
	CHECK_EQ(vcpu->segments[VCPU_GS].limit, 0xFFFFFFFF);
	CHECK_EQ(vcpu->tr.attributes, 0x8B);
	CHECK_EQ(vcpu->ldtr.attributes, 0x82);
	CHECK_EQ(vcpu->fpu[24] | vcpu->fpu[25] << 8, 0x1F80);
	CHECK_EQ(vcpu->registers[VCPU_EDX], 0x686);
	CHECK_EQ(vcpu->tlb[5].tag, 0);
	CHECK(!vcpu->halted);
}

TEST(cr0_takes_what_exists)
{
	struct vcpu *vcpu = small_start(&machine);

	CHECK(control_write_cr(vcpu, 0, 0x1FFAFFC1));
	CHECK_EQ(read_cr(vcpu, 0), VCPU_CR0_PE | VCPU_CR0_ET);
	CHECK(control_write_cr(vcpu, 0, 0x5005002B));
	CHECK_EQ(read_cr(vcpu, 0), 0x4005003B);
	CHECK(control_write_cr(vcpu, 0, 0x60000001));
	CHECK_EQ(read_cr(vcpu, 0), 0x60000011);
	CHECK(refused(vcpu, 0, VCPU_CR0_PE | VCPU_CR0_NW));
	CHECK(refused(vcpu, 0, VCPU_CR0_PG));
	CHECK(!machine.vm.ended);
}

TEST(leaving_protected_mode_ends_the_guest)
{
	struct vcpu *vcpu = small_start(&machine);

	CHECK(!control_write_cr(vcpu, 0, VCPU_CR0_ET));
	CHECK(machine.vm.ended);
	CHECK_EQ(machine.vm.exit, EXIT_stopped);
	CHECK(strstr(machine.vm.exit_text, "real mode"));
	CHECK(!vcpu->event.pending);
	CHECK_EQ(vcpu->cr0, 0x11);
}

TEST(registers_that_do_not_exist)
{
	struct vcpu *vcpu = small_start(&machine);
	static const unsigned int numbers[] = {1, 5, 6, 7, 8, 9, 15};
	uint32_t value;

	for (unsigned int i = 0; i < 7; i++) {
		CHECK(!control_write_cr(vcpu, numbers[i], 0));
		CHECK(undefined(vcpu));
		CHECK(!control_read_cr(vcpu, numbers[i], &value));
		CHECK(undefined(vcpu));
	}
	CHECK(control_write_cr(vcpu, 2, 0x12345678));
	CHECK_EQ(read_cr(vcpu, 2), 0x12345678);
	CHECK(control_write_cr(vcpu, 3, 0xABCDE018));
	CHECK_EQ(read_cr(vcpu, 3), 0xABCDE018);
}

TEST(cr4_bit_by_bit)
{
	struct vcpu *vcpu = small_start(&machine);
	const uint32_t always = 0xFC, with_sse = 0x600;

	identity_start(&(struct identity_host){0});
	for (unsigned int bit = 0; bit < 32; bit++)
		CHECK(always >> bit & 1 ? control_write_cr(vcpu, 4, 1u << bit)
		                        : refused(vcpu, 4, 1u << bit));
	identity_start(&(struct identity_host){.mmx = true, .fxsr = true, .sse = true});
	CHECK(control_write_cr(vcpu, 4, always | with_sse));
	CHECK_EQ(read_cr(vcpu, 4), always | with_sse);
	CHECK(refused(vcpu, 4, always | with_sse | 0x800));
}

TEST(page_directory_pointers_are_checked_and_latched)
{
	struct vcpu *vcpu = small_start(&machine);
	/* Bits 1, 2, 5 to 8, 36 and up. */
	const uint64_t reserved = 0xFFFFFFF0000001E6ull;

	CHECK(control_write_cr(vcpu, 3, POINTERS + 0x20));
	CHECK(control_write_cr(vcpu, 4, VCPU_CR4_PAE));
	for (unsigned int bit = 1; bit < 64; bit++) {
		small_put64(&machine, POINTERS + 0x20 + 8 * (bit % 4), 1ull << bit | BIT_P);
		CHECK(control_write_cr(vcpu, 0, 0x11));
		CHECK(reserved >> bit & 1 ? refused(vcpu, 0, PAGED)
		                          : control_write_cr(vcpu, 0, PAGED));
		small_put64(&machine, POINTERS + 0x20 + 8 * (bit % 4), ~1ull);
	}
	CHECK(control_write_cr(vcpu, 0, PAGED));
	small_put64(&machine, POINTERS + 0x40, 0x5001);
	CHECK(control_write_cr(vcpu, 3, POINTERS + 0x40));
	CHECK_EQ(vcpu->pdptes[0], 0x5001);
	small_put64(&machine, POINTERS + 0x60, 0x6003);
	CHECK(refused(vcpu, 3, POINTERS + 0x60));
	CHECK_EQ(vcpu->pdptes[0], 0x5001);
}

TEST(when_pointers_are_loaded_again)
{
	struct vcpu *vcpu = small_start(&machine);

	small_put64(&machine, POINTERS, 0x1001);
	CHECK(control_write_cr(vcpu, 3, POINTERS));
	CHECK(control_write_cr(vcpu, 4, VCPU_CR4_PAE));
	CHECK_EQ(vcpu->pdptes[0], 0);
	CHECK(control_write_cr(vcpu, 0, PAGED));
	CHECK_EQ(vcpu->pdptes[0], 0x1001);
	small_put64(&machine, POINTERS, 0x2001);
	CHECK(control_write_cr(vcpu, 0, PAGED | VCPU_CR0_WP | VCPU_CR0_TS));
	CHECK(control_write_cr(vcpu, 4, VCPU_CR4_PAE | VCPU_CR4_TSD));
	CHECK_EQ(vcpu->pdptes[0], 0x1001);
	CHECK(control_write_cr(vcpu, 4, VCPU_CR4_PAE | VCPU_CR4_PGE));
	CHECK_EQ(vcpu->pdptes[0], 0x2001);
	small_put64(&machine, POINTERS, 0x4001);
	CHECK(control_write_cr(vcpu, 0, PAGED | VCPU_CR0_CD));
	CHECK_EQ(vcpu->pdptes[0], 0x4001);
	CHECK(control_write_cr(vcpu, 4, 0));
	small_put64(&machine, POINTERS, 0x5001);
	CHECK(control_write_cr(vcpu, 4, VCPU_CR4_PAE));
	CHECK_EQ(vcpu->pdptes[0], 0x5001);
	CHECK(control_write_cr(vcpu, 4, VCPU_CR4_PAE | VCPU_CR4_PGE));
	small_put64(&machine, POINTERS, 0x4003);
	CHECK(refused(vcpu, 4, VCPU_CR4_PAE));
}

/* What a load does to a global and to another entry: bit 0, the global one is still there; bit 1,
 * the other one. */
static unsigned int survivors(struct vcpu *vcpu, unsigned int number, uint32_t value)
{
	vcpu->tlb[1] = (struct vcpu_tlb_entry){.tag = 0x1001, .global = true, .listed = true};
	vcpu->tlb[2] = (struct vcpu_tlb_entry){.tag = 0x2001, .listed = true};
	vcpu->tlb_listed[0] = 1;
	vcpu->tlb_listed[1] = 2;
	vcpu->tlb_listed_count = 2;
	vcpu->tlb_has_global = true;
	CHECK(control_write_cr(vcpu, number, value));
	return (vcpu->tlb[1].tag != 0) | (unsigned int)(vcpu->tlb[2].tag != 0) << 1;
}

TEST(what_each_load_flushes)
{
	struct vcpu *vcpu = small_start(&machine);

	CHECK_EQ(survivors(vcpu, 0, PAGED), 0);
	CHECK_EQ(survivors(vcpu, 0, PAGED | VCPU_CR0_TS), 3);
	CHECK_EQ(survivors(vcpu, 0, PAGED | VCPU_CR0_WP), 0);
	CHECK_EQ(survivors(vcpu, 3, 0x1000), 1);
	CHECK_EQ(survivors(vcpu, 3, 0x1000), 1);
	CHECK_EQ(survivors(vcpu, 4, VCPU_CR4_PGE), 0);
	CHECK_EQ(survivors(vcpu, 4, VCPU_CR4_PGE), 3);
	CHECK_EQ(survivors(vcpu, 4, VCPU_CR4_PGE | VCPU_CR4_TSD), 3);
	CHECK_EQ(survivors(vcpu, 4, VCPU_CR4_PGE | VCPU_CR4_PSE), 0);
	CHECK_EQ(survivors(vcpu, 4, VCPU_CR4_PSE), 0);
	CHECK_EQ(survivors(vcpu, 4, VCPU_CR4_PAE), 0);
	CHECK_EQ(survivors(vcpu, 0, VCPU_CR0_PE), 0);
}

TEST(the_machine_status_word)
{
	struct vcpu *vcpu = small_start(&machine);

	CHECK(control_load_machine_status(vcpu, 0xFFFF));
	CHECK_EQ(vcpu->cr0, 0x1F);
	CHECK(control_load_machine_status(vcpu, 0xFFF0));
	CHECK_EQ(vcpu->cr0, 0x11);
	CHECK(!machine.vm.ended);
}

static uint32_t debug_after(struct vcpu *vcpu, unsigned int number, uint32_t value)
{
	uint32_t read = 0;

	CHECK(control_write_debug(vcpu, number, value));
	CHECK(control_read_debug(vcpu, number, &read));
	return read;
}

TEST(debug_registers)
{
	struct vcpu *vcpu = small_start(&machine);
	uint32_t value;

	for (unsigned int i = 0; i < 4; i++)
		CHECK_EQ(debug_after(vcpu, i, 0x11111111 * i), 0x11111111 * i);
	CHECK_EQ(debug_after(vcpu, 6, 0), 0xFFFF0FF0);
	CHECK_EQ(debug_after(vcpu, 6, 0xFFFFFFFF), 0xFFFFEFFF);
	CHECK_EQ(debug_after(vcpu, 7, 0), 0x400);
	CHECK_EQ(debug_after(vcpu, 7, 0xFFFFDFFF), 0xFFFF07FF);
	CHECK_EQ(debug_after(vcpu, 4, 1), 0xFFFF0FF1);
	CHECK_EQ(vcpu->debug[6], 0xFFFF0FF1);
	CHECK_EQ(debug_after(vcpu, 5, 3), 0x403);
	CHECK_EQ(vcpu->debug[7], 0x403);
	CHECK(control_write_cr(vcpu, 4, VCPU_CR4_DE));
	for (unsigned int i = 4; i < 6; i++) {
		CHECK(!control_read_debug(vcpu, i, &value));
		CHECK(undefined(vcpu));
		CHECK(!control_write_debug(vcpu, i, 0));
		CHECK(undefined(vcpu));
	}
	CHECK(!control_read_debug(vcpu, 8, &value));
	CHECK(undefined(vcpu));
}

TEST(general_detect)
{
	struct vcpu *vcpu = small_start(&machine);
	uint32_t value = 0;

	CHECK(control_write_debug(vcpu, 7, 1u << 13));
	CHECK(!control_read_debug(vcpu, 0, &value));
	CHECK(vcpu->event.pending && vcpu->event.vector == FAULT_DB && vcpu->event.is_fault);
	CHECK(!vcpu->event.has_error);
	CHECK_EQ(vcpu->debug[6], 0xFFFF2FF0);
	CHECK(!control_write_debug(vcpu, 7, 0));
	CHECK_EQ(vcpu->debug[7], 0x2400);
}

#define TASK 0x8000u

static struct vcpu *start_task(uint32_t limit, uint16_t map)
{
	struct vcpu *vcpu = small_start(&machine);

	vcpu->cpl = 3;
	vcpu->tr = (struct vcpu_segment_register){
	        .selector = 0x28, .attributes = 0x8B, .usable = true, .base = TASK, .limit = limit};
	memcpy(machine.ram + TASK + 102, &map, 2);
	return vcpu;
}

static bool port_refused(struct vcpu *vcpu, uint16_t port, unsigned int size)
{
	return !control_check_port(vcpu, port, size) && small_took(vcpu, FAULT_GP, 0);
}

TEST(ports_by_privilege_level)
{
	for (unsigned int cpl = 0; cpl < 4; cpl++) {
		for (unsigned int iopl = 0; iopl < 4; iopl++) {
			struct vcpu *vcpu = start_task(103, 104);
			vcpu->cpl = (uint8_t)cpl;
			vcpu->eflags = 2 | iopl << 12;
			CHECK_EQ(control_check_port(vcpu, 0x60, 1), cpl <= iopl);
		}
	}
	struct vcpu *vcpu = start_task(103, 104);
	vcpu->eflags |= VCPU_EFLAGS_VM | VCPU_EFLAGS_IOPL;
	CHECK(port_refused(vcpu, 0x60, 1));
}

TEST(every_bit_of_the_bitmap)
{
	struct vcpu *vcpu = start_task(104 + 0x2000, 104);

	for (uint32_t denied = 0; denied < 0x10000; denied += 13) {
		machine.ram[TASK + 104 + denied / 8] = (uint8_t)(1u << denied % 8);
		for (uint32_t size = 1; size <= 4; size *= 2) {
			for (uint32_t port = denied < 5 ? 0 : denied - 5; port < denied + 3;
			     port++) {
				bool hit = port <= denied && denied < port + size;
				if (port > 0xFFFF)
					continue;
				CHECK(hit ? port_refused(vcpu, (uint16_t)port, size)
				          : control_check_port(vcpu, (uint16_t)port, size));
			}
		}
		machine.ram[TASK + 104 + denied / 8] = 0;
	}
}

TEST(the_bitmap_ends_with_the_task_state)
{
	/* Ports 0 to 7 want bytes 104 and 105 of it. */
	CHECK(port_refused(start_task(104, 104), 0, 1));
	CHECK(control_check_port(start_task(105, 104), 7, 1));
	CHECK(port_refused(start_task(105, 104), 8, 1));
	CHECK(port_refused(start_task(0x2000, 0xFFFF), 0, 1));
	CHECK(port_refused(start_task(102, 0), 0, 1));
	CHECK(control_check_port(start_task(103, 50), 0, 1));
}

TEST(only_a_32_bit_task_has_a_bitmap)
{
	struct vcpu *vcpu = start_task(0x2100, 104);

	for (uint16_t type = 0; type < 32; type++) {
		vcpu->tr.attributes = VCPU_ATTRIBUTE_PRESENT | type;
		CHECK(type == 9 || type == 11 ? control_check_port(vcpu, 0, 1)
		                              : port_refused(vcpu, 0, 1));
	}
	vcpu->tr.attributes = 0x8B;
	vcpu->tr.usable = false;
	CHECK(port_refused(vcpu, 0, 1));
}

TEST(a_task_state_that_is_not_mapped)
{
	struct vcpu *vcpu = start_task(0x2100, 104);

	vcpu->cpl = 0;
	CHECK(control_write_cr(vcpu, 3, 0x1000));
	CHECK(control_write_cr(vcpu, 0, PAGED));
	vcpu->cpl = 3;
	CHECK(!control_check_port(vcpu, 0, 1));
	CHECK(small_took(vcpu, FAULT_PF, 0));
	CHECK_EQ(vcpu->cr2, TASK + 102);
}

/* The bits that a load of all ones or of all zeros can change. */
static uint32_t changeable(unsigned int cpl, unsigned int iopl, uint32_t others, unsigned int size)
{
	struct vcpu *vcpu = small_start(&machine);

	vcpu->cpl = (uint8_t)cpl;
	vcpu->eflags = 2 | iopl << 12 | others;
	uint32_t set = control_merge_eflags(vcpu, 0xFFFFFFFF, size) & ~vcpu->eflags;
	uint32_t clear = vcpu->eflags & ~control_merge_eflags(vcpu, 0, size);
	return set | clear;
}

TEST(flags_that_may_change)
{
	const uint32_t common = 0x4DD5, wide = 0x250000;

	CHECK_EQ(changeable(0, 0, 0, 2), common | 0x3200);
	CHECK_EQ(changeable(0, 0, 0, 4), common | 0x3200 | wide);
	CHECK_EQ(changeable(0, 3, 0, 4), common | 0x3200 | wide);
	for (unsigned int cpl = 1; cpl < 4; cpl++)
		for (unsigned int iopl = 0; iopl < 4; iopl++)
			CHECK_EQ(changeable(cpl, iopl, VCPU_EFLAGS_IF, 4),
			         common | wide | (cpl <= iopl ? 0x200 : 0));
	CHECK_EQ(changeable(3, 3, VCPU_EFLAGS_VM, 2), common | 0x200);
	CHECK_EQ(changeable(3, 3, VCPU_EFLAGS_VM | VCPU_EFLAGS_RF, 2), common | 0x200);
}

UNIT_MAIN
