#include "tests/unit.h"

#include "monitor/devices/bus.h"
#include "monitor/memory/guest_memory.h"
#include "monitor/memory/journal.h"

static uint8_t ram[2 * GUEST_PAGE_SIZE], watchers[2];
static struct journal_entry entries[8];
static struct journal journal;
static struct bus bus;
static struct vm vm;

static void start(void)
{
	memset(ram, 0x11, sizeof(ram));
	memset(watchers, 0, sizeof(watchers));
	journal = (struct journal){.entries = entries, .max = 8};
	vm = (struct vm){.ram = ram, .ram_size = sizeof(ram), .watchers = watchers, .bus = &bus};
	vm.journal = &journal;
}

static void write(uint32_t at, uint32_t value)
{
	guest_memory_write(&vm, gpa(at), &value, sizeof(value));
}

static bool matches(uint32_t done, uint32_t begun, uint32_t all)
{
	const struct journal_difference found =
	        journal_compare(&vm, &journal, (struct journal_extent){done, begun, all});

	return found.wanted == found.found;
}

TEST(what_was_written_is_taken_back)
{
	start();
	write(0x10, 0x22222222);
	write(0x12, 0x33333333);
	CHECK_EQ(ram[0x12], 0x33);
	journal_take_back(&vm, &journal, 1);
	CHECK_EQ(ram[0x12], 0x22);
	CHECK_EQ(ram[0x14], 0x11);
	journal_take_back(&vm, &journal, 0);
	CHECK_EQ(ram[0x10], 0x11);
	CHECK(!journal.refused);
}

TEST(entries_that_overlap_are_compared_in_their_order)
{
	start();
	write(0x10, 0x22222222);
	write(0x12, 0x33333333);
	journal_take_back(&vm, &journal, 0);
	vm.journal = NULL;
	CHECK(matches(0, 0, 2));
	CHECK(!matches(1, 1, 2));
	write(0x10, 0x22222222);
	CHECK(matches(1, 1, 2));
	CHECK(!matches(2, 2, 2));
	write(0x12, 0x33333333);
	CHECK(matches(2, 2, 2));
	CHECK(!matches(1, 1, 2));
	CHECK(matches(1, 2, 2));
	CHECK_EQ(ram[0x15], 0x33);
}

TEST(nobody_outside_hears_of_it)
{
	uint32_t value = 0;

	start();
	watchers[1] = WATCH_CODE;
	write(GUEST_PAGE_SIZE - 2, 0x22222222);
	CHECK(journal.refused);
	CHECK_EQ(ram[GUEST_PAGE_SIZE - 1], 0x11);
	journal.refused = false;
	guest_memory_read(&vm, gpa(sizeof(ram)), &value, sizeof(value));
	CHECK(journal.refused);
	CHECK_EQ(vm.device_accesses, 0);
}

TEST(what_has_no_room_is_refused)
{
	static const uint8_t many[8 * JOURNAL_PART] = {0};

	start();
	guest_memory_write(&vm, gpa(0), many, sizeof(many));
	CHECK(journal.refused && journal.full);
	CHECK_EQ(ram[0], 0x11);
}

UNIT_MAIN
