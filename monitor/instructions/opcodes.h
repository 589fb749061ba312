/* The one table of opcodes, as C sees it: opcodes.def, operands.def and sizes.def expanded into
 * constant arrays.
 *
 * It promises that opcode_rows[N] is the row that stands on line N of opcodes.def, so that a row's
 * number is also the place where a person finds it, and that opcode_index[map][byte] is the first
 * row for that opcode, or 0 when there is none (which is #UD). Rows that share an opcode follow
 * each other; the first whose conditions (select) hold is the one. It must not know what becomes of
 * an instruction: that is for the decoder and everybody above. */
#ifndef MONITOR_INSTRUCTIONS_OPCODES_H
#define MONITOR_INSTRUCTIONS_OPCODES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Which opcode table a byte is looked up in. */
enum opcode_map {
	MAP_BASE,
	MAP_0F,
	MAP_0F38,
	MAP_0F3A,
	MAP_0F0F,
	MAP_VEX0F,
	MAP_VEX0F38,
	MAP_VEX0F3A,
	MAP_EVEX0F,
	MAP_EVEX0F38,
	MAP_EVEX0F3A,
	MAP_EVEX5,
	MAP_EVEX6,
	MAP_XOP8,
	MAP_XOP9,
	MAP_XOPA,
	MAP_COUNT,
};

enum opcode_kind {
	KIND_NO_ROW,
	KIND_OPCODE, /* the first row of an opcode, or of a run of opcodes */
	KIND_ALSO,   /* a further row for the same opcode */
	KIND_GROUP,  /* the first of eight rows, one for each value of ModRM.reg */
	KIND_PREFIX, /* a legacy prefix */
	KIND_ESCAPE, /* leads to another map, always or when the next byte says so */
};

/* The word that the select column of a row is compared with: the ModRM byte and what else tells
 * rows of one opcode apart. A condition is a mask in the upper half and a value in the lower. */
enum opcode_select_bits {
	SELECT_BIT_REGISTER = 1 << 8,
	SELECT_SHIFT_PREFIX = 9,
	SELECT_BIT_O32 = 1 << 11,
	SELECT_BIT_A32 = 1 << 12,
	SELECT_BIT_W = 1 << 13,
	SELECT_BIT_L = 1 << 14,
};

/* The mandatory prefix, numbered as in a VEX prefix. */
enum opcode_mandatory { MANDATORY_NONE, MANDATORY_66, MANDATORY_F3, MANDATORY_F2 };

#define SELECT(mask, value) ((uint32_t)(mask) << 16 | (uint32_t)(value))
#define SELECT__            0u
#define SELECT_ANY          0u
#define SELECT_NP           SELECT(3 << SELECT_SHIFT_PREFIX, MANDATORY_NONE << SELECT_SHIFT_PREFIX)
#define SELECT_P66          SELECT(3 << SELECT_SHIFT_PREFIX, MANDATORY_66 << SELECT_SHIFT_PREFIX)
#define SELECT_PF3          SELECT(3 << SELECT_SHIFT_PREFIX, MANDATORY_F3 << SELECT_SHIFT_PREFIX)
#define SELECT_PF2          SELECT(3 << SELECT_SHIFT_PREFIX, MANDATORY_F2 << SELECT_SHIFT_PREFIX)
#define SELECT_NF           SELECT(2 << SELECT_SHIFT_PREFIX, 0)
#define SELECT_R(number)    SELECT(7 << 3, (number) << 3)
#define SELECT_R0           SELECT_R(0)
#define SELECT_R1           SELECT_R(1)
#define SELECT_R2           SELECT_R(2)
#define SELECT_R3           SELECT_R(3)
#define SELECT_R4           SELECT_R(4)
#define SELECT_R5           SELECT_R(5)
#define SELECT_R6           SELECT_R(6)
#define SELECT_R7           SELECT_R(7)
#define SELECT_RM0          SELECT(7, 0)
#define SELECT_RM1          SELECT(7, 1)
#define SELECT_RM2          SELECT(7, 2)
#define SELECT_RM3          SELECT(7, 3)
#define SELECT_RM4          SELECT(7, 4)
#define SELECT_RM5          SELECT(7, 5)
#define SELECT_RM6          SELECT(7, 6)
#define SELECT_RM7          SELECT(7, 7)
#define SELECT_REG          SELECT(SELECT_BIT_REGISTER, SELECT_BIT_REGISTER)
#define SELECT_MEM          SELECT(SELECT_BIT_REGISTER, 0)
#define SELECT_O16          SELECT(SELECT_BIT_O32, 0)
#define SELECT_O32          SELECT(SELECT_BIT_O32, SELECT_BIT_O32)
#define SELECT_A16          SELECT(SELECT_BIT_A32, 0)
#define SELECT_A32          SELECT(SELECT_BIT_A32, SELECT_BIT_A32)
#define SELECT_W0           SELECT(SELECT_BIT_W, 0)
#define SELECT_W1           SELECT(SELECT_BIT_W, SELECT_BIT_W)
#define SELECT_L0           SELECT(SELECT_BIT_L, 0)
#define SELECT_L1           SELECT(SELECT_BIT_L, SELECT_BIT_L)

/* What an instruction is to a monitor that runs it with too little privilege. Bits, because a far
 * call is control flow and sensitive and loads a segment. */
enum opcode_class {
	CLASS__ = 0,
	CLASS_INNOCUOUS = 0,       /* does the same in ring 1 and ring 3 as in ring 0: copy it */
	CLASS_CONTROL = 1 << 0,    /* goes, or may go, elsewhere than to the next instruction */
	CLASS_PRIVILEGED = 1 << 1, /* faults unless CPL (or IOPL) allows it: it can be trapped */
	CLASS_SENSITIVE = 1 << 2,  /* the famous seventeen: needs privilege, but does not fault */
	CLASS_IO = 1 << 3,         /* touches a port: faults unless IOPL or the bitmap allows it */
	CLASS_SEGMENT = 1 << 4,    /* loads a segment register */
	CLASS_END = 1 << 5,        /* nothing after it may be decoded ahead: it ends a block */
	CLASS_HOLD = 1 << 6,       /* holds interrupts off until the next instruction is done */
	CLASS_REVEALS = 1 << 7,    /* tells any program about the machine underneath */
	CLASS_UNDEFINED = 1 << 8,  /* our guests have not got it: always #UD */
};

enum opcode_access {
	ACCESS_n, /* operands are not accessed (lea, prefetches), or there are none */
	ACCESS_r, /* all operands are read */
	ACCESS_w, /* the first operand is written, the others read */
	ACCESS_u, /* the first operand is read and written, the others read */
	ACCESS_x, /* the first two operands are read and written */
};

/* EFLAGS, by the letters of the manuals. ALL includes what lies above bit 15. */
enum opcode_flags {
	FLAGS__ = 0,
	FLAGS_C = 0x0001,
	FLAGS_P = 0x0004,
	FLAGS_A = 0x0010,
	FLAGS_Z = 0x0040,
	FLAGS_S = 0x0080,
	FLAGS_T = 0x0100,
	FLAGS_I = 0x0200,
	FLAGS_D = 0x0400,
	FLAGS_O = 0x0800,
	FLAGS_ALL = 0xFFFF,
	FLAGS_AC = FLAGS_A | FLAGS_C,
	FLAGS_CZ = FLAGS_C | FLAGS_Z,
	FLAGS_IT = FLAGS_I | FLAGS_T,
	FLAGS_OA = FLAGS_O | FLAGS_A,
	FLAGS_OAC = FLAGS_O | FLAGS_AC,
	FLAGS_OC = FLAGS_O | FLAGS_C,
	FLAGS_SO = FLAGS_S | FLAGS_O,
	FLAGS_ZC = FLAGS_Z | FLAGS_C,
	FLAGS_ZSO = FLAGS_Z | FLAGS_SO,
	FLAGS_SZP = FLAGS_S | FLAGS_Z | FLAGS_P,
	FLAGS_SZPC = FLAGS_SZP | FLAGS_C,
	FLAGS_SZAP = FLAGS_SZP | FLAGS_A,
	FLAGS_SZAPC = FLAGS_SZAP | FLAGS_C,
	FLAGS_OSAP = FLAGS_SO | FLAGS_A | FLAGS_P,
	FLAGS_OSAPC = FLAGS_OSAP | FLAGS_C,
	FLAGS_AP = FLAGS_A | FLAGS_P,
	FLAGS_SAP = FLAGS_S | FLAGS_AP,
	FLAGS_OZC = FLAGS_O | FLAGS_ZC,
	FLAGS_OSZC = FLAGS_S | FLAGS_OZC,
	FLAGS_OSZP = FLAGS_SZP | FLAGS_O,
	FLAGS_OSZPC = FLAGS_OSZP | FLAGS_C,
	FLAGS_OSZAP = FLAGS_OSZP | FLAGS_A,
	FLAGS_OSZAPC = FLAGS_OSZAP | FLAGS_C,
};

enum opcode_property {
	PROPERTY__ = 0,
	PROPERTY_LOCK = 1 << 0,  /* may have a LOCK prefix when its first operand is memory */
	PROPERTY_REP = 1 << 1,   /* F2 and F3 repeat it (E)CX times */
	PROPERTY_REPCC = 1 << 2, /* F3 repeats it while equal, F2 while not equal */
	PROPERTY_KEEPS = 1 << 3, /* changes no flag when its count is zero */
	PROPERTY_BITS = 1 << 4,  /* a bit number in a register reaches beyond a memory operand */
	PROPERTY_PUSH = 1 << 5,  /* writes the stack, moves (E)SP */
	PROPERTY_POP = 1 << 6,   /* reads the stack, moves (E)SP */
	PROPERTY_COUNT = 1 << 7, /* tests CX or ECX, as the address size says */
	PROPERTY_READ = 1 << 8,  /* reads memory that is no operand */
	PROPERTY_WRITE = 1 << 9, /* writes memory that is no operand */
	PROPERTY_X87 = 1 << 10,  /* uses the x87 and MMX registers, in part or all */
	PROPERTY_XMM0 = 1 << 11, /* XMM0 is an implied operand */
	PROPERTY_EAX = 1 << 12,  /* EAX, or part of it, is an implied operand; and so on */
	PROPERTY_ECX = 1 << 13,
	PROPERTY_EDX = 1 << 14,
	PROPERTY_EBX = 1 << 15,
	PROPERTY_EBP = 1 << 17,
	PROPERTY_ESI = 1 << 18,
	PROPERTY_EDI = 1 << 19,
	PROPERTY_ALL = 0xFF << 12, /* all eight general registers */
};

/* The first processor, or the CPUID feature, that has the instruction. */
enum opcode_feature {
#define FEATURE(name) FEATURE_##name,
#include "monitor/instructions/features.def"
#undef FEATURE
	FEATURE_COUNT,
};

enum operand_code {
#define OPERAND(code, place, kind, size, needs) OPERAND_##code,
#include "monitor/instructions/operands.def"
#undef OPERAND
	OPERAND_CODE_COUNT,
};

/* Where the number of a register operand comes from: the low five bits say how far to shift the
 * word that the decoder gathers its fields in, the bits above are the number of a register that the
 * opcode implies. IS4 is filled in late. */
enum operand_place {
	PLACE_RM = 0,
	PLACE_REG = 3,
	PLACE_LOW = 8,
	PLACE_VVVV = 16,
	PLACE_NOWHERE = 24,
	PLACE_IS4 = PLACE_NOWHERE,
	PLACE_FIX0 = PLACE_NOWHERE | 0 << 5,
	PLACE_FIX1 = PLACE_NOWHERE | 1 << 5,
	PLACE_FIX2 = PLACE_NOWHERE | 2 << 5,
	PLACE_FIX3 = PLACE_NOWHERE | 3 << 5,
	PLACE_FIX4 = PLACE_NOWHERE | 4 << 5,
	PLACE_FIX5 = PLACE_NOWHERE | 5 << 5,
};

/* What an operand is once it is resolved. */
enum operand_kind {
	OPERAND_IS_NONE,
	OPERAND_IS_GENERAL, /* a general register: AL to BH, AX to DI, EAX to EDI, as its size says
	                     */
	OPERAND_IS_SEGMENT,
	OPERAND_IS_CONTROL,
	OPERAND_IS_DEBUG,
	OPERAND_IS_X87,
	OPERAND_IS_MMX,
	OPERAND_IS_XMM,         /* YMM when its size is 32 */
	OPERAND_IS_MASK,        /* K0 to K7 of AVX-512 */
	OPERAND_IS_MEMORY,      /* the instruction's memory operand */
	OPERAND_IS_SOURCE,      /* memory at segment:(E)SI, the segment as for a memory operand */
	OPERAND_IS_DESTINATION, /* memory at ES:(E)DI */
	OPERAND_IS_IMMEDIATE,
	OPERAND_IS_SECOND, /* the second immediate */
	OPERAND_IS_ONE,    /* the constant 1 */
	OPERAND_IS_RELATIVE,
	OPERAND_IS_FAR,
};

enum operand_size {
#define SIZE(name, register16, register32, memory16, memory32) SIZE_##name,
#include "monitor/instructions/sizes.def"
#undef SIZE
	SIZE_COUNT,
};

/* In the place of a size that only the decoder can tell. */
enum late_size { LATE_ADDRESS = 0xFFFE, LATE_VECTOR = 0xFFFF };

/* What an operand asks of the encoding. A row has the union of its operands' needs. */
enum operand_needs {
	NEEDS_NOTHING = 0,
	NEEDS_BIT_MODRM = 1 << 0,
	NEEDS_BIT_MEMORY = 1 << 1,
	NEEDS_BIT_REGISTER = 1 << 2,
	NEEDS_BIT_SEGMENT = 1 << 3,
	NEEDS_BIT_CONTROL = 1 << 4,
	NEEDS_BIT_VSIB = 1 << 5,
	NEEDS_BIT_MOD_IGNORED = 1 << 6,
	NEEDS_BIT_VVVV = 1 << 7,
	NEEDS_BIT_LATE = 1 << 8,
	NEEDS_BIT_SUFFIX = 1 << 17,
	NEEDS_MOFFS = 1 << 9,
	NEEDS_IMM8 = 1 << 10,
	NEEDS_IMM8S = 1 << 11,
	NEEDS_IMM16 = 1 << 12,
	NEEDS_IMM32 = 1 << 13,
	NEEDS_IMMZ = 1 << 14,
	NEEDS_FAR = 1 << 15,
	NEEDS_SECOND8 = 1 << 16,

	NEEDS_MODRM = NEEDS_BIT_MODRM,
	NEEDS_MUST_BE_MEMORY = NEEDS_MODRM | NEEDS_BIT_MEMORY,
	NEEDS_MUST_BE_VSIB = NEEDS_MUST_BE_MEMORY | NEEDS_BIT_VSIB,
	NEEDS_MUST_BE_REGISTER = NEEDS_MODRM | NEEDS_BIT_REGISTER,
	NEEDS_MOD_IGNORED = NEEDS_MODRM | NEEDS_BIT_MOD_IGNORED,
	NEEDS_SEGMENT_REG = NEEDS_MODRM | NEEDS_BIT_SEGMENT,
	NEEDS_CONTROL_REG = NEEDS_MODRM | NEEDS_BIT_CONTROL,
	NEEDS_USES_VVVV = NEEDS_MODRM | NEEDS_BIT_VVVV,
	NEEDS_IMMEDIATES = NEEDS_IMM8 | NEEDS_IMM8S | NEEDS_IMM16 | NEEDS_IMM32 | NEEDS_IMMZ |
	                   NEEDS_FAR | NEEDS_SECOND8,
	NEEDS_CHECKS = NEEDS_BIT_MEMORY | NEEDS_BIT_REGISTER | NEEDS_BIT_SEGMENT |
	               NEEDS_BIT_CONTROL | NEEDS_BIT_VSIB | NEEDS_BIT_SUFFIX,
	NEEDS_SUFFIX = NEEDS_IMM8 | NEEDS_BIT_SUFFIX,
	NEEDS_TRAILER = NEEDS_MOFFS | NEEDS_IMMEDIATES,
};

#define OPCODE_OPERANDS 4

/* An operand, resolved. */
struct operand {
	uint8_t kind;   /* enum operand_kind */
	uint8_t number; /* of the register; means nothing for other kinds */
	uint16_t size;  /* in bytes, 0 when there is none or it depends on more than the encoding */
};

struct opcode {
	const char *mnemonic;
	uint32_t properties;
	uint32_t select; /* mask << 16 | value */
	uint32_t needs;
	uint16_t line; /* of opcodes.def: the row's own number */
	uint16_t class;
	uint16_t flags_read, flags_written, flags_undefined;
	uint8_t kind;
	uint8_t access;
	uint8_t feature;
	uint8_t operand_count;
	uint8_t operands[OPCODE_OPERANDS];
};

/* The same as one word, for the decoder: the number is in its second byte. */
union operand_form {
	struct operand operand;
	uint32_t word;
};

#define OPERAND_NUMBER_SHIFT 8

_Static_assert(sizeof(struct operand) == 4 && offsetof(struct operand, number) == 1,
               "an operand is a word with the number in its second byte");

extern const struct opcode opcode_rows[];
extern const size_t opcode_rows_count; /* one more than the last line that has a row */
extern const uint16_t opcode_index[MAP_COUNT][256];
extern const uint8_t operand_places[OPERAND_CODE_COUNT];

/* What becomes of an operand code: [2 when ModRM says memory, plus 1 with 32-bit operands]. */
extern const union operand_form operand_forms[OPERAND_CODE_COUNT][4];
extern const char *const opcode_feature_names[FEATURE_COUNT];

#endif
