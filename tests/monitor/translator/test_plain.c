/* What plain.h says of a length, and the decoder and the rules of the same bytes. */
#include "ring1.h"

#define SAMPLE 32

/* Every byte behind the opcode can be part of an address or an immediate. */
static void fill(uint8_t *bytes, uint32_t at, uint8_t modrm, uint8_t sib)
{
	bytes[at] = modrm;
	bytes[at + 1] = sib;
	for (uint32_t n = at + 2; n < SAMPLE; n++)
		bytes[n] = (uint8_t)(0x91 + n);
}

static bool agrees(const uint8_t *bytes)
{
	struct instruction in;
	uint32_t length = plain_length(&ring1.t.plain, bytes);

	if (!length)
		return true;
	return instruction_scan(bytes, SAMPLE, 32, &in) == DECODE_OK && in.length == length &&
	       length <= PLAIN_WINDOW && !in.prefixes && ring1.t.rules[in.row] == RULE_copy;
}

/* All opcodes of a map with all ModRM bytes, and every base with and without an index. Returns how
 * many were plain. */
static uint32_t go_through(bool escaped)
{
	uint8_t bytes[SAMPLE] = {PLAIN_ESCAPE};
	uint32_t plain = 0;

	for (uint32_t n = 0; n < 0x10000 * 16; n++) {
		bytes[escaped] = (uint8_t)(n >> 12);
		fill(bytes, 1u + escaped, (uint8_t)(n >> 4), (uint8_t)(n & 7 ? n : n | 0x20));
		plain += plain_length(&ring1.t.plain, bytes) != 0;
		if (!agrees(bytes)) {
			CHECK_EQ(n, 0u);
			return 0;
		}
	}
	return plain;
}

TEST(a_plain_length_is_that_of_an_instruction_that_is_copied)
{
	run_start();
	ring1_start(NULL);
	CHECK(go_through(false) > 200000);
	CHECK(go_through(true) > 100000);
}

static uint32_t length_of(uint8_t a, uint8_t b, uint8_t c)
{
	const uint8_t bytes[SAMPLE] = {a, b, c};

	return plain_length(&ring1.t.plain, bytes);
}

/* So that the table cannot be empty without anybody noticing. */
TEST(what_is_frequent_is_plain)
{
	run_start();
	ring1_start(NULL);
	CHECK_EQ(length_of(0x55, 0, 0), 1);       /* push ebp */
	CHECK_EQ(length_of(0x89, 0xE5, 0), 2);    /* mov ebp,esp */
	CHECK_EQ(length_of(0x8B, 0x44, 0x24), 4); /* mov eax,[esp+…] */
	CHECK_EQ(length_of(0x8D, 0x04, 0x85), 7); /* lea eax,[eax*4+…] */
	CHECK_EQ(length_of(0xC7, 0x05, 0), 10);   /* mov dword [address],… */
	CHECK_EQ(length_of(0x0F, 0xB6, 0xC0), 3); /* movzx eax,al */
	CHECK_EQ(length_of(0xF7, 0xC0, 0), 6);    /* test eax,… */
	CHECK_EQ(length_of(0xF7, 0xD8, 0), 2);    /* neg eax */
	CHECK_EQ(length_of(0xB8, 0, 0), 5);       /* mov eax,… */
}

TEST(what_has_a_prefix_or_a_rule_is_not)
{
	static const uint8_t others[][3] = {
	        {0x66, 0x90}, {0xF3, 0xA4}, {0x65, 0xA1},       {0xE8, 0, 0}, {0xEB, 0},
	        {0x74, 0},    {0xC3},       {0xFF, 0xD0},       {0xFF, 0xE0}, {0xFB},
	        {0x9C},       {0x8E, 0xD8}, {0x0F, 0x84},       {0x0F, 0x0B}, {0x0F, 0x22},
	        {0xE4, 0x60}, {0x1F},       {0x0F, 0xC7, 0x08},
	};

	run_start();
	ring1_start(NULL);
	for (uint32_t n = 0; n < sizeof(others) / sizeof(others[0]); n++)
		CHECK_EQ(length_of(others[n][0], others[n][1], others[n][2]), 0);
}

/* push, pop and what has no ModRM but reads, too. */
TEST(nothing_that_touches_memory_is_plain_where_all_of_it_is_a_callout)
{
	const struct translator_options options = {.all_memory_callout = true};

	run_start();
	ring1_start(&options);
	CHECK_EQ(length_of(0x55, 0, 0), 0);
	CHECK_EQ(length_of(0x8B, 0x44, 0x24), 0);
	CHECK_EQ(length_of(0xA4, 0, 0), 0);
}
UNIT_MAIN
