#include "tests/monitor/cpu/rings.h"

static struct small_machine machine;

TEST(loads_are_refused_with_the_manual_s_error_codes)
{
	static const struct {
		uint8_t level;
		enum vcpu_segment segment;
		uint16_t selector;
		enum fault_vector vector;
		uint32_t error;
	} rows[] = {
	        {0, VCPU_SS, 0, FAULT_GP, 0},
	        {0, VCPU_SS, 3, FAULT_GP, 0},
	        {0, VCPU_SS, OUTSIDE, FAULT_GP, OUTSIDE},
	        {0, VCPU_SS, KERNEL_DATA | 3, FAULT_GP, KERNEL_DATA},
	        {0, VCPU_SS, USER_DATA, FAULT_GP, USER_DATA},
	        {0, VCPU_SS, KERNEL_CODE, FAULT_GP, KERNEL_CODE},
	        {3, VCPU_SS, READ_ONLY | 3, FAULT_GP, READ_ONLY},
	        {0, VCPU_SS, ABSENT_STACK, FAULT_SS, ABSENT_STACK},
	        {0, VCPU_SS, TSS, FAULT_GP, TSS},
	        {3, VCPU_DS, KERNEL_DATA | 3, FAULT_GP, KERNEL_DATA},
	        {0, VCPU_DS, KERNEL_DATA | 3, FAULT_GP, KERNEL_DATA},
	        {3, VCPU_ES, EXECUTE_ONLY | 3, FAULT_GP, EXECUTE_ONLY},
	        {3, VCPU_FS, ABSENT_DATA | 3, FAULT_NP, ABSENT_DATA},
	        {3, VCPU_GS, OUTSIDE | 3, FAULT_GP, OUTSIDE},
	        {0, VCPU_DS, TSS, FAULT_GP, TSS},
	        {0, VCPU_DS, EMPTY, FAULT_GP, EMPTY},
	        {0, VCPU_DS, 0x0C, FAULT_GP, 0x0C}, /* there is no LDT */
	        {0, VCPU_DS, 0xFFFF, FAULT_GP, 0xFFFC},
	};

	for (unsigned int i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct vcpu *vcpu = rows[i].level ? start_user(&machine) : start_kernel(&machine);
		struct vcpu before = *vcpu;

		CHECK(!segments_load(vcpu, rows[i].segment, rows[i].selector));
		CHECK_UNCHANGED(vcpu, before);
		CHECK(small_took(vcpu, rows[i].vector, rows[i].error));
	}
}

TEST(good_loads_fill_the_hidden_part)
{
	struct vcpu *vcpu = start_user(&machine);

	CHECK(segments_load(vcpu, VCPU_DS, FRESH | 3));
	CHECK_EQ(vcpu->segments[VCPU_DS].base, 0x1234);
	CHECK_EQ(vcpu->segments[VCPU_DS].limit, 0xFFFF);
	CHECK_EQ(vcpu->segments[VCPU_DS].attributes, 0x40F3);
	CHECK(segments_load(vcpu, VCPU_ES, CONFORMING | 3));
	CHECK(segments_load(vcpu, VCPU_ES, USER_CODE | 3));
	CHECK(segments_load(vcpu, VCPU_SS, USER_DATA | 3));
	CHECK_EQ(vcpu->segments[VCPU_SS].limit, 0xFFFFFFFF);
	CHECK(segments_load(vcpu, VCPU_FS, 3));
	CHECK(!vcpu->segments[VCPU_FS].usable);
	CHECK_EQ(vcpu->segments[VCPU_FS].selector, 3);
}

TEST(the_accessed_bit_is_written_only_when_it_is_not_there)
{
	struct vcpu *vcpu = start_kernel(&machine);

	CHECK(segments_load(vcpu, VCPU_DS, FRESH));
	CHECK_EQ(machine.ram[AT_GDT + FRESH + 5], 0xF3);
	/* A GDT outside RAM reads as ones, accessed included; a write would be counted. */
	vcpu->gdtr.base = SMALL_RAM;
	machine.vm.accesses_outside_ram = 0;
	CHECK(segments_load(vcpu, VCPU_DS, FRESH));
	CHECK_EQ(machine.vm.accesses_outside_ram, 1);
}

TEST(the_ldt_has_its_own_limit)
{
	struct vcpu *vcpu = start_kernel(&machine);

	CHECK(segments_load_ldt(vcpu, LDT));
	put_descriptor(&machine, AT_LDT + 0x18, 0x7000, 0xFF, 0x93, 4);
	CHECK(segments_load(vcpu, VCPU_GS, 0x18 | 4));
	CHECK_EQ(vcpu->segments[VCPU_GS].base, 0x7000);
	CHECK(!segments_load(vcpu, VCPU_GS, 0x20 | 4));
	CHECK(small_took(vcpu, FAULT_GP, 0x24));
	CHECK(segments_load_ldt(vcpu, 0));
	CHECK(!segments_load(vcpu, VCPU_GS, 0x18 | 4));
	CHECK(small_took(vcpu, FAULT_GP, 0x1C));
}

TEST(lldt_and_ltr_take_only_their_own)
{
	struct vcpu *vcpu = start_kernel(&machine);

	CHECK(!segments_load_ldt(vcpu, LDT | 4));
	CHECK(small_took(vcpu, FAULT_GP, LDT | 4));
	CHECK(!segments_load_ldt(vcpu, TSS_NEXT));
	CHECK(small_took(vcpu, FAULT_GP, TSS_NEXT));
	CHECK(!segments_load_ldt(vcpu, OUTSIDE));
	CHECK(small_took(vcpu, FAULT_GP, OUTSIDE));
	machine.ram[AT_GDT + LDT + 5] = 0x02;
	CHECK(!segments_load_ldt(vcpu, LDT));
	CHECK(small_took(vcpu, FAULT_NP, LDT));
	CHECK(!segments_load_task(vcpu, 0));
	CHECK(small_took(vcpu, FAULT_GP, 0));
	CHECK(!segments_load_task(vcpu, TSS_NEXT | 4));
	CHECK(small_took(vcpu, FAULT_GP, TSS_NEXT | 4));
	CHECK(!segments_load_task(vcpu, TSS));
	CHECK(small_took(vcpu, FAULT_GP, TSS));
	CHECK(!segments_load_task(vcpu, ABSENT_TSS));
	CHECK(small_took(vcpu, FAULT_NP, ABSENT_TSS));
	CHECK(segments_load_task(vcpu, TSS_NEXT));
	CHECK_EQ(machine.ram[AT_GDT + TSS_NEXT + 5], 0xEB);
	CHECK_EQ(vcpu->tr.attributes, 0xEB);
	CHECK(segments_load_task(vcpu, TSS_NARROW));
	CHECK_EQ(machine.ram[AT_GDT + TSS_NARROW + 5], 0x83);
}

TEST(translation_checks_type_and_limit)
{
	static const struct {
		uint16_t selector;
		uint32_t offset, size;
		enum segment_access access;
		bool good;
	} rows[] = {
	        {USER_DATA, 0, 4, SEGMENT_WRITE, true},
	        {USER_DATA, 0xFFFFFFFC, 4, SEGMENT_WRITE, true},
	        {USER_DATA, 0xFFFFFFFD, 4, SEGMENT_READ, false},
	        {READ_ONLY, 0, 1, SEGMENT_READ, true},
	        {READ_ONLY, 0, 1, SEGMENT_WRITE, false},
	        {USER_CODE, 0, 1, SEGMENT_READ, true},
	        {USER_CODE, 0, 1, SEGMENT_WRITE, false},
	        {EXECUTE_ONLY, 0, 1, SEGMENT_READ, false},
	        {EXECUTE_ONLY, 0, 1, SEGMENT_EXECUTE, true},
	        {SHORT_CODE, 0xFF, 1, SEGMENT_EXECUTE, true},
	        {SHORT_CODE, 0xFF, 2, SEGMENT_EXECUTE, false},
	        {SHORT_CODE, 0x100, 1, SEGMENT_EXECUTE, false},
	        {DOWN, 0xFFF, 1, SEGMENT_READ, false},
	        {DOWN, 0x1000, 1, SEGMENT_READ, true},
	        {DOWN, 0xFFFF, 1, SEGMENT_WRITE, true},
	        {DOWN, 0xFFFF, 2, SEGMENT_WRITE, false},
	        {DOWN, 0x10000, 1, SEGMENT_WRITE, false},
	        {NARROW_STACK, 0xFFFE, 2, SEGMENT_WRITE, true},
	        {NARROW_STACK, 0xFFFE, 4, SEGMENT_WRITE, false},
	};
	struct vcpu *vcpu = start_kernel(&machine);

	for (unsigned int i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		gva_t at;
		bool good;

		set_segment(&machine, &vcpu->segments[VCPU_ES], rows[i].selector);
		good = segments_translate(vcpu, VCPU_ES, rows[i].offset, rows[i].size,
		                          rows[i].access, &at);
		CHECK_EQ(good, rows[i].good);
		if (good)
			CHECK_EQ(at.value, vcpu->segments[VCPU_ES].base + rows[i].offset);
		else
			CHECK(small_took(vcpu, FAULT_GP, 0));
	}
}

TEST(a_32_bit_segment_that_expands_down_ends_at_4_gb)
{
	struct vcpu *vcpu = start_kernel(&machine);
	gva_t at;

	set_segment(&machine, &vcpu->segments[VCPU_ES], DOWN);
	vcpu->segments[VCPU_ES].attributes |= VCPU_ATTRIBUTE_BIG;
	CHECK(segments_translate(vcpu, VCPU_ES, 0xFFFFFFFF, 1, SEGMENT_READ, &at));
	CHECK(!segments_translate(vcpu, VCPU_ES, 0xFFFFFFFF, 2, SEGMENT_READ, &at));
	CHECK(small_took(vcpu, FAULT_GP, 0));
}

TEST(the_stack_and_unusable_segments_fault_in_their_own_way)
{
	struct vcpu *vcpu = start_kernel(&machine);
	gva_t at;

	set_segment(&machine, &vcpu->segments[VCPU_SS], NARROW_STACK);
	CHECK(!segments_translate(vcpu, VCPU_SS, 0x10000, 1, SEGMENT_READ, &at));
	CHECK(small_took(vcpu, FAULT_SS, 0));
	CHECK(segments_load(vcpu, VCPU_DS, 0));
	CHECK(!segments_translate(vcpu, VCPU_DS, 0, 1, SEGMENT_READ, &at));
	CHECK(small_took(vcpu, FAULT_GP, 0));
}

TEST(virtual_8086_mode_takes_any_selector)
{
	struct vcpu *vcpu = start_v86(&machine, 0);
	gva_t at;

	CHECK(segments_load(vcpu, VCPU_SS, 0));
	CHECK(segments_load(vcpu, VCPU_DS, 0xFFFF));
	CHECK(segments_translate(vcpu, VCPU_DS, 0xFFFF, 1, SEGMENT_WRITE, &at));
	CHECK_EQ(at.value, 0x10FFEF);
	CHECK(!segments_translate(vcpu, VCPU_DS, 0xFFFF, 2, SEGMENT_WRITE, &at));
	CHECK(small_took(vcpu, FAULT_GP, 0));
	CHECK(segments_translate(vcpu, VCPU_CS, 0, 1, SEGMENT_WRITE, &at));
}

TEST(the_four_questions)
{
	static const struct {
		uint16_t selector;
		bool rights, limit, readable, writable;
	} rows[] = {
	        {0, false, false, false, false},
	        {OUTSIDE, false, false, false, false},
	        {0x0C, false, false, false, false},
	        {KERNEL_DATA | 3, false, false, false, false},
	        {CONFORMING | 3, true, true, true, false},
	        {USER_DATA | 3, true, true, true, true},
	        {ABSENT_DATA | 3, true, true, true, true},
	        {READ_ONLY | 3, true, true, true, false},
	        {EXECUTE_ONLY | 3, true, true, false, false},
	        {TSS_NEXT | 3, true, true, false, false},
	        {CALL_GATE | 3, true, false, false, false},
	        {CALL_GATE16 | 3, true, false, false, false},
	        {TASK_GATE | 3, true, false, false, false},
	        {EMPTY | 3, false, false, false, false},
	};
	struct vcpu *vcpu = start_user(&machine);

	for (unsigned int i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint16_t selector = rows[i].selector;
		uint32_t value;
		bool good;

		CHECK(segments_query_rights(vcpu, selector, &good, &value));
		CHECK_EQ(good, rows[i].rights);
		if (good)
			CHECK_EQ(value,
			         small_get32(&machine, AT_GDT + (selector & ~7u) + 4) & 0xFFFF00);
		CHECK(segments_query_limit(vcpu, selector, &good, &value));
		CHECK_EQ(good, rows[i].limit);
		CHECK(segments_query_access(vcpu, selector, false, &good));
		CHECK_EQ(good, rows[i].readable);
		CHECK(segments_query_access(vcpu, selector, true, &good));
		CHECK_EQ(good, rows[i].writable);
	}
	CHECK(!vcpu->event.pending);
}

UNIT_MAIN
