#include "monitor/instructions/interpret_bits.h"

#include "monitor/instructions/alu.h"

typedef struct alu_result shift_operation(unsigned int size, uint32_t a, uint32_t b,
                                          uint32_t flags);
typedef struct alu_result double_shift_operation(unsigned int size, uint32_t a, uint32_t b,
                                                 uint32_t count, uint32_t flags);

/* Memory is written whatever the count is. */
static bool shift(struct vcpu *vcpu, const struct instruction *in, shift_operation *operation)
{
	struct alu_result result;
	uint32_t value, count;
	gva_t at;

	if (!interpret_get(vcpu, in, 1, &count) || !interpret_open(vcpu, in, &at, &value))
		return false;
	result = operation(in->operands[0].size, value, count, vcpu->eflags);
	if (!interpret_close(vcpu, in, at, result.value))
		return false;
	vcpu->eflags = result.flags;
	return true;
}

bool interpret_shl(struct vcpu *vcpu, const struct instruction *in)
{
	return shift(vcpu, in, alu_shl);
}

bool interpret_shr(struct vcpu *vcpu, const struct instruction *in)
{
	return shift(vcpu, in, alu_shr);
}

bool interpret_sar(struct vcpu *vcpu, const struct instruction *in)
{
	return shift(vcpu, in, alu_sar);
}

bool interpret_rol(struct vcpu *vcpu, const struct instruction *in)
{
	return shift(vcpu, in, alu_rol);
}

bool interpret_ror(struct vcpu *vcpu, const struct instruction *in)
{
	return shift(vcpu, in, alu_ror);
}

bool interpret_rcl(struct vcpu *vcpu, const struct instruction *in)
{
	return shift(vcpu, in, alu_rcl);
}

bool interpret_rcr(struct vcpu *vcpu, const struct instruction *in)
{
	return shift(vcpu, in, alu_rcr);
}

static bool double_shift(struct vcpu *vcpu, const struct instruction *in,
                         double_shift_operation *operation)
{
	struct alu_result result;
	uint32_t value, source, count;
	gva_t at;

	if (!interpret_get(vcpu, in, 1, &source) || !interpret_get(vcpu, in, 2, &count) ||
	    !interpret_open(vcpu, in, &at, &value))
		return false;
	result = operation(in->operands[0].size, value, source, count, vcpu->eflags);
	if (!interpret_close(vcpu, in, at, result.value))
		return false;
	vcpu->eflags = result.flags;
	return true;
}

bool interpret_shld(struct vcpu *vcpu, const struct instruction *in)
{
	return double_shift(vcpu, in, alu_shld);
}

bool interpret_shrd(struct vcpu *vcpu, const struct instruction *in)
{
	return double_shift(vcpu, in, alu_shrd);
}

/* A bit number in a register is signed and may lie in another word than the one addressed. */
static uint32_t offset_of_word(const struct vcpu *vcpu, const struct instruction *in, uint32_t bit)
{
	uint32_t offset = interpret_offset(vcpu, in);

	if (!(instruction_opcode(in)->properties & PROPERTY_BITS))
		return offset;
	if (in->operand_size == 4)
		offset += (uint32_t)(((int32_t)bit >> 5) * 4);
	else
		offset += (uint32_t)(((int16_t)bit >> 4) * 2);
	return in->address_size == 4 ? offset : offset & 0xFFFF;
}

bool interpret_bt(struct vcpu *vcpu, const struct instruction *in)
{
	uint32_t bit, value = 0;

	if (!interpret_get(vcpu, in, 1, &bit))
		return false;
	if (!in->has_memory)
		value = interpret_get_register(vcpu, in->operands[0].number, in->operand_size);
	else if (!interpret_read(vcpu, in->memory.segment, offset_of_word(vcpu, in, bit), &value,
	                         in->operand_size))
		return false;
	vcpu->eflags = alu_bt(in->operand_size, value, bit, vcpu->eflags).flags;
	return true;
}

static bool change_bit(struct vcpu *vcpu, const struct instruction *in, shift_operation *operation)
{
	struct alu_result result;
	uint32_t bit, value = 0;
	gva_t at = gva(0);

	if (!interpret_get(vcpu, in, 1, &bit))
		return false;
	if (!in->has_memory)
		value = interpret_get_register(vcpu, in->operands[0].number, in->operand_size);
	else if (!interpret_open_at(vcpu, in->memory.segment, offset_of_word(vcpu, in, bit), &value,
	                            in->operand_size, &at))
		return false;
	result = operation(in->operand_size, value, bit, vcpu->eflags);
	if (!interpret_close(vcpu, in, at, result.value))
		return false;
	vcpu->eflags = result.flags;
	return true;
}

bool interpret_bts(struct vcpu *vcpu, const struct instruction *in)
{
	return change_bit(vcpu, in, alu_bts);
}

bool interpret_btr(struct vcpu *vcpu, const struct instruction *in)
{
	return change_bit(vcpu, in, alu_btr);
}

bool interpret_btc(struct vcpu *vcpu, const struct instruction *in)
{
	return change_bit(vcpu, in, alu_btc);
}

static bool scan(struct vcpu *vcpu, const struct instruction *in, shift_operation *operation)
{
	struct alu_result result;
	uint32_t old, source;

	if (!interpret_get(vcpu, in, 1, &source) || !interpret_get(vcpu, in, 0, &old))
		return false;
	result = operation(in->operand_size, old, source, vcpu->eflags);
	vcpu->eflags = result.flags;
	/* A source of zero leaves the register alone. */
	return source == 0 || interpret_set(vcpu, in, 0, result.value);
}

bool interpret_bsf(struct vcpu *vcpu, const struct instruction *in)
{
	return scan(vcpu, in, alu_bsf);
}

bool interpret_bsr(struct vcpu *vcpu, const struct instruction *in)
{
	return scan(vcpu, in, alu_bsr);
}

bool interpret_setcc(struct vcpu *vcpu, const struct instruction *in)
{
	return interpret_set(vcpu, in, 0, alu_condition(in->opcode, vcpu->eflags));
}

bool interpret_clc(struct vcpu *vcpu, const struct instruction *in)
{
	(void)in;
	vcpu->eflags &= ~VCPU_EFLAGS_CF;
	return true;
}

bool interpret_stc(struct vcpu *vcpu, const struct instruction *in)
{
	(void)in;
	vcpu->eflags |= VCPU_EFLAGS_CF;
	return true;
}

bool interpret_cmc(struct vcpu *vcpu, const struct instruction *in)
{
	(void)in;
	vcpu->eflags ^= VCPU_EFLAGS_CF;
	return true;
}

bool interpret_cld(struct vcpu *vcpu, const struct instruction *in)
{
	(void)in;
	vcpu->eflags &= ~VCPU_EFLAGS_DF;
	return true;
}

bool interpret_std(struct vcpu *vcpu, const struct instruction *in)
{
	(void)in;
	vcpu->eflags |= VCPU_EFLAGS_DF;
	return true;
}
