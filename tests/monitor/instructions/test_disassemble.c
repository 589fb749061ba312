#include "tests/unit.h"

#include "monitor/instructions/disassemble.h"

struct golden {
	const char *bytes; /* in hexadecimal */
	const char *text;
};

static size_t bytes_parse(const char *hex, uint8_t *bytes)
{
	size_t count = 0;
	unsigned int byte;
	int taken;

	for (; sscanf(hex, "%2x %n", &byte, &taken) == 1; hex += taken)
		bytes[count++] = byte;
	return count;
}

/* Every row is decoded at address 0x1000. */
static void check_texts(const struct golden *rows, size_t count, unsigned int code_size)
{
	for (size_t n = 0; n < count; n++) {
		struct instruction instruction;
		char text[DISASSEMBLE_TEXT_SIZE] = "not decoded";
		uint8_t bytes[16];
		size_t length = bytes_parse(rows[n].bytes, bytes);

		if (instruction_decode(bytes, length, code_size, &instruction) == DECODE_OK)
			instruction_disassemble(&instruction, 0x1000, text, sizeof(text));
		CHECK_STR(text, rows[n].text);
		CHECK_EQ(instruction.length, length);
	}
}

#define CHECK_TEXTS(rows, code_size) check_texts(rows, sizeof(rows) / sizeof(rows[0]), code_size)

TEST(addresses_of_32_bits)
{
	static const struct golden rows[] = {
	        {"8b 03", "mov eax, [ebx]"},
	        {"8b 45 08", "mov eax, [ebp+0x8]"},
	        {"8b 45 f8", "mov eax, [ebp-0x8]"},
	        {"8b 45 00", "mov eax, [ebp+0x0]"},
	        {"8b 05 78 56 34 12", "mov eax, [0x12345678]"},
	        {"8b 85 78 56 34 12", "mov eax, [ebp+0x12345678]"},
	        {"8b 04 24", "mov eax, [esp]"},
	        {"8b 04 8b", "mov eax, [ebx+ecx*4]"},
	        {"8b 04 cd 00 00 00 c0", "mov eax, [ecx*8-0x40000000]"},
	        {"8b 04 25 04 00 00 00", "mov eax, [0x4]"},
	        {"8b 44 dd 7f", "mov eax, [ebp+ebx*8+0x7f]"},
	        {"64 a1 14 00 00 00", "mov eax, [fs:0x14]"},
	        {"2e ff 24 85 00 10 00 00", "jmp dword [cs:eax*4+0x1000]"},
	        {"67 8b 40 02", "mov eax, [bx+si+0x2]"},
	        {"66 8b 00", "mov ax, [eax]"},
	};
	CHECK_TEXTS(rows, 32);
}

TEST(addresses_of_16_bits)
{
	static const struct golden rows[] = {
	        {"8b 00", "mov ax, [bx+si]"},        {"8b 01", "mov ax, [bx+di]"},
	        {"8b 02", "mov ax, [bp+si]"},        {"8b 03", "mov ax, [bp+di]"},
	        {"8b 04", "mov ax, [si]"},           {"8b 05", "mov ax, [di]"},
	        {"8b 06 34 12", "mov ax, [0x1234]"}, {"8b 07", "mov ax, [bx]"},
	        {"8b 46 fe", "mov ax, [bp-0x2]"},    {"8b 87 00 80", "mov ax, [bx-0x8000]"},
	        {"a1 fe ff", "mov ax, [0xfffe]"},    {"67 66 8b 04 24", "mov eax, [esp]"},
	};
	CHECK_TEXTS(rows, 16);
}

TEST(sizes_that_no_register_shows)
{
	static const struct golden rows[] = {
	        {"c6 00 05", "mov byte [eax], 0x5"},
	        {"c7 00 05 00 00 00", "mov dword [eax], 0x5"},
	        {"66 c7 00 05 00", "mov word [eax], 0x5"},
	        {"0f b6 00", "movzx eax, byte [eax]"},
	        {"d3 20", "shl dword [eax], cl"},
	        {"d0 20", "shl byte [eax], 1"},
	        {"dd 00", "fld qword [eax]"},
	        {"db 28", "fld tword [eax]"},
	        {"0f 01 10", "lgdt [eax]"},
	        {"8d 04 08", "lea eax, [eax+ecx]"},
	        {"6a ff", "push dword 0xffffffff"},
	        {"66 6a ff", "push word 0xffff"},
	        {"ff 30", "push dword [eax]"},
	        {"83 c0 ff", "add eax, 0xffffffff"},
	};
	CHECK_TEXTS(rows, 32);
}

TEST(control_flow)
{
	static const struct golden rows[] = {
	        {"e8 fb ff ff ff", "call 0x1000"},
	        {"eb fe", "jmp 0x1000"},
	        {"75 10", "jnz 0x1012"},
	        {"0f 84 00 01 00 00", "jz 0x1106"},
	        {"66 e9 00 f0", "o16 jmp 0x4"},
	        {"ea 78 56 34 12 08 00", "jmp 0x8:0x12345678"},
	        {"ff 28", "jmp far [eax]"},
	        {"ff 18", "call far [eax]"},
	        {"c2 08 00", "ret 0x8"},
	        {"ca 08 00", "retf 0x8"},
	        {"cd 80", "int 0x80"},
	        {"67 e3 00", "a16 jcxz 0x1003"},
	        {"cf", "iretd"},
	        {"c8 10 00 01", "enter 0x10, 0x1"},
	};
	CHECK_TEXTS(rows, 32);
}

TEST(prefixes)
{
	static const struct golden rows[] = {
	        {"f0 0f b1 0b", "lock cmpxchg [ebx], ecx"},
	        {"f3 a5", "rep movsd"},
	        {"f2 ae", "repne scasb"},
	        {"f3 a6", "repe cmpsb"},
	        {"64 ac", "fs lodsb"},
	        {"67 f3 aa", "rep a16 stosb"},
	        {"f3 90", "pause"},
	        {"90", "nop"},
	};
	CHECK_TEXTS(rows, 32);
}

TEST(registers_of_all_kinds)
{
	static const struct golden rows[] = {
	        {"88 e7", "mov bh, ah"},
	        {"0f 20 d0", "mov eax, cr2"},
	        {"0f 23 f8", "mov dr7, eax"},
	        {"8e d8", "mov ds, ax"},
	        {"0f a8", "push gs"},
	        {"d8 c1", "fadd st0, st1"},
	        {"0f 6f c1", "movq mm0, mm1"},
	        {"66 0f 6f 08", "movdqa xmm1, [eax]"},
	        {"f3 0f 58 00", "addss xmm0, dword [eax]"},
	        {"c5 f4 58 c2", "vaddps ymm0, ymm1, ymm2"},
	        {"c4 e2 69 90 04 8d 00 00 00 00", "vpgatherdd xmm0, [xmm1*4+0x0], xmm2"},
	        {"c4 e3 69 4a c1 30", "vblendvps xmm0, xmm2, xmm1, xmm3"},
	};
	CHECK_TEXTS(rows, 32);
}

TEST(the_text_stays_within_its_buffer)
{
	static const uint8_t bytes[] = {0x8B, 0x84, 0x8B, 0x78, 0x56, 0x34, 0x12};
	static const char whole[] = "mov eax, [ebx+ecx*4+0x12345678]";
	struct instruction instruction;

	CHECK_EQ(instruction_decode(bytes, sizeof(bytes), 32, &instruction), DECODE_OK);
	for (size_t size = 0; size <= sizeof(whole); size++) {
		char text[sizeof(whole) + 1];
		size_t length;

		memset(text, '#', sizeof(text));
		length = instruction_disassemble(&instruction, 0, text, size);
		CHECK_EQ(length, size ? size - 1 : 0);
		CHECK(memcmp(text, whole, length) == 0);
		CHECK(size == 0 || text[length] == 0);
		CHECK_EQ(text[size], '#');
	}
}

/* Every row, in every form, has a text that fits: nothing is cut off. */
TEST(every_opcode_has_a_text)
{
	for (unsigned int n = 0; n < 0x40000; n++) {
		uint8_t bytes[32] = {
		        n >> 16 ? 0x0F : 0x64, n >> 8, n, 0x9C, 0xD8, 0x80, 0x80, 0x80, 0x80};
		struct instruction instruction;
		char text[DISASSEMBLE_TEXT_SIZE];

		if (n >> 16 > 1) {
			bytes[1] = n >> 16 == 2 ? 0x38 : 0x3A;
			bytes[2] = n >> 8;
			bytes[3] = n;
		}
		if (instruction_decode(bytes, sizeof(bytes), 32, &instruction) != DECODE_OK)
			continue;
		CHECK(instruction_disassemble(&instruction, 0, text, sizeof(text)) < 64);
	}
}

UNIT_MAIN
