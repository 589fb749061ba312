/* ELF kernels: where they go, where they are entered, and every way to be refused. */
#include "tests/monitor/loaders/synthetic.h"

static void make_kernel(void)
{
	make_elf();
	put_multiboot1(MULTIBOOT_AT, 0);
}

TEST(elf_loads_by_physical_address_and_clears_the_rest)
{
	make_kernel();
	CHECK(kernel_image_load(&load, &request));
	CHECK_EQ(load.entry.eip, 0x100014);
	CHECK_EQ(get32(0x100000), 0x11111111);
	CHECK_EQ(get32(0x100FFC), 0x11111111);
	CHECK_EQ(get32(0x101000), 0);
	CHECK_EQ(get32(0x1017FC), 0);
	CHECK_EQ(get32(0x101800), 0xEEEEEEEE);
	CHECK_EQ(get32(0x2007FC), 0x22222222);
	CHECK_EQ(get32(0x200800), 0xEEEEEEEE);
}

TEST(elf_a_physical_entry_point_stays)
{
	make_kernel();
	put32(24, 0x200010);
	CHECK(kernel_image_load(&load, &request));
	CHECK_EQ(load.entry.eip, 0x200010);
}

TEST(elf_segments_of_other_kinds_and_empty_ones_are_passed_over)
{
	make_kernel();
	put16(44, 4);
	put_segment(ELF_SEGMENT_2 + 32, 0xFFFFFFF0, 0, 0xFFFFFFF0, 0, 0);
	put_segment(ELF_SEGMENT_2 + 64, 0xFFFFFFF0, 0, 0xFFFFFFF0, 0x100, 0x100);
	put32(ELF_SEGMENT_2 + 64, 4);
	CHECK(kernel_image_load(&load, &request));
	CHECK_EQ(load.segment_count, 2);
}

TEST(elf_refuses_what_is_not_for_this_machine)
{
	static const struct {
		uint32_t offset, value;
		const char *sentence;
	} rows[] = {
	        {4, 2, "the kernel is an ELF file of class 2; 1 (32-bit) is expected"},
	        {5, 2,
	         "the kernel is an ELF file with byte order 2; 1 (little endian) is expected"},
	        {16, 3, "the kernel is an ELF file of type 3; 2 (executable) is expected"},
	        {18, 62, "the kernel is an ELF file for machine 62; 3 (Intel 80386) is expected"},
	        {20, 9, "the kernel is an ELF file of version 9; 1 is expected"},
	        {42, 56, "the ELF program headers have 56 bytes each; 32 are expected"},
	        {44, 0, "the ELF file has no segment to load"},
	};

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		make_kernel();
		image[rows[i].offset] = (uint8_t)rows[i].value;
		CHECK_STR(refusal(), rows[i].sentence);
	}
}

TEST(elf_refuses_truncated_files)
{
	make_kernel();
	put_multiboot1(8, 0);
	request.image_size = 51;
	CHECK_STR(refusal(), "the ELF header takes 52 bytes, but the file has only 51");
	make_kernel();
	put32(28, ELF_SIZE - 63);
	CHECK_STR(refusal(), "the ELF file should have 2 program headers at offset 0x2fc1, but it "
	                     "ends at 0x3000");
	make_kernel();
	put32(28, 0xFFFFFFFF);
	CHECK_STR(refusal(),
	          "the ELF file should have 2 program headers at offset 0xffffffff, but it "
	          "ends at 0x3000");
	make_kernel();
	request.image_size = 0x27FF;
	CHECK_STR(refusal(),
	          "segment 2 takes 0x800 bytes at file offset 0x2000, but the file ends at 0x27ff");
	make_kernel();
	put32(ELF_SEGMENT_1 + 4, 0xFFFFF000);
	CHECK_STR(refusal(), "segment 1 takes 0x1000 bytes at file offset 0xfffff000, but the file "
	                     "ends at 0x3000");
}

TEST(elf_refuses_segments_that_have_no_place)
{
	make_kernel();
	put32(ELF_SEGMENT_1 + 20, 0xFFF);
	CHECK_STR(refusal(), "segment 1 has 0x1000 bytes in the file, but only 0xfff in memory");
	make_kernel();
	put32(ELF_SEGMENT_2 + 12, MEMORY_SIZE - 0x7FF);
	CHECK_STR(
	        refusal(),
	        "segment 2 takes 0x800 bytes at 0x3ff801, but the guest's memory ends at 0x400000");
	make_kernel();
	put32(ELF_SEGMENT_2 + 20, 0xFFFFFFFF);
	CHECK_STR(refusal(), "segment 2 takes 0xffffffff bytes at 0x200000, but the guest's memory "
	                     "ends at 0x400000");
	make_kernel();
	put32(ELF_SEGMENT_2 + 12, 0x9F801);
	CHECK_STR(refusal(), "segment 2 takes 0x800 bytes at 0x9f801, which reaches into the video "
	                     "memory and firmware of a PC, 0xa0000 to 0xfffff");
	make_kernel();
	put32(ELF_SEGMENT_2 + 12, 0x1017FF);
	CHECK_STR(
	        refusal(),
	        "segment 2 takes 0x800 bytes at 0x1017ff, which overlaps another one at 0x100000");
}

TEST(elf_takes_segments_that_touch)
{
	make_kernel();
	put32(ELF_SEGMENT_2 + 12, 0x101800);
	CHECK(kernel_image_load(&load, &request));
	make_kernel();
	put32(ELF_SEGMENT_2 + 12, MEMORY_SIZE - 0x800);
	CHECK(kernel_image_load(&load, &request));
	make_kernel();
	put32(ELF_SEGMENT_2 + 12, 0x9F800);
	CHECK(kernel_image_load(&load, &request));
}

TEST(elf_refuses_an_entry_point_outside_and_too_many_segments)
{
	make_kernel();
	put32(24, 0xC0101800);
	CHECK_STR(refusal(), "the entry point 0xc0101800 lies in no segment of the kernel");
	make_kernel();
	put16(44, 33);
	put32(28, 0x800);
	for (uint32_t i = 0; i < 33; i++)
		put_segment(0x800 + 32 * i, 0x1000, 0xC0100000 + 0x1000 * i, 0x100000 + 0x1000 * i,
		            4, 4);
	CHECK_STR(refusal(), "the ELF file has more than 32 segments to load");
	make_kernel();
	put32(ELF_SEGMENT_1, 6);
	put32(ELF_SEGMENT_2, 6);
	CHECK_STR(refusal(), "the ELF file has no segment to load");
}

TEST(elf_takes_what_just_fits)
{
	make_kernel();
	put32(28, ELF_SIZE - 64);
	put_segment(ELF_SIZE - 64, 0x1000, 0xC0100000, 0x100000, 0x1000, 0x1800);
	put_segment(ELF_SIZE - 32, 0x2000, 0xC0200000, 0x200000, 0x1000, 0x1000);
	CHECK(kernel_image_load(&load, &request));
	/* A segment of nothing but bss may point anywhere in the file. */
	make_kernel();
	put_segment(ELF_SEGMENT_2, 0x12345678, 0xC0200000, 0x200000, 0, 0x800);
	CHECK(kernel_image_load(&load, &request));
	CHECK_EQ(get32(0x2007FC), 0);
}

UNIT_MAIN
