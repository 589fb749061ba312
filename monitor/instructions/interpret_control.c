#include "monitor/instructions/interpret_control.h"

#include "monitor/cpu/events.h"
#include "monitor/cpu/transfer.h"
#include "monitor/instructions/alu.h"

static uint32_t cut_to_operand(const struct instruction *in, uint32_t eip)
{
	return in->operand_size == 4 ? eip : eip & 0xFFFF;
}

/* A target behind the limit is the jump's own fault. */
static bool check_target(struct vcpu *vcpu, uint32_t eip)
{
	return eip <= vcpu->segments[VCPU_CS].limit || fault_raise_with_error(vcpu, FAULT_GP, 0);
}

static bool go(struct vcpu *vcpu, uint32_t eip)
{
	if (!check_target(vcpu, eip))
		return false;
	vcpu->eip = eip;
	return true;
}

static uint32_t relative_target(const struct vcpu *vcpu, const struct instruction *in)
{
	return cut_to_operand(in, vcpu->eip + in->immediate);
}

/* Of a near jump or call: relative, or from a register or memory. */
static bool get_target(struct vcpu *vcpu, const struct instruction *in, uint32_t *eip)
{
	if (in->operands[0].kind == OPERAND_IS_RELATIVE) {
		*eip = relative_target(vcpu, in);
		return true;
	}
	return interpret_get(vcpu, in, 0, eip);
}

bool interpret_jcc(struct vcpu *vcpu, const struct instruction *in)
{
	return !alu_condition(in->opcode, vcpu->eflags) || go(vcpu, relative_target(vcpu, in));
}

bool interpret_jmp(struct vcpu *vcpu, const struct instruction *in)
{
	uint32_t eip;

	return get_target(vcpu, in, &eip) && go(vcpu, eip);
}

bool interpret_call(struct vcpu *vcpu, const struct instruction *in)
{
	uint32_t eip;

	if (!get_target(vcpu, in, &eip) || !check_target(vcpu, eip) ||
	    !interpret_push_value(vcpu, vcpu->eip, in->operand_size))
		return false;
	vcpu->eip = eip;
	return true;
}

static void drop_parameters(struct vcpu *vcpu, uint32_t bytes)
{
	bool big = vcpu->segments[VCPU_SS].attributes & VCPU_ATTRIBUTE_BIG;

	interpret_set_register(vcpu, VCPU_ESP, big ? 4 : 2, vcpu->registers[VCPU_ESP] + bytes);
}

bool interpret_ret(struct vcpu *vcpu, const struct instruction *in)
{
	uint32_t esp = vcpu->registers[VCPU_ESP], eip;

	if (!interpret_pop_value(vcpu, &eip, in->operand_size))
		return false;
	if (!go(vcpu, eip)) {
		vcpu->registers[VCPU_ESP] = esp;
		return false;
	}
	if (in->operand_count > 0)
		drop_parameters(vcpu, in->immediate);
	return true;
}

/* Counts down and jumps unless the count has come to zero; flags are not touched. */
static bool loop_if(struct vcpu *vcpu, const struct instruction *in, bool condition)
{
	uint32_t count = interpret_get_register(vcpu, VCPU_ECX, in->address_size) - 1;

	if (in->address_size == 2)
		count &= 0xFFFF;
	if (count != 0 && condition && !go(vcpu, relative_target(vcpu, in)))
		return false;
	interpret_set_register(vcpu, VCPU_ECX, in->address_size, count);
	return true;
}

bool interpret_loop(struct vcpu *vcpu, const struct instruction *in)
{
	return loop_if(vcpu, in, true);
}

bool interpret_loope(struct vcpu *vcpu, const struct instruction *in)
{
	return loop_if(vcpu, in, vcpu->eflags & VCPU_EFLAGS_ZF);
}

bool interpret_loopne(struct vcpu *vcpu, const struct instruction *in)
{
	return loop_if(vcpu, in, !(vcpu->eflags & VCPU_EFLAGS_ZF));
}

bool interpret_jecxz(struct vcpu *vcpu, const struct instruction *in)
{
	return interpret_get_register(vcpu, VCPU_ECX, in->address_size) != 0 ||
	       go(vcpu, relative_target(vcpu, in));
}

/* In the instruction itself, or in memory: the offset first. */
static bool get_far_pointer(struct vcpu *vcpu, const struct instruction *in, uint16_t *selector,
                            uint32_t *offset)
{
	uint8_t pointer[6];

	if (in->operands[0].kind == OPERAND_IS_FAR) {
		*selector = in->second;
		*offset = cut_to_operand(in, in->immediate);
		return true;
	}
	if (!interpret_read(vcpu, in->memory.segment, interpret_offset(vcpu, in), pointer,
	                    in->operands[0].size))
		return false;
	*offset = 0;
	__builtin_memcpy(offset, pointer, in->operand_size);
	__builtin_memcpy(selector, pointer + in->operand_size, sizeof(*selector));
	return true;
}

bool interpret_jmp_far(struct vcpu *vcpu, const struct instruction *in)
{
	uint16_t selector;
	uint32_t offset;

	return get_far_pointer(vcpu, in, &selector, &offset) &&
	       transfer_far_jump(vcpu, selector, offset, in->operand_size);
}

bool interpret_call_far(struct vcpu *vcpu, const struct instruction *in)
{
	uint16_t selector;
	uint32_t offset;

	return get_far_pointer(vcpu, in, &selector, &offset) &&
	       transfer_far_call(vcpu, selector, offset, in->operand_size);
}

bool interpret_retf(struct vcpu *vcpu, const struct instruction *in)
{
	return transfer_far_return(vcpu, in->operand_size,
	                           in->operand_count > 0 ? (uint16_t)in->immediate : 0);
}

bool interpret_iret(struct vcpu *vcpu, const struct instruction *in)
{
	return interpret_require_v86_iopl(vcpu) &&
	       transfer_interrupt_return(vcpu, in->operand_size);
}

bool interpret_int(struct vcpu *vcpu, const struct instruction *in)
{
	if (!events_check_int(vcpu))
		return false;
	events_raise_software(vcpu, (uint8_t)in->immediate);
	return true;
}

bool interpret_int1(struct vcpu *vcpu, const struct instruction *in)
{
	(void)in;
	events_raise_int1(vcpu);
	return true;
}

bool interpret_int3(struct vcpu *vcpu, const struct instruction *in)
{
	(void)in;
	events_raise_software(vcpu, FAULT_BP);
	return true;
}

bool interpret_into(struct vcpu *vcpu, const struct instruction *in)
{
	(void)in;
	if (vcpu->eflags & VCPU_EFLAGS_OF)
		events_raise_software(vcpu, FAULT_OF);
	return true;
}

/* Two signed bounds, the lower one first. */
bool interpret_bound(struct vcpu *vcpu, const struct instruction *in)
{
	uint32_t value = interpret_get_register(vcpu, in->operands[0].number, in->operand_size);
	uint32_t offset = interpret_offset(vcpu, in), low = 0, high = 0;
	unsigned int size = in->operand_size;
	uint8_t bounds[8];

	if (!interpret_read(vcpu, in->memory.segment, offset, bounds, 2 * size))
		return false;
	__builtin_memcpy(&low, bounds, size);
	__builtin_memcpy(&high, bounds + size, size);
	if ((int32_t)alu_sign_extend(size, value) < (int32_t)alu_sign_extend(size, low) ||
	    (int32_t)alu_sign_extend(size, value) > (int32_t)alu_sign_extend(size, high))
		return fault_raise(vcpu, FAULT_BR);
	return true;
}

bool interpret_undefined(struct vcpu *vcpu, const struct instruction *in)
{
	(void)in;
	return fault_raise(vcpu, FAULT_UD);
}
