#include "tests/unit.h"

#include "boot/multiboot.h"

/* The machine's memory as the readers see it: one megabyte, all of it inside the array. */
static _Alignas(8) uint8_t machine[1 << 20];
static struct boot_info info;
static char problem[BOOT_PROBLEM_MAX];

static const void *view(const struct boot_memory *memory, uint64_t at, uint64_t length)
{
	(void)memory;
	return at <= sizeof(machine) && length <= sizeof(machine) - at ? machine + at : NULL;
}

static bool read_info(uint32_t magic, uint32_t address)
{
	static const struct boot_memory memory = {view};

	memset(&info, 0, sizeof(info));
	problem[0] = 0;
	return multiboot_read(&info, magic, address, &memory, problem, sizeof(problem));
}

static void put32(uint32_t at, uint32_t value)
{
	memcpy(machine + at, &value, 4);
}

static void put64(uint32_t at, uint64_t value)
{
	memcpy(machine + at, &value, 8);
}

static void put_text(uint32_t at, const char *text)
{
	memcpy(machine + at, text, strlen(text) + 1);
}

#define SAYS(words) CHECK(strstr(problem, words) != NULL ? true : (printf("%s\n", problem), false))

/* --- Multiboot 1 --- */

#define INFO1    0x1000
#define MAP1     0x2000
#define MODULES1 0x3000
#define LINE     0x4000
#define LOADER   0x5000
#define LINE_A   0x6000
#define LINE_B   0x7000

static void map1_entry(uint32_t index, uint64_t start, uint64_t length, uint32_t type)
{
	uint32_t at = MAP1 + index * 24;

	put32(at, 20);
	put64(at + 4, start);
	put64(at + 12, length);
	put32(at + 20, type);
	put32(INFO1 + 44, (index + 1) * 24);
}

static void module1(uint32_t index, uint32_t start, uint32_t end, uint32_t line)
{
	uint32_t at = MODULES1 + index * 16;

	put32(at, start);
	put32(at + 4, end);
	put32(at + 8, line);
	put32(INFO1 + 20, index + 1);
}

static void build1(void)
{
	memset(machine, 0, sizeof(machine));
	put32(INFO1, 1u << 2 | 1u << 3 | 1u << 6 | 1u << 9);
	put32(INFO1 + 16, LINE);
	put32(INFO1 + 24, MODULES1);
	put32(INFO1 + 48, MAP1);
	put32(INFO1 + 64, LOADER);
	put_text(LINE, "build/ringfence.elf mode=report log=debug");
	put_text(LOADER, "qemu");
	put_text(LINE_A, "some/where/kernel.elf console=ttyS0 quiet");
	put_text(LINE_B, "initrd");
	map1_entry(0, 0, 0x9FC00, 1);
	map1_entry(1, 0x100000, 128u << 20, 1);
	module1(0, 0x200000, 0x210000, LINE_A);
	module1(1, 0x210000, 0x210800, LINE_B);
}

TEST(multiboot1_is_read_whole)
{
	build1();
	CHECK(read_info(BOOT_MAGIC_MULTIBOOT1, INFO1));
	CHECK_STR(info.protocol, "Multiboot 1");
	CHECK_STR(info.loader, "qemu");
	CHECK_STR(info.command_line, "mode=report log=debug");
	CHECK_EQ(info.range_count, 2);
	CHECK_EQ(info.ranges[1].end, 0x100000 + (128u << 20));
	CHECK_EQ(info.module_count, 2);
	CHECK_STR(info.modules[0].name, "kernel.elf");
	CHECK_STR(info.modules[0].text, "console=ttyS0 quiet");
	CHECK_STR(info.modules[1].name, "initrd");
	CHECK_STR(info.modules[1].text, "");
	CHECK_EQ(info.modules[1].end, 0x210800);
}

TEST(only_qemu_puts_the_file_name_before_the_command_line)
{
	build1();
	put_text(LOADER, "GRUB 2.06");
	put_text(LINE, "mode=report");
	CHECK(read_info(BOOT_MAGIC_MULTIBOOT1, INFO1));
	CHECK_STR(info.command_line, "mode=report");
}

TEST(a_wrong_magic_number_is_named)
{
	build1();
	CHECK(!read_info(0x12345678, INFO1));
	SAYS("0x12345678 in EAX; expected 0x2badb002");
}

TEST(multiboot1_truncated_information_is_refused)
{
	build1();
	CHECK(!read_info(BOOT_MAGIC_MULTIBOOT1, sizeof(machine) - 8));
	SAYS("information at 0xffff8 is truncated");
}

TEST(no_memory_map_is_refused)
{
	build1();
	put32(INFO1, 1u << 2);
	CHECK(!read_info(BOOT_MAGIC_MULTIBOOT1, INFO1));
	SAYS("gave no memory map");
}

TEST(multiboot1_truncated_memory_map_is_refused)
{
	build1();
	put32(INFO1 + 44, 24 + 23);
	CHECK(!read_info(BOOT_MAGIC_MULTIBOOT1, INFO1));
	SAYS("memory map at 0x2000 is truncated");

	build1();
	put32(MAP1, 0xFFFFFFFF);
	CHECK(!read_info(BOOT_MAGIC_MULTIBOOT1, INFO1));
	SAYS("entry at offset 0 is not whole");

	build1();
	put32(INFO1 + 48, sizeof(machine) - 4);
	CHECK(!read_info(BOOT_MAGIC_MULTIBOOT1, INFO1));
	SAYS("is truncated");
}

TEST(a_range_that_wraps_is_refused)
{
	build1();
	map1_entry(1, UINT64_MAX - 10, 100, 1);
	CHECK(!read_info(BOOT_MAGIC_MULTIBOOT1, INFO1));
	SAYS("past the end of the address space");
}

TEST(too_little_memory_is_refused)
{
	build1();
	map1_entry(1, 0x100000, 29u << 20, 1);
	CHECK(!read_info(BOOT_MAGIC_MULTIBOOT1, INFO1));
	SAYS("has 29 MB of usable memory, and Ringfence needs 32 MB");
	map1_entry(1, 0x100000, 31u << 20, 1);
	CHECK(read_info(BOOT_MAGIC_MULTIBOOT1, INFO1));
}

TEST(a_module_outside_memory_is_refused)
{
	build1();
	module1(1, 0x20000000, 0x20001000, LINE_B);
	CHECK(!read_info(BOOT_MAGIC_MULTIBOOT1, INFO1));
	SAYS("module 1 \"initrd\" is said to be at 0x20000000 to 0x20001000, which is not inside");

	build1();
	module1(0, 0x210000, 0x200000, LINE_A);
	CHECK(!read_info(BOOT_MAGIC_MULTIBOOT1, INFO1));
	SAYS("module 0");
}

TEST(overlapping_modules_are_refused)
{
	build1();
	module1(1, 0x20F000, 0x220000, LINE_B);
	CHECK(!read_info(BOOT_MAGIC_MULTIBOOT1, INFO1));
	SAYS("module 1 \"initrd\" at 0x20f000 to 0x220000 overlaps module 0 \"kernel.elf\"");
}

TEST(too_many_modules_are_refused)
{
	build1();
	for (uint32_t i = 0; i < BOOT_MODULES_MAX + 1; i++)
		module1(i, 0x200000 + i * 0x1000, 0x201000 + i * 0x1000, LINE_B);
	CHECK(!read_info(BOOT_MAGIC_MULTIBOOT1, INFO1));
	SAYS("more than 16 modules");
}

TEST(a_module_list_outside_memory_is_refused)
{
	build1();
	put32(INFO1 + 24, 0xFFFFFFF0);
	CHECK(!read_info(BOOT_MAGIC_MULTIBOOT1, INFO1));
	SAYS("list of 2 modules at 0xfffffff0 lies outside memory");
}

TEST(texts_that_do_not_end_are_refused)
{
	build1();
	memset(machine + LINE, 'x', 0x1000);
	CHECK(!read_info(BOOT_MAGIC_MULTIBOOT1, INFO1));
	SAYS("command line at 0x4000 does not end");

	build1();
	put32(INFO1 + 16, 0xFFFFFF00);
	CHECK(!read_info(BOOT_MAGIC_MULTIBOOT1, INFO1));
	SAYS("command line at 0xffffff00 does not end");

	build1();
	memset(machine + sizeof(machine) - 16, 'x', 16);
	module1(0, 0x200000, 0x210000, sizeof(machine) - 16);
	CHECK(!read_info(BOOT_MAGIC_MULTIBOOT1, INFO1));
	SAYS("command line of a module");
}

/* --- Multiboot 2 --- */

#define INFO2 0x10000

static uint32_t end2;

static uint32_t tag2(uint32_t type, uint32_t payload)
{
	uint32_t at = end2;

	put32(at, type);
	put32(at + 4, payload + 8);
	end2 = (at + payload + 8 + 7) & ~7u;
	put32(INFO2, end2 - INFO2);
	return at + 8;
}

static void text_tag2(uint32_t type, const char *text)
{
	put_text(tag2(type, (uint32_t)strlen(text) + 1), text);
}

static void module_tag2(uint32_t start, uint32_t end, const char *line)
{
	uint32_t at = tag2(3, 8 + (uint32_t)strlen(line) + 1);

	put32(at, start);
	put32(at + 4, end);
	put_text(at + 8, line);
}

static uint32_t map_tag2(uint64_t length)
{
	uint32_t at = tag2(6, 8 + 24);

	put32(at, 24);
	put64(at + 8, 0x100000);
	put64(at + 16, length);
	put32(at + 24, 1);
	return at;
}

static void begin2(void)
{
	memset(machine, 0, sizeof(machine));
	end2 = INFO2 + 8;
}

static void build2(void)
{
	begin2();
	text_tag2(1, "mode=report log=debug");
	text_tag2(2, "GRUB 2.06");
	tag2(77, 12); /* a tag from the future */
	module_tag2(0x200000, 0x210000, "kernel.elf console=ttyS0 quiet");
	module_tag2(0x210000, 0x210800, "initrd");
	map_tag2(128u << 20);
	tag2(0, 0);
}

TEST(multiboot2_gives_the_same_as_multiboot1)
{
	build2();
	CHECK(read_info(BOOT_MAGIC_MULTIBOOT2, INFO2));
	CHECK_STR(info.protocol, "Multiboot 2");
	CHECK_STR(info.loader, "GRUB 2.06");
	CHECK_STR(info.command_line, "mode=report log=debug");
	CHECK_EQ(info.module_count, 2);
	CHECK_STR(info.modules[0].name, "kernel.elf");
	CHECK_STR(info.modules[0].text, "console=ttyS0 quiet");
	CHECK_EQ(info.modules[1].start, 0x210000);
	CHECK_EQ(info.range_count, 1);
}

TEST(multiboot2_without_a_memory_map_is_refused)
{
	begin2();
	text_tag2(1, "");
	tag2(0, 0);
	CHECK(!read_info(BOOT_MAGIC_MULTIBOOT2, INFO2));
	SAYS("gave no memory map");
}

TEST(multiboot2_truncated_information_is_refused)
{
	build2();
	put32(INFO2, 4);
	CHECK(!read_info(BOOT_MAGIC_MULTIBOOT2, INFO2));
	SAYS("is truncated: expected a size from 8 to");
	put32(INFO2, 0xFFFFFFFF);
	CHECK(!read_info(BOOT_MAGIC_MULTIBOOT2, INFO2));
	SAYS("found 4294967295");
	CHECK(!read_info(BOOT_MAGIC_MULTIBOOT2, INFO2 + 4));
	CHECK(!read_info(BOOT_MAGIC_MULTIBOOT2, sizeof(machine)));
}

TEST(multiboot2_without_an_end_is_refused_at_every_length)
{
	build2();
	uint32_t total = end2 - INFO2;
	for (uint32_t cut = 0; cut < total; cut++) {
		put32(INFO2, cut);
		if (read_info(BOOT_MAGIC_MULTIBOOT2, INFO2)) {
			CHECK_EQ(cut, total);
			return;
		}
	}
	put32(INFO2, total);
	CHECK(read_info(BOOT_MAGIC_MULTIBOOT2, INFO2));
}

TEST(multiboot2_damaged_tags_are_refused)
{
	build2();
	put32(INFO2 + 8 + 4, 3);
	CHECK(!read_info(BOOT_MAGIC_MULTIBOOT2, INFO2));
	SAYS("tag at offset 8 is not whole");

	begin2();
	uint32_t map = map_tag2(128u << 20);
	tag2(0, 0);
	put32(map, 20);
	CHECK(!read_info(BOOT_MAGIC_MULTIBOOT2, INFO2));
	SAYS("memory map (tag type 6, 40 bytes) is truncated");
	put32(map, 0);
	CHECK(!read_info(BOOT_MAGIC_MULTIBOOT2, INFO2));

	begin2();
	uint32_t text = tag2(1, 4);
	memcpy(machine + text, "abcd", 4);
	tag2(0, 0);
	CHECK(!read_info(BOOT_MAGIC_MULTIBOOT2, INFO2));
	SAYS("command line (tag type 1, 12 bytes) is truncated");
}

/* Whatever the bytes are, reading ends with a verdict and never touches memory outside. */
TEST(damage_anywhere_is_survived)
{
	uint32_t seed = 42;

	for (int i = 0; i < 20000; i++) {
		bool second = i & 1;
		if (second)
			build2();
		else
			build1();
		for (int j = 0; j < 4; j++) {
			seed = seed * 1664525 + 1013904223;
			uint32_t at = second ? INFO2 + (seed >> 8) % (end2 - INFO2)
			                     : INFO1 + (seed >> 8) % 0x6100;
			machine[at] = (uint8_t)(seed >> 3);
		}
		bool good = read_info(second ? BOOT_MAGIC_MULTIBOOT2 : BOOT_MAGIC_MULTIBOOT1,
		                      second ? INFO2 : INFO1);
		CHECK(good == (problem[0] == 0));
	}
}

UNIT_MAIN
