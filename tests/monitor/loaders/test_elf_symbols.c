/* Names of a guest's functions, and files whose tables lead nowhere. */
#include "monitor/loaders/elf_symbols.h"
#include "tests/monitor/loaders/synthetic.h"

enum { SECTIONS = 0x400, SYMBOLS = 0x500, NAMES = 0x600, FILE_SIZE = 0x700 };

static struct elf_symbols symbols;

static void put_section(uint32_t number, uint32_t type, uint32_t offset, uint32_t size,
                        uint32_t link)
{
	put32(SECTIONS + number * 40 + 4, type);
	put32(SECTIONS + number * 40 + 16, offset);
	put32(SECTIONS + number * 40 + 20, size);
	put32(SECTIONS + number * 40 + 24, link);
}

static void put_symbol(uint32_t number, uint32_t name, uint32_t value, uint32_t size, uint32_t type)
{
	put32(SYMBOLS + number * 16, name);
	put32(SYMBOLS + number * 16 + 4, value);
	put32(SYMBOLS + number * 16 + 8, size);
	put32(SYMBOLS + number * 16 + 12, type | 1 << 16);
}

/* main of 16 bytes, the label end behind it, and in main a label without a size. */
static void make_file(void)
{
	make_elf();
	put32(32, SECTIONS);
	put16(46, 40);
	put16(48, 3);
	put_section(1, 2, SYMBOLS, 4 * 16, 2);
	put_section(2, 3, NAMES, 15, 0);
	memcpy(image + NAMES, "\0main\0end\0loop", 15);
	put_symbol(1, 1, 0x1000, 16, 2);
	put_symbol(2, 6, 0x1020, 0, 0);
	put_symbol(3, 10, 0x1000, 0, 0);
}

static const char *name(uint32_t address)
{
	static char text[64];

	elf_symbols_write(&symbols, address, text, sizeof(text));
	return text;
}

TEST(functions_and_labels_are_named)
{
	make_file();
	CHECK(elf_symbols_find(&symbols, image, FILE_SIZE));
	CHECK_STR(name(0x1000), " main");
	CHECK_STR(name(0x100F), " main+0xf");
	CHECK_STR(name(0x1020), " end");
	CHECK_STR(name(0x1FFF), " end+0xfdf");
	CHECK_STR(name(0xFFF), "");
}

TEST(what_points_outside_the_file_is_no_symbol)
{
	make_file();
	put_section(1, 2, SYMBOLS, FILE_SIZE, 2);
	CHECK(!elf_symbols_find(&symbols, image, FILE_SIZE));
	make_file();
	put_section(1, 2, SYMBOLS, 64, 3);
	CHECK(!elf_symbols_find(&symbols, image, FILE_SIZE));
	make_file();
	put_section(2, 3, 0xFFFFFFF0, 0x20, 0);
	CHECK(!elf_symbols_find(&symbols, image, FILE_SIZE));
	make_file();
	put32(32, FILE_SIZE - 40);
	CHECK(!elf_symbols_find(&symbols, image, FILE_SIZE));
	make_file();
	put_symbol(1, 15, 0x1000, 16, 2);
	put_symbol(3, 15, 0x1000, 16, 2);
	CHECK(elf_symbols_find(&symbols, image, FILE_SIZE));
	CHECK_STR(name(0x1000), "");
}

/* Their last byte must be the end of a name. */
TEST(names_must_end)
{
	make_file();
	put_section(2, 3, NAMES, 14, 0);
	CHECK(!elf_symbols_find(&symbols, image, FILE_SIZE));
}

TEST(a_file_without_symbols_has_no_names)
{
	make_elf();
	CHECK(!elf_symbols_find(&symbols, image, ELF_SIZE));
	CHECK_STR(name(0x1000), "");
	CHECK(!elf_symbols_find(&symbols, image, 51));
	CHECK(!elf_symbols_find(&symbols, NULL, 0));
}

UNIT_MAIN
