/* What becomes of shadow tables when the guest writes to its own, and when there are too few. */
#include "tests/monitor/memory/shadow_guest.h"

/* Coherency. */

TEST(a_new_entry_is_there_at_once)
{
	start_two_level();
	CHECK(maps(LINEAR, READ, DATA));
	shadow_put32(&machine, LEAF + 4, (DATA + 0x5000) | BITS_AD);
	CHECK_EQ(hardware_walk(&machine, LINEAR + 0x1000, WRITE).machine,
	         RAM_MACHINE + DATA + 0x5000);
	shadow_put32(&machine, LEAF + 4, (DATA + 0x6000) | BITS_ALL | BIT_A);
	CHECK(!may(LINEAR + 0x1000, WRITE));
	CHECK_EQ(hardware_walk(&machine, LINEAR + 0x1000, READ).machine,
	         RAM_MACHINE + DATA + 0x6000);
	shadow_put32(&machine, LEAF + 4, (DATA + 0x6000) | BITS_ALL);
	CHECK(!may(LINEAR + 0x1000, READ));
	shadow_put32(&machine, LEAF, 0);
	CHECK(!may(LINEAR, READ));
	CHECK_EQ(statistics[STATISTIC_shadow_updates], 4);
}

TEST(one_byte_of_an_entry)
{
	start_two_level();
	CHECK(maps(LINEAR, WRITE, DATA));
	guest_memory_write(&machine.vm, gpa(LEAF), &(uint8_t){BITS_AD & ~BIT_RW}, 1);
	CHECK(may(LINEAR, READ | USER));
	CHECK(!may(LINEAR, WRITE));
	CHECK(is_watched(TABLE));
}

TEST(an_entry_of_8_bytes_in_two_halves)
{
	start_pae();
	CHECK(maps(LINEAR, READ, DATA));
	shadow_put32(&machine, WIDE_LEAF + 12, 0x80000000);
	shadow_put32(&machine, WIDE_LEAF + 8, (DATA + 0x1000) | BITS_AD);
	CHECK(may(LINEAR + 0x1000, WRITE));
	CHECK(!may(LINEAR + 0x1000, EXECUTE));
	shadow_put32(&machine, WIDE_LEAF + 12, 0);
	CHECK(may(LINEAR + 0x1000, EXECUTE));
	shadow_put32(&machine, WIDE_LEAF + 12, 0x00000100);
	CHECK(!may(LINEAR + 0x1000, READ));
}

TEST(a_directory_entry_that_changes_its_table)
{
	start_two_level();
	CHECK(maps(LINEAR, READ, DATA));
	shadow_put32(&machine, OTHER + 4 * 7, (DATA + 0x1000) | BITS_ALL);
	shadow_put32(&machine, DIRECTORY, OTHER | BITS_ALL | BIT_A);
	CHECK(maps(LINEAR, READ, DATA + 0x1000));
	shadow_put32(&machine, DIRECTORY, TABLE | BITS_ALL | BIT_A);
	CHECK_EQ(hardware_walk(&machine, LINEAR, READ).machine, RAM_MACHINE + DATA);
	shadow_put32(&machine, DIRECTORY, 0);
	CHECK(!may(LINEAR, READ));
}

TEST(tables_that_map_themselves)
{
	uint32_t window = 0xFFC00000;

	start_two_level();
	shadow_put32(&machine, DIRECTORY + 4 * 1023, DIRECTORY | BITS_ALL);
	CHECK(maps(LINEAR, READ, DATA));
	CHECK(maps(window + 4 * 7, READ, LEAF));
	CHECK(maps(0xFFFFF000, READ, DIRECTORY));
	CHECK_EQ(fault(window + 4 * 7, WRITE), SHADOW_MAPPED);
	CHECK_EQ(fault(0xFFFFFFFC, WRITE), SHADOW_EMULATE);
	shadow_put32(&machine, DIRECTORY + 4, OTHER | BITS_AD);
	CHECK_EQ(hardware_walk(&machine, window + 0x1000, READ).machine, RAM_MACHINE + OTHER);
	shadow_put32(&machine, DIRECTORY + 4, 0);
	CHECK(!may(window + 0x1000, READ));
}

/* The table at LINEAR + 0x1000: written through that from the first fault on. */
static void let_loose(void)
{
	start_two_level();
	shadow_put32(&machine, LEAF + 4, TABLE | BITS_ALL);
	CHECK(maps(LINEAR, WRITE, DATA));
	CHECK_EQ(fault(LINEAR + 0x1000, WRITE), SHADOW_MAPPED);
	CHECK(may(LINEAR + 0x1000, WRITE));
	CHECK(!watch_is_watched(&machine.vm, gpa(TABLE)));
}

/* Nobody is told of this. */
static void write_loosely(uint32_t at, uint32_t entry)
{
	memcpy(machine.ram + at, &entry, sizeof(entry));
}

TEST(a_table_that_is_written_is_loose_until_the_next_flush)
{
	let_loose();
	write_loosely(LEAF, 0);
	CHECK(may(LINEAR, WRITE));
	linear_flush(vcpu, false);
	CHECK(!may(LINEAR, READ));
	CHECK(may(LINEAR + 0x1000, READ));
	CHECK(!may(LINEAR + 0x1000, WRITE));
	CHECK(watch_is_watched(&machine.vm, gpa(TABLE)));
	shadow_put32(&machine, LEAF, DATA | BITS_AD);
	CHECK(may(LINEAR, WRITE));
}

TEST(invlpg_of_one_page_of_a_loose_table)
{
	let_loose();
	write_loosely(LEAF, (DATA + 0x1000) | BITS_AD);
	write_loosely(LEAF + 8, DATA | BITS_ALL);
	linear_flush_page(vcpu, gva(LINEAR));
	CHECK_EQ(hardware_walk(&machine, LINEAR, READ).machine, RAM_MACHINE + DATA + 0x1000);
	CHECK(maps(LINEAR + 0x2000, WRITE, DATA));
	CHECK(may(LINEAR + 0x1000, WRITE));
}

TEST(what_others_watch_is_never_loose)
{
	start_two_level();
	shadow_put32(&machine, LEAF + 4, TABLE | BITS_ALL);
	CHECK(maps(LINEAR, READ, DATA));
	watch_start(&machine.vm, gpa(TABLE), WATCH_CODE);
	CHECK_EQ(fault(LINEAR + 0x1000, WRITE), SHADOW_EMULATE);
}

/* By the time of the flush it is something else. */
TEST(a_loose_table_that_nothing_points_to_is_given_up)
{
	let_loose();
	shadow_put32(&machine, DIRECTORY, 0);
	linear_flush(vcpu, true);
	CHECK(!may(LINEAR, READ));
	CHECK(!watch_is_watched(&machine.vm, gpa(TABLE)));
}

/* It has been given back and is the table of something else, and no flush was needed for that. */
TEST(a_loose_table_that_is_led_to_anew_shows_nothing_old)
{
	let_loose();
	shadow_put32(&machine, DIRECTORY, 0);
	write_loosely(LEAF, 0);
	write_loosely(LEAF + 4, DATA | BITS_AD);
	shadow_put32(&machine, DIRECTORY, TABLE | BITS_AD);
	CHECK(!may(LINEAR, READ));
	CHECK_EQ(hardware_walk(&machine, LINEAR + 0x1000, READ).machine, RAM_MACHINE + DATA);
	shadow_put32(&machine, DIRECTORY, 0);
	write_loosely(LEAF + 4, 0);
	shadow_put32(&machine, DIRECTORY, TABLE | BITS_ALL);
	CHECK_EQ(fault(LINEAR, READ), SHADOW_TRUE_FAULT);
	CHECK(!may(LINEAR + 0x1000, READ));
}

/* The other half of it is shown only now, while the first is loose. */
TEST(a_loose_table_with_a_second_half)
{
	let_loose();
	shadow_put32(&machine, TABLE + 4 * 512, DATA | BITS_ALL);
	CHECK(maps(LINEAR - 7 * 0x1000 + 0x200000, WRITE, DATA));
	CHECK(!watch_is_watched(&machine.vm, gpa(TABLE)));
	write_loosely(TABLE + 4 * 512, 0);
	linear_flush(vcpu, true);
	CHECK(!may(LINEAR - 7 * 0x1000 + 0x200000, READ));
	CHECK(watch_is_watched(&machine.vm, gpa(TABLE)));
}

/* A page that is watched because of the very fault that wants to write to it. */
TEST(the_table_is_the_page_itself)
{
	start_two_level();
	shadow_put32(&machine, LEAF, TABLE | BITS_ALL);
	CHECK_EQ(fault(LINEAR, WRITE), SHADOW_EMULATE);
	CHECK(may(LINEAR, READ));
	CHECK(!may(LINEAR, WRITE));
}

TEST(a_table_of_two_directories)
{
	start_two_level();
	CHECK(maps(LINEAR, WRITE, DATA));
	shadow_put32(&machine, OTHER, TABLE | BITS_AD);
	shadow_put32(&machine, OTHER + 4, TABLE | BIT_P | BIT_A);
	uint64_t before = pages_made();
	vcpu->cr3 = OTHER;
	CHECK_EQ(fault(LINEAR, WRITE), SHADOW_MAPPED);
	CHECK_EQ(pages_made(), before + 1);
	/* The directory was filled as a whole, and rights are each directory's own. */
	CHECK(may(0x00400000 + LINEAR, READ));
	CHECK(!may(0x00400000 + LINEAR, WRITE) && !may(0x00400000 + LINEAR, READ | USER));
	shadow_put32(&machine, LEAF, 0);
	CHECK(!may(LINEAR, READ) && !may(0x00400000 + LINEAR, READ));
	vcpu->cr3 = DIRECTORY;
	CHECK(!may(LINEAR, READ));
}

TEST(tables_survive_loads_of_cr3)
{
	start_two_level();
	shadow_put32(&machine, OTHER, (TABLE + 0x1000) | BITS_ALL);
	shadow_put32(&machine, TABLE + 0x1000 + 4 * 7, (DATA + 0x1000) | BITS_ALL);
	CHECK(maps(LINEAR, WRITE, DATA));
	vcpu->cr3 = OTHER;
	CHECK(maps(LINEAR, WRITE, DATA + 0x1000));
	uint64_t before = pages_made();
	for (int i = 0; i < 10; i++) {
		vcpu->cr3 = i % 2 ? OTHER : DIRECTORY;
		CHECK_EQ(hardware_walk(&machine, LINEAR, WRITE).machine,
		         RAM_MACHINE + DATA + (i % 2 ? 0x1000 : 0));
	}
	CHECK_EQ(pages_made(), before);
}

TEST(neighbours_with_their_accessed_bit_come_along)
{
	start_two_level();
	shadow_put32(&machine, LEAF - 4, (DATA + 0x1000) | BITS_AD);
	shadow_put32(&machine, LEAF - 8, (DATA + 0x2000) | BITS_ALL);
	CHECK(maps(LINEAR, READ, DATA));
	CHECK(may(LINEAR - 0x1000, WRITE));
	CHECK(!may(LINEAR - 0x2000, READ));
}

/* The interpreter has set the bit, of which the shadow is not told. */
TEST(invlpg_works_the_entry_out_anew)
{
	struct page_walk found;
	uint32_t error;

	start_two_level();
	CHECK(maps(LINEAR, READ, DATA));
	CHECK(page_walk(vcpu, gva(LINEAR), WRITE, &found, &error));
	CHECK(!may(LINEAR, WRITE));
	shadow_invalidate_page(vcpu, gva(LINEAR));
	CHECK(may(LINEAR, WRITE));
	shadow_invalidate_page(vcpu, gva(0x80000000));
	CHECK(!may(0x80000000, READ));
}

/* Tables that have stopped being ones. */

TEST(a_table_nothing_points_to)
{
	start_two_level();
	CHECK(maps(LINEAR, READ, DATA));
	CHECK(is_watched(TABLE));
	shadow_put32(&machine, DIRECTORY, 0);
	CHECK(is_watched(TABLE));
	shadow_put32(&machine, TABLE, 1);
	CHECK(!is_watched(TABLE));
	CHECK(is_watched(DIRECTORY));
	CHECK_EQ(statistics[STATISTIC_shadow_pages_dropped], 1);
}

TEST(a_table_written_across_its_entries)
{
	start_two_level();
	CHECK(maps(LINEAR, READ, DATA));
	shadow_put32(&machine, LEAF + 2, 0);
	CHECK(!is_watched(TABLE));
	CHECK(!may(LINEAR, READ));
	start_pae();
	CHECK(maps(LINEAR, READ, DATA));
	guest_memory_write(&machine.vm, gpa(WIDE_LEAF + 5), "", 1);
	CHECK(!is_watched(TABLE));
	CHECK(!may(LINEAR, READ));
}

TEST(a_table_written_many_times_without_a_use)
{
	start_two_level();
	CHECK(maps(LINEAR, READ, DATA));
	for (uint32_t i = 0; i < 1000; i++) {
		shadow_put32(&machine, TABLE + i % 7 * 4, i << 12);
		if (i % 50 == 0)
			CHECK(may(LINEAR, READ));
	}
	CHECK(is_watched(TABLE));
	for (uint32_t i = 0; i < 200; i++)
		shadow_put32(&machine, TABLE + i % 7 * 4, i << 12);
	CHECK(!is_watched(TABLE));
	CHECK(!may(LINEAR, READ));
	CHECK(maps(LINEAR, READ, DATA));
}

/* As a kernel clears a page that it takes for something else. */
TEST(a_table_written_by_few_large_writes_without_a_use)
{
	static const uint8_t zeros[1024];

	start_two_level();
	CHECK(maps(LINEAR, READ, DATA));
	shadow_put32(&machine, TABLE, 0);
	CHECK(is_watched(TABLE));
	CHECK(may(LINEAR, READ));
	guest_memory_write(&machine.vm, gpa(TABLE + 2048), zeros, sizeof(zeros));
	guest_memory_write(&machine.vm, gpa(TABLE + 3072), zeros, sizeof(zeros));
	CHECK(!is_watched(TABLE));
	CHECK(maps(LINEAR, READ, DATA));
}

TEST(a_directory_that_is_not_in_the_root)
{
	start_two_level();
	CHECK(maps(LINEAR, READ, DATA));
	for (uint32_t i = 1; i < 200; i++)
		shadow_put32(&machine, DIRECTORY + 4 * i, 0);
	CHECK(is_watched(DIRECTORY));
	vcpu->cr3 = OTHER;
	CHECK(is_true_fault(LINEAR, READ, 0));
	for (uint32_t i = 1; i < 20; i++)
		shadow_put32(&machine, DIRECTORY + 4 * i, 0);
	CHECK(!is_watched(DIRECTORY));
}

/* Few shadow pages: 200 tables, again and again, all through one directory. */
TEST(reclaiming_never_fails)
{
	start(SHADOW_PAGES_MIN);
	vcpu->cr3 = DIRECTORY;
	vcpu->cr0 |= VCPU_CR0_PG;
	for (uint32_t i = 0; i < 200; i++) {
		shadow_put32(&machine, DIRECTORY + 4 * i, (0x100000 + i * 0x1000) | BITS_ALL);
		shadow_put32(&machine, 0x100000 + i * 0x1000, (DATA + i * 0x1000) | BITS_ALL);
	}
	for (uint32_t i = 0; i < 600; i++) {
		uint32_t at = i % 200 << 22;
		CHECK(maps(at, WRITE, DATA + i % 200 * 0x1000));
		CHECK(is_watched(DIRECTORY));
	}
	CHECK(statistics[STATISTIC_shadow_pages_reclaimed] > 500);
	CHECK(!is_watched(0x100000));
}

/* What the processor goes through is kept, though no fault asks for it any more; but for the first
 * time that all are full, when each has been used. */
TEST(a_table_in_use_is_not_reclaimed)
{
	unsigned int misses = 0;

	start(SHADOW_PAGES_MIN);
	vcpu->cr3 = DIRECTORY;
	vcpu->cr0 |= VCPU_CR0_PG;
	shadow_put32(&machine, DIRECTORY, TABLE | BITS_ALL);
	shadow_put32(&machine, LEAF, DATA | BITS_ALL);
	for (uint32_t i = 1; i < 200; i++) {
		shadow_put32(&machine, DIRECTORY + 4 * i, (0x100000 + i * 0x1000) | BITS_ALL);
		shadow_put32(&machine, 0x100000 + i * 0x1000, (DATA + i * 0x1000) | BITS_ALL);
		CHECK(maps(i << 22, WRITE, DATA + i * 0x1000));
		misses += !may(LINEAR, WRITE) && maps(LINEAR, WRITE, DATA);
	}
	CHECK(may(LINEAR, WRITE));
	CHECK(misses <= 2);
}

UNIT_MAIN
