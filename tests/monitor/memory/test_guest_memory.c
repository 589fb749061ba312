#include "tests/unit.h"

#include "monitor/memory/guest_memory.h"

static uint8_t ram[2 * GUEST_PAGE_SIZE];

static struct vm start(void)
{
	memset(ram, 0x11, sizeof(ram));
	return (struct vm){.ram = ram, .ram_size = sizeof(ram)};
}

TEST(what_is_written_is_read)
{
	struct vm vm = start();
	uint32_t value = 0;

	guest_memory_write(&vm, gpa(0x1FFC), &(uint32_t){0xCAFE1234}, 4);
	guest_memory_read(&vm, gpa(0x1FFC), &value, 4);
	CHECK_EQ(value, 0xCAFE1234);
	CHECK_EQ(vm.accesses_outside_ram, 0);
}

TEST(outside_is_all_ones_and_counted)
{
	struct vm vm = start();
	uint64_t value = 0;

	guest_memory_read(&vm, gpa(0x2000), &value, 8);
	CHECK_EQ(value, UINT64_MAX);
	guest_memory_write(&vm, gpa(0x2000), &value, 8);
	guest_memory_read(&vm, gpa(UINT64_MAX - 3), &value, 8);
	CHECK_EQ(value, UINT64_MAX);
	guest_memory_read(&vm, gpa(0x100000000ull), &value, 8);
	CHECK_EQ(value, UINT64_MAX);
	CHECK_EQ(vm.accesses_outside_ram, 4);
}

TEST(across_the_end_of_ram)
{
	struct vm vm = start();
	uint32_t value = 0;

	guest_memory_read(&vm, gpa(0x1FFE), &value, 4);
	CHECK_EQ(value, 0xFFFF1111);
	guest_memory_write(&vm, gpa(0x1FFE), &(uint32_t){0x33442266}, 4);
	CHECK_EQ(ram[0x1FFE], 0x66);
	CHECK_EQ(ram[0x1FFF], 0x22);
	CHECK_EQ(vm.accesses_outside_ram, 2);
}

TEST(a_page_is_all_ram_or_none)
{
	struct vm vm = start();

	CHECK(guest_memory_page(&vm, gpa(0x1000)) == ram + 0x1000);
	CHECK(!guest_memory_page(&vm, gpa(0x2000)));
	CHECK(!guest_memory_page(&vm, gpa(0x100000000ull)));
	vm.ram_size = 0x1800;
	CHECK(!guest_memory_page(&vm, gpa(0x1000)));
}

UNIT_MAIN
