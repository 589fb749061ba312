#include "monitor/instructions/opcodes.h"

/* A list in brackets, as the columns of opcodes.def have it: each name gets a prefix. */
#define FIVE_OR(prefix, a, b, c, d, e, ...) \
	(prefix##a | prefix##b | prefix##c | prefix##d | prefix##e)
#define FOUR_BYTES(prefix, a, b, c, d, ...)                \
	{                                                  \
		prefix##a, prefix##b, prefix##c, prefix##d \
	}
#define FOUR_COUNT(prefix, a, b, c, d, ...) (prefix##a + prefix##b + prefix##c + prefix##d)

#define SELECT_LIST(...)   FIVE_OR(SELECT_, __VA_ARGS__, _, _, _, _, _)
#define CLASS_LIST(...)    FIVE_OR(CLASS_, __VA_ARGS__, _, _, _, _, _)
#define PROPERTY_LIST(...) FIVE_OR(PROPERTY_, __VA_ARGS__, _, _, _, _, _)
#define NEEDS_LIST(...)    FIVE_OR(NEEDS_OF_, __VA_ARGS__, _, _, _, _, _)
#define OPERAND_LIST(...)  FOUR_BYTES(OPERAND_, __VA_ARGS__, _, _, _, _)
#define OPERAND_COUNT(...) FOUR_COUNT(COUNT_OF_, __VA_ARGS__, _, _, _, _)

/* A row that is chosen by its ModRM byte has one, though it may have no operands. */
#define SELECT_NEEDS(select) ((select)&SELECT(0x1FF, 0) ? NEEDS_MODRM : NEEDS_NOTHING)

/* What follows the address size, the vector length or an immediate is not in the tables. */
#define LATE(code, size) \
	(SIZE_##size >= SIZE_A || OPERAND_##code == OPERAND_Ldq ? NEEDS_BIT_LATE : 0)

enum needs_of_operand {
#define OPERAND(code, place, kind, size, needs) NEEDS_OF_##code = NEEDS_##needs | LATE(code, size),
#include "monitor/instructions/operands.def"
#undef OPERAND
};

enum count_of_operand {
#define OPERAND(code, place, kind, size, needs) COUNT_OF_##code = OPERAND_IS_##kind != 0,
#include "monitor/instructions/operands.def"
#undef OPERAND
};

#define ROW(row_kind, choose, name, list, how, kinds, reads, writes, undefines, further, cpu) \
	[__LINE__] = {                                                                        \
	        .mnemonic = #name,                                                            \
	        .properties = PROPERTY_LIST further,                                          \
	        .select = SELECT_LIST choose,                                                 \
	        .needs = NEEDS_LIST list | SELECT_NEEDS(SELECT_LIST choose),                  \
	        .line = __LINE__,                                                             \
	        .class = CLASS_LIST kinds,                                                    \
	        .flags_read = FLAGS_##reads,                                                  \
	        .flags_written = FLAGS_##writes,                                              \
	        .flags_undefined = FLAGS_##undefines,                                         \
	        .kind = KIND_##row_kind,                                                      \
	        .access = ACCESS_##how,                                                       \
	        .feature = FEATURE_##cpu,                                                     \
	        .operand_count = OPERAND_COUNT list,                                          \
	        .operands = OPERAND_LIST list,                                                \
	},

const struct opcode opcode_rows[] = {
#define OPCODE(map, code, ...) ROW(OPCODE, __VA_ARGS__)
#define ALSO(map, code, ...)   ROW(ALSO, __VA_ARGS__)
#define GROUP(map, code, ...)  ROW(GROUP, __VA_ARGS__)
#define PREFIX(map, code, ...) ROW(PREFIX, __VA_ARGS__)
#define ESCAPE(map, code, ...) ROW(ESCAPE, __VA_ARGS__)
#include "monitor/instructions/opcodes.def"
#undef OPCODE
#undef ALSO
#undef GROUP
#undef PREFIX
#undef ESCAPE
        /* Whoever looks for the end of an opcode's rows finds it here, too. */
        {.kind = KIND_NO_ROW},
};

const size_t opcode_rows_count = sizeof(opcode_rows) / sizeof(opcode_rows[0]) - 1;

/* An opcode that begins twice in opcodes.def is an error here: the compiler says which. A run of
 * opcodes is written as 40 ... 0x47 and becomes a range of the initialiser as it stands. */
const uint16_t opcode_index[MAP_COUNT][256] = {
#define OPCODE(map, code, ...) [MAP_##map][0x##code] = __LINE__,
#define ALSO(...)
#define GROUP  OPCODE
#define PREFIX OPCODE
#define ESCAPE OPCODE
#include "monitor/instructions/opcodes.def"
#undef OPCODE
#undef ALSO
#undef GROUP
#undef PREFIX
#undef ESCAPE
};

const uint8_t operand_places[OPERAND_CODE_COUNT] = {
#define OPERAND(code, place, kind, size, needs) [OPERAND_##code] = PLACE_##place,
#include "monitor/instructions/operands.def"
#undef OPERAND
};

enum size_in_bytes {
#define SIZE(name, register16, register32, memory16, memory32)                                     \
	BYTES_R16_##name = register16, BYTES_R32_##name = register32, BYTES_M16_##name = memory16, \
	BYTES_M32_##name = memory32,
#include "monitor/instructions/sizes.def"
#undef SIZE
};

/* Only an operand at ModRM.rm can be memory there; the others are the same in either case. */
#define KIND_IN_MEMORY(place, kind) \
	(PLACE_##place == PLACE_RM ? OPERAND_IS_MEMORY : OPERAND_IS_##kind)
#define SIZE_IN_MEMORY(place, size, width) \
	(PLACE_##place == PLACE_RM ? BYTES_M##width##_##size : BYTES_R##width##_##size)

const union operand_form operand_forms[OPERAND_CODE_COUNT][4] = {
#define OPERAND(code, place, kind, size, needs)                              \
	[OPERAND_##code] = {                                                 \
	        {{OPERAND_IS_##kind, PLACE_##place >> 5, BYTES_R16_##size}}, \
	        {{OPERAND_IS_##kind, PLACE_##place >> 5, BYTES_R32_##size}}, \
	        {{KIND_IN_MEMORY(place, kind), PLACE_##place >> 5,           \
	          SIZE_IN_MEMORY(place, size, 16)}},                         \
	        {{KIND_IN_MEMORY(place, kind), PLACE_##place >> 5,           \
	          SIZE_IN_MEMORY(place, size, 32)}},                         \
	},
#include "monitor/instructions/operands.def"
#undef OPERAND
};

const char *const opcode_feature_names[FEATURE_COUNT] = {
#define FEATURE(name) #name,
#include "monitor/instructions/features.def"
#undef FEATURE
};
