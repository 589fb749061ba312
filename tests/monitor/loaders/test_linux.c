/* Linux kernels: where everything goes, what the kernel is told, and every way to be refused. */
#include "tests/monitor/loaders/synthetic.h"

enum { CODE_OFFSET = 0x400, CODE_SIZE = 0x1000, IMAGE_SIZE = CODE_OFFSET + CODE_SIZE };

static const uint8_t ramdisk_bytes[0x1234] = {0x5A, [0x1233] = 0xA5};
static const struct load_module ramdisk[] = {{ramdisk_bytes, sizeof(ramdisk_bytes), "initrd"},
                                             {ramdisk_bytes, sizeof(ramdisk_bytes), "second"}};

/* Version 2.15 with a kernel that is loaded at 1 MB and unpacks itself at 2 MB. */
static void make_bzimage(void)
{
	empty_request(IMAGE_SIZE);
	image[0x1F1] = 1;
	put32(0x1F4, CODE_SIZE / 16);
	put16(0x1FE, 0xAA55);
	image[0x200] = 0xEB;
	image[0x201] = 0x66;
	memcpy(image + 0x202, "HdrS", 4);
	put16(0x206, 0x20F);
	image[0x211] = 1;
	put32(0x214, 0x100000);
	put32(0x22C, 0x7FFFFFFF);
	put32(0x230, 0x100000);
	image[0x234] = 1;
	put32(0x238, 2047);
	put32(0x258, 0x1F0000);
	put32(0x260, 0x80000);
	put32(0x264, 0x12345678);
	memset(image + CODE_OFFSET, 0x90, CODE_SIZE);
	request.command_line = "linux one two=2";
	request.arguments = "one two=2";
}

static void put_ramdisk(void)
{
	request.modules = ramdisk;
	request.module_count = 1;
}

static void put_note(uint32_t at, const char *owner)
{
	put32(at, (uint32_t)strlen(owner) + 1);
	put32(at + 4, 4);
	put32(at + 8, 0x101);
	memcpy(image + at + 12, owner, strlen(owner) + 1);
}

static void make_vmlinux(const char *owner)
{
	make_elf();
	put16(44, 3);
	put_segment(ELF_SEGMENT_2 + 32, 0x400, 0xC0100400, 0x100400, 0x30, 0x30);
	put32(ELF_SEGMENT_2 + 32, 4);
	put_note(0x400, "GNU");
	put_note(0x414, owner);
	request.command_line = "vmlinux three";
	request.arguments = "three";
}

TEST(linux_bzimage_is_entered_as_the_protocol_says)
{
	make_bzimage();
	CHECK(kernel_image_load(&load, &request));
	CHECK_EQ(load.entry.eip, 0x100000);
	CHECK_EQ(load.entry.esi, load.information);
	CHECK_EQ(load.entry.eax, 0);
	CHECK_EQ(load.entry.ebx, 0);
	CHECK_EQ(load.entry.code_selector, 0x10);
	CHECK_EQ(load.entry.data_selector, 0x18);
	CHECK_EQ(load.entry.gdt_limit, 0x1F);
	CHECK_EQ(get32(load.entry.gdt_base + 0x10), 0x0000FFFF);
	CHECK_EQ(get32(load.entry.gdt_base + 0x14), 0x00CF9B00);
	CHECK_EQ(get32(load.entry.gdt_base + 0x18), 0x0000FFFF);
	CHECK_EQ(get32(load.entry.gdt_base + 0x1C), 0x00CF9300);
	CHECK_EQ(get32(0x100000), 0x90909090);
	CHECK_EQ(get32(0x100FFC), 0x90909090);
	CHECK_EQ(get32(0x101000), 0xEEEEEEEE);
}

TEST(linux_boot_parameters_hold_the_header_and_nothing_of_the_file_beside_it)
{
	make_bzimage();
	image[0x1EF] = 0xFF;
	put32(0x268, 0xBAD);
	CHECK(kernel_image_load(&load, &request));
	uint32_t at = load.information;
	CHECK_EQ(memory[at + 0x1EF], 0);
	CHECK_EQ(memory[at + 0x1F1], 1);
	CHECK_EQ(get32(at + 0x202), 0x53726448);
	CHECK_EQ(memory[at + 0x210], 0xFF);
	CHECK_EQ(get32(at + 0x264), 0x12345678);
	CHECK_EQ(get32(at + 0x268), 0);
	CHECK_STR(get_string(get32(at + 0x228)), "one two=2");
	CHECK_EQ(get32(at + 0x218), 0);
	CHECK_EQ(get32(at + 0x21C), 0);
}

TEST(linux_is_told_the_memory)
{
	make_bzimage();
	CHECK(kernel_image_load(&load, &request));
	uint32_t at = load.information;
	CHECK_EQ(memory[at + 0x1E8], 4);
	CHECK_EQ(get32(at + 0x1E0), 3072);
	CHECK_EQ(get32(at) >> 16, 3072);
	uint32_t last = at + 0x2D0 + 3 * 20;
	CHECK_EQ(get32(last), 0x100000);
	CHECK_EQ(get32(last + 4), 0);
	CHECK_EQ(get32(last + 8), MEMORY_SIZE - 0x100000);
	CHECK_EQ(get32(last + 12), 0);
	CHECK_EQ(get32(last + 16), 1);
	CHECK_EQ(get32(last + 20), 0);
}

TEST(linux_is_told_of_a_screen_where_there_is_one)
{
	make_bzimage();
	CHECK(kernel_image_load(&load, &request));
	CHECK_EQ(get32(load.information + 4), 0);
	CHECK_EQ(get32(load.information + 0xC), 0);
	request.text_screen = true;
	CHECK(kernel_image_load(&load, &request));
	CHECK_EQ(get32(load.information + 4), 0x50030000);
	CHECK_EQ(get32(load.information + 8), 0x00030000);
	CHECK_EQ(get32(load.information + 0xC), 0x01190000);
	CHECK_EQ(get32(load.information + 0x10), 16);
}

TEST(linux_ramdisk_lies_as_high_as_the_header_allows)
{
	static const struct {
		uint32_t last, size, address;
	} rows[] = {
	        {0x7FFFFFFF, MEMORY_SIZE, 0x3FE000}, {0x3FFFFF, MEMORY_SIZE, 0x3FE000},
	        {0x3FFFFE, MEMORY_SIZE, 0x3FD000},   {0x2FFFFF, MEMORY_SIZE, 0x2FE000},
	        {0x27FFFF, MEMORY_SIZE, 0x1FE000},   {0x7FFFFFFF, 0x300800, 0x2FE000},
	};

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		make_bzimage();
		put_ramdisk();
		put32(0x22C, rows[i].last);
		ram.size = rows[i].size;
		CHECK(kernel_image_load(&load, &request));
		CHECK_EQ(get32(load.information + 0x218), rows[i].address);
		CHECK_EQ(get32(load.information + 0x21C), sizeof(ramdisk_bytes));
		CHECK_EQ(memory[rows[i].address], 0x5A);
		CHECK_EQ(memory[rows[i].address + 0x1233], 0xA5);
	}
}

TEST(linux_an_empty_ramdisk_is_one)
{
	static const struct load_module empty = {NULL, 0, "initrd"};

	make_bzimage();
	request.modules = &empty;
	request.module_count = 1;
	CHECK(kernel_image_load(&load, &request));
	CHECK_EQ(get32(load.information + 0x21C), 0);
}

TEST(linux_the_last_paragraph_may_be_cut)
{
	make_bzimage();
	request.image_size = IMAGE_SIZE - 15;
	CHECK(kernel_image_load(&load, &request));
	CHECK_EQ(load.segment[0].memory_size, CODE_SIZE - 15);
	make_bzimage();
	request.image_size = IMAGE_SIZE - 16;
	CHECK_STR(refusal(), "the Linux kernel should have 0x100 paragraphs of protected-mode code "
	                     "at file offset 0x400, but the file ends at 0x13f0");
}

/* Version 2.03: no alignment, no line limit, no init_size, and a size of 16 bits. */
TEST(linux_old_headers_have_fewer_fields)
{
	make_bzimage();
	put16(0x206, 0x203);
	put32(0x1F4, 0xFFFF0001);
	image[0x201] = 0x2E;
	put32(0x230, 0xFFFFFFFF);
	put32(0x260, 0xFFFFFFFF);
	CHECK(kernel_image_load(&load, &request));
	CHECK_EQ(load.segment[0].memory_size, CODE_SIZE);
	CHECK_EQ(get32(load.information + 0x230), 0);
	image[0x1F1] = 0;
	request.image_size = 0x1000;
	CHECK(kernel_image_load(&load, &request));
	CHECK_EQ(load.segment[0].offset, 5 * 512);
}

TEST(linux_a_kernel_that_is_not_relocatable_runs_where_it_prefers)
{
	make_bzimage();
	image[0x234] = 0;
	put32(0x260, MEMORY_SIZE - 0x1F0000);
	CHECK(kernel_image_load(&load, &request));
	make_bzimage();
	put32(0x214, 0x280000);
	put32(0x260, MEMORY_SIZE - 0x300000);
	CHECK(kernel_image_load(&load, &request));
	CHECK_EQ(load.entry.eip, 0x280000);
}

TEST(linux_vmlinux_is_entered_like_a_bzimage)
{
	make_vmlinux("Linux");
	put_ramdisk();
	CHECK(kernel_image_load(&load, &request));
	CHECK_EQ(load.entry.eip, 0x100014);
	CHECK_EQ(load.entry.esi, load.information);
	CHECK_EQ(load.entry.code_selector, 0x10);
	uint32_t at = load.information;
	CHECK_EQ(get32(at + 0x202), 0x53726448);
	CHECK_EQ(get32(at + 0x206) & 0xFFFF, 0x20F);
	CHECK_EQ(memory[at + 0x210], 0xFF);
	CHECK_STR(get_string(get32(at + 0x228)), "three");
	CHECK_EQ(get32(at + 0x218), 0x3FE000);
	CHECK_EQ(memory[at + 0x1E8], 4);
}

TEST(linux_only_its_own_note_makes_an_elf_file_a_vmlinux)
{
	static const char nothing[] = "the kernel has neither a Multiboot 1 header in its first "
	                              "8192 bytes nor a Multiboot 2 header in its first 32768, "
	                              "and is no Linux bzImage or vmlinux";

	make_vmlinux("Linus");
	CHECK_STR(refusal(), nothing);
	make_vmlinux("Linu");
	CHECK_STR(refusal(), nothing);
	make_vmlinux("Linux");
	put32(0x404, 0xFFFFFFF0);
	CHECK_STR(refusal(), nothing);
	make_vmlinux("Linux");
	put32(ELF_SEGMENT_2 + 32 + 4, 0xFFFFFFF0);
	CHECK_STR(refusal(), nothing);
}

TEST(linux_refuses_headers_that_it_cannot_honour)
{
	static const struct {
		uint32_t offset, value;
		const char *sentence;
	} rows[] = {
	        {0x1FE, 0x55, "the Linux kernel has the boot flag 0xaa00; 0xaa55 is expected"},
	        {0x206, 0x02,
	         "the Linux kernel speaks version 2.2 of the boot protocol; at least "
	         "2.3 is expected"},
	        {0x211, 0x80,
	         "the Linux kernel is a zImage, which is loaded low; a bzImage is "
	         "expected"},
	        {0x236, 0x01,
	         "the Linux kernel is for 64-bit processors; a 32-bit one is expected"},
	        {0x1F1, 0x09,
	         "the Linux kernel has no protected-mode code: it should begin at "
	         "0x1400, but the file ends at 0x1400"},
	        {0x1F4, 0x01,
	         "the Linux kernel should have 0x101 paragraphs of protected-mode code "
	         "at file offset 0x400, but the file ends at 0x1400"},
	        {0x230, 0x03,
	         "the Linux kernel asks for an alignment of 0x100003; a power of two "
	         "is expected"},
	        {0x25A, 0xFF,
	         "the Linux kernel unpacks itself into 0x80000 bytes at 0xff0000, but "
	         "the guest's memory ends at 0x400000"},
	        {0x25C, 0x01,
	         "the Linux kernel unpacks itself into 0x80000 bytes at 0x1f0000, but "
	         "the guest's memory ends at 0x400000"},
	        {0x262, 0x21,
	         "the Linux kernel unpacks itself into 0x290000 bytes at 0x200000, but "
	         "the guest's memory ends at 0x400000"},
	};

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		make_bzimage();
		if (rows[i].offset == 0x1FE)
			image[0x1FE] = 0;
		else
			image[rows[i].offset] |= (uint8_t)rows[i].value;
		if (rows[i].offset == 0x206 || rows[i].offset == 0x211)
			image[rows[i].offset] = (uint8_t)rows[i].value;
		CHECK_STR(refusal(), rows[i].sentence);
	}
}

TEST(linux_refuses_truncated_headers)
{
	make_bzimage();
	request.image_size = 0x22F;
	CHECK_STR(refusal(), "the Linux setup header ends at 0x230, but the file ends at 0x22f");
	make_bzimage();
	request.image_size = 0x267;
	CHECK_STR(refusal(), "the Linux setup header ends at 0x268, but the file ends at 0x267");
}

TEST(linux_refuses_what_has_no_room)
{
	make_bzimage();
	put_ramdisk();
	put32(0x22C, 0x101FFF);
	CHECK_STR(refusal(), "the initial ramdisk has 0x1234 bytes, and there is no such room "
	                     "between the kernel and 0x102000, where the room for it ends");
	make_bzimage();
	put_ramdisk();
	put32(0x260, MEMORY_SIZE - 0x200000);
	put32(0x214, 0x110000);
	put32(0x22C, 0x101000);
	CHECK_STR(refusal(), "the initial ramdisk has 0x1234 bytes, and there is no such room "
	                     "between the kernel and 0x101001, where the room for it ends");
	make_bzimage();
	put_ramdisk();
	request.module_count = 2;
	CHECK_STR(refusal(), "there are 2 files beside the Linux kernel; at most one, its initial "
	                     "ramdisk, is expected");
	make_bzimage();
	put32(0x214, 0x3FF001);
	CHECK_STR(refusal(),
	          "segment 1 takes 0x1000 bytes at 0x3ff001, but the guest's memory ends "
	          "at 0x400000");
}

TEST(linux_refuses_a_command_line_that_is_too_long)
{
	char line[2049];

	memset(line, 'x', sizeof(line));
	line[2048] = 0;
	make_bzimage();
	request.arguments = line;
	CHECK_STR(refusal(),
	          "the kernel's command line has 2048 characters; this kernel takes at most 2047");
	line[2047] = 0;
	CHECK(kernel_image_load(&load, &request));
	make_bzimage();
	put16(0x206, 0x205);
	request.arguments = line + 2047 - 256;
	CHECK_STR(refusal(),
	          "the kernel's command line has 256 characters; this kernel takes at most 255");
	request.arguments = line + 2047 - 255;
	CHECK(kernel_image_load(&load, &request));
}

/* Whatever the header says, the loader ends, stays inside file and memory, and writes nothing that
 * it then refuses. */
TEST(linux_survives_random_damage)
{
	static const uint32_t liked[] = {0,        1,           0xFFF,      0x1000,
	                                 0x100000, MEMORY_SIZE, 0x80000000, 0xFFFFFFFF};
	uint32_t random = 1;
	unsigned loaded = 0;

	for (unsigned round = 0; round < 20000 && !unit_failed; round++) {
		make_bzimage();
		put_ramdisk();
		for (unsigned i = 0; i < 3; i++) {
			random = random * 1664525 + 1013904223;
			uint32_t at = 0x1F1 + (random >> 8) % 0x77;
			if (at < 0x1FE || at >= 0x206)
				put32(at, random & 0x80 ? liked[random >> 4 & 7] : random);
		}
		put16(0x1FE, 0xAA55);
		memcpy(image + 0x202, "HdrS", 4);
		if (random & 0x40)
			request.image_size = 0x206 + (random >> 16) % 0x100;
		/* A copy of just its size: the sanitizer sees every byte that is read past its end.
		 */
		uint8_t *exact = malloc(request.image_size);
		memcpy(exact, image, request.image_size);
		request.image = exact;
		if (kernel_image_load(&load, &request))
			loaded++;
		else
			CHECK_EQ(bytes_written, 0);
		free(exact);
	}
	CHECK(loaded > 1000);
}

UNIT_MAIN
