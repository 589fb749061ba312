#include "monitor/cpu/transfer.h"

#include "monitor/cpu/gates.h"
#include "monitor/cpu/stack.h"
#include "monitor/cpu/tasks.h"

bool transfer_push(struct vcpu *vcpu, uint32_t value, unsigned int size)
{
	bool big = vcpu->segments[VCPU_SS].attributes & VCPU_ATTRIBUTE_BIG;
	uint32_t esp = vcpu->registers[VCPU_ESP] - size;
	gva_t at;

	if (!segments_translate(vcpu, VCPU_SS, big ? esp : esp & 0xFFFF, size, SEGMENT_WRITE,
	                        &at) ||
	    !linear_write(vcpu, at, &value, size, LINEAR_AS_CPL))
		return false;
	stack_move(vcpu, esp);
	return true;
}

bool transfer_pop(struct vcpu *vcpu, uint32_t *value, unsigned int size)
{
	if (!stack_peek(vcpu, 0, value, size))
		return false;
	stack_move(vcpu, vcpu->registers[VCPU_ESP] + size);
	return true;
}

/* Where a jump and a call differ: what is pushed for code at the same level, and the rest. */
struct way {
	bool pushes;
	enum tasks_cause cause;
	bool (*through_gate)(struct vcpu *vcpu, struct segments_descriptor gate);
};

static const struct way jump = {false, TASKS_JUMP, gates_jump};
static const struct way call = {true, TASKS_CALL, gates_call};

/* To code that has been checked, at the level we are at. */
static bool go_to_code(struct vcpu *vcpu, const struct way *way, struct vcpu_segment_register *code,
                       uint32_t offset, unsigned int operand_size)
{
	struct stack_frame frame;

	stack_begin(vcpu, &frame, operand_size);
	if (way->pushes) {
		stack_add(&frame, vcpu->segments[VCPU_CS].selector);
		stack_add(&frame, vcpu->eip);
	}
	if (!stack_check_room(vcpu, &frame) || !gates_check_eip(vcpu, code, offset) ||
	    !segments_touch(vcpu, code) || !stack_write(vcpu, &frame))
		return false;
	stack_take(vcpu, &frame);
	gates_enter(vcpu, code, vcpu->cpl, offset);
	return true;
}

/* In virtual-8086 mode a selector is 16 times itself, and its low bits mean nothing special. */
static void enter_v86_code(struct vcpu *vcpu, uint16_t selector, uint32_t offset)
{
	segments_load_v86(vcpu, VCPU_CS, selector);
	vcpu->eip = offset;
}

static bool go_in_v86(struct vcpu *vcpu, const struct way *way, uint16_t selector, uint32_t offset,
                      unsigned int operand_size)
{
	struct stack_frame frame;

	stack_begin(vcpu, &frame, operand_size);
	if (way->pushes) {
		stack_add(&frame, vcpu->segments[VCPU_CS].selector);
		stack_add(&frame, vcpu->eip);
	}
	if (!stack_check_room(vcpu, &frame) ||
	    !gates_check_eip(vcpu, &vcpu->segments[VCPU_CS], offset) || !stack_write(vcpu, &frame))
		return false;
	stack_take(vcpu, &frame);
	enter_v86_code(vcpu, selector, offset);
	return true;
}

static bool check_code(struct vcpu *vcpu, const struct vcpu_segment_register *code)
{
	unsigned int dpl = segments_dpl(code), rpl = code->selector & 3u;
	bool good = segments_is_conforming(code) ? dpl <= vcpu->cpl
	                                         : dpl == vcpu->cpl && rpl <= vcpu->cpl;

	if (!segments_is_code(code) || !good)
		return segments_raise(vcpu, FAULT_GP, code->selector);
	if (!segments_is_present(code))
		return segments_raise(vcpu, FAULT_NP, code->selector);
	return true;
}

/* The rights to a gate or a TSS. */
static bool check_system_rights(struct vcpu *vcpu, const struct vcpu_segment_register *system)
{
	unsigned int dpl = segments_dpl(system);

	if (dpl < vcpu->cpl || dpl < (system->selector & 3u))
		return segments_raise(vcpu, FAULT_GP, system->selector);
	return true;
}

static bool check_gate(struct vcpu *vcpu, const struct vcpu_segment_register *gate)
{
	if (!check_system_rights(vcpu, gate))
		return false;
	return segments_is_present(gate) || segments_raise(vcpu, FAULT_NP, gate->selector);
}

static bool go_through_system(struct vcpu *vcpu, const struct way *way,
                              const struct vcpu_segment_register *system,
                              struct segments_descriptor descriptor)
{
	switch (segments_system_type(system)) {
	case SEGMENTS_TYPE_CALL_GATE16:
	case SEGMENTS_TYPE_CALL_GATE16 | SEGMENTS_TYPE_32BIT:
		return check_gate(vcpu, system) && way->through_gate(vcpu, descriptor);
	case SEGMENTS_TYPE_TASK_GATE:
		return check_gate(vcpu, system) &&
		       tasks_switch(vcpu, gates_unpack(descriptor).selector, way->cause, NULL);
	case SEGMENTS_TYPE_TSS16:
	case SEGMENTS_TYPE_TSS16 | SEGMENTS_TYPE_32BIT:
		return check_system_rights(vcpu, system) &&
		       tasks_switch(vcpu, system->selector, way->cause, NULL);
	default:
		return segments_raise(vcpu, FAULT_GP, system->selector);
	}
}

static bool go(struct vcpu *vcpu, const struct way *way, uint16_t selector, uint32_t offset,
               unsigned int operand_size)
{
	struct segments_descriptor descriptor;
	struct vcpu_segment_register to;

	if (operand_size == 2)
		offset &= 0xFFFF;
	if (segments_is_v86(vcpu))
		return go_in_v86(vcpu, way, selector, offset, operand_size);
	if (segments_is_null(selector))
		return fault_raise_with_error(vcpu, FAULT_GP, 0);
	if (!segments_read_descriptor(vcpu, selector, FAULT_GP, &descriptor))
		return false;
	to = segments_unpack(selector, descriptor);
	if (!(to.attributes & VCPU_ATTRIBUTE_S))
		return go_through_system(vcpu, way, &to, descriptor);
	return check_code(vcpu, &to) && go_to_code(vcpu, way, &to, offset, operand_size);
}

bool transfer_far_jump(struct vcpu *vcpu, uint16_t selector, uint32_t offset,
                       unsigned int operand_size)
{
	return go(vcpu, &jump, selector, offset, operand_size);
}

bool transfer_far_call(struct vcpu *vcpu, uint16_t selector, uint32_t offset,
                       unsigned int operand_size)
{
	return go(vcpu, &call, selector, offset, operand_size);
}
