/* Multiboot 1: what the kernel finds in memory, address fields, modules, and every refusal. */
#include "tests/monitor/loaders/synthetic.h"

enum {
	FLAGS,
	LOWER,
	UPPER,
	COMMAND_LINE = 4,
	MODULE_COUNT,
	MODULES,
	MAP_SIZE = 11,
	MAP,
	LOADER = 16
};

static uint32_t information(unsigned word)
{
	return get32(load.entry.ebx + 4 * word);
}

static void make_kernel(uint32_t flags)
{
	make_elf();
	put_multiboot1(MULTIBOOT_AT, flags);
}

enum { HEADER = 0x40, FLAT_SIZE = 0x2000, FLAT_LOAD = 0x110000 };

/* An image that is no ELF: loaded from 16 bytes before its header, which is itself at 0x40. */
static void make_flat(void)
{
	const uint32_t fields[] = {FLAT_LOAD + 16, FLAT_LOAD, FLAT_LOAD + 0x1000,
	                           FLAT_LOAD + 0x3000, FLAT_LOAD + 0x20};

	empty_request(FLAT_SIZE);
	memset(image, 0x33, FLAT_SIZE);
	put_multiboot1(HEADER, 0x10003);
	for (uint32_t i = 0; i < 5; i++)
		put32(HEADER + 12 + 4 * i, fields[i]);
}

TEST(multiboot1_hands_over_memory_sizes_map_and_names)
{
	make_kernel(3);
	request.command_line = "root=/dev/none quiet";
	CHECK(kernel_image_load(&load, &request));
	CHECK_EQ(load.entry.eax, 0x2BADB002);
	CHECK_EQ(load.entry.eip, 0x100014);
	CHECK_EQ(load.entry.ebx % 4096, 0);
	CHECK(load.entry.ebx < 0xA0000);
	CHECK_EQ(information(FLAGS), 0x24D);
	CHECK_EQ(information(LOWER), 639);
	CHECK_EQ(information(UPPER), 3072);
	CHECK_EQ(information(MODULE_COUNT), 0);
	CHECK_STR(get_string(information(COMMAND_LINE)), "root=/dev/none quiet");
	CHECK_STR(get_string(information(LOADER)), "Ringfence");
	CHECK_EQ(information(MAP_SIZE), 4 * 24);
	uint32_t last = information(MAP) + 3 * 24;
	CHECK_EQ(get32(last), 20);
	CHECK_EQ(get32(last + 4), 0x100000);
	CHECK_EQ(get32(last + 8), 0);
	CHECK_EQ(get32(last + 12), 0x300000);
	CHECK_EQ(get32(last + 16), 0);
	CHECK_EQ(get32(last + 20), 1);
}

TEST(multiboot1_a_missing_command_line_is_empty)
{
	make_kernel(0);
	CHECK(kernel_image_load(&load, &request));
	CHECK_STR(get_string(information(COMMAND_LINE)), "");
}

TEST(multiboot1_modules_lie_behind_the_kernel_on_pages)
{
	static const uint8_t one[5000] = {1}, three[1] = {3};
	const struct load_module modules[] = {
	        {one, sizeof(one), "first one"}, {three, 0, NULL}, {three, sizeof(three), ""}};

	make_kernel(1);
	request.modules = modules;
	request.module_count = 3;
	CHECK(kernel_image_load(&load, &request));
	CHECK_EQ(information(MODULE_COUNT), 3);
	uint32_t table = information(MODULES);
	CHECK_EQ(get32(table), 0x201000);
	CHECK_EQ(get32(table + 4), 0x201000 + 5000);
	CHECK_STR(get_string(get32(table + 8)), "first one");
	CHECK_EQ(get32(table + 12), 0);
	CHECK_EQ(get32(table + 16), get32(table + 20));
	CHECK_EQ(get32(table + 32), 0x203000);
	CHECK_EQ(get32(table + 36), 0x203001);
	CHECK_STR(get_string(get32(table + 40)), "");
	CHECK_EQ(memory[0x201000], 1);
	CHECK_EQ(memory[0x201001], 0);
	CHECK_EQ(memory[0x203000], 3);
}

TEST(multiboot1_modules_go_below_a_kernel_that_fills_the_end)
{
	static const uint8_t bytes[0x1000];
	const struct load_module module = {bytes, sizeof(bytes), ""};

	make_kernel(0);
	put32(ELF_SEGMENT_2 + 12, MEMORY_SIZE - 0x800);
	request.modules = &module;
	request.module_count = 1;
	CHECK(kernel_image_load(&load, &request));
	CHECK_EQ(load.module_address[0], 0x102000);
}

TEST(multiboot1_information_avoids_a_kernel_in_low_memory)
{
	make_kernel(0);
	put32(ELF_SEGMENT_2 + 12, 0x10000);
	CHECK(kernel_image_load(&load, &request));
	CHECK_EQ(load.entry.ebx, 0x11000);
	make_kernel(0);
	put32(ELF_SEGMENT_2 + 12, 0x10000);
	put32(ELF_SEGMENT_2 + 20, 0x8F001);
	CHECK(kernel_image_load(&load, &request));
	CHECK_EQ(load.entry.ebx, 0x102000);
}

TEST(multiboot1_loads_an_image_that_is_no_elf)
{
	make_flat();
	CHECK(kernel_image_load(&load, &request));
	CHECK_EQ(load.entry.eip, FLAT_LOAD + 0x20);
	CHECK_EQ(get32(FLAT_LOAD), 0x33333333);
	CHECK_EQ(get32(FLAT_LOAD + 16), 0x1BADB002);
	CHECK_EQ(get32(FLAT_LOAD + 0xFFC), 0x33333333);
	CHECK_EQ(get32(FLAT_LOAD + 0x1000), 0);
	CHECK_EQ(get32(FLAT_LOAD + 0x2FFC), 0);
	CHECK_EQ(get32(FLAT_LOAD + 0x3000), 0xEEEEEEEE);
}

TEST(multiboot1_zero_means_to_the_end_of_the_file_and_no_bss)
{
	make_flat();
	put32(HEADER + 20, 0);
	put32(HEADER + 24, 0);
	CHECK(kernel_image_load(&load, &request));
	uint32_t size = FLAT_SIZE - (HEADER - 16);
	CHECK_EQ(get32(FLAT_LOAD + size - 4), 0x33333333);
	CHECK_EQ(get32(FLAT_LOAD + size), 0xEEEEEEEE);
}

TEST(multiboot1_address_fields_win_over_elf)
{
	make_kernel(0x10000);
	put32(MULTIBOOT_AT + 12, 0x300000 + MULTIBOOT_AT);
	put32(MULTIBOOT_AT + 16, 0x300000);
	put32(MULTIBOOT_AT + 28, 0x300400);
	CHECK(kernel_image_load(&load, &request));
	CHECK_EQ(load.entry.eip, 0x300400);
	CHECK_EQ(get32(0x300000), 0x464C457F);
	CHECK_EQ(get32(0x100000), 0xEEEEEEEE);
}

TEST(multiboot1_the_header_must_lie_in_the_first_8192_bytes)
{
	make_elf();
	put_multiboot1(8192 - 12, 0);
	CHECK(kernel_image_load(&load, &request));
	make_elf();
	put_multiboot1(8192 - 8, 0);
	CHECK_STR(refusal(),
	          "the kernel has neither a Multiboot 1 header in its first 8192 bytes nor a "
	          "Multiboot 2 header in its first 32768, and is no Linux bzImage or vmlinux");
	make_elf();
	put_multiboot1(MULTIBOOT_AT + 2, 0);
	CHECK(!strncmp(refusal(), "the kernel has neither", 22));
	/* A wrong checksum is no header; the next one may be right. */
	make_kernel(0);
	put_multiboot1(MULTIBOOT_AT - 64, 0);
	image[MULTIBOOT_AT - 64 + 8]++;
	CHECK(kernel_image_load(&load, &request));
}

TEST(multiboot1_refuses_headers_that_cannot_be_met)
{
	make_kernel(0x8);
	CHECK_STR(refusal(),
	          "the Multiboot header requires the features 0x8, but this loader knows only "
	          "0x7");
	make_kernel(0x7);
	CHECK(kernel_image_load(&load, &request));
	make_flat();
	put_multiboot1(HEADER, 3);
	CHECK_STR(refusal(),
	          "the kernel is no ELF file, and its Multiboot header has no address fields "
	          "that would say where to load it");
	make_flat();
	request.image_size = HEADER + 31;
	CHECK_STR(refusal(),
	          "the Multiboot header at 0x40 takes 32 bytes, but the file ends at 0x5f");
}

TEST(multiboot1_refuses_address_fields_that_make_no_sense)
{
	make_flat();
	put32(HEADER + 12, FLAT_LOAD - 1);
	CHECK_STR(refusal(),
	          "the Multiboot header says it is loaded at 0x10ffff, which is below the load "
	          "address 0x110000");
	make_flat();
	put32(HEADER + 12, FLAT_LOAD + 0x41);
	CHECK_STR(refusal(),
	          "the Multiboot header should lie 0x41 bytes behind what is loaded, but it is "
	          "at 0x40 of the file");
	make_flat();
	put32(HEADER + 20, FLAT_LOAD);
	CHECK_STR(refusal(),
	          "the load end address 0x110000 is not above the load address 0x110000");
	make_flat();
	put32(HEADER + 24, FLAT_LOAD + 0xFFF);
	CHECK_STR(refusal(), "the bss end address 0x110fff is below the load end address 0x111000");
	make_flat();
	put32(HEADER + 28, FLAT_LOAD + 0x3000);
	CHECK_STR(refusal(), "the entry point 0x113000 lies in no segment of the kernel");
	make_flat();
	put32(HEADER + 20, FLAT_LOAD + 0x1FD1);
	CHECK_STR(refusal(),
	          "segment 1 takes 0x1fd1 bytes at file offset 0x30, but the file ends at 0x2000");
	make_flat();
	put32(HEADER + 24, 0xFFFFFFFF);
	CHECK_STR(refusal(),
	          "segment 1 takes 0xffeeffff bytes at 0x110000, but the guest's memory ends "
	          "at 0x400000");
}

TEST(multiboot1_refuses_modules_without_room)
{
	static const uint8_t bytes[1];
	static struct load_module modules[LOAD_MODULES + 1];

	make_kernel(0);
	modules[0] = (struct load_module){bytes, 1, ""};
	modules[1] = (struct load_module){bytes, 0xFFFFFFFF, ""};
	request.modules = modules;
	request.module_count = 2;
	CHECK_STR(refusal(),
	          "module 2 has 0xffffffff bytes, and the guest's memory of 0x400000 bytes has "
	          "no such room left");
	modules[1].size = MEMORY_SIZE - 0x202000 + 1;
	CHECK(!strncmp(refusal(), "module 2 has", 12));
	request.module_count = LOAD_MODULES + 1;
	CHECK_STR(refusal(), "there are 65 modules; at most 64 are expected");
}

TEST(multiboot1_refuses_command_lines_without_end)
{
	static char line[5000];
	struct load_module module = {(const uint8_t *)line, 1, line};

	make_kernel(0);
	memset(line, 'x', 4096);
	request.command_line = line;
	CHECK_STR(refusal(), "the command line has 4096 characters; at most 4095 are expected");
	line[4095] = 0;
	CHECK(kernel_image_load(&load, &request));
	make_kernel(0);
	line[4095] = 'x';
	request.modules = &module;
	request.module_count = 1;
	CHECK_STR(refusal(),
	          "the command line of module 1 has 4096 characters; at most 4095 are expected");
}

TEST(multiboot1_refuses_a_guest_without_memory)
{
	make_kernel(0);
	ram.size = 0xFFFFF;
	CHECK_STR(refusal(),
	          "the guest has 0xfffff bytes of memory; at least 0x100000 are expected");
	/* Everything taken: no page is left for the boot information. */
	make_kernel(0);
	put32(ELF_SEGMENT_1 + 20, 0x100000);
	put32(ELF_SEGMENT_2 + 12, 0);
	put32(ELF_SEGMENT_2 + 20, 0xA0000);
	ram.size = 0x200800;
	CHECK_STR(refusal(),
	          "the boot information has 0xdf bytes, and the guest's memory of 0x200800 "
	          "bytes has no such room left");
}

TEST(multiboot1_takes_what_just_fits)
{
	static char line[LOAD_COMMAND_LINE + 1];
	struct load_module module = {(const uint8_t *)line, 1, line};

	memset(line, 'x', LOAD_COMMAND_LINE);
	make_kernel(0);
	request.modules = &module;
	request.module_count = 1;
	CHECK(kernel_image_load(&load, &request));
	/* The header is all there is, loaded where it says, without bss, into the least of
	 * memories. */
	make_flat();
	request.image_size = HEADER + 32;
	ram.size = LOAD_LEAST_MEMORY;
	put32(HEADER + 12, 0x9FFE0);
	put32(HEADER + 16, 0x9FFE0);
	put32(HEADER + 20, 0xA0000);
	put32(HEADER + 24, 0xA0000);
	put32(HEADER + 28, 0x9FFFF);
	CHECK(kernel_image_load(&load, &request));
	CHECK_EQ(load.entry.eip, 0x9FFFF);
	CHECK_EQ(get32(0x9FFE0), 0x1BADB002);
	CHECK_EQ(information(UPPER), 0);
	CHECK_EQ(information(MAP_SIZE), 3 * 24);
}

UNIT_MAIN
