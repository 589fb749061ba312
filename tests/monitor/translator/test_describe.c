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

static void describe(void)
{
	uint32_t offset = 0;

	text[0] = 0;
	ring1_start(NULL);
	CHECK_EQ(translator_find_or_make(&ring1.t, ring1_guest, &offset), TRANSLATOR_FOUND);
	translator_describe(&ring1.t, translator_find_block(&ring1.t, offset), add_line, NULL);
}

TEST(a_block_side_by_side)
{
	run_start();
	run_write(0xFA, 0x40, 0x9D, 0x75, 0xFE); /* cli; inc eax; popf; jnz to itself */
	describe();
	CHECK_STR(
	        text,
	        "block 00010000: 5 bytes, 4 instructions; 72 bytes at 000ae\n"
	        "  00010000 cli                             000ae mov dword [gs:0x1000], 0x1\n"
	        "  00010001 inc eax                         000b9 inc eax\n"
	        "  00010002 popfd                           000ba mov [gs:0x4], ecx\n"
	        "                                           000c1 movzx ecx, byte [esp+0x1]\n"
	        "                                           000c6 movzx ecx, word [gs:ecx*2+0x3c]\n"
	        "                                           000cf jecxz 0xe2\n"
	        "                                           000d1 popfd\n"
	        "                                           000d2 mov [gs:0x1000], ecx\n"
	        "                                           000d9 mov ecx, [gs:0x4]\n"
	        "                                           000e0 jmp 0xeb\n"
	        "                                           000e2 mov ecx, [gs:0x4]\n"
	        "                                           000e9 int 0x30\n"
	        "  00010003 jnz 0x10003                     000eb jnz 0x3fffe\n"
	        "                                           000f1 jmp 0x3fffc\n");
}

TEST(a_jump_and_a_call)
{
	run_start();
	run_write(0xEB, 0x10);
	describe();
	CHECK_STR(text, "block 00010000: 2 bytes, 1 instructions; 5 bytes at 000ae\n"
	                "  00010000 jmp 0x10012                     000ae jmp 0x3fffe\n");
	run_start();
	run_write(0xE8, 0x10, 0x00, 0x00, 0x00);
	describe();
	CHECK_STR(text,
	          "block 00010000: 5 bytes, 1 instructions; 53 bytes at 000ae\n"
	          "  00010000 call 0x10015                    000ae push dword 0x10005\n"
	          "                                           000b3 mov dword [gs:0x250], 0xc3\n"
	          "                                           000be jmp 0x3fffe\n"
	          "                                           000c3 mov ecx, [gs:0x0]\n"
	          "                                           000ca lea ecx, [ecx-0x10005]\n"
	          "                                           000d0 jecxz 0xd7\n"
	          "                                           000d2 jmp 0x0\n"
	          "                                           000d7 mov ecx, [gs:0x4]\n"
	          "                                           000de jmp 0x3fffc\n");
}

/* The next page is zeros. */
TEST(a_block_that_crosses_a_page)
{
	run_start();
	RUN_PUT(RUN_CODE + 0xFFD, 0x40, 0xB9, 0x01);
	run_machine.vm.vcpu.eip = RUN_CODE + 0xFFD;
	describe();
	CHECK_STR(text, "block 00010ffd: 6 bytes, 2 instructions; 11 bytes at 000ae\n"
	                "  00010ffd inc eax                         000ae inc eax\n"
	                "  00010ffe mov ecx, 0x1                    000af mov ecx, 0x1\n"
	                "                                           000b4 jmp 0x3fffe\n");
}

UNIT_MAIN
