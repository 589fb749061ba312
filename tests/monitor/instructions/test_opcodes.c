#include "tests/unit.h"

#include "monitor/instructions/opcodes.h"

/* The rows of one opcode agree about what the decoder must know before it chooses one of them. */
TEST(rows_of_an_opcode_agree_about_modrm)
{
	for (size_t line = 1; line < opcode_rows_count; line++) {
		const struct opcode *row = &opcode_rows[line];

		if (row->kind == KIND_ALSO)
			CHECK_EQ(row->needs & NEEDS_BIT_MODRM, row[-1].needs & NEEDS_BIT_MODRM);
	}
}

TEST(a_group_has_its_eight_rows_in_order)
{
	for (size_t line = 1; line < opcode_rows_count; line++) {
		if (opcode_rows[line].kind != KIND_GROUP)
			continue;
		for (unsigned int reg = 0; reg < 8; reg++) {
			CHECK_EQ(opcode_rows[line + reg].select, SELECT_R(reg));
			CHECK_EQ(opcode_rows[line + reg].kind, reg ? KIND_ALSO : KIND_GROUP);
		}
	}
}

/* A row that goes on with an opcode stands right behind one that does, so that it can be reached.
 */
TEST(every_row_can_be_reached)
{
	static bool reached[4096];

	CHECK(opcode_rows_count < sizeof(reached));
	for (unsigned int map = 0; map < MAP_COUNT; map++) {
		for (unsigned int byte = 0; byte < 256; byte++) {
			size_t line = opcode_index[map][byte];

			if (!line)
				continue;
			CHECK(opcode_rows[line].kind != KIND_ALSO);
			do
				reached[line++] = true;
			while (opcode_rows[line].kind == KIND_ALSO);
		}
	}
	for (size_t line = 1; line < opcode_rows_count; line++)
		CHECK_EQ(reached[line], opcode_rows[line].kind != KIND_NO_ROW);
}

TEST(flags_are_written_or_undefined_but_not_both)
{
	for (size_t line = 1; line < opcode_rows_count; line++)
		CHECK_EQ(opcode_rows[line].flags_written & opcode_rows[line].flags_undefined, 0);
}

/* The seventeen of Robin and Irvine, as mnemonics: what they call pop, push, call, jmp, ret and mov
 * is sensitive in some of its rows only. Later processors added fs, gs, int3 and int1 to them. */
TEST(the_sensitive_are_the_seventeen)
{
	static const char *const sensitive[] = {
	        "sgdt", "sidt", "sldt", "smsw", "pushf", "pushfd", "popf", "popfd", "lar",
	        "lsl",  "verr", "verw", "pop",  "push",  "call",   "jmp",  "int",   "int1",
	        "int3", "into", "retf", "iret", "iretd", "str",    "mov",
	};
	const size_t count = sizeof(sensitive) / sizeof(sensitive[0]);
	bool found[sizeof(sensitive) / sizeof(sensitive[0])] = {false};

	for (size_t line = 1; line < opcode_rows_count; line++) {
		size_t n = 0;

		if (!(opcode_rows[line].class & CLASS_SENSITIVE))
			continue;
		while (n < count && strcmp(sensitive[n], opcode_rows[line].mnemonic) != 0)
			n++;
		CHECK(n < count);
		if (n < count)
			found[n] = true;
	}
	for (size_t n = 0; n < count; n++)
		CHECK(found[n]);
}

TEST(whatever_transfers_control_ends_a_block)
{
	for (size_t line = 1; line < opcode_rows_count; line++)
		if (opcode_rows[line].class & CLASS_CONTROL)
			CHECK(opcode_rows[line].class & CLASS_END);
}

/* LOCK is legal only where the first operand can be memory that is written. */
TEST(lock_needs_a_destination)
{
	for (size_t line = 1; line < opcode_rows_count; line++) {
		const struct opcode *row = &opcode_rows[line];

		if (!(row->properties & PROPERTY_LOCK))
			continue;
		CHECK_EQ(operand_forms[row->operands[0]][3].operand.kind, OPERAND_IS_MEMORY);
		CHECK(row->access == ACCESS_u || row->access == ACCESS_x);
	}
}

UNIT_MAIN
