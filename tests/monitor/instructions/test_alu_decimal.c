#include "tests/unit.h"

#include "monitor/instructions/alu.h"
#include "monitor/instructions/opcodes.h"

static struct alu_result aam10(uint32_t ax, uint32_t flags)
{
	return alu_aam(ax, 10, flags);
}

static struct alu_result aam7(uint32_t ax, uint32_t flags)
{
	return alu_aam(ax, 7, flags);
}

static struct alu_result aad10(uint32_t ax, uint32_t flags)
{
	return alu_aad(ax, 10, flags);
}

static struct alu_result aad7(uint32_t ax, uint32_t flags)
{
	return alu_aad(ax, 7, flags);
}

/* 64-bit mode has not got these instructions, so the processor was asked once, by another program.
 * The hashes are what bcd_on_silicon.asm printed on an AMD EPYC: every AX with every C and A. */
TEST(decimal_arithmetic)
{
	static const struct {
		struct alu_result (*ours)(uint32_t ax, uint32_t flags);
		uint8_t opcode;
		uint32_t hash;
	} rows[] = {
	        {alu_daa, 0x27, 0x9CDC2826}, {alu_das, 0x2F, 0xB6580E3E},
	        {alu_aaa, 0x37, 0xDB862C09}, {alu_aas, 0x3F, 0x26DA8034},
	        {aam10, 0xD4, 0xD9FD8F7F},   {aam7, 0xD4, 0x07A3804D},
	        {aad10, 0xD5, 0xCB6C3F2C},   {aad7, 0xD5, 0xE058464B},
	};

	for (size_t n = 0; n < sizeof(rows) / sizeof(rows[0]); n++) {
		uint32_t hash = 0x811C9DC5;
		uint32_t defined =
		        opcode_rows[opcode_index[MAP_BASE][rows[n].opcode]].flags_written;

		for (uint32_t in = 0; in < 4 << 16; in++) {
			uint32_t flags = (in >> 16 & 1) | (in >> 17 & 1) << 4;
			struct alu_result result = rows[n].ours(in & 0xFFFF, flags);

			hash = hash << 5 | hash >> 27;
			hash = (hash ^ (result.value | (result.flags & defined) << 16)) * 16777619;
		}
		CHECK_EQ(hash, rows[n].hash);
	}
}

UNIT_MAIN
