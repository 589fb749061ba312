/* The firmware's memory and what stands in it: found as systems find it, and with right sums. */
#include "monitor/cpu/identity.h"
#include "monitor/devices/acpi_tables.h"
#include "monitor/devices/mp_table.h"
#include "monitor/state/vm.h"
#include "tests/unit.h"

static struct rom rom;

static uint32_t get(uint32_t address, unsigned size)
{
	uint32_t value = rom_read(&rom, 0, address - ROM_ADDRESS, size);

	/* The bus puts a word together of parts; what is above a part's size would spoil it. */
	CHECK_EQ((uint64_t)value >> 8 * size, 0);
	return value;
}

/* On a boundary of 16 bytes; 0 when it is not there. */
static uint32_t find(const char *signature)
{
	for (uint32_t at = 0; at < ROM_FILLED; at += 16)
		if (memcmp(rom.bytes + at, signature, strlen(signature)) == 0)
			return ROM_ADDRESS + at;
	return 0;
}

static bool adds_up(uint32_t address, uint32_t size)
{
	uint8_t sum = 0;

	while (size--)
		sum += (uint8_t)get(address++, 1);
	return sum == 0;
}

TEST(memory_that_is_not_filled_is_ones_and_nothing_can_be_written)
{
	uint32_t address;

	rom_reset(&rom);
	CHECK_EQ(get(0xF0000, 4), 0xFFFFFFFF);
	CHECK_EQ(get(0xFFFF0, 4), 0xFFFFFFFF);
	CHECK(rom_take(&rom, 5, &address) == rom.bytes);
	CHECK_EQ(address, 0xF0000);
	CHECK_EQ(get(0xF0000, 4), 0);
	rom_write(&rom, 0, 0, 4, 0x12345678);
	CHECK_EQ(get(0xF0000, 4), 0);
	CHECK(rom_take(&rom, 1, &address));
	CHECK_EQ(address, 0xF0010);
	CHECK(!rom_take(&rom, ROM_FILLED - 0x1F, &address));
	CHECK(rom_take(&rom, ROM_FILLED - 0x20, &address));
	CHECK(!rom_take(&rom, 1, &address));
}

TEST(in_memory_it_is_the_same_with_ones_below)
{
	static uint8_t ram[ROM_END + 1];

	rom_reset(&rom);
	acpi_tables_build(&rom, true, true);
	rom_copy(&rom, ram);
	CHECK_EQ(ram[ROM_ADAPTERS - 1] | ram[ROM_END], 0);
	CHECK_EQ(ram[ROM_ADAPTERS] & ram[ROM_ADDRESS - 1], 0xFF);
	for (uint32_t at = ROM_ADDRESS; at < ROM_END; at++)
		if (ram[at] != get(at, 1))
			CHECK_EQ(at, 0);
}

TEST(mp_table)
{
	static const uint8_t sizes[] = {20, 8, 8, 8, 8};
	unsigned counts[5] = {0};

	rom_reset(&rom);
	mp_table_build(&rom);
	uint32_t pointer = find("_MP_");
	CHECK(pointer && adds_up(pointer, 16));
	uint32_t table = get(pointer + 4, 4), length = get(table + 4, 2);
	CHECK_EQ(get(table, 4), 0x504D4350); /* PCMP */
	CHECK(adds_up(table, length));
	CHECK_EQ(get(table + 36, 4), 0xFEE00000);
	uint32_t at = table + 44;
	for (uint32_t i = 0; i < get(table + 34, 2); i++) {
		uint32_t type = get(at, 1);
		CHECK(type < 5);
		counts[type]++;
		if (type == 0)
			CHECK_EQ(get(at + 4, 4), identity_signature());
		if (type == 3)
			CHECK_EQ(get(at + 7, 1), get(at + 5, 1) == 0 ? 2 : get(at + 5, 1));
		at += sizes[type];
	}
	CHECK_EQ(at, table + length);
	CHECK_EQ(counts[0], 1);
	CHECK_EQ(counts[1], 1);
	CHECK_EQ(counts[2], 1);
	CHECK_EQ(counts[3], 15);
	CHECK_EQ(counts[4], 2);
}

static uint32_t rsdt(void)
{
	uint32_t pointer = find("RSD PTR ");

	CHECK(pointer && adds_up(pointer, 20));
	return get(pointer + 16, 4);
}

static void check_table(uint32_t table, const char *signature)
{
	CHECK(memcmp(rom.bytes + table - ROM_ADDRESS, signature, 4) == 0);
	CHECK(adds_up(table, get(table + 4, 4)));
}

TEST(acpi_tables)
{
	rom_reset(&rom);
	acpi_tables_build(&rom, true, true);
	check_table(rsdt(), "RSDT");
	CHECK_EQ(get(rsdt() + 4, 4), 44);
	uint32_t fadt = get(rsdt() + 36, 4), madt = get(rsdt() + 40, 4);
	check_table(fadt, "FACP");
	check_table(madt, "APIC");
	check_table(get(fadt + 40, 4), "DSDT");
	CHECK_EQ(get(fadt + 36, 4), ACPI_TABLES_FACS);
	CHECK_EQ(get(fadt + 64, 4), 0x604);
	CHECK_EQ(get(fadt + 76, 4), 0x608);
	CHECK_EQ(get(fadt + 46, 2), 9);
	CHECK_EQ(get(fadt + 120, 4), 0xCF9);
	CHECK_EQ(get(fadt + 128, 1), 6);
	CHECK_EQ(get(madt + 36, 4), 0xFEE00000);
	uint8_t facs[ACPI_TABLES_FACS_SIZE];
	acpi_tables_fill_facs(facs);
	CHECK(memcmp(facs, "FACS\x40\0\0", 8) == 0);
}

TEST(acpi_tables_say_only_what_is_there)
{
	rom_reset(&rom);
	acpi_tables_build(&rom, false, false);
	CHECK_EQ(get(rsdt() + 4, 4), 40);
	CHECK(!find("APIC"));
	uint32_t dsdt = get(get(rsdt() + 36, 4) + 40, 4);
	CHECK_EQ(get(dsdt + 4, 4), 36 + 12);
	CHECK(adds_up(dsdt, 36 + 12));
}

UNIT_MAIN
