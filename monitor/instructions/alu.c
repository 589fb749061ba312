#include "monitor/instructions/alu.h"

#include "monitor/instructions/opcodes.h"

/* Where the manual leaves a flag undefined, real processors differ among themselves; no program may
 * care, but a run must repeat. The choices here are those of an AMD EPYC with one exception: shifts
 * clear A, as QEMU and Bochs do, where that processor sets it.
 * Logic clears A. Shifts and rotations compute O from the last step. Multiplications, divisions and
 * bit tests change nothing that is undefined. Bit scans clear O, S, A and C, and set P by the
 * result. Decimal instructions leave O as it was, AAA and AAS also S, Z and P; AAM and AAD clear O,
 * A and C. */

static uint32_t mask_of(unsigned int size)
{
	return 0xFFFFFFFFu >> (32 - size * 8);
}

static uint32_t sign_of(unsigned int size)
{
	return 1u << (size * 8 - 1);
}

static uint32_t flag_if(uint32_t condition, uint32_t flag)
{
	return condition ? flag : 0;
}

/* S, Z and P, which depend on nothing but the result. */
static inline uint32_t szp_of(unsigned int size, uint32_t value)
{
	return flag_if(value & sign_of(size), FLAGS_S) | flag_if(value == 0, FLAGS_Z) |
	       flag_if(!__builtin_parity(value & 0xFF), FLAGS_P);
}

static uint32_t replace(uint32_t flags, uint32_t which, uint32_t by)
{
	return (flags & ~which) | by;
}

static inline __attribute__((always_inline)) struct alu_result
add(unsigned int size, uint32_t a, uint32_t b, uint32_t carry, uint32_t flags)
{
	uint32_t mask = mask_of(size);
	uint64_t sum = (uint64_t)(a & mask) + (b & mask) + carry;
	uint32_t value = sum & mask;
	uint32_t set = szp_of(size, value) | flag_if(sum > mask, FLAGS_C) |
	               flag_if((a ^ b ^ value) & 0x10, FLAGS_A) |
	               flag_if((a ^ value) & (b ^ value) & sign_of(size), FLAGS_O);

	return (struct alu_result){value, replace(flags, FLAGS_OSZAPC, set)};
}

static inline __attribute__((always_inline)) struct alu_result
subtract(unsigned int size, uint32_t a, uint32_t b, uint32_t borrow, uint32_t flags)
{
	uint32_t mask = mask_of(size);
	uint32_t value = (a - b - borrow) & mask;
	uint32_t set = szp_of(size, value) |
	               flag_if((a & mask) < (uint64_t)(b & mask) + borrow, FLAGS_C) |
	               flag_if((a ^ b ^ value) & 0x10, FLAGS_A) |
	               flag_if((a ^ b) & (a ^ value) & sign_of(size), FLAGS_O);

	return (struct alu_result){value, replace(flags, FLAGS_OSZAPC, set)};
}

static inline __attribute__((always_inline)) struct alu_result logic(unsigned int size,
                                                                     uint32_t value, uint32_t flags)
{
	value &= mask_of(size);
	return (struct alu_result){value, replace(flags, FLAGS_OSZAPC, szp_of(size, value))};
}

struct alu_result alu_add(unsigned int size, uint32_t a, uint32_t b, uint32_t flags)
{
	return add(size, a, b, 0, flags);
}

struct alu_result alu_adc(unsigned int size, uint32_t a, uint32_t b, uint32_t flags)
{
	return add(size, a, b, flags & FLAGS_C, flags);
}

struct alu_result alu_sub(unsigned int size, uint32_t a, uint32_t b, uint32_t flags)
{
	return subtract(size, a, b, 0, flags);
}

struct alu_result alu_sbb(unsigned int size, uint32_t a, uint32_t b, uint32_t flags)
{
	return subtract(size, a, b, flags & FLAGS_C, flags);
}

struct alu_result alu_and(unsigned int size, uint32_t a, uint32_t b, uint32_t flags)
{
	return logic(size, a & b, flags);
}

struct alu_result alu_or(unsigned int size, uint32_t a, uint32_t b, uint32_t flags)
{
	return logic(size, a | b, flags);
}

struct alu_result alu_xor(unsigned int size, uint32_t a, uint32_t b, uint32_t flags)
{
	return logic(size, a ^ b, flags);
}

/* INC and DEC are additions that leave the carry alone. */
static struct alu_result keep_carry(struct alu_result result, uint32_t flags)
{
	result.flags = replace(result.flags, FLAGS_C, flags & FLAGS_C);
	return result;
}

struct alu_result alu_inc(unsigned int size, uint32_t a, uint32_t flags)
{
	return keep_carry(add(size, a, 1, 0, flags), flags);
}

struct alu_result alu_dec(unsigned int size, uint32_t a, uint32_t flags)
{
	return keep_carry(subtract(size, a, 1, 0, flags), flags);
}

struct alu_result alu_neg(unsigned int size, uint32_t a, uint32_t flags)
{
	return subtract(size, 0, a, 0, flags);
}

struct alu_result alu_not(unsigned int size, uint32_t a, uint32_t flags)
{
	return (struct alu_result){~a & mask_of(size), flags};
}

static struct alu_result shifted(unsigned int size, uint32_t value, uint32_t carry,
                                 uint32_t overflow, uint32_t flags)
{
	uint32_t set = szp_of(size, value) | flag_if(carry, FLAGS_C) | flag_if(overflow, FLAGS_O);

	return (struct alu_result){value, replace(flags, FLAGS_OSZAPC, set)};
}

struct alu_result alu_shl(unsigned int size, uint32_t a, uint32_t count, uint32_t flags)
{
	uint64_t wide = (uint64_t)(a & mask_of(size)) << (count & 31);
	uint32_t value = wide & mask_of(size), carry = wide >> size * 8 & 1;

	if (!(count & 31))
		return (struct alu_result){value, flags};
	return shifted(size, value, carry, !(value & sign_of(size)) != !carry, flags);
}

struct alu_result alu_shr(unsigned int size, uint32_t a, uint32_t count, uint32_t flags)
{
	uint32_t from = a & mask_of(size), value;

	count &= 31;
	if (!count)
		return (struct alu_result){from, flags};
	value = from >> count;
	return shifted(size, value, from >> (count - 1) & 1, (value ^ value << 1) & sign_of(size),
	               flags);
}

struct alu_result alu_sar(unsigned int size, uint32_t a, uint32_t count, uint32_t flags)
{
	int32_t from = (int32_t)alu_sign_extend(size, a);

	count &= 31;
	if (!count)
		return (struct alu_result){a & mask_of(size), flags};
	return shifted(size, (uint32_t)(from >> count) & mask_of(size), from >> (count - 1) & 1, 0,
	               flags);
}

static struct alu_result rotated(uint32_t value, uint32_t carry, uint32_t overflow, uint32_t flags)
{
	uint32_t set = flag_if(carry, FLAGS_C) | flag_if(overflow, FLAGS_O);

	return (struct alu_result){value, replace(flags, FLAGS_OC, set)};
}

struct alu_result alu_rol(unsigned int size, uint32_t a, uint32_t count, uint32_t flags)
{
	uint32_t bits = size * 8, by = count & (bits - 1), value = a & mask_of(size);

	if (by)
		value = (value << by | value >> (bits - by)) & mask_of(size);
	if (!(count & 31))
		return (struct alu_result){value, flags};
	return rotated(value, value & 1, !(value & sign_of(size)) != !(value & 1), flags);
}

struct alu_result alu_ror(unsigned int size, uint32_t a, uint32_t count, uint32_t flags)
{
	uint32_t bits = size * 8, by = count & (bits - 1), value = a & mask_of(size);

	if (by)
		value = (value >> by | value << (bits - by)) & mask_of(size);
	if (!(count & 31))
		return (struct alu_result){value, flags};
	return rotated(value, value & sign_of(size), (value ^ value << 1) & sign_of(size), flags);
}

/* Rotates to the left through the carry, which is the bit above the operand. */
static uint64_t rotate_with_carry(unsigned int size, uint32_t a, uint32_t by, uint32_t flags)
{
	uint32_t bits = size * 8;
	uint64_t wide = (uint64_t)(flags & FLAGS_C) << bits | (a & mask_of(size));

	return by ? wide << by | wide >> (bits + 1 - by) : wide;
}

struct alu_result alu_rcl(unsigned int size, uint32_t a, uint32_t count, uint32_t flags)
{
	uint64_t wide = rotate_with_carry(size, a, (count & 31) % (size * 8 + 1), flags);
	uint32_t value = wide & mask_of(size), carry = wide >> size * 8 & 1;

	if (!(count & 31))
		return (struct alu_result){value, flags};
	return rotated(value, carry, !(value & sign_of(size)) != !carry, flags);
}

struct alu_result alu_rcr(unsigned int size, uint32_t a, uint32_t count, uint32_t flags)
{
	uint32_t ring = size * 8 + 1, by = (count & 31) % ring;
	uint64_t wide = rotate_with_carry(size, a, by ? ring - by : 0, flags);
	uint32_t value = wide & mask_of(size);

	if (!(count & 31))
		return (struct alu_result){value, flags};
	return rotated(value, wide >> size * 8 & 1, (value ^ value << 1) & sign_of(size), flags);
}

/* With 16 bits and a count above 16 the result is undefined; a's own bits follow those of b, as in
 * real processors. */
struct alu_result alu_shld(unsigned int size, uint32_t a, uint32_t b, uint32_t count,
                           uint32_t flags)
{
	uint64_t wide = size == 4 ? (uint64_t)a << 32 | b
	                          : (uint64_t)(a & 0xFFFF) << 32 | b << 16 | (a & 0xFFFF);
	uint32_t value;

	count &= 31;
	if (!count)
		return (struct alu_result){a & mask_of(size), flags};
	value = wide << count >> 32 & mask_of(size);
	return shifted(size, value, wide >> ((size == 4 ? 64 : 48) - count) & 1,
	               (a ^ value) & sign_of(size), flags);
}

struct alu_result alu_shrd(unsigned int size, uint32_t a, uint32_t b, uint32_t count,
                           uint32_t flags)
{
	uint64_t wide = size == 4 ? (uint64_t)b << 32 | a
	                          : (uint64_t)(a & 0xFFFF) << 32 | b << 16 | (a & 0xFFFF);
	uint32_t value;

	count &= 31;
	if (!count)
		return (struct alu_result){a & mask_of(size), flags};
	value = wide >> count & mask_of(size);
	return shifted(size, value, wide >> (count - 1) & 1, (a ^ value) & sign_of(size), flags);
}

static struct alu_product product(unsigned int size, uint64_t wide, bool overflow, uint32_t flags)
{
	return (struct alu_product){
	        .low = wide & mask_of(size),
	        .high = wide >> size * 8 & mask_of(size),
	        .flags = replace(flags, FLAGS_OC, overflow ? FLAGS_OC : 0),
	};
}

struct alu_product alu_mul(unsigned int size, uint32_t a, uint32_t b, uint32_t flags)
{
	uint64_t wide = (uint64_t)(a & mask_of(size)) * (b & mask_of(size));

	return product(size, wide, wide > mask_of(size), flags);
}

struct alu_product alu_imul(unsigned int size, uint32_t a, uint32_t b, uint32_t flags)
{
	int64_t wide =
	        (int64_t)(int32_t)alu_sign_extend(size, a) * (int32_t)alu_sign_extend(size, b);
	bool overflow = wide != (int32_t)alu_sign_extend(size, (uint32_t)wide);

	return product(size, (uint64_t)wide, overflow, flags);
}

/* Bit by bit: a 64-bit division would call the compiler's library, and a kernel has none. The
 * quotient must fit into 32 bits, which is to say dividend >> 32 < divisor. */
static uint32_t divide(uint64_t dividend, uint32_t divisor, uint32_t *remainder)
{
	uint32_t quotient;

	__asm__("divl %4"
	        : "=a"(quotient), "=d"(*remainder)
	        : "0"((uint32_t)dividend), "1"((uint32_t)(dividend >> 32)), "rm"(divisor));
	return quotient;
}

static uint64_t dividend_of(unsigned int size, uint32_t high, uint32_t low)
{
	return (uint64_t)(high & mask_of(size)) << size * 8 | (low & mask_of(size));
}

struct alu_quotient alu_div(unsigned int size, uint32_t high, uint32_t low, uint32_t divisor)
{
	uint64_t dividend = dividend_of(size, high, low);
	struct alu_quotient result = {0, 0, true};

	divisor &= mask_of(size);
	if ((dividend >> size * 8) >= divisor)
		return result;
	result.quotient = divide(dividend, divisor, &result.remainder);
	result.error = false;
	return result;
}

/* Divides the magnitudes; the remainder has the sign of the dividend. */
struct alu_quotient alu_idiv(unsigned int size, uint32_t high, uint32_t low, uint32_t divisor)
{
	uint64_t dividend = dividend_of(size, high, low);
	bool minus = high & sign_of(size), divisor_minus = divisor & sign_of(size);
	uint32_t mask = mask_of(size), limit = sign_of(size) - (minus == divisor_minus);
	struct alu_quotient result = {0, 0, true};

	if (minus)
		dividend = (0 - dividend) & (size == 4 ? UINT64_MAX : (1ull << size * 16) - 1);
	divisor = (divisor_minus ? 0 - divisor : divisor) & mask;
	if ((dividend >> size * 8) >= divisor)
		return result;
	result.quotient = divide(dividend, divisor, &result.remainder);
	if (result.quotient > limit)
		return (struct alu_quotient){0, 0, true};
	if (minus != divisor_minus)
		result.quotient = (0 - result.quotient) & mask;
	if (minus)
		result.remainder = (0 - result.remainder) & mask;
	result.error = false;
	return result;
}

static struct alu_result bit_tested(unsigned int size, uint32_t a, uint32_t bit, uint32_t value,
                                    uint32_t flags)
{
	uint32_t carry = a >> (bit & (size * 8 - 1)) & 1;

	return (struct alu_result){value & mask_of(size), replace(flags, FLAGS_C, carry)};
}

struct alu_result alu_bt(unsigned int size, uint32_t a, uint32_t bit, uint32_t flags)
{
	return bit_tested(size, a, bit, a, flags);
}

struct alu_result alu_bts(unsigned int size, uint32_t a, uint32_t bit, uint32_t flags)
{
	return bit_tested(size, a, bit, a | 1u << (bit & (size * 8 - 1)), flags);
}

struct alu_result alu_btr(unsigned int size, uint32_t a, uint32_t bit, uint32_t flags)
{
	return bit_tested(size, a, bit, a & ~(1u << (bit & (size * 8 - 1))), flags);
}

struct alu_result alu_btc(unsigned int size, uint32_t a, uint32_t bit, uint32_t flags)
{
	return bit_tested(size, a, bit, a ^ 1u << (bit & (size * 8 - 1)), flags);
}

static struct alu_result bit_found(uint32_t number, uint32_t flags)
{
	return (struct alu_result){number,
	                           replace(flags, FLAGS_OSZAPC, szp_of(4, number) & FLAGS_P)};
}

static struct alu_result no_bit_found(unsigned int size, uint32_t destination, uint32_t flags)
{
	return (struct alu_result){destination & mask_of(size),
	                           replace(flags, FLAGS_OSZAPC, FLAGS_Z | FLAGS_P)};
}

struct alu_result alu_bsf(unsigned int size, uint32_t destination, uint32_t source, uint32_t flags)
{
	source &= mask_of(size);
	if (!source)
		return no_bit_found(size, destination, flags);
	return bit_found((uint32_t)__builtin_ctz(source), flags);
}

struct alu_result alu_bsr(unsigned int size, uint32_t destination, uint32_t source, uint32_t flags)
{
	source &= mask_of(size);
	if (!source)
		return no_bit_found(size, destination, flags);
	return bit_found(31u - (uint32_t)__builtin_clz(source), flags);
}

static struct alu_result zeros_counted(uint32_t count, uint32_t source, uint32_t flags)
{
	uint32_t set = flag_if(!source, FLAGS_C) | flag_if(!count, FLAGS_Z);

	return (struct alu_result){count, replace(flags, FLAGS_ZC, set)};
}

struct alu_result alu_tzcnt(unsigned int size, uint32_t source, uint32_t flags)
{
	source &= mask_of(size);
	return zeros_counted(source ? (uint32_t)__builtin_ctz(source) : size * 8, source, flags);
}

struct alu_result alu_lzcnt(unsigned int size, uint32_t source, uint32_t flags)
{
	source &= mask_of(size);
	return zeros_counted(source ? (uint32_t)__builtin_clz(source) - (32 - size * 8) : size * 8,
	                     source, flags);
}

struct alu_result alu_popcnt(unsigned int size, uint32_t source, uint32_t flags)
{
	uint32_t count = 0;

	for (source &= mask_of(size); source; source &= source - 1)
		count++;
	return (struct alu_result){count, replace(flags, FLAGS_OSZAPC, flag_if(!count, FLAGS_Z))};
}

/* With 16 bits the result is undefined; real processors give zero. */
uint32_t alu_bswap(unsigned int size, uint32_t a)
{
	if (size != 4)
		return 0;
	return a >> 24 | (a >> 8 & 0xFF00) | (a & 0xFF00) << 8 | a << 24;
}

/* The polynomial of CRC-32C, bits reversed. */
uint32_t alu_crc32(unsigned int size, uint32_t crc, uint32_t a)
{
	crc ^= a & mask_of(size);
	for (unsigned int bit = 0; bit < size * 8; bit++)
		crc = crc >> 1 ^ (crc & 1 ? 0x82F63B78u : 0);
	return crc;
}

uint32_t alu_sign_extend(unsigned int size, uint32_t a)
{
	uint32_t sign = sign_of(size);

	return ((a & mask_of(size)) ^ sign) - sign;
}

struct alu_exchange alu_cmpxchg(unsigned int size, uint32_t destination, uint32_t accumulator,
                                uint32_t source, uint32_t flags)
{
	struct alu_result compared = subtract(size, accumulator, destination, 0, flags);
	bool equal = compared.flags & FLAGS_Z;

	return (struct alu_exchange){
	        .destination = (equal ? source : destination) & mask_of(size),
	        .accumulator = (equal ? accumulator : destination) & mask_of(size),
	        .flags = compared.flags,
	};
}

struct alu_exchange8b alu_cmpxchg8b(uint64_t destination, uint64_t accumulator, uint64_t source,
                                    uint32_t flags)
{
	bool equal = destination == accumulator;

	return (struct alu_exchange8b){
	        .destination = equal ? source : destination,
	        .accumulator = destination,
	        .flags = replace(flags, FLAGS_Z, flag_if(equal, FLAGS_Z)),
	};
}

/* DAA and DAS: corrects each digit of AL that is above 9 or made a carry, by adding or subtracting.
 */
static struct alu_result adjust_packed(uint32_t ax, uint32_t flags, bool add_it)
{
	uint32_t al = ax & 0xFF, digit = add_it ? 6 : 0u - 6, value = al, set = 0;

	if ((al & 15) > 9 || flags & FLAGS_A) {
		uint32_t next = value + digit;

		set |= FLAGS_A | (next & ~0xFFu ? FLAGS_C : 0);
		value = next & 0xFF;
	}
	if (al > 0x99 || flags & FLAGS_C) {
		value = (value + digit * 16) & 0xFF;
		set |= FLAGS_C;
	} else if (add_it) {
		set &= ~(uint32_t)FLAGS_C;
	}
	return (struct alu_result){(ax & 0xFF00) | value,
	                           replace(flags, FLAGS_SZAPC, set | szp_of(1, value))};
}

struct alu_result alu_daa(uint32_t ax, uint32_t flags)
{
	return adjust_packed(ax, flags, true);
}

struct alu_result alu_das(uint32_t ax, uint32_t flags)
{
	return adjust_packed(ax, flags, false);
}

/* AAA and AAS: one unpacked digit in AL, its carry goes to AH. */
static struct alu_result adjust_unpacked(uint32_t ax, uint32_t flags, uint32_t correction)
{
	if ((ax & 15) > 9 || flags & FLAGS_A)
		return (struct alu_result){(ax + correction) & 0xFF0F, flags | FLAGS_AC};
	return (struct alu_result){ax & 0xFF0F, flags & ~(uint32_t)FLAGS_AC};
}

struct alu_result alu_aaa(uint32_t ax, uint32_t flags)
{
	return adjust_unpacked(ax, flags, 0x106);
}

struct alu_result alu_aas(uint32_t ax, uint32_t flags)
{
	return adjust_unpacked(ax, flags, 0u - 0x106);
}

struct alu_result alu_aam(uint32_t ax, uint32_t base, uint32_t flags)
{
	uint32_t al = ax & 0xFF, value = al % (base & 0xFF);

	return (struct alu_result){al / (base & 0xFF) << 8 | value,
	                           replace(flags, FLAGS_OSZAPC, szp_of(1, value))};
}

struct alu_result alu_aad(uint32_t ax, uint32_t base, uint32_t flags)
{
	uint32_t value = (ax + (ax >> 8) * base) & 0xFF;

	return (struct alu_result){value, replace(flags, FLAGS_OSZAPC, szp_of(1, value))};
}

uint32_t alu_lahf(uint32_t ax, uint32_t flags)
{
	return (ax & 0xFF) | ((flags & FLAGS_SZAPC) | 2) << 8;
}

uint32_t alu_sahf(uint32_t ax, uint32_t flags)
{
	return replace(flags, FLAGS_SZAPC, ax >> 8 & FLAGS_SZAPC);
}

/* Conditions come in pairs: the odd one is the even one's opposite. */
bool alu_condition(unsigned int condition, uint32_t flags)
{
	static const uint16_t any_of[8] = {FLAGS_O, FLAGS_C, FLAGS_Z, FLAGS_CZ,
	                                   FLAGS_S, FLAGS_P, 0,       FLAGS_Z};
	unsigned int pair = condition >> 1 & 7;
	bool holds = flags & any_of[pair];

	/* "Less" is S different from O. */
	if (pair >= 6 && !(flags & FLAGS_S) != !(flags & FLAGS_O))
		holds = true;
	return holds != (condition & 1);
}
