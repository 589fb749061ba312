/* Which descriptors the processor is given for a guest's, and when they are taken back. */
#include "tests/monitor/cpu/descriptor_tables.h"

static bool is_present(uint16_t selector)
{
	return tables_gdt[selector / 8].access & 0x80;
}

TEST(what_registers_hold_is_given_in_ring_1)
{
	struct vcpu *vcpu = with_tables(start_kernel(&machine));

	CHECK(shadow_tables_admit(vcpu));
	CHECK(is_present(KERNEL_CODE));
	CHECK(is_present(KERNEL_DATA));
	CHECK_EQ(tables_gdt[KERNEL_DATA / 8].access >> 5 & 3, 1);
	CHECK(!is_present(USER_DATA));
	CHECK_EQ(tables.kernel.code_limit, CUT - 1);
}

TEST(a_segment_that_no_descriptor_has_made_is_interpreted)
{
	struct vcpu *vcpu = with_tables(start_kernel(&machine));

	vcpu->segments[VCPU_FS].usable = true;
	vcpu->loads++;
	CHECK(!shadow_tables_admit(vcpu));
	vcpu->segments[VCPU_FS].usable = false;
	CHECK(shadow_tables_admit(vcpu));
	vcpu->segments[VCPU_DS].base += 16;
	vcpu->loads++;
	CHECK(!shadow_tables_admit(vcpu));
}

TEST(a_write_to_the_guest_s_table_takes_the_descriptor_back)
{
	struct vcpu *vcpu = with_tables(start_kernel(&machine));
	uint8_t limit = 7;

	CHECK(segments_load(vcpu, VCPU_FS, FRESH));
	CHECK(shadow_tables_admit(vcpu));
	CHECK(is_present(FRESH));
	CHECK(linear_write(vcpu, gva(vcpu->gdtr.base + FRESH), &limit, 1, LINEAR_AS_SUPERVISOR));
	CHECK(!is_present(FRESH));
	CHECK(is_present(KERNEL_DATA));
	/* The register still holds what the table said before. */
	CHECK(!shadow_tables_admit(vcpu));
	CHECK(segments_load(vcpu, VCPU_FS, FRESH));
	CHECK(shadow_tables_admit(vcpu));
	CHECK(is_present(FRESH));
}

TEST(another_table_takes_all_back)
{
	struct vcpu *vcpu = with_tables(start_kernel(&machine));

	CHECK(segments_load(vcpu, VCPU_FS, FRESH));
	CHECK(shadow_tables_admit(vcpu));
	vcpu->gdtr.limit = FRESH - 1;
	vcpu->loads++;
	CHECK(!shadow_tables_admit(vcpu));
	CHECK(!is_present(FRESH));
}

TEST(code_of_ring_3_is_absent_in_ring_1)
{
	struct vcpu *vcpu = with_tables(start_user(&machine));

	CHECK(shadow_tables_admit(vcpu));
	CHECK(is_present(USER_CODE));
	vcpu->cpl = 0;
	CHECK(!shadow_tables_admit(vcpu));
	CHECK(!is_present(USER_CODE));
	vcpu->cpl = 3;
	CHECK(shadow_tables_admit(vcpu));
	CHECK(is_present(USER_CODE));
}

TEST(a_load_behind_our_back_is_adopted)
{
	struct vcpu *vcpu = with_tables(start_kernel(&machine));

	CHECK(segments_load(vcpu, VCPU_FS, FRESH));
	CHECK(shadow_tables_admit(vcpu));
	shadow_tables_adopt(vcpu, VCPU_GS, FRESH);
	CHECK_EQ(vcpu->segments[VCPU_GS].selector, FRESH);
	CHECK_EQ(vcpu->segments[VCPU_GS].base, 0x1234);
	CHECK(shadow_tables_admit(vcpu));
	shadow_tables_adopt(vcpu, VCPU_GS, 0);
	CHECK(!vcpu->segments[VCPU_GS].usable);
	/* The stack and code show the real ring. */
	shadow_tables_adopt(vcpu, VCPU_SS, KERNEL_DATA | 1);
	CHECK_EQ(vcpu->segments[VCPU_SS].selector, KERNEL_DATA);
}

TEST(the_last_entries_are_not_the_guest_s)
{
	struct vcpu *vcpu = with_tables(start_kernel(&machine));

	tables.last_index = KERNEL_DATA / 8 - 1;
	CHECK(!shadow_tables_admit(vcpu));
}

UNIT_MAIN
