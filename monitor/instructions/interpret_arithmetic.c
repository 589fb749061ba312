#include "monitor/instructions/interpret_arithmetic.h"

#include "monitor/instructions/alu.h"

typedef struct alu_result binary_operation(unsigned int size, uint32_t a, uint32_t b,
                                           uint32_t flags);
typedef struct alu_result unary_operation(unsigned int size, uint32_t a, uint32_t flags);
typedef struct alu_result decimal_operation(uint32_t ax, uint32_t flags);

/* These are inlined into one function for each operation: it is what most instructions are. */
#define INLINE static inline __attribute__((always_inline))

/* 32-bit registers, or one and a constant. */
INLINE bool is_register_form(const struct instruction *in)
{
	return in->operands[0].size == 4 && in->operands[0].kind == OPERAND_IS_GENERAL &&
	       in->operands[1].kind != OPERAND_IS_MEMORY;
}

INLINE uint32_t second_of_register_form(const struct vcpu *vcpu, const struct instruction *in)
{
	return in->operands[1].kind == OPERAND_IS_GENERAL ? vcpu->registers[in->operands[1].number]
	                                                  : in->immediate;
}

INLINE bool change_register(struct vcpu *vcpu, const struct instruction *in,
                            binary_operation *operation)
{
	uint32_t *first = &vcpu->registers[in->operands[0].number];
	struct alu_result result =
	        operation(4, *first, second_of_register_form(vcpu, in), vcpu->eflags);

	*first = result.value;
	vcpu->eflags = result.flags;
	return true;
}

INLINE bool change(struct vcpu *vcpu, const struct instruction *in, binary_operation *operation)
{
	struct alu_result result;
	uint32_t a, b;
	gva_t at;

	if (is_register_form(in))
		return change_register(vcpu, in, operation);
	if (!interpret_get(vcpu, in, 1, &b) || !interpret_open(vcpu, in, &at, &a))
		return false;
	result = operation(in->operands[0].size, a, b, vcpu->eflags);
	if (!interpret_close(vcpu, in, at, result.value))
		return false;
	vcpu->eflags = result.flags;
	return true;
}

INLINE bool compare(struct vcpu *vcpu, const struct instruction *in, binary_operation *operation)
{
	uint32_t a, b;

	if (is_register_form(in)) {
		a = vcpu->registers[in->operands[0].number];
		b = second_of_register_form(vcpu, in);
		vcpu->eflags = operation(4, a, b, vcpu->eflags).flags;
		return true;
	}
	if (!interpret_get(vcpu, in, 0, &a) || !interpret_get(vcpu, in, 1, &b))
		return false;
	vcpu->eflags = operation(in->operands[0].size, a, b, vcpu->eflags).flags;
	return true;
}

INLINE bool change_one(struct vcpu *vcpu, const struct instruction *in, unary_operation *operation)
{
	struct alu_result result;
	uint32_t a;
	gva_t at;

	if (!interpret_open(vcpu, in, &at, &a))
		return false;
	result = operation(in->operands[0].size, a, vcpu->eflags);
	if (!interpret_close(vcpu, in, at, result.value))
		return false;
	vcpu->eflags = result.flags;
	return true;
}

bool interpret_add(struct vcpu *vcpu, const struct instruction *in)
{
	return change(vcpu, in, alu_add);
}

bool interpret_adc(struct vcpu *vcpu, const struct instruction *in)
{
	return change(vcpu, in, alu_adc);
}

bool interpret_sub(struct vcpu *vcpu, const struct instruction *in)
{
	return change(vcpu, in, alu_sub);
}

bool interpret_sbb(struct vcpu *vcpu, const struct instruction *in)
{
	return change(vcpu, in, alu_sbb);
}

bool interpret_cmp(struct vcpu *vcpu, const struct instruction *in)
{
	return compare(vcpu, in, alu_sub);
}

bool interpret_and(struct vcpu *vcpu, const struct instruction *in)
{
	return change(vcpu, in, alu_and);
}

bool interpret_or(struct vcpu *vcpu, const struct instruction *in)
{
	return change(vcpu, in, alu_or);
}

bool interpret_xor(struct vcpu *vcpu, const struct instruction *in)
{
	return change(vcpu, in, alu_xor);
}

bool interpret_test(struct vcpu *vcpu, const struct instruction *in)
{
	return compare(vcpu, in, alu_and);
}

bool interpret_inc(struct vcpu *vcpu, const struct instruction *in)
{
	return change_one(vcpu, in, alu_inc);
}

bool interpret_dec(struct vcpu *vcpu, const struct instruction *in)
{
	return change_one(vcpu, in, alu_dec);
}

bool interpret_neg(struct vcpu *vcpu, const struct instruction *in)
{
	return change_one(vcpu, in, alu_neg);
}

bool interpret_not(struct vcpu *vcpu, const struct instruction *in)
{
	return change_one(vcpu, in, alu_not);
}

/* What one-operand multiplication and division work on: AX for bytes, else (E)DX:(E)AX. */
static void get_wide(const struct vcpu *vcpu, unsigned int size, uint32_t *high, uint32_t *low)
{
	const uint32_t *registers = vcpu->registers;

	*low = registers[VCPU_EAX];
	*high = size == 1 ? registers[VCPU_EAX] >> 8 : registers[VCPU_EDX];
	if (size < 4) {
		*low &= (1u << size * 8) - 1;
		*high &= (1u << size * 8) - 1;
	}
}

static void set_wide(struct vcpu *vcpu, unsigned int size, uint32_t high, uint32_t low)
{
	if (size == 1) {
		interpret_set_register(vcpu, VCPU_EAX, 2, (high & 0xFF) << 8 | (low & 0xFF));
		return;
	}
	interpret_set_register(vcpu, VCPU_EAX, size, low);
	interpret_set_register(vcpu, VCPU_EDX, size, high);
}

static bool multiply(struct vcpu *vcpu, const struct instruction *in,
                     struct alu_product (*operation)(unsigned int, uint32_t, uint32_t, uint32_t))
{
	unsigned int size = in->operands[0].size;
	struct alu_product product;
	uint32_t factor;

	if (!interpret_get(vcpu, in, 0, &factor))
		return false;
	product = operation(size, vcpu->registers[VCPU_EAX], factor, vcpu->eflags);
	set_wide(vcpu, size, product.high, product.low);
	vcpu->eflags = product.flags;
	return true;
}

bool interpret_mul(struct vcpu *vcpu, const struct instruction *in)
{
	return multiply(vcpu, in, alu_mul);
}

/* With one, two and three operands: the last two are multiplied. */
bool interpret_imul(struct vcpu *vcpu, const struct instruction *in)
{
	unsigned int last = in->operand_count - 1u;
	struct alu_product product;
	uint32_t a, b;

	if (last == 0)
		return multiply(vcpu, in, alu_imul);
	if (!interpret_get(vcpu, in, last - 1, &a) || !interpret_get(vcpu, in, last, &b))
		return false;
	product = alu_imul(in->operand_size, a, b, vcpu->eflags);
	vcpu->eflags = product.flags;
	return interpret_set(vcpu, in, 0, product.low);
}

static bool divide(struct vcpu *vcpu, const struct instruction *in,
                   struct alu_quotient (*operation)(unsigned int, uint32_t, uint32_t, uint32_t))
{
	unsigned int size = in->operands[0].size;
	struct alu_quotient result;
	uint32_t high, low, divisor;

	if (!interpret_get(vcpu, in, 0, &divisor))
		return false;
	get_wide(vcpu, size, &high, &low);
	result = operation(size, high, low, divisor);
	if (result.error)
		return fault_raise(vcpu, FAULT_DE);
	set_wide(vcpu, size, result.remainder, result.quotient);
	return true;
}

bool interpret_div(struct vcpu *vcpu, const struct instruction *in)
{
	return divide(vcpu, in, alu_div);
}

bool interpret_idiv(struct vcpu *vcpu, const struct instruction *in)
{
	return divide(vcpu, in, alu_idiv);
}

/* Memory is written in either case. */
bool interpret_cmpxchg(struct vcpu *vcpu, const struct instruction *in)
{
	unsigned int size = in->operands[0].size;
	struct alu_exchange result;
	uint32_t destination, source;
	gva_t at;

	if (!interpret_get(vcpu, in, 1, &source) || !interpret_open(vcpu, in, &at, &destination))
		return false;
	result = alu_cmpxchg(size, destination, interpret_get_register(vcpu, VCPU_EAX, size),
	                     source, vcpu->eflags);
	if (!interpret_close(vcpu, in, at, result.destination))
		return false;
	/* Where both are equal nothing is loaded: the destination may be the accumulator. */
	if (!(result.flags & VCPU_EFLAGS_ZF))
		interpret_set_register(vcpu, VCPU_EAX, size, result.accumulator);
	vcpu->eflags = result.flags;
	return true;
}

bool interpret_cmpxchg8b(struct vcpu *vcpu, const struct instruction *in)
{
	uint32_t *registers = vcpu->registers;
	struct alu_exchange8b result;
	uint64_t destination;
	gva_t at;

	if (!interpret_open_at(vcpu, in->memory.segment, interpret_offset(vcpu, in), &destination,
	                       sizeof(destination), &at))
		return false;
	result = alu_cmpxchg8b(
	        destination, (uint64_t)registers[VCPU_EDX] << 32 | registers[VCPU_EAX],
	        (uint64_t)registers[VCPU_ECX] << 32 | registers[VCPU_EBX], vcpu->eflags);
	if (!linear_write(vcpu, at, &result.destination, sizeof(result.destination), LINEAR_AS_CPL))
		return false;
	registers[VCPU_EAX] = (uint32_t)result.accumulator;
	registers[VCPU_EDX] = (uint32_t)(result.accumulator >> 32);
	vcpu->eflags = result.flags;
	return true;
}

/* When both are the same register, it gets the sum. */
bool interpret_xadd(struct vcpu *vcpu, const struct instruction *in)
{
	const struct operand *other = &in->operands[1];
	uint32_t a, b = interpret_get_register(vcpu, other->number, other->size);
	struct alu_result result;
	gva_t at;

	if (!interpret_open(vcpu, in, &at, &a))
		return false;
	result = alu_add(other->size, a, b, vcpu->eflags);
	if (in->has_memory && !interpret_close(vcpu, in, at, result.value))
		return false;
	interpret_set_register(vcpu, other->number, other->size, a);
	vcpu->eflags = result.flags;
	return in->has_memory || interpret_close(vcpu, in, at, result.value);
}

static bool decimal(struct vcpu *vcpu, decimal_operation *operation)
{
	struct alu_result result = operation(vcpu->registers[VCPU_EAX] & 0xFFFF, vcpu->eflags);

	interpret_set_register(vcpu, VCPU_EAX, 2, result.value);
	vcpu->eflags = result.flags;
	return true;
}

bool interpret_daa(struct vcpu *vcpu, const struct instruction *in)
{
	(void)in;
	return decimal(vcpu, alu_daa);
}

bool interpret_das(struct vcpu *vcpu, const struct instruction *in)
{
	(void)in;
	return decimal(vcpu, alu_das);
}

bool interpret_aaa(struct vcpu *vcpu, const struct instruction *in)
{
	(void)in;
	return decimal(vcpu, alu_aaa);
}

bool interpret_aas(struct vcpu *vcpu, const struct instruction *in)
{
	(void)in;
	return decimal(vcpu, alu_aas);
}

static bool decimal_with_base(struct vcpu *vcpu, uint32_t base,
                              struct alu_result (*operation)(uint32_t, uint32_t, uint32_t))
{
	struct alu_result result =
	        operation(vcpu->registers[VCPU_EAX] & 0xFFFF, base, vcpu->eflags);

	interpret_set_register(vcpu, VCPU_EAX, 2, result.value);
	vcpu->eflags = result.flags;
	return true;
}

bool interpret_aam(struct vcpu *vcpu, const struct instruction *in)
{
	uint8_t base = (uint8_t)in->immediate;

	return base ? decimal_with_base(vcpu, base, alu_aam) : fault_raise(vcpu, FAULT_DE);
}

bool interpret_aad(struct vcpu *vcpu, const struct instruction *in)
{
	return decimal_with_base(vcpu, (uint8_t)in->immediate, alu_aad);
}

bool interpret_salc(struct vcpu *vcpu, const struct instruction *in)
{
	(void)in;
	interpret_set_register(vcpu, VCPU_EAX, 1, vcpu->eflags & VCPU_EFLAGS_CF ? 0xFF : 0);
	return true;
}

/* cbw and cwde: the lower half of the accumulator fills it. */
bool interpret_cbw(struct vcpu *vcpu, const struct instruction *in)
{
	interpret_set_register(vcpu, VCPU_EAX, in->operand_size,
	                       alu_sign_extend(in->operand_size / 2, vcpu->registers[VCPU_EAX]));
	return true;
}

/* cwd and cdq: its sign fills (E)DX. */
bool interpret_cwd(struct vcpu *vcpu, const struct instruction *in)
{
	uint32_t sign = vcpu->registers[VCPU_EAX] >> (in->operand_size * 8 - 1) & 1;

	interpret_set_register(vcpu, VCPU_EDX, in->operand_size, 0 - sign);
	return true;
}
