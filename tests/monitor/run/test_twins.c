/* Which twins translated code is given for the guest's segments, and what registers hold that it
 * has loaded itself. */
#include "monitor/run/twins.h"
#include "tests/monitor/cpu/descriptor_tables.h"

static struct translator_window window;
static struct slot slot;
static struct twins twins;

static void take_out(struct vm *vm, uint16_t selector)
{
	(void)vm;
	twins_taken_out(&twins, selector);
}

static struct vcpu *begin(void)
{
	struct vcpu *vcpu = with_tables(start_kernel(&machine));

	tables.taken_out = take_out;
	for (uint32_t i = 0; i < WINDOW_ALL_SELECTORS; i++)
		window.loadable[i] = WINDOW_NOT_LOADABLE;
	slot.gdt = tables_gdt;
	slot.window = (uint8_t *)&window;
	twins_start(&twins, &slot, CUT);
	twins_follow(&twins, vcpu);
	return vcpu;
}

static void write_access(struct vcpu *vcpu, uint16_t selector, uint8_t access)
{
	CHECK(linear_write(vcpu, gva(vcpu->gdtr.base + selector + 5), &access, 1,
	                   LINEAR_AS_SUPERVISOR));
}

TEST(a_twin_is_of_ring_1_and_ends_below_the_cut)
{
	const struct descriptor *twin;

	begin();
	twin = &tables_gdt[twins_selector(&twins, VCPU_DS) / 8];
	CHECK_EQ(twins_selector(&twins, VCPU_DS) & 3, 1);
	CHECK_EQ(twin->access >> 5, 4 | 1);
	CHECK_EQ((twin->limit_high_and_flags & 0xFu) << 16 | (uint32_t)twin->limit_low,
	         (CUT >> 12) - 1);
	CHECK_EQ(window.loadable[KERNEL_DATA], twins_selector(&twins, VCPU_DS));
}

TEST(what_is_listed_can_be_loaded_and_is_adopted)
{
	struct vcpu *vcpu = begin();
	uint32_t loads;

	CHECK_EQ(window.loadable[FRESH], WINDOW_NOT_LOADABLE);
	CHECK(segments_load(vcpu, VCPU_FS, FRESH));
	twins_follow(&twins, vcpu);
	CHECK_EQ(window.loadable[FRESH], twins_selector(&twins, VCPU_FS));
	loads = vcpu->loads;
	twins_adopt(&twins, vcpu, VCPU_ES, FRESH);
	CHECK_EQ(vcpu->segments[VCPU_ES].selector, FRESH);
	CHECK_EQ(vcpu->segments[VCPU_ES].base, 0x1234);
	CHECK(vcpu->loads != loads);
	twins_follow(&twins, vcpu);
	CHECK_EQ(twins_selector(&twins, VCPU_ES), twins_selector(&twins, VCPU_FS));
}

TEST(a_load_of_the_same_changes_nothing)
{
	struct vcpu *vcpu = begin();
	uint32_t loads = vcpu->loads;

	twins_adopt(&twins, vcpu, VCPU_DS, KERNEL_DATA);
	CHECK_EQ(vcpu->loads, loads);
}

/* GS of user code that came in by a gate of its own: kernel code has never loaded it. */
TEST(what_no_twin_is_known_for_is_looked_up)
{
	struct vcpu *vcpu = begin();

	twins_adopt(&twins, vcpu, VCPU_GS, FRESH | 3);
	CHECK_EQ(vcpu->segments[VCPU_GS].selector, FRESH | 3);
	CHECK_EQ(vcpu->segments[VCPU_GS].base, 0x1234);
	CHECK(vcpu->segments[VCPU_GS].usable);
	twins_adopt(&twins, vcpu, VCPU_GS, 3);
	CHECK_EQ(vcpu->segments[VCPU_GS].selector, 3);
	CHECK(!vcpu->segments[VCPU_GS].usable);
}

TEST(a_changed_descriptor_is_loaded_by_nobody_before_it_is_looked_at)
{
	struct vcpu *vcpu = begin();

	CHECK(segments_load(vcpu, VCPU_FS, FRESH));
	twins_follow(&twins, vcpu);
	CHECK(segments_load(vcpu, VCPU_FS, 0));
	twins_follow(&twins, vcpu);
	CHECK(window.loadable[FRESH] != WINDOW_NOT_LOADABLE);
	write_access(vcpu, FRESH, 0x72);
	CHECK_EQ(window.loadable[FRESH], WINDOW_NOT_LOADABLE);
	CHECK(window.loadable[KERNEL_DATA] != WINDOW_NOT_LOADABLE);
}

TEST(a_register_keeps_what_it_has_loaded_from_a_changed_descriptor)
{
	struct vcpu *vcpu = begin();
	uint16_t selector;

	CHECK(segments_load(vcpu, VCPU_FS, FRESH));
	twins_follow(&twins, vcpu);
	selector = twins_selector(&twins, VCPU_FS);
	write_access(vcpu, FRESH, 0xF0);
	twins_follow(&twins, vcpu);
	CHECK_EQ(twins_selector(&twins, VCPU_FS), selector);
	CHECK_EQ(window.loadable[FRESH], WINDOW_NOT_LOADABLE);
	CHECK(!twins.all_listed);
	/* By the selector alone it could not be told which of both a register holds. */
	CHECK(segments_load(vcpu, VCPU_GS, FRESH));
	twins_follow(&twins, vcpu);
	CHECK(twins_selector(&twins, VCPU_GS) != selector);
	CHECK_EQ(window.loadable[FRESH], WINDOW_NOT_LOADABLE);
	CHECK(segments_load(vcpu, VCPU_FS, FRESH));
	twins_follow(&twins, vcpu);
	CHECK_EQ(twins_selector(&twins, VCPU_FS), twins_selector(&twins, VCPU_GS));
	CHECK_EQ(window.loadable[FRESH], twins_selector(&twins, VCPU_GS));
	CHECK(twins.all_listed);
}

TEST(null_and_what_has_no_equivalent)
{
	struct vcpu *vcpu = begin();

	CHECK_EQ(twins_selector(&twins, VCPU_ES), 0);
	CHECK_EQ(window.loadable[0], 0);
	CHECK_EQ(window.loadable[3], 3);
	CHECK(twins.all_listed);
	/* A stack that grows down to the cut from the top would end behind it. */
	put_descriptor(&machine, AT_GDT + EMPTY, 0, 0xFFFFF, 0x97, 0xC);
	CHECK(segments_load(vcpu, VCPU_FS, EMPTY));
	twins_follow(&twins, vcpu);
	CHECK_EQ(twins_selector(&twins, VCPU_FS), 0);
	CHECK(!twins.all_listed);
}

TEST(more_than_there_is_room_for)
{
	struct vcpu *vcpu = begin();
	uint32_t generation = twins.generation;

	for (uint32_t base = 0; base < 3 * SLOT_TWIN_COUNT; base++) {
		put_descriptor(&machine, AT_GDT + FRESH, base, 0xFFFF, 0xF3, 4);
		shadow_tables_start(vcpu->vm, &tables);
		CHECK(segments_load(vcpu, VCPU_FS, FRESH));
		twins_follow(&twins, vcpu);
		CHECK_EQ(tables_gdt[twins_selector(&twins, VCPU_FS) / 8].base_low, base);
		CHECK(twins_selector(&twins, VCPU_DS));
		CHECK(twins.count <= SLOT_TWIN_COUNT);
	}
	CHECK(twins.generation - generation >= 2);
}

UNIT_MAIN
