/* What the shadow allows and where it leads: formats, bits, modes, the slot. */
#include "monitor/memory/shadow_slot.h"
#include "tests/monitor/memory/shadow_guest.h"

static bool start_again(uint32_t page_count, size_t storage_size, bool no_execute)
{
	return shadow_start(&machine.vm, &(struct shadow_setup){
	                                         .pages = machine.pages,
	                                         .pages_machine = PAGES_MACHINE,
	                                         .page_count = page_count,
	                                         .ram_machine = RAM_MACHINE,
	                                         .no_execute = no_execute,
	                                         .storage = machine.storage,
	                                         .storage_size = storage_size,
	                                 });
}

TEST(too_little_room_is_refused)
{
	start(SHADOW_PAGES);
	size_t enough = shadow_storage_size(SHADOW_PAGES, SHADOW_RAM);
	CHECK(start_again(SHADOW_PAGES, enough, true));
	CHECK(!start_again(SHADOW_PAGES, enough - 1, true));
	CHECK(!start_again(SHADOW_PAGES_MIN - 1, enough, true));
	machine.vm.watchers = NULL;
	CHECK(!start_again(SHADOW_PAGES, enough, true));
}

/* Formats. */

TEST(without_paging_linear_is_physical)
{
	start(SHADOW_PAGES);
	CHECK(maps(0x00234567, WRITE | USER, 0x00234567));
	CHECK(hardware_walk(&machine, 0x00234567, EXECUTE).is_large);
	CHECK(may(0x003FFFFF, WRITE));
	/* The last large page is not all RAM. */
	CHECK(maps(0x008FE123, WRITE, 0x008FE123));
	CHECK(!hardware_walk(&machine, 0x008FE123, READ).is_large);
	CHECK_EQ(fault(SHADOW_RAM, READ), SHADOW_EMULATE);
	CHECK_EQ(fault(0xC0000000, READ), SHADOW_EMULATE);
}

TEST(two_levels_of_rights)
{
	start_two_level();
	CHECK(maps(LINEAR + 0x123, READ | USER, DATA + 0x123));
	shadow_put32(&machine, LEAF, DATA | BIT_P | BIT_RW);
	CHECK(is_true_fault(LINEAR, READ | USER, 5));
	CHECK(maps(LINEAR, READ, DATA));
	shadow_put32(&machine, LEAF, DATA | BITS_ALL);
	shadow_put32(&machine, DIRECTORY, TABLE | BIT_P | BIT_US);
	CHECK(is_true_fault(LINEAR, WRITE, 3));
	CHECK(maps(LINEAR, READ | USER, DATA));
	CHECK(is_true_fault(LINEAR + 0x1000, READ, 0));
}

TEST(both_halves_of_a_two_level_table)
{
	start_two_level();
	shadow_put32(&machine, TABLE + 4 * 1023, (DATA + 0x3000) | BITS_ALL);
	CHECK(maps(0x003FF000, WRITE, DATA + 0x3000));
	CHECK(maps(LINEAR, WRITE, DATA));
	shadow_put32(&machine, DIRECTORY + 4 * 1023, TABLE | BITS_ALL);
	CHECK(maps(0xFFFFF000, WRITE, DATA + 0x3000));
}

TEST(a_large_page_of_4_mb)
{
	start_two_level();
	shadow_put32(&machine, DIRECTORY + 4, 0x00400000 | BITS_ALL | BIT_PS);
	CHECK(maps(0x00654321, WRITE, 0x00654321));
	CHECK(hardware_walk(&machine, 0x00654321, READ).is_large);
	CHECK_EQ(hardware_walk(&machine, 0x00454321, WRITE).machine, RAM_MACHINE + 0x00454321);
	shadow_put32(&machine, DIRECTORY + 4, 0x00402000 | BITS_ALL | BIT_PS);
	CHECK(is_true_fault(0x00454321, READ, 9));
	vcpu->cr4 = 0;
	CHECK_EQ(fault(0x00454321, READ), SHADOW_TRUE_FAULT);
}

TEST(pae_with_no_execute)
{
	start_pae();
	shadow_put64(&machine, WIDE_LEAF, DATA | BITS_ALL | BIT_XD);
	CHECK(maps(LINEAR, READ, DATA));
	CHECK(is_true_fault(LINEAR, EXECUTE | USER, 21));
	shadow_put64(&machine, WIDE_LEAF, DATA | BITS_AD);
	shadow_put64(&machine, DIRECTORY, TABLE | BITS_AD | BIT_XD);
	CHECK(!may(LINEAR, EXECUTE));
	shadow_put64(&machine, DIRECTORY, TABLE | BITS_AD);
	CHECK(may(LINEAR, EXECUTE));
	shadow_put64(&machine, DIRECTORY + 8, 0x00600000 | BITS_AD | BIT_PS);
	CHECK(hardware_walk(&machine, 0x00212345, WRITE).machine == RAM_MACHINE + 0x00612345);
	shadow_put64(&machine, DIRECTORY + 8, 0x00600000 | BITS_AD | BIT_PS | 1ull << 40);
	CHECK(is_true_fault(0x00212345, READ, 9));
}

TEST(a_processor_without_no_execute)
{
	start_pae();
	CHECK(start_again(SHADOW_PAGES, SIZE_MAX, false));
	shadow_put64(&machine, WIDE_LEAF, DATA | BITS_ALL | BIT_XD);
	CHECK(maps(LINEAR, READ, DATA));
	CHECK(may(LINEAR, EXECUTE));
}

TEST(pointers_are_those_of_the_load_of_cr3)
{
	start_pae();
	vcpu->cr3 = POINTERS;
	shadow_put64(&machine, POINTERS, OTHER | BIT_P);
	CHECK(maps(LINEAR, READ, DATA));
	CHECK(is_true_fault(0x40000000 + LINEAR, READ, 0));
	vcpu->pdptes[1] = DIRECTORY | BIT_P;
	CHECK(maps(0x40000000 + LINEAR, READ, DATA));
}

/* Accessed and dirty bits. */

TEST(the_bits_are_set_as_silicon_does)
{
	start_two_level();
	CHECK(maps(LINEAR, READ, DATA));
	CHECK_EQ(shadow_get32(&machine, DIRECTORY), TABLE | BITS_ALL | BIT_A);
	CHECK_EQ(shadow_get32(&machine, LEAF), DATA | BITS_ALL | BIT_A);
	CHECK(maps(LINEAR, WRITE, DATA));
	CHECK_EQ(shadow_get32(&machine, LEAF), DATA | BITS_AD);
	shadow_put32(&machine, DIRECTORY + 4, BITS_ALL | BIT_PS);
	CHECK(maps(0x00412345, READ, 0x12345));
	CHECK(maps(0x00412345, WRITE, 0x12345));
	CHECK_EQ(shadow_get32(&machine, DIRECTORY + 4), BITS_AD | BIT_PS);
}

TEST(a_kernel_that_takes_the_bits_away_gets_them_again)
{
	start_two_level();
	CHECK(maps(LINEAR, WRITE, DATA));
	shadow_put32(&machine, LEAF, DATA | BITS_ALL | BIT_A);
	CHECK(may(LINEAR, READ));
	CHECK(maps(LINEAR, WRITE, DATA));
	shadow_put32(&machine, LEAF, DATA | BITS_ALL | BIT_D);
	CHECK(maps(LINEAR, READ, DATA));
	CHECK_EQ(shadow_get32(&machine, LEAF), DATA | BITS_AD);
}

/* What only the interpreter can do. */

TEST(write_protect_off)
{
	start_two_level();
	shadow_put32(&machine, LEAF, DATA | BIT_P | BIT_US);
	CHECK(is_true_fault(LINEAR, WRITE, 3));
	vcpu->cr0 &= ~VCPU_CR0_WP;
	CHECK_EQ(fault(LINEAR, WRITE), SHADOW_EMULATE);
	CHECK(is_true_fault(LINEAR, WRITE | USER, 7));
	CHECK(maps(LINEAR, READ, DATA));
	CHECK_EQ(statistics[STATISTIC_shadow_emulated], 1);
	CHECK_EQ(statistics[STATISTIC_shadow_faults_true], 2);
	CHECK_EQ(statistics[STATISTIC_shadow_filled], 1);
}

TEST(outside_ram)
{
	start_two_level();
	shadow_put32(&machine, LEAF, SHADOW_RAM | BITS_ALL);
	CHECK_EQ(fault(LINEAR, READ), SHADOW_EMULATE);
	shadow_put32(&machine, DIRECTORY, 0xF0000000 | BITS_ALL);
	CHECK_EQ(fault(LINEAR, READ), SHADOW_EMULATE);
	vcpu->cr4 = 0;
	vcpu->cr3 = 0xF0000000;
	CHECK_EQ(fault(LINEAR, READ), SHADOW_EMULATE);
	start_pae();
	shadow_put64(&machine, WIDE_LEAF, 0x800000000ull | DATA | BITS_ALL);
	CHECK_EQ(fault(LINEAR, READ), SHADOW_EMULATE);
	vcpu->pdptes[0] = 0x800000000ull | BIT_P;
	CHECK(is_true_fault(LINEAR, READ, 9));
}

TEST(holes_in_ram_are_not_shown)
{
	start(SHADOW_PAGES);
	machine.vm.holes[0] = (struct vm_hole){0xA0000, 0xB8000};
	machine.vm.holes[1] = (struct vm_hole){0xC0000, 0x100000};
	machine.vm.hole_count = 2;
	CHECK(start_again(SHADOW_PAGES, shadow_storage_size(SHADOW_PAGES, SHADOW_RAM), true));
	CHECK(maps(0x0009F123, WRITE | USER, 0x0009F123));
	CHECK(!hardware_walk(&machine, 0x0009F123, READ).is_large);
	CHECK_EQ(fault(0x000A0000, READ), SHADOW_EMULATE);
	CHECK_EQ(fault(0x000B7FFF, WRITE), SHADOW_EMULATE);
	CHECK(may(0x000B8000, WRITE));
	CHECK_EQ(fault(0x000FFFFF, READ), SHADOW_EMULATE);
	CHECK(may(0x00100000, WRITE));
	CHECK(may(0x00400000, READ) || maps(0x00400000, READ, 0x00400000));
	CHECK(hardware_walk(&machine, 0x00400000, READ).is_large);
	CHECK(!may(0x000A0000, READ));
}

TEST(what_takes_no_writes_is_shown_to_be_read)
{
	start_two_level();
	machine.vm.rom = (struct vm_hole){0x000F0000, 0x00100000};
	CHECK(start_again(SHADOW_PAGES, shadow_storage_size(SHADOW_PAGES, SHADOW_RAM), true));
	shadow_put32(&machine, LEAF, 0x000F0000 | BITS_ALL);
	CHECK(maps(LINEAR, READ | USER, 0x000F0000));
	CHECK(!may(LINEAR, WRITE));
	CHECK_EQ(fault(LINEAR, WRITE), SHADOW_EMULATE);
	/* Beside it, in a large page that is split for it. */
	shadow_put32(&machine, DIRECTORY, BITS_ALL | BIT_PS);
	CHECK(maps(0x000FF000, READ, 0x000FF000));
	CHECK_EQ(fault(0x000FF000, WRITE), SHADOW_EMULATE);
	CHECK(maps(0x00100000, WRITE, 0x00100000));
}

/* The page of the table has begun to be RAM and is not all of it: guest_memory_page() has none. */
TEST(ram_that_ends_within_a_page)
{
	start_two_level();
	machine.vm.ram_size = SHADOW_RAM - 0x800;
	CHECK(start_again(SHADOW_PAGES, SIZE_MAX, true));
	shadow_put32(&machine, DIRECTORY, (SHADOW_RAM - 0x1000) | BITS_ALL);
	shadow_put32(&machine, SHADOW_RAM - 0x1000 + 4 * 7, DATA | BITS_ALL);
	CHECK_EQ(fault(LINEAR, READ), SHADOW_EMULATE);
	shadow_put32(&machine, DIRECTORY, TABLE | BITS_ALL);
	shadow_put32(&machine, LEAF, (SHADOW_RAM - 0x1000) | BITS_ALL);
	CHECK_EQ(fault(LINEAR, READ), SHADOW_EMULATE);
	watch_start(&machine.vm, gpa(SHADOW_RAM - 0x1000), WATCH_CODE);
	watch_stop(&machine.vm, gpa(SHADOW_RAM - 0x1000), WATCH_CODE);
}

TEST(a_watched_page)
{
	start_two_level();
	CHECK(maps(LINEAR, WRITE, DATA));
	watch_start(&machine.vm, gpa(DATA), WATCH_CODE);
	CHECK(may(LINEAR, READ));
	CHECK(!may(LINEAR, WRITE));
	CHECK_EQ(fault(LINEAR, WRITE), SHADOW_EMULATE);
	/* Under another address, too. */
	shadow_put32(&machine, LEAF + 4, DATA | BITS_AD);
	CHECK(may(LINEAR + 0x1000, READ));
	CHECK(!may(LINEAR + 0x1000, WRITE));
	watch_stop(&machine.vm, gpa(DATA), WATCH_CODE);
	CHECK(maps(LINEAR, WRITE, DATA));
	CHECK(maps(LINEAR + 0x1000, WRITE, DATA));
	watch_start(&machine.vm, gpa(DATA), WATCH_CODE);
	CHECK(!may(LINEAR, WRITE) && !may(LINEAR + 0x1000, WRITE));
}

TEST(a_page_that_was_watched_before_the_shadow_began)
{
	start_two_level();
	watch_start(&machine.vm, gpa(0x00401000), WATCH_DESCRIPTORS);
	CHECK(start_again(SHADOW_PAGES, SIZE_MAX, true));
	shadow_put32(&machine, DIRECTORY + 4, 0x00400000 | BITS_ALL | BIT_PS);
	CHECK_EQ(fault(0x00401000, WRITE), SHADOW_EMULATE);
	CHECK(maps(0x00402000, WRITE, 0x00402000));
	CHECK(!may(0x00401000, WRITE));
}

TEST(a_large_page_with_a_watched_page_inside)
{
	start_two_level();
	shadow_put32(&machine, DIRECTORY + 4, 0x00400000 | BITS_ALL | BIT_PS);
	CHECK(maps(0x00401000, WRITE, 0x00401000));
	watch_start(&machine.vm, gpa(0x00402000), WATCH_CODE);
	CHECK(maps(0x00401000, WRITE, 0x00401000));
	CHECK(!hardware_walk(&machine, 0x00401000, READ).is_large);
	CHECK(may(0x00402000, READ));
	CHECK_EQ(fault(0x00402000, WRITE), SHADOW_EMULATE);
	watch_stop(&machine.vm, gpa(0x00402000), WATCH_CODE);
	CHECK(maps(0x00402000, WRITE, 0x00402000));
	/* Large again when the entry is worked out the next time. */
	shadow_put32(&machine, DIRECTORY + 4, 0x00400000 | BITS_AD | BIT_PS);
	CHECK(hardware_walk(&machine, 0x00402000, WRITE).is_large);
}

/* Modes. */

TEST(modes_that_change_what_entries_mean)
{
	start_two_level();
	shadow_put32(&machine, DIRECTORY + 4, TABLE | BITS_AD | BIT_PS);
	vcpu->cr4 = 0;
	CHECK(maps(0x00400000 + LINEAR, READ, DATA));
	vcpu->cr4 = VCPU_CR4_PSE;
	CHECK(!may(0x00400000 + LINEAR, READ));
	CHECK(is_true_fault(0x00400000 + LINEAR, READ, 9));
	CHECK(maps(LINEAR, READ, DATA));
	vcpu->cr0 &= ~VCPU_CR0_PG;
	CHECK(maps(LINEAR, READ, LINEAR));
	start_pae();
	shadow_put64(&machine, WIDE_LEAF, DATA | BITS_AD | BIT_XD);
	CHECK(maps(LINEAR, READ, DATA));
	vcpu->efer = 0;
	linear_flush(vcpu, true);
	CHECK(!may(LINEAR, READ));
	CHECK(is_true_fault(LINEAR, READ, 9));
}

TEST(everything_can_be_forgotten)
{
	start_two_level();
	CHECK(maps(LINEAR, WRITE, DATA));
	shadow_forget_all(&machine.vm);
	CHECK(!is_watched(TABLE) && !is_watched(DIRECTORY));
	for (uint32_t i = 0; i < sizeof(machine.pages); i++)
		if (machine.pages[i])
			unit_failed = true;
	CHECK(maps(LINEAR, WRITE, DATA));
}

/* The slot. */

static void put_slot(uint32_t slot)
{
	shadow_set_slot(&machine.vm, slot, (uint64_t[2]){SLOT_ENTRY(0), SLOT_ENTRY(1)});
}

static bool has_slot(uint32_t slot)
{
	return hardware_walk(&machine, slot, READ).is_slot &&
	       hardware_walk(&machine, slot + 0x200000, READ).is_slot;
}

TEST(the_slot_is_in_every_root)
{
	start_two_level();
	put_slot(0xE0000000);
	CHECK(has_slot(0xE0000000));
	vcpu->cr3 = OTHER;
	CHECK(has_slot(0xE0000000));
	vcpu->cr3 = 0xF0000000;
	CHECK(has_slot(0xE0000000));
	vcpu->cr0 &= ~VCPU_CR0_PG;
	CHECK(has_slot(0xE0000000));
	shadow_forget_all(&machine.vm);
	CHECK(has_slot(0xE0000000));
	start_pae();
	put_slot(0xFFC00000);
	CHECK(has_slot(0xFFC00000));
	CHECK(!may(0xFFC00000, READ));
}

TEST(what_the_guest_maps_in_the_slot_is_emulated)
{
	start_two_level();
	shadow_put32(&machine, DIRECTORY + 4 * 1023, 0x00400000 | BITS_AD | BIT_PS);
	put_slot(0xFFC00000);
	CHECK_EQ(fault(0xFFC12345, WRITE), SHADOW_EMULATE);
	CHECK(has_slot(0xFFC00000));
	shadow_put32(&machine, DIRECTORY + 4 * 1023, 0x00400000 | BITS_AD | BIT_PS);
	CHECK(has_slot(0xFFC00000));
	shadow_put32(&machine, DIRECTORY + 4 * 1023, 0);
	CHECK(has_slot(0xFFC00000));
	CHECK(is_true_fault(0xFFC12345, READ, 0));
}

TEST(the_slot_moves)
{
	start_two_level();
	shadow_put32(&machine, DIRECTORY + 4 * 1023, 0x00400000 | BITS_AD | BIT_PS);
	CHECK(maps(LINEAR, WRITE, DATA));
	CHECK(maps(0xFFC12345, WRITE, 0x00412345));
	put_slot(0xFFC00000);
	CHECK(has_slot(0xFFC00000));
	put_slot(0);
	CHECK(has_slot(0));
	CHECK_EQ(hardware_walk(&machine, 0xFFC12345, WRITE).machine, RAM_MACHINE + 0x00412345);
	put_slot(0x00400000);
	CHECK(has_slot(0x00400000));
	CHECK(may(LINEAR, WRITE));
	CHECK(!has_slot(0));
}

static bool is_wanted_after_a_flush(void)
{
	linear_flush(vcpu, true);
	return shadow_slot_is_wanted(vcpu);
}

TEST(whether_the_guest_wants_the_slot)
{
	start_two_level();
	CHECK(!is_wanted_after_a_flush());
	put_slot(0x00400000);
	CHECK(!is_wanted_after_a_flush());
	/* An empty table is enough. */
	shadow_put32(&machine, DIRECTORY + 4, OTHER | BITS_ALL);
	CHECK(is_wanted_after_a_flush());
	shadow_put32(&machine, DIRECTORY + 4, BIT_PS | BIT_P);
	CHECK(is_wanted_after_a_flush());
	vcpu->cr0 &= ~VCPU_CR0_PG;
	CHECK(is_wanted_after_a_flush());
	put_slot(0xE0000000);
	CHECK(!is_wanted_after_a_flush());
	start_pae();
	put_slot(0x00400000);
	CHECK(!is_wanted_after_a_flush());
	shadow_put64(&machine, DIRECTORY + 8 * 3, OTHER | BITS_ALL);
	CHECK(is_wanted_after_a_flush());
	put_slot(0xFFC00000);
	CHECK(!is_wanted_after_a_flush());
	/* Without one: the directory is watched as soon as there is a root. */
	shadow_root(vcpu);
	shadow_put64(&machine, DIRECTORY + 8 * 511, OTHER | BITS_ALL);
	CHECK_EQ(shadow_slot_is_wanted(vcpu), vcpu->pdptes[3] & BIT_P);
}

UNIT_MAIN
