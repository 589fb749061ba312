#include "monitor/cpu/stack.h"

static uint32_t wrap(const struct vcpu_segment_register *ss, uint32_t esp)
{
	return ss->attributes & VCPU_ATTRIBUTE_BIG ? esp : esp & 0xFFFF;
}

void stack_begin(const struct vcpu *vcpu, struct stack_frame *frame, unsigned int size)
{
	frame->ss = vcpu->segments[VCPU_SS];
	frame->esp = vcpu->registers[VCPU_ESP];
	frame->error = 0;
	frame->as = LINEAR_AS_CPL;
	frame->size = size;
	frame->count = 0;
}

void stack_begin_new(struct stack_frame *frame, const struct vcpu_segment_register *ss,
                     uint32_t esp, unsigned int size)
{
	frame->ss = *ss;
	frame->esp = esp;
	frame->error = ss->selector;
	frame->as = LINEAR_AS_SUPERVISOR;
	frame->size = size;
	frame->count = 0;
}

void stack_add(struct stack_frame *frame, uint32_t value)
{
	frame->values[frame->count++] = value;
}

static uint32_t place(const struct stack_frame *frame, unsigned int index)
{
	return wrap(&frame->ss, frame->esp - (index + 1) * frame->size);
}

/* Each push by itself: on a 16-bit stack the frame may go from the bottom to the top. */
bool stack_check_room(struct vcpu *vcpu, const struct stack_frame *frame)
{
	for (unsigned int i = 0; i < frame->count; i++)
		if (!segments_allow(&frame->ss, place(frame, i), frame->size, SEGMENT_WRITE))
			return segments_raise(vcpu, FAULT_SS, frame->error);
	return true;
}

static gva_t linear_place(const struct stack_frame *frame, unsigned int index)
{
	return gva(frame->ss.base + place(frame, index));
}

/* All pages are asked for first, from the top as the pushes go, so that CR2 is the one that the
 * first failing push has. */
bool stack_write(struct vcpu *vcpu, const struct stack_frame *frame)
{
	for (unsigned int i = 0; i < frame->count; i++)
		if (!linear_check_write(vcpu, linear_place(frame, i), frame->size, frame->as))
			return false;
	for (unsigned int i = 0; i < frame->count; i++)
		if (!linear_write(vcpu, linear_place(frame, i), &frame->values[i], frame->size,
		                  frame->as))
			return false;
	return true;
}

void stack_move(struct vcpu *vcpu, uint32_t esp)
{
	uint32_t *register_esp = &vcpu->registers[VCPU_ESP];

	if (vcpu->segments[VCPU_SS].attributes & VCPU_ATTRIBUTE_BIG)
		*register_esp = esp;
	else
		*register_esp = (*register_esp & 0xFFFF0000) | (esp & 0xFFFF);
}

void stack_take(struct vcpu *vcpu, const struct stack_frame *frame)
{
	vcpu->segments[VCPU_SS] = frame->ss;
	vcpu->registers[VCPU_ESP] = frame->esp;
	stack_move(vcpu, frame->esp - frame->count * frame->size);
}

bool stack_peek(struct vcpu *vcpu, uint32_t at, uint32_t *value, unsigned int size)
{
	uint32_t offset = wrap(&vcpu->segments[VCPU_SS], vcpu->registers[VCPU_ESP] + at);
	gva_t linear;

	*value = 0;
	return segments_translate(vcpu, VCPU_SS, offset, size, SEGMENT_READ, &linear) &&
	       linear_read(vcpu, linear, value, size, LINEAR_AS_CPL);
}
