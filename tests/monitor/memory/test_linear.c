#include "tests/monitor/memory/small_machine.h"

#include "monitor/memory/journal.h"

static struct small_machine machine;

#define DIRECTORY 0x1000u
#define TABLE     0x2000u
#define LEAF(n)   (TABLE + 4 * (n))

/* Two-level paging; linear pages 0 to 15 are physical 0x10000 and up, all rights. */
static struct vcpu *start(void)
{
	struct vcpu *vcpu = small_start(&machine);

	small_put32(&machine, DIRECTORY, TABLE | BITS_ALL);
	small_put32(&machine, DIRECTORY + 4, TABLE | BITS_ALL);
	for (uint32_t i = 0; i < 16; i++) {
		small_put32(&machine, LEAF(i), (0x10000 + i * 0x1000) | BITS_ALL);
		memset(machine.ram + 0x10000 + i * 0x1000, (int)i, 0x1000);
		memset(machine.ram + 0x20000 + i * 0x1000, (int)(i + 0x80), 0x1000);
	}
	CHECK(control_write_cr(vcpu, 4, VCPU_CR4_PSE | VCPU_CR4_PGE));
	CHECK(control_write_cr(vcpu, 3, DIRECTORY));
	CHECK(control_write_cr(vcpu, 0, VCPU_CR0_PE | VCPU_CR0_PG | VCPU_CR0_WP));
	return vcpu;
}

static uint32_t byte_at(struct vcpu *vcpu, uint32_t at)
{
	uint8_t value = 0;

	if (!linear_read(vcpu, gva(at), &value, 1, LINEAR_AS_CPL))
		return 0x100;
	return value;
}

static bool put_byte(struct vcpu *vcpu, uint32_t at)
{
	return linear_write(vcpu, gva(at), &(uint8_t){0xEE}, 1, LINEAR_AS_CPL);
}

TEST(without_paging_linear_is_physical)
{
	struct vcpu *vcpu = small_start(&machine);
	uint32_t value = 0x12345678;

	vcpu->cpl = 3;
	CHECK(linear_write(vcpu, gva(0x4321), &value, 4, LINEAR_AS_CPL));
	CHECK_EQ(small_get32(&machine, 0x4321), 0x12345678);
	CHECK(linear_read(vcpu, gva(0xFFFFFFFE), &value, 4, LINEAR_AS_CPL));
	CHECK_EQ(value, small_get32(&machine, 0) << 16 | 0xFFFF);
	CHECK(machine.vm.accesses_outside_ram > 0);
}

TEST(all_sizes_and_offsets)
{
	struct vcpu *vcpu = start();
	uint8_t written[40], read[40];

	for (uint32_t offset = 0xFD0; offset < 0x1010; offset++) {
		for (size_t size = 1; size <= sizeof(written); size++) {
			for (size_t i = 0; i < size; i++)
				written[i] = (uint8_t)(offset + 3 * size + i);
			memset(read, 0, sizeof(read));
			CHECK(linear_write(vcpu, gva(offset), written, size, LINEAR_AS_CPL));
			CHECK(linear_read(vcpu, gva(offset), read, size, LINEAR_AS_CPL));
			CHECK(memcmp(read, written, size) == 0);
			CHECK(memcmp(machine.ram + 0x10000 + offset, written, size) == 0);
		}
	}
}

TEST(a_fault_on_the_second_page_leaves_the_first)
{
	struct vcpu *vcpu = start();
	uint32_t value = 0xEEEEEEEE;

	small_put32(&machine, LEAF(1), 0);
	CHECK(!linear_write(vcpu, gva(0xFFE), &value, 4, LINEAR_AS_CPL));
	CHECK(small_took(vcpu, FAULT_PF, 2));
	CHECK_EQ(vcpu->cr2, 0x1000);
	CHECK_EQ(machine.ram[0x10FFE], 0);
	CHECK(!linear_check_write(vcpu, gva(0xFFE), 4, LINEAR_AS_CPL));
	CHECK(small_took(vcpu, FAULT_PF, 2));
	CHECK(!linear_read(vcpu, gva(0xFFE), &value, 4, LINEAR_AS_CPL));
	CHECK(small_took(vcpu, FAULT_PF, 0));
	CHECK_EQ(value, 0xEEEEEEEE);
	small_put32(&machine, LEAF(0), 0);
	linear_flush(vcpu, true);
	CHECK(!linear_read(vcpu, gva(0xFFE), &value, 4, LINEAR_AS_CPL));
	CHECK(small_took(vcpu, FAULT_PF, 0));
	CHECK_EQ(vcpu->cr2, 0xFFE);
}

TEST(fetch_stops_before_a_page_that_faults)
{
	struct vcpu *vcpu = start();
	uint8_t code[15];

	CHECK_EQ(linear_fetch(vcpu, gva(0xFFA), code, 15), 15);
	CHECK_EQ(code[5], 0);
	CHECK_EQ(code[6], 1);
	CHECK(linear_find_code(vcpu, gva(0xFF1), 15) == machine.ram + 0x10FF1);
	CHECK(!linear_find_code(vcpu, gva(0xFF2), 15));
	CHECK(!linear_find_code(vcpu, gva(0x3000), 1));
	small_put32(&machine, LEAF(1), 0);
	linear_flush(vcpu, true);
	CHECK_EQ(linear_fetch(vcpu, gva(0xFFA), code, 15), 6);
	CHECK(!vcpu->event.pending);
	CHECK_EQ(linear_fetch(vcpu, gva(0x1000), code, 15), 0);
	CHECK(small_took(vcpu, FAULT_PF, 0));
	CHECK_EQ(vcpu->cr2, 0x1000);
}

TEST(a_write_after_a_read_sets_the_dirty_bit)
{
	struct vcpu *vcpu = start();

	CHECK_EQ(byte_at(vcpu, 0x3000), 3);
	CHECK_EQ(small_get32(&machine, LEAF(3)), 0x13000 | BITS_ALL | BIT_A);
	CHECK(put_byte(vcpu, 0x3000));
	CHECK_EQ(small_get32(&machine, LEAF(3)), 0x13000 | BITS_ALL | BIT_A | BIT_D);
	CHECK(linear_check_write(vcpu, gva(0x4000), 1, LINEAR_AS_CPL));
	CHECK_EQ(small_get32(&machine, LEAF(4)), 0x14000 | BITS_ALL | BIT_A | BIT_D);
	CHECK_EQ(small_get32(&machine, DIRECTORY), TABLE | BITS_ALL | BIT_A);
}

TEST(stale_until_flushed)
{
	struct vcpu *vcpu = start();

	CHECK_EQ(byte_at(vcpu, 0x3000), 3);
	CHECK_EQ(byte_at(vcpu, 0x4000), 4);
	small_put32(&machine, LEAF(3), 0x23000 | BITS_ALL);
	small_put32(&machine, LEAF(4), 0x24000 | BITS_ALL);
	CHECK_EQ(byte_at(vcpu, 0x3000), 3);
	linear_flush_page(vcpu, gva(0x3FFF));
	CHECK_EQ(byte_at(vcpu, 0x3000), 0x83);
	CHECK_EQ(byte_at(vcpu, 0x4000), 4);
	CHECK(control_write_cr(vcpu, 3, DIRECTORY));
	CHECK_EQ(byte_at(vcpu, 0x4000), 0x84);
}

TEST(a_page_fault_drops_what_was_known)
{
	struct vcpu *vcpu = start();

	small_put32(&machine, LEAF(3), 0x13000 | BIT_P | BIT_G);
	CHECK_EQ(byte_at(vcpu, 0x3000), 3);
	small_put32(&machine, LEAF(3), 0x23000 | BIT_P | BIT_G);
	CHECK_EQ(byte_at(vcpu, 0x3000), 3);
	CHECK(!put_byte(vcpu, 0x3000));
	CHECK(small_took(vcpu, FAULT_PF, 3));
	CHECK_EQ(byte_at(vcpu, 0x3000), 0x83);
}

TEST(rights_given_are_seen_without_a_flush)
{
	struct vcpu *vcpu = start();

	small_put32(&machine, LEAF(3), 0x13000 | BIT_P);
	CHECK_EQ(byte_at(vcpu, 0x3000), 3);
	small_put32(&machine, LEAF(3), 0x13000 | BITS_ALL);
	CHECK(put_byte(vcpu, 0x3000));
	vcpu->cpl = 3;
	CHECK_EQ(byte_at(vcpu, 0x3000), 0xEE);
}

TEST(a_supervisor_entry_is_not_for_users)
{
	struct vcpu *vcpu = start();
	uint8_t value;

	small_put32(&machine, LEAF(3), 0x13000 | BIT_P | BIT_RW);
	CHECK(put_byte(vcpu, 0x3000));
	vcpu->cpl = 3;
	CHECK(linear_read(vcpu, gva(0x3000), &value, 1, LINEAR_AS_SUPERVISOR));
	CHECK(!linear_read(vcpu, gva(0x3000), &value, 1, LINEAR_AS_CPL));
	CHECK(small_took(vcpu, FAULT_PF, 5));
	CHECK(!linear_find_code(vcpu, gva(0x3000), 1));
	CHECK(linear_write(vcpu, gva(0x3000), &value, 1, LINEAR_AS_SUPERVISOR));
}

TEST(write_protect_counts_at_once)
{
	struct vcpu *vcpu = start();

	small_put32(&machine, LEAF(3), 0x13000 | BIT_P | BIT_G);
	CHECK(control_write_cr(vcpu, 0, VCPU_CR0_PE | VCPU_CR0_PG));
	CHECK(put_byte(vcpu, 0x3000));
	CHECK(control_write_cr(vcpu, 0, VCPU_CR0_PE | VCPU_CR0_PG | VCPU_CR0_WP));
	CHECK(!put_byte(vcpu, 0x3000));
	CHECK(small_took(vcpu, FAULT_PF, 3));
}

TEST(global_pages_survive_a_load_of_cr3)
{
	struct vcpu *vcpu = start();

	small_put32(&machine, LEAF(3), 0x13000 | BITS_ALL | BIT_G);
	CHECK_EQ(byte_at(vcpu, 0x3000), 3);
	CHECK_EQ(byte_at(vcpu, 0x4000), 4);
	small_put32(&machine, LEAF(3), 0x23000 | BITS_ALL | BIT_G);
	small_put32(&machine, LEAF(4), 0x24000 | BITS_ALL);
	linear_flush(vcpu, false);
	CHECK_EQ(byte_at(vcpu, 0x3000), 3);
	CHECK_EQ(byte_at(vcpu, 0x4000), 0x84);
	linear_flush_page(vcpu, gva(0x3000));
	CHECK_EQ(byte_at(vcpu, 0x3000), 0x83);
	small_put32(&machine, LEAF(3), 0x13000 | BITS_ALL | BIT_G);
	CHECK(control_write_cr(vcpu, 4, VCPU_CR4_PSE));
	CHECK_EQ(byte_at(vcpu, 0x3000), 3);
	/* Without PGE the bit means nothing. */
	small_put32(&machine, LEAF(3), 0x23000 | BITS_ALL | BIT_G);
	linear_flush(vcpu, false);
	CHECK_EQ(byte_at(vcpu, 0x3000), 0x83);
}

/* Of the two writes only the first one walks; both are in the journal, behind the marks. */
TEST(with_a_journal_writes_are_buffered_and_nothing_is_global)
{
	static struct journal_entry entries[8];
	struct journal journal = {.entries = entries, .max = 8};
	struct vcpu *vcpu = start();

	small_put32(&machine, LEAF(3), 0x13000 | BITS_ALL | BIT_G);
	CHECK_EQ(byte_at(vcpu, 0x4000), 4);
	linear_flush(vcpu, true);
	machine.vm.journal = &journal;
	CHECK(put_byte(vcpu, 0x3001));
	small_put32(&machine, LEAF(3), 0x23000 | BITS_ALL | BIT_G);
	CHECK(put_byte(vcpu, 0x3002));
	CHECK_EQ(journal.count, 3);
	CHECK_EQ(entries[2].at, 0x13002);
	linear_flush(vcpu, false);
	CHECK_EQ(byte_at(vcpu, 0x3001), 0x83);
	machine.vm.journal = NULL;
}

TEST(all_pieces_of_a_large_page_go_together)
{
	struct vcpu *vcpu = start();

	small_put32(&machine, DIRECTORY + 4, BITS_ALL | BIT_PS | BIT_G);
	CHECK_EQ(byte_at(vcpu, 0x413000), 3);
	CHECK_EQ(byte_at(vcpu, 0x414000), 4);
	CHECK_EQ(byte_at(vcpu, 0x550000), 0xFF);
	CHECK_EQ(byte_at(vcpu, 0x5000), 5);
	/* The same linear addresses, now from a table of small pages that has nothing there. */
	small_put32(&machine, DIRECTORY + 4, TABLE | BITS_ALL);
	small_put32(&machine, LEAF(5), 0x25000 | BITS_ALL);
	linear_flush(vcpu, false);
	CHECK_EQ(byte_at(vcpu, 0x413000), 3);
	CHECK_EQ(byte_at(vcpu, 0x5000), 0x85);
	small_put32(&machine, LEAF(5), 0x15000 | BITS_ALL);
	linear_flush_page(vcpu, gva(0x7FF000));
	CHECK_EQ(byte_at(vcpu, 0x413000), 0x100);
	CHECK_EQ(byte_at(vcpu, 0x414000), 0x100);
	CHECK_EQ(byte_at(vcpu, 0x550000), 0x100);
	CHECK_EQ(byte_at(vcpu, 0x5000), 0x85);
}

TEST(a_large_page_sets_its_bits_in_the_directory)
{
	struct vcpu *vcpu = start();

	small_put32(&machine, DIRECTORY + 4, BITS_ALL | BIT_PS);
	CHECK_EQ(byte_at(vcpu, 0x400000 + 0x13456), 3);
	CHECK_EQ(small_get32(&machine, DIRECTORY + 4), BITS_ALL | BIT_PS | BIT_A);
	CHECK(put_byte(vcpu, 0x400000 + 0x13456));
	CHECK_EQ(machine.ram[0x13456], 0xEE);
	CHECK_EQ(small_get32(&machine, DIRECTORY + 4), BITS_ALL | BIT_PS | BIT_A | BIT_D);
}

TEST(tables_that_map_themselves)
{
	struct vcpu *vcpu = start();
	uint32_t value = 0;

	small_put32(&machine, DIRECTORY + 4 * 1023, DIRECTORY | BITS_ALL);
	CHECK(linear_read(vcpu, gva(0xFFC00000 + 4 * 5), &value, 4, LINEAR_AS_CPL));
	CHECK_EQ(value, 0x15000 | BITS_ALL);
	value = 0x25000 | BITS_ALL;
	CHECK(linear_write(vcpu, gva(0xFFC00000 + 4 * 5), &value, 4, LINEAR_AS_CPL));
	CHECK_EQ(byte_at(vcpu, 0x5000), 0x85);
	/* The directory's own entry is here both the directory's and the leaf. */
	CHECK(linear_read(vcpu, gva(0xFFFFFFFC), &value, 4, LINEAR_AS_CPL));
	CHECK_EQ(value, DIRECTORY | BITS_ALL | BIT_A);
	CHECK(linear_check_write(vcpu, gva(0xFFFFFFFC), 4, LINEAR_AS_CPL));
	CHECK_EQ(small_get32(&machine, DIRECTORY + 4 * 1023), DIRECTORY | BITS_ALL | BIT_A | BIT_D);
}

TEST(a_page_without_ram)
{
	struct vcpu *vcpu = start();
	uint32_t value = 0;

	small_put32(&machine, LEAF(6), 0x80000000 | BITS_ALL);
	for (int i = 0; i < 2; i++) {
		CHECK(linear_write(vcpu, gva(0x6000), &value, 4, LINEAR_AS_CPL));
		CHECK(linear_read(vcpu, gva(0x5FFE), &value, 4, LINEAR_AS_CPL));
		CHECK_EQ(value, 0xFFFF0505);
	}
	CHECK_EQ(machine.vm.accesses_outside_ram, 4);
}

static bool misaligned(struct vcpu *vcpu, uint32_t at, size_t size, enum linear_as as)
{
	uint8_t bytes[16];
	bool read = linear_read(vcpu, gva(at), bytes, size, as);

	return !read && small_took(vcpu, FAULT_AC, 0);
}

TEST(alignment_is_checked_for_users_who_ask)
{
	struct vcpu *vcpu = start();

	CHECK(control_write_cr(vcpu, 0, vcpu->cr0 | VCPU_CR0_AM));
	vcpu->eflags |= VCPU_EFLAGS_AC;
	CHECK(!misaligned(vcpu, 0x3001, 4, LINEAR_AS_CPL));
	vcpu->cpl = 3;
	CHECK(misaligned(vcpu, 0x3001, 2, LINEAR_AS_CPL));
	CHECK(misaligned(vcpu, 0x3002, 4, LINEAR_AS_CPL));
	CHECK(misaligned(vcpu, 0x3004, 8, LINEAR_AS_CPL));
	CHECK(misaligned(vcpu, 0x3004, 10, LINEAR_AS_CPL));
	CHECK(misaligned(vcpu, 0x3002, 6, LINEAR_AS_CPL));
	CHECK(!misaligned(vcpu, 0x3001, 1, LINEAR_AS_CPL));
	CHECK(!misaligned(vcpu, 0x3004, 6, LINEAR_AS_CPL));
	CHECK(!misaligned(vcpu, 0x3001, 4, LINEAR_AS_SUPERVISOR));
	vcpu->eflags &= ~VCPU_EFLAGS_AC;
	CHECK(!misaligned(vcpu, 0x3001, 4, LINEAR_AS_CPL));
}

UNIT_MAIN
