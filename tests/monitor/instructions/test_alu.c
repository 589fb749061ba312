#include "tests/unit.h"

#include <setjmp.h>
#include <signal.h>

#include "monitor/instructions/alu.h"
#include "monitor/instructions/opcodes.h"

/* Nearly every function is compared with the processor that the test runs on. Which flags are
 * compared, and which must stay as they were, comes from opcodes.def: so its columns are tested,
 * too. */
#define STATUS    FLAGS_OSZAPC
#define RANDOMS   150000
#define EDGES_MAX 24

static uint64_t random_state = 0x9E3779B97F4A7C15u;

static uint32_t random_next(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (uint32_t)(random_state >> 16);
}

static const uint32_t edges[EDGES_MAX] = {
        0,      1,      2,      3,       0x0F,       0x10,       0x1F,       0x20,
        0x7E,   0x7F,   0x80,   0x81,    0xFE,       0xFF,       0x100,      0x7FFF,
        0x8000, 0x8001, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0x80000001, 0xFFFFFFFF,
};

/* Runs an instruction with given flags. The 128 bytes below the stack pointer are the compiler's.
 */
#define WITH_FLAGS(text)                                         \
	"lea -128(%%rsp), %%rsp\n\tpush %q[f]\n\tpopfq\n\t" text \
	"\n\tpushfq\n\tpop %q[f]\n\tlea 128(%%rsp), %%rsp"

/* r is the destination, c the source or the count (in ECX), f the flags. */
#define ASM(text) __asm__ volatile(WITH_FLAGS(text) : [r] "+a"(r), [f] "+d"(f) : [c] "c"(c) : "cc")

#define NATIVE(name, text1, text2, text4)                                                         \
	static uint32_t native_##name(unsigned int size, uint32_t a, uint32_t b, uint32_t *flags) \
	{                                                                                         \
		uint64_t r = a, c = b, f = *flags | 2;                                            \
		if (size == 1)                                                                    \
			ASM(text1);                                                               \
		else if (size == 2)                                                               \
			ASM(text2);                                                               \
		else                                                                              \
			ASM(text4);                                                               \
		*flags = (uint32_t)f & STATUS;                                                    \
		return (uint32_t)(size == 4 ? r : r & ((1u << size * 8) - 1));                    \
	}

#define NATIVE_BINARY(op) NATIVE(op, #op "b %%cl, %%al", #op "w %%cx, %%ax", #op "l %%ecx, %%eax")
#define NATIVE_UNARY(op)  NATIVE(op, #op "b %%al", #op "w %%ax", #op "l %%eax")
#define NATIVE_SHIFT(op)  NATIVE(op, #op "b %%cl, %%al", #op "w %%cl, %%ax", #op "l %%cl, %%eax")
#define NATIVE_WORDS(op)  NATIVE(op, "ud2", #op "w %%cx, %%ax", #op "l %%ecx, %%eax")

NATIVE_BINARY(add)
NATIVE_BINARY(adc)
NATIVE_BINARY(sub)
NATIVE_BINARY(sbb)
NATIVE_BINARY(and)
NATIVE_BINARY(or)
NATIVE_BINARY(xor)
NATIVE_UNARY(inc)
NATIVE_UNARY(dec)
NATIVE_UNARY(neg)
NATIVE_UNARY(not )
NATIVE_SHIFT(shl)
NATIVE_SHIFT(shr)
NATIVE_SHIFT(sar)
NATIVE_SHIFT(rol)
NATIVE_SHIFT(ror)
NATIVE_SHIFT(rcl)
NATIVE_SHIFT(rcr)
NATIVE_WORDS(bt)
NATIVE_WORDS(bts)
NATIVE_WORDS(btr)
NATIVE_WORDS(btc)
NATIVE_WORDS(bsf)
NATIVE_WORDS(bsr)
NATIVE_WORDS(popcnt)
NATIVE_WORDS(tzcnt)
NATIVE_WORDS(lzcnt)

/* The row that tells the flags of an instruction: the first with this mnemonic and opcode map. */
static const struct opcode *row_of(const char *mnemonic, enum opcode_map map, uint8_t opcode)
{
	size_t line = opcode_index[map][opcode];

	while (strcmp(opcode_rows[line].mnemonic, mnemonic) != 0) {
		line++;
		if (opcode_rows[line].kind != KIND_ALSO) {
			printf("opcode %02x has no row for %s\n", opcode, mnemonic);
			unit_failed = true;
			return &opcode_rows[opcode_index[map][opcode]];
		}
	}
	return &opcode_rows[line];
}

struct subject {
	const char *mnemonic;
	unsigned int size;
	const struct opcode *row;
};

/* ours and theirs come from the same a, b and flags. A flag must agree unless it is undefined; one
 * that is neither written nor undefined must be what it was. */
static bool agree(const struct subject *subject, uint32_t a, uint32_t b, uint32_t flags,
                  struct alu_result ours, struct alu_result theirs)
{
	uint32_t defined = STATUS & ~(uint32_t)subject->row->flags_undefined;
	uint32_t kept = defined & ~(uint32_t)subject->row->flags_written;

	if (ours.value == theirs.value && ((ours.flags ^ theirs.flags) & defined) == 0 &&
	    ((theirs.flags ^ flags) & kept) == 0)
		return true;
	printf("%s, size %u: %x, %x, flags %x: got %x, flags %x; the processor %x, flags %x\n",
	       subject->mnemonic, subject->size, a, b, flags, ours.value, ours.flags & STATUS,
	       theirs.value, theirs.flags);
	unit_failed = true;
	return false;
}

typedef struct alu_result ours_function(unsigned int size, uint32_t a, uint32_t b, uint32_t flags);
typedef uint32_t native_function(unsigned int size, uint32_t a, uint32_t b, uint32_t *flags);

static bool compare_one(const struct subject *subject, ours_function *ours, native_function *native,
                        uint32_t a, uint32_t b, uint32_t flags)
{
	struct alu_result theirs = {0, flags};

	theirs.value = native(subject->size, a, b, &theirs.flags);
	return agree(subject, a, b, flags, ours(subject->size, a, b, flags), theirs);
}

/* All pairs of edge values with no, all and some flags, then random ones. Stops at the first error.
 */
static void compare(const struct subject *subject, ours_function *ours, native_function *native)
{
	static const uint32_t before[] = {0, STATUS, FLAGS_C, FLAGS_A, STATUS & ~FLAGS_C};

	for (unsigned int n = 0; n < EDGES_MAX * EDGES_MAX * 5; n++)
		if (!compare_one(subject, ours, native, edges[n % EDGES_MAX],
		                 edges[n / EDGES_MAX % EDGES_MAX], before[n % 5]))
			return;
	for (unsigned int n = 0; n < RANDOMS; n++)
		if (!compare_one(subject, ours, native, random_next(), random_next(),
		                 random_next() & STATUS))
			return;
}

static void compare_sizes(const char *mnemonic, const struct opcode *row, unsigned int from,
                          ours_function *ours, native_function *native)
{
	for (unsigned int size = from; size <= 4; size *= 2) {
		struct subject subject = {mnemonic, size, row};

		compare(&subject, ours, native);
	}
}

#define COMPARE(op, opcode) \
	compare_sizes(#op, row_of(#op, MAP_BASE, opcode), 1, alu_##op, native_##op)

TEST(sums_and_logic)
{
	COMPARE(add, 0x01);
	COMPARE(adc, 0x11);
	COMPARE(sub, 0x29);
	COMPARE(sbb, 0x19);
	COMPARE(and, 0x21);
	COMPARE(or, 0x09);
	COMPARE(xor, 0x31);
}

/* CMP and TEST are SUB and AND without a result; their rows must say the same of the flags. */
TEST(comparisons_have_the_flags_of_subtraction_and_and)
{
	const struct opcode *cmp = row_of("cmp", MAP_BASE, 0x39),
	                    *sub = row_of("sub", MAP_BASE, 0x29);
	const struct opcode *test = row_of("test", MAP_BASE, 0x85),
	                    *and = row_of("and", MAP_BASE, 0x21);

	CHECK_EQ(cmp->flags_written, sub->flags_written);
	CHECK_EQ(test->flags_written, and->flags_written);
	CHECK_EQ(test->flags_undefined, and->flags_undefined);
}

#define UNARY(op)                                                                     \
	static struct alu_result ours_##op(unsigned int size, uint32_t a, uint32_t b, \
	                                   uint32_t flags)                            \
	{                                                                             \
		(void)b;                                                              \
		return alu_##op(size, a, flags);                                      \
	}

UNARY(inc)
UNARY(dec)
UNARY(neg)
UNARY(not )

TEST(one_operand)
{
	compare_sizes("inc", row_of("inc", MAP_BASE, 0xFF), 1, ours_inc, native_inc);
	compare_sizes("dec", row_of("dec", MAP_BASE, 0xFF), 1, ours_dec, native_dec);
	compare_sizes("neg", row_of("neg", MAP_BASE, 0xF7), 1, ours_neg, native_neg);
	compare_sizes("not", row_of("not", MAP_BASE, 0xF7), 1, ours_not, native_not);
}

/* By one the table's row D1 holds, by more its row D3, by zero no flag changes. A shift (not a
 * rotation, not SAR) by the operand's width or more leaves the carry undefined as well. */
static void compare_shift(const char *mnemonic, ours_function *ours, native_function *native)
{
	const struct opcode *by_one = row_of(mnemonic, MAP_BASE, 0xD1);
	const struct opcode *by_more = row_of(mnemonic, MAP_BASE, 0xD3);
	bool loses_carry = mnemonic[0] == 's' && mnemonic[2] != 'r';
	struct opcode nothing = *by_more, too_far = *by_more;

	loses_carry = loses_carry || strcmp(mnemonic, "shr") == 0;
	nothing.flags_written = 0;
	nothing.flags_undefined = 0;
	too_far.flags_written &= ~FLAGS_C;
	too_far.flags_undefined |= FLAGS_C;
	for (unsigned int n = 0; n < 3 * 64 * 4000; n++) {
		unsigned int size = 1u << n % 3, count = n / 3 % 64, by = count & 31;
		uint32_t a = n & 1 ? random_next() : edges[random_next() % EDGES_MAX];
		struct subject subject = {mnemonic, size, by_more};

		if (by == 0)
			subject.row = &nothing;
		else if (by == 1)
			subject.row = by_one;
		else if (loses_carry && by >= size * 8)
			subject.row = &too_far;
		if (!compare_one(&subject, ours, native, a, count, random_next() & STATUS))
			return;
	}
}

TEST(shifts_and_rotations)
{
	compare_shift("shl", alu_shl, native_shl);
	compare_shift("shr", alu_shr, native_shr);
	compare_shift("sar", alu_sar, native_sar);
	compare_shift("rol", alu_rol, native_rol);
	compare_shift("ror", alu_ror, native_ror);
	compare_shift("rcl", alu_rcl, native_rcl);
	compare_shift("rcr", alu_rcr, native_rcr);
}

#define NATIVE_DOUBLE(op)                                                                      \
	static uint32_t native_##op(unsigned int size, uint32_t a, uint32_t b, uint32_t count, \
	                            uint32_t *flags)                                           \
	{                                                                                      \
		uint64_t r = a, c = count, f = *flags | 2, s = b;                              \
		if (size == 2)                                                                 \
			__asm__ volatile(WITH_FLAGS(#op "w %%cl, %%si, %%ax")                  \
			                 : [r] "+a"(r), [f] "+d"(f)                            \
			                 : [c] "c"(c), [s] "S"(s)                              \
			                 : "cc");                                              \
		else                                                                           \
			__asm__ volatile(WITH_FLAGS(#op "l %%cl, %%esi, %%eax")                \
			                 : [r] "+a"(r), [f] "+d"(f)                            \
			                 : [c] "c"(c), [s] "S"(s)                              \
			                 : "cc");                                              \
		*flags = (uint32_t)f & STATUS;                                                 \
		return (uint32_t)(size == 4 ? r : r & 0xFFFF);                                 \
	}

NATIVE_DOUBLE(shld)
NATIVE_DOUBLE(shrd)

TEST(double_shifts)
{
	for (unsigned int n = 0; n < 64 * 8000; n++) {
		unsigned int size = n & 1 ? 4 : 2, count = n / 2 % 64, by = count & 31;
		uint32_t a = random_next(), b = random_next(), flags = random_next() & STATUS;
		struct opcode none = {.flags_undefined = 0};
		struct subject left = {"shld", size, by ? row_of("shld", MAP_0F, 0xA5) : &none};
		struct subject right = {"shrd", size, by ? row_of("shrd", MAP_0F, 0xAD) : &none};
		struct alu_result theirs_left = {0, flags}, theirs_right = {0, flags};

		/* Beyond 16 bits nothing is defined. */
		if (size == 2 && by > 16)
			continue;
		theirs_left.value = native_shld(size, a, b, count, &theirs_left.flags);
		theirs_right.value = native_shrd(size, a, b, count, &theirs_right.flags);
		if (!agree(&left, a, b, flags, alu_shld(size, a, b, count, flags), theirs_left) ||
		    !agree(&right, a, b, flags, alu_shrd(size, a, b, count, flags), theirs_right))
			return;
	}
}

TEST(bit_tests)
{
	compare_sizes("bt", row_of("bt", MAP_0F, 0xA3), 2, alu_bt, native_bt);
	compare_sizes("bts", row_of("bts", MAP_0F, 0xAB), 2, alu_bts, native_bts);
	compare_sizes("btr", row_of("btr", MAP_0F, 0xB3), 2, alu_btr, native_btr);
	compare_sizes("btc", row_of("btc", MAP_0F, 0xBB), 2, alu_btc, native_btc);
}

#define COUNTS(op)                                                                    \
	static struct alu_result ours_##op(unsigned int size, uint32_t a, uint32_t b, \
	                                   uint32_t flags)                            \
	{                                                                             \
		(void)a;                                                              \
		return alu_##op(size, b, flags);                                      \
	}

COUNTS(popcnt)
COUNTS(tzcnt)
COUNTS(lzcnt)

TEST(bit_scans_and_counts)
{
	compare_sizes("bsf", row_of("bsf", MAP_0F, 0xBC), 2, alu_bsf, native_bsf);
	compare_sizes("bsr", row_of("bsr", MAP_0F, 0xBD), 2, alu_bsr, native_bsr);
	if (__builtin_cpu_supports("popcnt"))
		compare_sizes("popcnt", row_of("popcnt", MAP_0F, 0xB8), 2, ours_popcnt,
		              native_popcnt);
	/* Where they are missing they are BSF and BSR with a prefix. */
	if (__builtin_cpu_supports("bmi"))
		compare_sizes("tzcnt", row_of("tzcnt", MAP_0F, 0xBC), 2, ours_tzcnt, native_tzcnt);
	if (__builtin_cpu_supports("lzcnt"))
		compare_sizes("lzcnt", row_of("lzcnt", MAP_0F, 0xBD), 2, ours_lzcnt, native_lzcnt);
}

/* EDX:EAX, DX:AX or AX, as one of these instructions leaves it. */
#define NATIVE_WIDE(name, text1, text2, text4)                                                  \
	static void native_##name(unsigned int size, uint32_t *high, uint32_t *low, uint32_t b, \
	                          uint32_t *flags)                                              \
	{                                                                                       \
		uint64_t r = *low, d = *high, f = *flags | 2, c = b;                            \
		if (size == 1) {                                                                \
			r = (r & 0xFF) | (d & 0xFF) << 8;                                       \
			__asm__ volatile(WITH_FLAGS(text1)                                      \
			                 : [r] "+a"(r), [f] "+S"(f), [d] "+d"(d)                \
			                 : [c] "c"(c)                                           \
			                 : "cc");                                               \
			d = r >> 8 & 0xFF;                                                      \
			r &= 0xFF;                                                              \
		} else if (size == 2) {                                                         \
			__asm__ volatile(WITH_FLAGS(text2)                                      \
			                 : [r] "+a"(r), [f] "+S"(f), [d] "+d"(d)                \
			                 : [c] "c"(c)                                           \
			                 : "cc");                                               \
			r &= 0xFFFF;                                                            \
			d &= 0xFFFF;                                                            \
		} else {                                                                        \
			__asm__ volatile(WITH_FLAGS(text4)                                      \
			                 : [r] "+a"(r), [f] "+S"(f), [d] "+d"(d)                \
			                 : [c] "c"(c)                                           \
			                 : "cc");                                               \
		}                                                                               \
		*low = (uint32_t)r;                                                             \
		*high = (uint32_t)d;                                                            \
		*flags = (uint32_t)f & STATUS;                                                  \
	}

NATIVE_WIDE(mul, "mulb %%cl", "mulw %%cx", "mull %%ecx")
NATIVE_WIDE(imul, "imulb %%cl", "imulw %%cx", "imull %%ecx")
NATIVE_WIDE(div, "divb %%cl", "divw %%cx", "divl %%ecx")
NATIVE_WIDE(idiv, "idivb %%cl", "idivw %%cx", "idivl %%ecx")

static uint32_t operand_next(unsigned int n, unsigned int size)
{
	uint32_t value = n & 1 ? random_next() : edges[random_next() % EDGES_MAX];

	return size == 4 ? value : value & ((1u << size * 8) - 1);
}

TEST(products)
{
	for (unsigned int n = 0; n < 900000; n++) {
		unsigned int size = 1u << n % 3;
		uint32_t a = operand_next(n, size), b = operand_next(n / 2, size);
		uint32_t flags = random_next() & STATUS;
		struct subject subject = {n & 1 ? "imul" : "mul", size, NULL};
		struct alu_product ours;
		struct alu_result theirs = {a, flags};
		uint32_t high = 0;

		subject.row = row_of(subject.mnemonic, MAP_BASE, 0xF7);
		ours = n & 1 ? alu_imul(size, a, b, flags) : alu_mul(size, a, b, flags);
		(n & 1 ? native_imul : native_mul)(size, &high, &theirs.value, b, &theirs.flags);
		CHECK_EQ(ours.high, high);
		if (!agree(&subject, a, b, flags, (struct alu_result){ours.low, ours.flags},
		           theirs))
			return;
	}
}

static sigjmp_buf divide_error;

static void on_divide_error(int signal)
{
	(void)signal;
	siglongjmp(divide_error, 1);
}

typedef void native_divide(unsigned int size, uint32_t *high, uint32_t *low, uint32_t b,
                           uint32_t *flags);

static void compare_division(native_divide *native, bool is_signed, unsigned int n)
{
	unsigned int size = 1u << n % 3;
	uint32_t high = operand_next(n / 3, size), low = operand_next(n / 6, size);
	uint32_t divisor = operand_next(n / 12, size), flags = 0;
	struct alu_quotient ours;
	volatile bool error = true;
	uint32_t quotient = low, remainder = high;

	/* Without this nearly every quotient would be too large. */
	if (n & 4 && divisor)
		high = remainder =
		        is_signed ? (low >> (size * 8 - 1) & 1 ? ~0u : 0) : high % divisor;
	ours = (is_signed ? alu_idiv : alu_div)(size, high, low, divisor);
	if (sigsetjmp(divide_error, 1) == 0) {
		native(size, &remainder, &quotient, divisor, &flags);
		error = false;
	}
	if (ours.error != error ||
	    (!error && (ours.quotient != quotient || ours.remainder != remainder))) {
		printf("%sdiv, size %u: %x:%x by %x: got %x, rest %x, error %d; the processor %x, "
		       "rest %x, error %d\n",
		       is_signed ? "i" : "", size, high, low, divisor, ours.quotient,
		       ours.remainder, ours.error, quotient, remainder, error);
		unit_failed = true;
	}
}

TEST(quotients)
{
	struct sigaction action = {.sa_handler = on_divide_error}, before;

	sigaction(SIGFPE, &action, &before);
	for (unsigned int n = 0; n < 600000 && !unit_failed; n++)
		compare_division(n & 1 ? native_idiv : native_div, n & 1, n / 2);
	/* The largest quotients, and the first that do not fit. */
	CHECK(alu_idiv(1, 0xC0, 0x00, 0x80).error);
	CHECK(!alu_idiv(1, 0xC0, 0x7F, 0x80).error);
	CHECK(alu_idiv(4, 0x80000000, 0, 0xFFFFFFFF).error);
	CHECK(alu_idiv(4, 0xFFFFFFFF, 0x80000000, 0xFFFFFFFF).error);
	CHECK(!alu_idiv(4, 0xFFFFFFFF, 0x80000000, 1).error);
	sigaction(SIGFPE, &before, NULL);
}

TEST(exchanges)
{
	for (unsigned int n = 0; n < 300000; n++) {
		unsigned int size = 1u << n % 3;
		uint32_t destination = operand_next(n, size), source = operand_next(n + 1, size);
		uint32_t accumulator = n & 8 ? destination : operand_next(n + 1, size);
		uint64_t d = destination, a = accumulator, f = 2;
		struct alu_exchange ours = alu_cmpxchg(size, destination, accumulator, source, 0);

		if (size == 1)
			__asm__ volatile(WITH_FLAGS("cmpxchgb %%cl, %%dl")
			                 : "+d"(d), "+a"(a), [f] "+S"(f)
			                 : "c"((uint64_t)source)
			                 : "cc");
		else if (size == 2)
			__asm__ volatile(WITH_FLAGS("cmpxchgw %%cx, %%dx")
			                 : "+d"(d), "+a"(a), [f] "+S"(f)
			                 : "c"((uint64_t)source)
			                 : "cc");
		else
			__asm__ volatile(WITH_FLAGS("cmpxchgl %%ecx, %%edx")
			                 : "+d"(d), "+a"(a), [f] "+S"(f)
			                 : "c"((uint64_t)source)
			                 : "cc");
		CHECK_EQ(ours.destination, (uint32_t)d);
		CHECK_EQ(ours.accumulator, (uint32_t)a);
		CHECK_EQ(ours.flags & STATUS, f & STATUS);
		if (unit_failed)
			return;
	}
}

TEST(exchange_of_eight_bytes)
{
	for (unsigned int n = 0; n < 100000; n++) {
		uint64_t memory = (uint64_t)random_next() << 32 | random_next(), old = memory;
		uint64_t compare_to = n & 1 ? memory : memory ^ 1ull << n % 64;
		uint64_t source = (uint64_t)random_next() << 32 | random_next();
		uint32_t eax = (uint32_t)compare_to, edx = compare_to >> 32;
		uint32_t flags = n & 2 ? STATUS : 0;
		uint64_t f = flags | 2;
		struct alu_exchange8b ours = alu_cmpxchg8b(old, compare_to, source, flags);

		__asm__ volatile(WITH_FLAGS("cmpxchg8b (%%rdi)")
		                 : "+a"(eax), "+d"(edx), [f] "+S"(f)
		                 : "D"(&memory), "b"((uint32_t)source),
		                   "c"((uint32_t)(source >> 32))
		                 : "cc", "memory");
		CHECK_EQ(ours.destination, memory);
		CHECK_EQ(ours.accumulator, (uint64_t)edx << 32 | eax);
		CHECK_EQ(ours.flags & STATUS, f & STATUS);
		if (unit_failed)
			return;
	}
}

TEST(byte_order_checksum_and_sign)
{
	for (unsigned int n = 0; n < 100000; n++) {
		uint32_t a = random_next(), swapped = a, crc = random_next(), sum = crc;

		__asm__("bswap %0" : "+r"(swapped));
		CHECK_EQ(alu_bswap(4, a), swapped);
		CHECK_EQ(alu_sign_extend(1, a), (uint32_t)(int8_t)a);
		CHECK_EQ(alu_sign_extend(2, a), (uint32_t)(int16_t)a);
		CHECK_EQ(alu_sign_extend(4, a), a);
		if (!__builtin_cpu_supports("sse4.2"))
			continue;
		__asm__("crc32b %b1, %0" : "+r"(sum) : "r"(a));
		CHECK_EQ(alu_crc32(1, crc, a), sum);
		sum = crc;
		__asm__("crc32w %w1, %0" : "+r"(sum) : "r"(a));
		CHECK_EQ(alu_crc32(2, crc, a), sum);
		sum = crc;
		__asm__("crc32l %1, %0" : "+r"(sum) : "r"(a));
		CHECK_EQ(alu_crc32(4, crc, a), sum);
	}
	CHECK_EQ(alu_bswap(2, 0x1234), 0);
}

/* Every condition with every set of status flags. */
#define NATIVE_CONDITION(cc, number)                                                               \
	for (uint32_t set = 0; set < 64; set++) {                                                  \
		uint32_t flags = (set & 1) | (set & 2) << 1 | (set & 4) << 2 | (set & 0x18) << 3 | \
		                 (set & 0x20) << 6;                                                \
		uint64_t f = flags | 2, r = 0, c = 0;                                              \
		ASM("set" #cc " %%al");                                                            \
		(void)f;                                                                           \
		CHECK_EQ(alu_condition(number, flags), r & 0xFF);                                  \
	}

TEST(conditions){
        NATIVE_CONDITION(o, 0) NATIVE_CONDITION(no, 1) NATIVE_CONDITION(b, 2)
                NATIVE_CONDITION(ae, 3) NATIVE_CONDITION(z, 4) NATIVE_CONDITION(nz, 5)
                        NATIVE_CONDITION(be, 6) NATIVE_CONDITION(a, 7) NATIVE_CONDITION(s, 8)
                                NATIVE_CONDITION(ns, 9) NATIVE_CONDITION(p, 10)
                                        NATIVE_CONDITION(np, 11) NATIVE_CONDITION(l, 12)
                                                NATIVE_CONDITION(ge, 13) NATIVE_CONDITION(le, 14)
                                                        NATIVE_CONDITION(g, 15)}

TEST(flags_to_and_from_ah)
{
	for (uint32_t ah = 0; ah < 256; ah++) {
		uint64_t r = ah << 8, f = FLAGS_O | 2, c = 0;

		ASM("sahf");
		CHECK_EQ(alu_sahf(ah << 8, FLAGS_O) & STATUS, f & STATUS);
		r = 0x12;
		ASM("lahf");
		CHECK_EQ(alu_lahf(0x5512, (uint32_t)f), r & 0xFFFF);
	}
}

/* What the manual leaves open, alu.c has decided; a run must repeat on any processor. */
TEST(undefined_flags_are_always_the_same)
{
	CHECK_EQ(alu_and(4, 3, 1, STATUS).flags, 0);
	CHECK_EQ(alu_shl(4, 1, 4, STATUS).flags, 0);
	CHECK_EQ(alu_shl(1, 0x40, 2, 0).flags, FLAGS_C | FLAGS_O | FLAGS_Z | FLAGS_P);
	CHECK_EQ(alu_shr(4, 0x80000000, 4, 0).flags & FLAGS_O, 0);
	CHECK_EQ(alu_ror(4, 4, 3, 0).flags, FLAGS_C | FLAGS_O);
	CHECK_EQ(alu_mul(4, 0, 0, STATUS).flags, STATUS & ~FLAGS_OC);
	CHECK_EQ(alu_imul(1, 0x7F, 2, 0).flags, FLAGS_OC);
	CHECK_EQ(alu_bts(4, 0, 3, STATUS).flags, STATUS & ~FLAGS_C);
	CHECK_EQ(alu_bsf(4, 5, 1, STATUS).flags, FLAGS_P);
	CHECK_EQ(alu_bsr(4, 5, 0, STATUS).flags, FLAGS_Z | FLAGS_P);
	CHECK_EQ(alu_bsr(4, 5, 0, STATUS).value, 5);
	CHECK_EQ(alu_daa(0, FLAGS_O).flags & FLAGS_O, FLAGS_O);
	CHECK_EQ(alu_aad(0x0100, 10, FLAGS_O | FLAGS_AC).flags, FLAGS_P);
}

UNIT_MAIN
