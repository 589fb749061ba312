/* What a block looks like beside its translation. */
#include "ring1.h"

#include "monitor/translator/describe.h"

static char text[4096];

static void add_line(void *to, const char *line)
{
	(void)to;
	strncat(text, line, sizeof(text) - strlen(text) - 1);
	strncat(text, "\n", sizeof(text) - strlen(text) - 1);
}

static struct elf_symbols symbols;
static const struct describe_to to_text = {.line = add_line, .symbols = &symbols};

static void describe(void)
{
	uint32_t offset = 0;

	text[0] = 0;
	ring1_start(NULL);
	CHECK_EQ(translator_find_or_make(&ring1.t, ring1_guest, &offset), TRANSLATOR_FOUND);
	translator_describe(&ring1.t, translator_find_block(&ring1.t, offset), &to_text);
}

static void on_made(const struct translator *t, const struct block *block)
{
	(void)t;
	snprintf(text + strlen(text), sizeof(text) - strlen(text), "made %x\n", block->eip);
}

static void on_chained(const struct translator *t, const struct block_link *link)
{
	translator_describe_link(t, link, &to_text);
}

/* A line is one line here, however long. */
/* clang-format off */

TEST(a_block_side_by_side)
{
	run_start();
	run_write(0xFA, 0x40, 0x9D, 0x75, 0xFE); /* cli; inc eax; popf; jnz to itself */
	describe();
	CHECK_STR(text,
	          "block 00010000: 5 bytes, 4 instructions; 72 bytes at 0000e9\n"
	          "  00010000 fa               cli                            0000e9 65c7050020000001000000 mov dword [gs:0x2000], 0x1  ; flag_again\n"
	          "  00010001 40               inc eax                        0000f4 40                     inc eax\n"
	          "  00010002 9d               popfd                          0000f5 65890d04000000         mov [gs:0x4], ecx  ; ecx\n"
	          "                                                           0000fc 0fb64c2401             movzx ecx, byte [esp+0x1]\n"
	          "                                                           000101 650fb70c4d3c000000     movzx ecx, word [gs:ecx*2+0x3c]  ; popf_table\n"
	          "                                                           00010a e311                   jecxz 0x11d\n"
	          "                                                           00010c 9d                     popfd\n"
	          "                                                           00010d 65890d00100000         mov [gs:0x1000], ecx  ; interrupt_flag\n"
	          "                                                           000114 658b0d04000000         mov ecx, [gs:0x4]  ; ecx\n"
	          "                                                           00011b eb09                   jmp 0x126\n"
	          "                                                           00011d 658b0d04000000         mov ecx, [gs:0x4]  ; ecx\n"
	          "                                                           000124 cd30                   int 0x30\n"
	          "  00010003 75fe             jnz 0x10003                    000126 0f85d2fe0200           jnz 0x2fffe  ; to 00010003\n"
	          "                                                           00012c e9cbfe0200             jmp 0x2fffc  ; to 00010005\n");
}

TEST(a_jump_and_a_call)
{
	run_start();
	run_write(0xEB, 0x10);
	describe();
	CHECK_STR(text,
	          "block 00010000: 2 bytes, 1 instructions; 5 bytes at 0000e9\n"
	          "  00010000 eb10             jmp 0x10012                    0000e9 e910ff0200             jmp 0x2fffe  ; to 00010012\n");
	run_start();
	run_write(0xE8, 0x10, 0x00, 0x00, 0x00, 0x40, 0xEB, 0xFE);
	describe();
	CHECK_STR(text,
	          "block 00010000: 8 bytes, 3 instructions; 43 bytes at 0000e9\n"
	          "  00010000 e810000000       call 0x10015                   0000e9 6805000100             push dword 0x10005\n"
	          "                                                           0000ee e90bff0200             jmp 0x2fffe  ; to 00010015\n"
	          "                                                           0000f3 658b0d00000000         mov ecx, [gs:0x0]  ; target\n"
	          "                                                           0000fa 8d89fbfffeff           lea ecx, [ecx-0x10005]\n"
	          "                                                           000100 e305                   jecxz 0x107\n"
	          "                                                           000102 e9f9feffff             jmp 0x0\n"
	          "                                                           000107 658b0d04000000         mov ecx, [gs:0x4]  ; ecx\n"
	          "  00010005 40               inc eax                        00010e 40                     inc eax\n"
	          "  00010006 ebfe             jmp 0x10006                    00010f e9e8fe0200             jmp 0x2fffc  ; to 00010006\n");
}

/* Two loads of segments share a way to ECX and back. */
TEST(loads_of_segments)
{
	run_start();
	run_write(0x8E, 0xD8, 0x0F, 0xA1, 0x40, 0xEB, 0xFE);
	describe();
	CHECK_STR(text,
	          "block 00010000: 7 bytes, 4 instructions; 61 bytes at 0000e9\n"
	          "  00010000 8ed8             mov ds, ax                     0000e9 65890d04000000         mov [gs:0x4], ecx  ; ecx\n"
	          "                                                           0000f0 0fb7c8                 movzx ecx, ax\n"
	          "                                                           0000f3 658e1c4d00400100       mov ds, [gs:ecx*2+0x14000]  ; loadable\n"
	          "                                                           0000fb 65890d30000000         mov [gs:0x30], ecx  ; selectors\n"
	          "  00010002 0fa1             pop fs                         000102 0fb70c24               movzx ecx, word [esp]\n"
	          "                                                           000106 8d642404               lea esp, [esp+0x4]\n"
	          "                                                           00010a 658e244d00400100       mov fs, [gs:ecx*2+0x14000]  ; loadable\n"
	          "                                                           000112 65890d34000000         mov [gs:0x34], ecx  ; selectors\n"
	          "                                                           000119 658b0d04000000         mov ecx, [gs:0x4]  ; ecx\n"
	          "  00010004 40               inc eax                        000120 40                     inc eax\n"
	          "  00010005 ebfe             jmp 0x10005                    000121 e9d8fe0200             jmp 0x2fffe  ; to 00010005\n");
}

/* The next page is zeros. */
TEST(a_block_that_crosses_a_page)
{
	run_start();
	RUN_PUT(RUN_CODE + 0xFFD, 0x40, 0xB9, 0x01);
	run_machine.vm.vcpu.eip = RUN_CODE + 0xFFD;
	describe();
	CHECK_STR(text,
	          "block 00010ffd: 6 bytes, 2 instructions; 11 bytes at 0000e9\n"
	          "  00010ffd 40               inc eax                        0000e9 40                     inc eax\n"
	          "  00010ffe b901000000       mov ecx, 0x1                   0000ea b901000000             mov ecx, 0x1\n"
	          "                                                           0000ef e90aff0200             jmp 0x2fffe  ; to 00011003\n");
}

/* A loop that is left after three rounds: jnz leads back to the start, and what is behind it is
 * laid behind it. */
TEST(an_observer_sees_blocks_and_links_as_they_come)
{
	static const struct translator_observer observer = {on_made, on_chained};

	run_start();
	run_write(0xB9, 0x03, 0x00, 0x00, 0x00, 0x49, 0x75, 0xFD, 0xF4);
	ring1_start(NULL);
	ring1.t.setup.observer = &observer;
	text[0] = 0;
	ring1_run();
	CHECK_STR(text,
	          "made 10000\n"
	          "made 10005\n"
	          "patched: the jump that ends at 0000f5, of block 00010000, leads to block 00010005 at 0000fa\n"
	          "patched: the jump that ends at 000101, of block 00010005, leads to block 00010005 at 0000fa\n"
	          "left out: the last jump of block 00010005, for block 00010008 follows\n"
	          "made 10008\n");
}

/* As an ELF file has it: one symbol, a function of 16 bytes at the start of the code. */
TEST(names_stand_beside_addresses)
{
	static const uint8_t symbol[16] = {1, 0, 0, 0, 0, 0, 1, 0, 16, 0, 0, 0, 2, 0, 1, 0};

	symbols = (struct elf_symbols){symbol, 1, "\0start", 7};
	run_start();
	run_write(0xEB, 0x00);
	describe();
	symbols = (struct elf_symbols){0};
	CHECK_STR(text,
	          "block 00010000 start: 2 bytes, 1 instructions; 5 bytes at 0000e9\n"
	          "  00010000 eb00             jmp 0x10002                    0000e9 e910ff0200             jmp 0x2fffe  ; to 00010002 start+0x2\n");
}

/* clang-format on */

UNIT_MAIN
