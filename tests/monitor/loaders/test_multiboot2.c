/* Multiboot 2: header tags, information tags, and every refusal. */
#include "tests/monitor/loaders/synthetic.h"

static uint32_t header_end;

static void finish_header(void)
{
	uint32_t length = header_end - MULTIBOOT_AT;

	put32(MULTIBOOT_AT + 8, length);
	put32(MULTIBOOT_AT + 12, 0U - 0xE85250D6U - length - image[MULTIBOOT_AT + 4]);
}

/* Adds a header tag of some words and keeps the header right. */
static uint32_t put_tag(uint32_t type, uint32_t flags, const uint32_t *words, uint32_t count)
{
	uint32_t at = header_end;

	put16(at, type);
	put16(at + 2, flags);
	put32(at + 4, 8 + 4 * count);
	for (uint32_t i = 0; i < count; i++)
		put32(at + 8 + 4 * i, words[i]);
	header_end += (8 + 4 * count + 7) & ~7U;
	finish_header();
	return at;
}

static void put_end(void)
{
	put_tag(0, 0, NULL, 0);
}

static void make_header(void)
{
	put32(MULTIBOOT_AT, 0xE85250D6U);
	header_end = MULTIBOOT_AT + 16;
	finish_header();
}

static void make_kernel(void)
{
	make_elf();
	make_header();
}

/* The address of the first information tag of that type, or 0. */
static uint32_t find_tag(uint32_t type)
{
	uint32_t at = load.entry.ebx + 8, end = load.entry.ebx + get32(load.entry.ebx);

	while (at < end && !unit_failed) {
		if (get32(at) == type)
			return at;
		CHECK(get32(at + 4) >= 8);
		at += (get32(at + 4) + 7) & ~7U;
	}
	return 0;
}

TEST(multiboot2_hands_over_its_information)
{
	make_kernel();
	put_end();
	request.command_line = "verbose";
	CHECK(kernel_image_load(&load, &request));
	CHECK_EQ(load.entry.eax, 0x36D76289);
	CHECK_EQ(load.entry.eip, 0x100014);
	CHECK_EQ(load.entry.ebx % 8, 0);
	CHECK_EQ(get32(load.entry.ebx + 4), 0);
	CHECK_STR(get_string(find_tag(1) + 8), "verbose");
	CHECK_EQ(get32(find_tag(1) + 4), 16);
	CHECK_STR(get_string(find_tag(2) + 8), "Ringfence");
	CHECK_EQ(find_tag(3), 0);
	CHECK_EQ(get32(find_tag(4) + 8), 639);
	CHECK_EQ(get32(find_tag(4) + 12), 3072);
	uint32_t map = find_tag(6);
	CHECK_EQ(get32(map + 4), 16 + 4 * 24);
	CHECK_EQ(get32(map + 8), 24);
	CHECK_EQ(get32(map + 12), 0);
	CHECK_EQ(get32(map + 16 + 3 * 24), 0x100000);
	CHECK_EQ(get32(map + 16 + 3 * 24 + 8), 0x300000);
	CHECK_EQ(get32(map + 16 + 3 * 24 + 16), 1);
	CHECK_EQ(find_tag(21), 0);
	uint32_t end = find_tag(0);
	CHECK_EQ(get32(end + 4), 8);
	CHECK_EQ(end + 8, load.entry.ebx + get32(load.entry.ebx));
}

TEST(multiboot2_modules_have_a_tag_each)
{
	static const uint8_t bytes[0x1234] = {9};
	const struct load_module modules[] = {{bytes, sizeof(bytes), "a module"}, {bytes, 1, NULL}};

	make_kernel();
	put_tag(6, 0, NULL, 0);
	put_end();
	request.modules = modules;
	request.module_count = 2;
	CHECK(kernel_image_load(&load, &request));
	uint32_t tag = find_tag(3);
	CHECK_EQ(get32(tag + 8), 0x201000);
	CHECK_EQ(get32(tag + 12), 0x202234);
	CHECK_STR(get_string(tag + 16), "a module");
	CHECK_EQ(memory[0x201000], 9);
	tag += (get32(tag + 4) + 7) & ~7U;
	CHECK_EQ(get32(tag), 3);
	CHECK_EQ(get32(tag + 8), 0x203000);
	CHECK_STR(get_string(tag + 16), "");
}

TEST(multiboot2_an_entry_tag_wins_over_the_elf_entry)
{
	const uint32_t entry = 0x200004;

	make_kernel();
	put_tag(3, 0, &entry, 1);
	put_end();
	CHECK(kernel_image_load(&load, &request));
	CHECK_EQ(load.entry.eip, 0x200004);
}

TEST(multiboot2_loads_by_an_address_tag)
{
	const uint32_t addresses[] = {0x300000 + MULTIBOOT_AT, 0x300000, 0x300800, 0x301000};
	const uint32_t entry = 0x300010;

	make_kernel();
	put_tag(2, 0, addresses, 4);
	put_tag(3, 0, &entry, 1);
	put_end();
	CHECK(kernel_image_load(&load, &request));
	CHECK_EQ(load.entry.eip, 0x300010);
	CHECK_EQ(get32(0x300000), 0x464C457F);
	CHECK_EQ(get32(0x300FFC), 0);
	CHECK_EQ(get32(0x301000), 0xEEEEEEEE);
	/* Minus one: from the beginning of the file. */
	put32(MULTIBOOT_AT + 16 + 12, 0xFFFFFFFF);
	CHECK(kernel_image_load(&load, &request));
	CHECK_EQ(get32(0x300000), 0x464C457F);
}

TEST(multiboot2_a_relocatable_kernel_learns_where_it_is)
{
	const uint32_t where[] = {0x100000, 0x400000, 4096, 1};

	make_kernel();
	put32(ELF_SEGMENT_1 + 12, 0x280000);
	put_tag(10, 0, where, 4);
	put_end();
	CHECK(kernel_image_load(&load, &request));
	CHECK_EQ(get32(find_tag(21) + 8), 0x200000);
}

TEST(multiboot2_what_is_optional_may_be_missing)
{
	static const uint32_t all[] = {1, 2, 3, 4, 6, 21}, text = 3, framebuffer[] = {800, 600, 32};
	static const uint32_t elsewhere[] = {5, 9}, efi = 0;

	make_kernel();
	put_tag(1, 0, all, 6);
	put_tag(1, 1, elsewhere, 2);
	put_tag(4, 0, &text, 1);
	put_tag(5, 1, framebuffer, 3);
	put_tag(7, 1, NULL, 0);
	put_tag(8, 0, &efi, 1);
	put_tag(9, 0, &efi, 1);
	put_tag(77, 1, NULL, 0);
	put_end();
	CHECK(kernel_image_load(&load, &request));
}

TEST(multiboot2_refuses_what_it_cannot_give)
{
	static const uint32_t sections = 9, graphics_only = 1, framebuffer[] = {0, 0, 0};

	make_kernel();
	put_tag(1, 0, &sections, 1);
	put_end();
	CHECK_STR(refusal(),
	          "the Multiboot 2 header requires information of type 9, which this machine "
	          "does not give");
	make_kernel();
	put_tag(4, 0, &graphics_only, 1);
	put_end();
	CHECK_STR(refusal(),
	          "the Multiboot 2 header requires by tag 4 something that this machine does "
	          "not have");
	make_kernel();
	put_tag(5, 0, framebuffer, 3);
	put_end();
	CHECK(strstr(refusal(), "by tag 5 something"));
	make_kernel();
	put_tag(7, 0, NULL, 0);
	put_end();
	CHECK(strstr(refusal(), "by tag 7 something"));
	make_kernel();
	put_tag(11, 0, NULL, 0);
	put_end();
	CHECK_STR(refusal(),
	          "the Multiboot 2 header requires tag 11, which this loader does not know");
}

TEST(multiboot2_refuses_broken_headers)
{
	make_kernel();
	image[MULTIBOOT_AT + 4] = 4;
	put_end();
	CHECK_STR(refusal(),
	          "the Multiboot 2 header is for architecture 4; 0 (32-bit protected mode of "
	          "i386) is expected");
	make_kernel();
	header_end = ELF_SIZE + 1;
	finish_header();
	CHECK_STR(refusal(),
	          "the Multiboot header at 0x200 takes 11777 bytes, but the file ends at 0x3000");
	make_kernel();
	put_tag(6, 0, NULL, 0);
	CHECK_STR(refusal(), "the Multiboot 2 header at 0x200 ends without an end tag");
	make_kernel();
	header_end -= 15;
	finish_header();
	CHECK(strstr(refusal(), "ends without an end tag"));
	make_kernel();
	uint32_t at = put_tag(3, 0, &header_end, 1);
	put32(at + 4, 8);
	CHECK_STR(refusal(),
	          "the Multiboot 2 header tag at file offset 0x210 has type 3 and 0x8 bytes, "
	          "which cannot be");
	put32(at + 4, 0x20);
	CHECK(strstr(refusal(), "has type 3 and 0x20 bytes"));
	put32(at + 4, 0);
	CHECK(strstr(refusal(), "has type 3 and 0x0 bytes"));
}

TEST(multiboot2_refuses_addresses_that_make_no_sense)
{
	const uint32_t addresses[] = {0x300000 + MULTIBOOT_AT, 0x300000, 0, 0}, outside = 0x80000;

	make_kernel();
	put_tag(2, 0, addresses, 4);
	put_end();
	CHECK_STR(refusal(), "the Multiboot 2 header has an address tag but no entry address tag");
	make_kernel();
	put_tag(3, 0, &outside, 1);
	put_end();
	CHECK_STR(refusal(), "the entry point 0x80000 lies in no segment of the kernel");
	make_kernel();
	put_tag(2, 0, addresses, 4);
	put_tag(3, 0, &outside, 1);
	put_end();
	CHECK_STR(refusal(), "the entry point 0x80000 lies in no segment of the kernel");
	empty_request(ELF_SIZE);
	make_header();
	put_end();
	CHECK(!strncmp(refusal(), "the kernel is no ELF file", 25));
}

TEST(multiboot2_comes_after_multiboot1)
{
	make_kernel();
	put_end();
	put_multiboot1(MULTIBOOT_AT + 0x100, 0);
	CHECK(kernel_image_load(&load, &request));
	CHECK_EQ(load.entry.eax, 0x2BADB002);
}

UNIT_MAIN
