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
	        "block 00010000: 5 bytes, 4 instructions; 72 bytes at 00021\n"
	        "  00010000 cli                             00021 mov dword [gs:0x1000], 0x1\n"
	        "  00010001 inc eax                         0002c inc eax\n"
	        "  00010002 popfd                           0002d mov [gs:0x4], ecx\n"
	        "                                           00034 movzx ecx, byte [esp+0x1]\n"
	        "                                           00039 movzx ecx, word [gs:ecx*2+0x3c]\n"
	        "                                           00042 jecxz 0x55\n"
	        "                                           00044 popfd\n"
	        "                                           00045 mov [gs:0x1000], ecx\n"
	        "                                           0004c mov ecx, [gs:0x4]\n"
	        "                                           00053 jmp 0x5e\n"
	        "                                           00055 mov ecx, [gs:0x4]\n"
	        "                                           0005c int 0x30\n"
	        "  00010003 jnz 0x10003                     0005e jnz 0x3fffe\n"
	        "                                           00064 jmp 0x3fffc\n");
}

TEST(a_jump_and_a_call)
{
	run_start();
	run_write(0xEB, 0x10);
	describe();
	CHECK_STR(text, "block 00010000: 2 bytes, 1 instructions; 5 bytes at 00021\n"
	                "  00010000 jmp 0x10012                     00021 jmp 0x3fffe\n");
	run_start();
	run_write(0xE8, 0x10, 0x00, 0x00, 0x00);
	describe();
	CHECK_STR(text,
	          "block 00010000: 5 bytes, 1 instructions; 53 bytes at 00021\n"
	          "  00010000 call 0x10015                    00021 push dword 0x10005\n"
	          "                                           00026 mov dword [gs:0x250], 0x36\n"
	          "                                           00031 jmp 0x3fffe\n"
	          "                                           00036 mov ecx, [gs:0x0]\n"
	          "                                           0003d lea ecx, [ecx-0x10005]\n"
	          "                                           00043 jecxz 0x4a\n"
	          "                                           00045 jmp 0x0\n"
	          "                                           0004a mov ecx, [gs:0x4]\n"
	          "                                           00051 jmp 0x3fffc\n");
}

/* The next page is zeros. */
TEST(a_block_that_crosses_a_page)
{
	run_start();
	RUN_PUT(RUN_CODE + 0xFFD, 0x40, 0xB9, 0x01);
	run_machine.vm.vcpu.eip = RUN_CODE + 0xFFD;
	describe();
	CHECK_STR(text, "block 00010ffd: 6 bytes, 2 instructions; 11 bytes at 00021\n"
	                "  00010ffd inc eax                         00021 inc eax\n"
	                "  00010ffe mov ecx, 0x1                    00022 mov ecx, 0x1\n"
	                "                                           00027 jmp 0x3fffe\n");
}

UNIT_MAIN
