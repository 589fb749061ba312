/* Which descriptors the processor is given for a guest's, and when they are taken back. */
#include "monitor/cpu/shadow_tables.h"
#include "monitor/memory/linear.h"
#include "monitor/memory/watch.h"
#include "tests/monitor/cpu/rings.h"

#define CUT     0xFFC00000u
#define INDICES 8192

static struct small_machine machine;
static struct shadow_tables tables;
static struct descriptor gdt[INDICES], ldt[INDICES];
static uint8_t watchers[256];

static struct vcpu *begin(struct vcpu *vcpu)
{
	memset(&tables, 0, sizeof(tables));
	memset(gdt, 0, sizeof(gdt));
	memset(ldt, 0, sizeof(ldt));
	memset(watchers, 0, sizeof(watchers));
	tables.gdt = gdt;
	tables.ldt = ldt;
	tables.last_index = 8175;
	tables.cut = CUT;
	CHECK(watch_storage_size(vcpu->vm->ram_size) <= sizeof(watchers));
	vcpu->vm->watchers = watchers;
	shadow_tables_start(vcpu->vm, &tables);
	/* A machine starts with flat segments that no descriptor has made. */
	CHECK(segments_load(vcpu, VCPU_DS, vcpu->cpl ? USER_DATA | 3 : KERNEL_DATA));
	for (unsigned int i = 0; i < VCPU_SEGMENTS; i++)
		if (i != VCPU_CS && i != VCPU_SS && i != VCPU_DS)
			CHECK(segments_load(vcpu, (enum vcpu_segment)i, 0));
	return vcpu;
}

static bool is_present(uint16_t selector)
{
	return gdt[selector / 8].access & 0x80;
}

TEST(what_registers_hold_is_given_in_ring_1)
{
	struct vcpu *vcpu = begin(start_kernel(&machine));

	CHECK(shadow_tables_admit(vcpu));
	CHECK(is_present(KERNEL_CODE));
	CHECK(is_present(KERNEL_DATA));
	CHECK_EQ(gdt[KERNEL_DATA / 8].access >> 5 & 3, 1);
	CHECK(!is_present(USER_DATA));
	CHECK_EQ(tables.kernel.code_limit, CUT - 1);
}

TEST(a_segment_that_no_descriptor_has_made_is_interpreted)
{
	struct vcpu *vcpu = begin(start_kernel(&machine));

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
	struct vcpu *vcpu = begin(start_kernel(&machine));
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
	struct vcpu *vcpu = begin(start_kernel(&machine));

	CHECK(segments_load(vcpu, VCPU_FS, FRESH));
	CHECK(shadow_tables_admit(vcpu));
	vcpu->gdtr.limit = FRESH - 1;
	vcpu->loads++;
	CHECK(!shadow_tables_admit(vcpu));
	CHECK(!is_present(FRESH));
}

TEST(code_of_ring_3_is_absent_in_ring_1)
{
	struct vcpu *vcpu = begin(start_user(&machine));

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
	struct vcpu *vcpu = begin(start_kernel(&machine));

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
	struct vcpu *vcpu = begin(start_kernel(&machine));

	tables.last_index = KERNEL_DATA / 8 - 1;
	CHECK(!shadow_tables_admit(vcpu));
}

UNIT_MAIN
