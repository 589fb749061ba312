#include "tests/unit.h"

#include "monitor/devices/bus.h"
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
	guest_memory_read(&vm, gpa((1ull << 52) - 4), &value, 8);
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

static char seen[256];

static uint32_t probe_read(void *chip, uint64_t now, uint32_t offset, unsigned size)
{
	(void)chip;
	snprintf(seen + strlen(seen), sizeof(seen) - strlen(seen), "r%x/%u@%u ", offset, size,
	         (unsigned)now);
	return 0x04030201 + offset * 0x01010101;
}

static void probe_write(void *chip, uint64_t now, uint32_t offset, unsigned size, uint32_t value)
{
	(void)chip;
	snprintf(seen + strlen(seen), sizeof(seen) - strlen(seen), "w%x/%u=%x@%u ", offset, size,
	         value, (unsigned)now);
}

static uint64_t seven(const struct vm *vm)
{
	(void)vm;
	return 7;
}

/* Two pages of RAM, a page of a device, and a page of nothing; then RAM again. */
static uint8_t more[5 * GUEST_PAGE_SIZE];
static struct bus bus;

static struct vm start_with_hole(void)
{
	const struct bus_memory_range range = {.first = 0x2000,
	                                       .last = 0x2FFF,
	                                       .widest = 4,
	                                       .name = "probe",
	                                       .read = probe_read,
	                                       .write = probe_write};

	seen[0] = 0;
	memset(more, 0x11, sizeof(more));
	bus_reset(&bus);
	CHECK(bus_attach_memory(&bus, &range));
	return (struct vm){.ram = more,
	                   .ram_size = sizeof(more),
	                   .holes = {{0x2000, 0x4000}},
	                   .hole_count = 1,
	                   .bus = &bus,
	                   .read_time = seven};
}

TEST(a_hole_goes_to_the_device_with_the_size_of_the_access)
{
	struct vm vm = start_with_hole();
	uint8_t value[10] = {0};

	guest_memory_write(&vm, gpa(0x2004), &(uint32_t){0xCAFE1234}, 4);
	guest_memory_write(&vm, gpa(0x2008), &(uint16_t){0x1234}, 2);
	guest_memory_write(&vm, gpa(0x2FFF), &(uint8_t){0x12}, 1);
	CHECK_STR(seen, "w4/4=cafe1234@7 w8/2=1234@7 wfff/1=12@7 ");
	seen[0] = 0;
	guest_memory_read(&vm, gpa(0x2000), value, 10);
	CHECK_STR(seen, "r0/4@7 r4/4@7 r8/2@7 ");
	CHECK_EQ(value[9], 0x0A);
	seen[0] = 0;
	guest_memory_read(&vm, gpa(0x2001), value, 4);
	CHECK_STR(seen, "r1/1@7 r2/1@7 r3/1@7 r4/1@7 ");
	CHECK_EQ(vm.accesses_outside_ram, 0);
	CHECK_EQ(more[0x2004], 0x11);
	CHECK_EQ(bus.memory[0].writes, 3);
	CHECK_EQ(bus.memory[0].reads, 7);
}

TEST(a_hole_that_nobody_claims_is_all_ones_and_ram_goes_on_behind_it)
{
	struct vm vm = start_with_hole();
	uint32_t value = 0;

	guest_memory_write(&vm, gpa(0x3000), &value, 4);
	guest_memory_read(&vm, gpa(0x3000), &value, 4);
	CHECK_EQ(value, UINT32_MAX);
	CHECK_EQ(vm.accesses_outside_ram, 2);
	guest_memory_read(&vm, gpa(0x3FFE), &value, 4);
	CHECK_EQ(value, 0x1111FFFF);
	guest_memory_read(&vm, gpa(0x1FFE), &value, 4);
	CHECK_EQ(value, 0x02011111);
	CHECK(guest_memory_page(&vm, gpa(0x1000)) == more + 0x1000);
	CHECK(!guest_memory_page(&vm, gpa(0x2000)));
	CHECK(!guest_memory_page(&vm, gpa(0x3000)));
	CHECK(guest_memory_page(&vm, gpa(0x4000)) == more + 0x4000);
}

TEST(what_takes_no_writes_is_read_as_ram_and_tells_the_bus)
{
	struct vm vm = start_with_hole();
	uint32_t value = 0;

	vm.holes[0] = (struct vm_hole){0x3000, 0x4000};
	vm.rom = (struct vm_hole){0x2000, 0x3000};
	memset(more + 0x2000, 0x22, GUEST_PAGE_SIZE);
	guest_memory_read(&vm, gpa(0x1FFE), &value, 4);
	CHECK_EQ(value, 0x22221111);
	guest_memory_write(&vm, gpa(0x1FFE), &(uint32_t){0x33442266}, 4);
	CHECK_STR(seen, "w0/2=3344@7 ");
	CHECK_EQ(more[0x1FFF], 0x22);
	CHECK_EQ(more[0x2000], 0x22);
	guest_memory_read(&vm, gpa(0x2FFE), &value, 4);
	CHECK_EQ(value, 0xFFFF2222);
	CHECK(guest_memory_page(&vm, gpa(0x2000)) == more + 0x2000);
	CHECK_EQ(vm.accesses_outside_ram, 1);
	CHECK(watch_is_watched(&vm, gpa(0x2FFF)) && !watch_is_watched(&vm, gpa(0x1FFF)));
	CHECK(!watch_is_watched(&vm, gpa(0x3000)));
}

UNIT_MAIN
