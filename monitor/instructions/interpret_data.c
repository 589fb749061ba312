#include "monitor/instructions/interpret_data.h"

#include "monitor/cpu/control.h"
#include "monitor/instructions/alu.h"

#define ENTER_LEVELS 32

/* What a push of the flags shows: VM and RF never. */
#define PUSHED_FLAGS 0x00FCFFFFu

bool interpret_mov(struct vcpu *vcpu, const struct instruction *in)
{
	uint32_t value;

	return interpret_get(vcpu, in, 1, &value) && interpret_set(vcpu, in, 0, value);
}

bool interpret_load(struct vcpu *vcpu, const struct instruction *in)
{
	uint32_t value;

	if (!interpret_read(vcpu, in->memory.segment, interpret_offset(vcpu, in), &value, 4))
		return false;
	vcpu->registers[in->operands[0].number] = value;
	return true;
}

bool interpret_store(struct vcpu *vcpu, const struct instruction *in)
{
	return interpret_write(vcpu, in->memory.segment, interpret_offset(vcpu, in),
	                       &vcpu->registers[in->operands[1].number], 4);
}

/* The next instruction sets ESP, and until then the stack is no stack. */
static void hold_after_stack_load(struct vcpu *vcpu, enum vcpu_segment segment)
{
	if (segment == VCPU_SS)
		vcpu->interrupt_shadow = vcpu->debug_shadow = true;
}

bool interpret_copy(struct vcpu *vcpu, const struct instruction *in)
{
	vcpu->registers[in->operands[0].number] = vcpu->registers[in->operands[1].number];
	return true;
}

bool interpret_set_immediate(struct vcpu *vcpu, const struct instruction *in)
{
	vcpu->registers[in->operands[0].number] = in->immediate;
	return true;
}

bool interpret_mov_to_segment(struct vcpu *vcpu, const struct instruction *in)
{
	enum vcpu_segment segment = (enum vcpu_segment)in->operands[0].number;
	uint32_t selector;

	if (!interpret_get(vcpu, in, 1, &selector) ||
	    !segments_load(vcpu, segment, (uint16_t)selector))
		return false;
	hold_after_stack_load(vcpu, segment);
	return true;
}

bool interpret_mov_from_segment(struct vcpu *vcpu, const struct instruction *in)
{
	return interpret_set(vcpu, in, 0, vcpu->segments[in->operands[1].number].selector);
}

bool interpret_movzx(struct vcpu *vcpu, const struct instruction *in)
{
	return interpret_mov(vcpu, in);
}

bool interpret_movsx(struct vcpu *vcpu, const struct instruction *in)
{
	uint32_t value;

	return interpret_get(vcpu, in, 1, &value) &&
	       interpret_set(vcpu, in, 0, alu_sign_extend(in->operands[1].size, value));
}

/* Memory is read whether the condition holds or not. */
bool interpret_cmov(struct vcpu *vcpu, const struct instruction *in)
{
	uint32_t value;

	if (!interpret_get(vcpu, in, 1, &value))
		return false;
	return !alu_condition(in->opcode, vcpu->eflags) || interpret_set(vcpu, in, 0, value);
}

bool interpret_lea(struct vcpu *vcpu, const struct instruction *in)
{
	return interpret_set(vcpu, in, 0, interpret_offset(vcpu, in));
}

bool interpret_xchg(struct vcpu *vcpu, const struct instruction *in)
{
	const struct operand *other = &in->operands[1];
	uint32_t first, second = interpret_get_register(vcpu, other->number, other->size);
	gva_t at;

	if (!interpret_open(vcpu, in, &at, &first) || !interpret_close(vcpu, in, at, second))
		return false;
	interpret_set_register(vcpu, other->number, other->size, first);
	return true;
}

bool interpret_xlat(struct vcpu *vcpu, const struct instruction *in)
{
	uint32_t offset = vcpu->registers[VCPU_EBX] + (uint8_t)vcpu->registers[VCPU_EAX];
	uint8_t value;

	if (in->address_size == 2)
		offset &= 0xFFFF;
	if (!interpret_read(vcpu, in->memory.segment, offset, &value, 1))
		return false;
	interpret_set_register(vcpu, VCPU_EAX, 1, value);
	return true;
}

bool interpret_bswap(struct vcpu *vcpu, const struct instruction *in)
{
	uint32_t value;

	return interpret_get(vcpu, in, 0, &value) &&
	       interpret_set(vcpu, in, 0, alu_bswap(in->operand_size, value));
}

/* lds and its kin carry the segment register in their name only: it is in the opcode. */
static enum vcpu_segment segment_of_far_load(uint8_t opcode)
{
	switch (opcode) {
	case 0xC4:
		return VCPU_ES;
	case 0xC5:
		return VCPU_DS;
	case 0xB2:
		return VCPU_SS;
	case 0xB4:
		return VCPU_FS;
	default:
		return VCPU_GS;
	}
}

bool interpret_load_far_pointer(struct vcpu *vcpu, const struct instruction *in)
{
	uint8_t pointer[6];
	uint32_t offset = 0;
	uint16_t selector;

	if (!interpret_read(vcpu, in->memory.segment, interpret_offset(vcpu, in), pointer,
	                    in->operands[1].size))
		return false;
	__builtin_memcpy(&offset, pointer, in->operand_size);
	__builtin_memcpy(&selector, pointer + in->operand_size, sizeof(selector));
	if (!segments_load(vcpu, segment_of_far_load(in->opcode), selector))
		return false;
	return interpret_set(vcpu, in, 0, offset);
}

bool interpret_push(struct vcpu *vcpu, const struct instruction *in)
{
	uint32_t value;

	return interpret_get(vcpu, in, 0, &value) &&
	       interpret_push_value(vcpu, value, in->operand_size);
}

bool interpret_push_register(struct vcpu *vcpu, const struct instruction *in)
{
	return interpret_push_value(vcpu, vcpu->registers[in->operands[0].number], 4);
}

bool interpret_pop_register(struct vcpu *vcpu, const struct instruction *in)
{
	uint32_t value;

	if (!interpret_pop_value(vcpu, &value, 4))
		return false;
	vcpu->registers[in->operands[0].number] = value;
	return true;
}

bool interpret_push_segment(struct vcpu *vcpu, const struct instruction *in)
{
	return interpret_push_value(vcpu, vcpu->segments[in->operands[0].number].selector,
	                            in->operand_size);
}

/* An address made with ESP is made with the ESP after the pop. */
bool interpret_pop(struct vcpu *vcpu, const struct instruction *in)
{
	uint32_t esp = vcpu->registers[VCPU_ESP], value;

	if (!interpret_pop_value(vcpu, &value, in->operand_size))
		return false;
	if (interpret_set(vcpu, in, 0, value))
		return true;
	vcpu->registers[VCPU_ESP] = esp;
	return false;
}

bool interpret_pop_segment(struct vcpu *vcpu, const struct instruction *in)
{
	enum vcpu_segment segment = (enum vcpu_segment)in->operands[0].number;
	uint32_t esp = vcpu->registers[VCPU_ESP], selector;

	if (!interpret_pop_value(vcpu, &selector, in->operand_size))
		return false;
	if (!segments_load(vcpu, segment, (uint16_t)selector)) {
		vcpu->registers[VCPU_ESP] = esp;
		return false;
	}
	hold_after_stack_load(vcpu, segment);
	return true;
}

bool interpret_pusha(struct vcpu *vcpu, const struct instruction *in)
{
	uint32_t esp = vcpu->registers[VCPU_ESP];

	for (unsigned int i = VCPU_EAX; i <= VCPU_EDI; i++) {
		uint32_t value = i == VCPU_ESP ? esp : vcpu->registers[i];
		if (!interpret_push_value(vcpu, value, in->operand_size)) {
			vcpu->registers[VCPU_ESP] = esp;
			return false;
		}
	}
	return true;
}

/* ESP is popped like the others, and thrown away. */
bool interpret_popa(struct vcpu *vcpu, const struct instruction *in)
{
	uint32_t esp = vcpu->registers[VCPU_ESP], values[VCPU_REGISTERS];

	for (int i = VCPU_EDI; i >= VCPU_EAX; i--)
		if (!interpret_pop_value(vcpu, &values[i], in->operand_size)) {
			vcpu->registers[VCPU_ESP] = esp;
			return false;
		}
	for (unsigned int i = VCPU_EAX; i <= VCPU_EDI; i++)
		if (i != VCPU_ESP)
			interpret_set_register(vcpu, i, in->operand_size, values[i]);
	return true;
}

static bool stack_is_big(const struct vcpu *vcpu)
{
	return vcpu->segments[VCPU_SS].attributes & VCPU_ATTRIBUTE_BIG;
}

static void set_stack_pointer(struct vcpu *vcpu, uint32_t esp)
{
	interpret_set_register(vcpu, VCPU_ESP, stack_is_big(vcpu) ? 4 : 2, esp);
}

/* The frames of the procedures around this one, copied from under the old EBP. */
static bool push_outer_frames(struct vcpu *vcpu, unsigned int count, unsigned int size)
{
	uint32_t from = vcpu->registers[VCPU_EBP];

	for (unsigned int i = 1; i < count; i++) {
		uint32_t pointer = 0, offset = from - i * size;
		if (!interpret_read(vcpu, VCPU_SS, stack_is_big(vcpu) ? offset : offset & 0xFFFF,
		                    &pointer, size) ||
		    !interpret_push_value(vcpu, pointer, size))
			return false;
	}
	return true;
}

/* The last thing to check is whether the new top of the stack could be written. */
static bool enter(struct vcpu *vcpu, const struct instruction *in, uint32_t *frame)
{
	unsigned int level = in->second % ENTER_LEVELS, size = in->operand_size;
	uint32_t top;
	gva_t at;

	if (!interpret_push_value(vcpu, vcpu->registers[VCPU_EBP], size))
		return false;
	*frame = vcpu->registers[VCPU_ESP];
	if (level > 0 &&
	    (!push_outer_frames(vcpu, level, size) || !interpret_push_value(vcpu, *frame, size)))
		return false;
	top = vcpu->registers[VCPU_ESP] - in->immediate;
	if (!stack_is_big(vcpu))
		top &= 0xFFFF;
	if (!interpret_translate(vcpu, VCPU_SS, top, size, SEGMENT_WRITE, &at) ||
	    !linear_check_write(vcpu, at, size, LINEAR_AS_CPL))
		return false;
	set_stack_pointer(vcpu, top);
	return true;
}

bool interpret_enter(struct vcpu *vcpu, const struct instruction *in)
{
	uint32_t esp = vcpu->registers[VCPU_ESP], frame;

	if (!enter(vcpu, in, &frame)) {
		vcpu->registers[VCPU_ESP] = esp;
		return false;
	}
	interpret_set_register(vcpu, VCPU_EBP, in->operand_size, frame);
	return true;
}

bool interpret_leave(struct vcpu *vcpu, const struct instruction *in)
{
	uint32_t esp = vcpu->registers[VCPU_ESP], value;

	set_stack_pointer(vcpu, vcpu->registers[VCPU_EBP]);
	if (!interpret_pop_value(vcpu, &value, in->operand_size)) {
		vcpu->registers[VCPU_ESP] = esp;
		return false;
	}
	interpret_set_register(vcpu, VCPU_EBP, in->operand_size, value);
	return true;
}

bool interpret_pushf(struct vcpu *vcpu, const struct instruction *in)
{
	return interpret_require_v86_iopl(vcpu) &&
	       interpret_push_value(vcpu, vcpu->eflags & PUSHED_FLAGS, in->operand_size);
}

bool interpret_popf(struct vcpu *vcpu, const struct instruction *in)
{
	uint32_t value;

	if (!interpret_require_v86_iopl(vcpu) ||
	    !interpret_pop_value(vcpu, &value, in->operand_size))
		return false;
	vcpu->eflags = control_merge_eflags(vcpu, value & ~VCPU_EFLAGS_RF, in->operand_size);
	return true;
}

bool interpret_lahf(struct vcpu *vcpu, const struct instruction *in)
{
	(void)in;
	interpret_set_register(vcpu, VCPU_EAX, 2,
	                       alu_lahf(vcpu->registers[VCPU_EAX] & 0xFFFF, vcpu->eflags));
	return true;
}

bool interpret_sahf(struct vcpu *vcpu, const struct instruction *in)
{
	(void)in;
	vcpu->eflags = alu_sahf(vcpu->registers[VCPU_EAX] & 0xFFFF, vcpu->eflags);
	return true;
}

/* Hints, fences and the prefetches: there is one processor and no cache to be seen. */
bool interpret_nop(struct vcpu *vcpu, const struct instruction *in)
{
	(void)vcpu;
	(void)in;
	return true;
}
