/* Integer arithmetic as the processor does it: operands and flags in, result and flags out.
 *
 * Every function takes the operand size in bytes (1, 2 or 4), operands of which only that many
 * bytes count, and EFLAGS; it gives the result cut to the size and EFLAGS with exactly the flags
 * changed that the instruction changes. It promises the flags that the manual defines, bit for bit,
 * and for those that it leaves undefined always the same choice (see alu.c). It must not know where
 * operands come from nor who asks: it is pure, and its tests ask the real processor. */
#ifndef MONITOR_INSTRUCTIONS_ALU_H
#define MONITOR_INSTRUCTIONS_ALU_H

#include <stdbool.h>
#include <stdint.h>

struct alu_result {
	uint32_t value;
	uint32_t flags;
};

/* A product, or what stands in AX, DX:AX or EDX:EAX. */
struct alu_product {
	uint32_t low;
	uint32_t high;
	uint32_t flags;
};

struct alu_quotient {
	uint32_t quotient;
	uint32_t remainder;
	bool error; /* #DE: the divisor is zero, or the quotient does not fit */
};

struct alu_exchange {
	uint32_t destination;
	uint32_t accumulator;
	uint32_t flags;
};

struct alu_exchange8b {
	uint64_t destination;
	uint64_t accumulator; /* EDX:EAX */
	uint32_t flags;
};

struct alu_result alu_add(unsigned int size, uint32_t a, uint32_t b, uint32_t flags);
struct alu_result alu_adc(unsigned int size, uint32_t a, uint32_t b, uint32_t flags);
struct alu_result alu_sub(unsigned int size, uint32_t a, uint32_t b, uint32_t flags);
struct alu_result alu_sbb(unsigned int size, uint32_t a, uint32_t b, uint32_t flags);
struct alu_result alu_and(unsigned int size, uint32_t a, uint32_t b, uint32_t flags);
struct alu_result alu_or(unsigned int size, uint32_t a, uint32_t b, uint32_t flags);
struct alu_result alu_xor(unsigned int size, uint32_t a, uint32_t b, uint32_t flags);

struct alu_result alu_inc(unsigned int size, uint32_t a, uint32_t flags);
struct alu_result alu_dec(unsigned int size, uint32_t a, uint32_t flags);
struct alu_result alu_neg(unsigned int size, uint32_t a, uint32_t flags);
struct alu_result alu_not(unsigned int size, uint32_t a, uint32_t flags);

/* Only the low five bits of a count matter. */
struct alu_result alu_shl(unsigned int size, uint32_t a, uint32_t count, uint32_t flags);
struct alu_result alu_shr(unsigned int size, uint32_t a, uint32_t count, uint32_t flags);
struct alu_result alu_sar(unsigned int size, uint32_t a, uint32_t count, uint32_t flags);
struct alu_result alu_rol(unsigned int size, uint32_t a, uint32_t count, uint32_t flags);
struct alu_result alu_ror(unsigned int size, uint32_t a, uint32_t count, uint32_t flags);
struct alu_result alu_rcl(unsigned int size, uint32_t a, uint32_t count, uint32_t flags);
struct alu_result alu_rcr(unsigned int size, uint32_t a, uint32_t count, uint32_t flags);

/* Size 2 or 4; b shifts in. */
struct alu_result alu_shld(unsigned int size, uint32_t a, uint32_t b, uint32_t count,
                           uint32_t flags);
struct alu_result alu_shrd(unsigned int size, uint32_t a, uint32_t b, uint32_t count,
                           uint32_t flags);

struct alu_product alu_mul(unsigned int size, uint32_t a, uint32_t b, uint32_t flags);
struct alu_product alu_imul(unsigned int size, uint32_t a, uint32_t b, uint32_t flags);
struct alu_quotient alu_div(unsigned int size, uint32_t high, uint32_t low, uint32_t divisor);
struct alu_quotient alu_idiv(unsigned int size, uint32_t high, uint32_t low, uint32_t divisor);

/* Size 2 or 4. The bit number is taken modulo the size: an address beyond the operand is the
 * caller's business. The value of alu_bt is a. */
struct alu_result alu_bt(unsigned int size, uint32_t a, uint32_t bit, uint32_t flags);
struct alu_result alu_bts(unsigned int size, uint32_t a, uint32_t bit, uint32_t flags);
struct alu_result alu_btr(unsigned int size, uint32_t a, uint32_t bit, uint32_t flags);
struct alu_result alu_btc(unsigned int size, uint32_t a, uint32_t bit, uint32_t flags);

/* Size 2 or 4. With a source of zero BSF and BSR leave the destination as it was. */
struct alu_result alu_bsf(unsigned int size, uint32_t destination, uint32_t source, uint32_t flags);
struct alu_result alu_bsr(unsigned int size, uint32_t destination, uint32_t source, uint32_t flags);
struct alu_result alu_tzcnt(unsigned int size, uint32_t source, uint32_t flags);
struct alu_result alu_lzcnt(unsigned int size, uint32_t source, uint32_t flags);
struct alu_result alu_popcnt(unsigned int size, uint32_t source, uint32_t flags);

uint32_t alu_bswap(unsigned int size, uint32_t a);
uint32_t alu_crc32(unsigned int size, uint32_t crc, uint32_t a);

/* From the low size bytes to 32 bits: CBW, CWDE, MOVSX. */
uint32_t alu_sign_extend(unsigned int size, uint32_t a);

struct alu_exchange alu_cmpxchg(unsigned int size, uint32_t destination, uint32_t accumulator,
                                uint32_t source, uint32_t flags);
struct alu_exchange8b alu_cmpxchg8b(uint64_t destination, uint64_t accumulator, uint64_t source,
                                    uint32_t flags);

/* Decimal arithmetic: AX in, AX out. */
struct alu_result alu_daa(uint32_t ax, uint32_t flags);
struct alu_result alu_das(uint32_t ax, uint32_t flags);
struct alu_result alu_aaa(uint32_t ax, uint32_t flags);
struct alu_result alu_aas(uint32_t ax, uint32_t flags);
struct alu_result alu_aad(uint32_t ax, uint32_t base, uint32_t flags);

/* base must not be zero: that is #DE. */
struct alu_result alu_aam(uint32_t ax, uint32_t base, uint32_t flags);

/* AX in, AX out; EFLAGS in, EFLAGS out. */
uint32_t alu_lahf(uint32_t ax, uint32_t flags);
uint32_t alu_sahf(uint32_t ax, uint32_t flags);

/* Whether the condition in the low four bits of Jcc, SETcc or CMOVcc holds. */
bool alu_condition(unsigned int condition, uint32_t flags);

#endif
