#include "monitor/cpu/gates.h"

#include "monitor/cpu/stack.h"
#include "monitor/cpu/tasks.h"

#define GATE_PARAMETERS 0x1Fu
#define GATE_TRAP       1u /* in the type of an IDT gate: leaves IF as it is */
#define GATE_INTERRUPT  6u /* a 16-bit one; with GATE_TRAP and SEGMENTS_TYPE_32BIT the others */
#define GATE_SIZE       8u
#define ERROR_IDT       2u

/* Present, 32 bits wide, an interrupt or a trap gate. */
#define USUAL_GATE      (VCPU_ATTRIBUTE_PRESENT | SEGMENTS_TYPE_32BIT | GATE_INTERRUPT)
#define USUAL_GATE_MASK (USUAL_GATE | VCPU_ATTRIBUTE_S | (VCPU_ATTRIBUTE_TYPE & ~GATE_TRAP))

struct gates_target gates_unpack(struct segments_descriptor descriptor)
{
	bool wide = descriptor.high >> 8 & SEGMENTS_TYPE_32BIT;

	return (struct gates_target){
	        .selector = (uint16_t)(descriptor.low >> 16),
	        .offset = (descriptor.low & 0xFFFF) | (wide ? descriptor.high & 0xFFFF0000 : 0),
	        .size = wide ? 4 : 2,
	};
}

void gates_enter(struct vcpu *vcpu, const struct vcpu_segment_register *code, unsigned int level,
                 uint32_t eip)
{
	vcpu->segments[VCPU_CS] = *code;
	vcpu->segments[VCPU_CS].selector = (uint16_t)((code->selector & ~3u) | level);
	vcpu->cpl = (uint8_t)level;
	vcpu->eip = eip;
}

/* Code that a gate names, at this level or a more privileged one; the selector's RPL is ignored. */
static bool fetch_code(struct vcpu *vcpu, uint16_t selector, struct vcpu_segment_register *code)
{
	if (!segments_fetch(vcpu, selector, FAULT_GP, code))
		return false;
	if (!segments_is_code(code) || segments_dpl(code) > vcpu->cpl)
		return segments_raise(vcpu, FAULT_GP, selector);
	return true;
}

static bool check_present(struct vcpu *vcpu, const struct vcpu_segment_register *code)
{
	return segments_is_present(code) || segments_raise(vcpu, FAULT_NP, code->selector);
}

/* Conforming code runs at the level of whoever comes. */
static unsigned int code_level(const struct vcpu *vcpu, const struct vcpu_segment_register *code)
{
	return segments_is_conforming(code) ? vcpu->cpl : segments_dpl(code);
}

bool gates_jump(struct vcpu *vcpu, struct segments_descriptor gate)
{
	struct gates_target to = gates_unpack(gate);
	struct vcpu_segment_register code;

	if (!fetch_code(vcpu, to.selector, &code))
		return false;
	if (code_level(vcpu, &code) != vcpu->cpl)
		return segments_raise(vcpu, FAULT_GP, to.selector);
	if (!check_present(vcpu, &code) || !gates_check_eip(vcpu, &code, to.offset) ||
	    !segments_touch(vcpu, &code))
		return false;
	gates_enter(vcpu, &code, vcpu->cpl, to.offset);
	return true;
}

/* The new stack of a more privileged level, empty. */
static bool begin_inner(struct vcpu *vcpu, unsigned int level, unsigned int size,
                        struct stack_frame *frame)
{
	struct vcpu_segment_register ss;
	uint16_t selector;
	uint32_t esp;

	if (!tasks_read_stack(vcpu, level, &selector, &esp) ||
	    !segments_check_stack(vcpu, selector, level, FAULT_TS, &ss))
		return false;
	stack_begin_new(frame, &ss, esp, size);
	return true;
}

static bool begin_frame(struct vcpu *vcpu, unsigned int level, unsigned int size,
                        struct stack_frame *frame)
{
	if (level != vcpu->cpl)
		return begin_inner(vcpu, level, size, frame);
	stack_begin(vcpu, frame, size);
	return true;
}

/* The frame is complete: the checks that are left, then everything at once. */
static bool finish(struct vcpu *vcpu, struct stack_frame *frame, struct vcpu_segment_register *code,
                   unsigned int level, uint32_t eip)
{
	if (!stack_check_room(vcpu, frame) || !gates_check_eip(vcpu, code, eip) ||
	    !segments_touch(vcpu, code) ||
	    (level != vcpu->cpl && !segments_touch(vcpu, &frame->ss)) || !stack_write(vcpu, frame))
		return false;
	stack_take(vcpu, frame);
	gates_enter(vcpu, code, level, eip);
	return true;
}

static void add_old_stack(const struct vcpu *vcpu, struct stack_frame *frame)
{
	stack_add(frame, vcpu->segments[VCPU_SS].selector);
	stack_add(frame, vcpu->registers[VCPU_ESP]);
}

/* The last parameter is the highest, so it goes first. */
static bool add_parameters(struct vcpu *vcpu, struct stack_frame *frame, unsigned int count)
{
	uint32_t value;

	while (count--) {
		if (!stack_peek(vcpu, count * frame->size, &value, frame->size))
			return false;
		stack_add(frame, value);
	}
	return true;
}

bool gates_call(struct vcpu *vcpu, struct segments_descriptor gate)
{
	struct gates_target to = gates_unpack(gate);
	struct vcpu_segment_register code;
	struct stack_frame frame;
	unsigned int level;

	if (!fetch_code(vcpu, to.selector, &code) || !check_present(vcpu, &code))
		return false;
	level = code_level(vcpu, &code);
	if (!begin_frame(vcpu, level, to.size, &frame))
		return false;
	if (level != vcpu->cpl) {
		add_old_stack(vcpu, &frame);
		if (!add_parameters(vcpu, &frame, gate.high & GATE_PARAMETERS))
			return false;
	}
	stack_add(&frame, vcpu->segments[VCPU_CS].selector);
	stack_add(&frame, vcpu->eip);
	return finish(vcpu, &frame, &code, level, to.offset);
}

static bool raise_for_vector(struct vcpu *vcpu, enum fault_vector fault, uint8_t vector)
{
	return fault_raise_with_error(vcpu, fault, vector * GATE_SIZE + ERROR_IDT);
}

static unsigned int gate_dpl(struct segments_descriptor gate)
{
	return gate.high >> (8 + VCPU_ATTRIBUTE_DPL_SHIFT) & 3;
}

static bool is_idt_gate(unsigned int type)
{
	return type == SEGMENTS_TYPE_TASK_GATE ||
	       (type & ~(GATE_TRAP | SEGMENTS_TYPE_32BIT)) == GATE_INTERRUPT;
}

static bool read_gate(struct vcpu *vcpu, const struct vcpu_event *event,
                      struct segments_descriptor *descriptor)
{
	uint32_t at = event->vector * GATE_SIZE;
	unsigned int type;

	if (at + GATE_SIZE - 1 > vcpu->idtr.limit)
		return raise_for_vector(vcpu, FAULT_GP, event->vector);
	if (!linear_read_descriptor(vcpu, gva(vcpu->idtr.base + at), descriptor))
		return false;
	type = descriptor->high >> 8 & (VCPU_ATTRIBUTE_S | VCPU_ATTRIBUTE_TYPE);
	if (!is_idt_gate(type) || (event->is_software && gate_dpl(*descriptor) < vcpu->cpl))
		return raise_for_vector(vcpu, FAULT_GP, event->vector);
	if (!(descriptor->high >> 8 & VCPU_ATTRIBUTE_PRESENT))
		return raise_for_vector(vcpu, FAULT_NP, event->vector);
	return true;
}

/* From virtual-8086 mode the only way is to ring 0. */
static bool fetch_handler(struct vcpu *vcpu, uint16_t selector, struct vcpu_segment_register *code)
{
	if (!fetch_code(vcpu, selector, code) || !check_present(vcpu, code))
		return false;
	if (segments_is_v86(vcpu) && code_level(vcpu, code) != 0)
		return segments_raise(vcpu, FAULT_GP, selector);
	return true;
}

static const enum vcpu_segment data_segments[] = {VCPU_GS, VCPU_FS, VCPU_DS, VCPU_ES};

static void build_frame(const struct vcpu *vcpu, const struct vcpu_event *event,
                        struct stack_frame *frame, unsigned int level)
{
	if (segments_is_v86(vcpu))
		for (unsigned int i = 0; i < 4; i++)
			stack_add(frame, vcpu->segments[data_segments[i]].selector);
	if (level != vcpu->cpl)
		add_old_stack(vcpu, frame);
	stack_add(frame, vcpu->eflags | (event->is_fault ? VCPU_EFLAGS_RF : 0));
	stack_add(frame, vcpu->segments[VCPU_CS].selector);
	stack_add(frame, vcpu->eip);
	if (event->has_error)
		stack_add(frame, event->error);
}

static inline void enter_handler(struct vcpu *vcpu, unsigned int type)
{
	if (segments_is_v86(vcpu))
		for (unsigned int i = 0; i < 4; i++)
			segments_invalidate(vcpu, data_segments[i]);
	vcpu->eflags &= ~(VCPU_EFLAGS_TF | VCPU_EFLAGS_NT | VCPU_EFLAGS_RF | VCPU_EFLAGS_VM);
	if (!(type & GATE_TRAP))
		vcpu->eflags &= ~VCPU_EFLAGS_IF;
}

/* A delivery that meets nothing unusual: no word of it can fault, and all of its frame is in one
 * page. It is found before anything is written, so that whatever it does not know can be left to
 * the exact way. */
struct usual {
	const struct vcpu_segment_register *code, *ss;
	uint32_t gate; /* its second word */
	uint32_t eip, esp;
	uint16_t code_selector, ss_selector;
};

static inline bool find_usual_handler(struct vcpu *vcpu, const struct vcpu_event *event,
                                      struct usual *usual)
{
	const uint16_t kind = VCPU_ATTRIBUTE_S | VCPU_ATTRIBUTE_CODE;
	uint32_t at = event->vector * GATE_SIZE;
	struct segments_descriptor gate;
	const uint8_t *bytes;

	bytes = linear_find_span(vcpu, gva(vcpu->idtr.base + at), GATE_SIZE, LINEAR_READ,
	                         LINEAR_AS_SUPERVISOR);
	if (!bytes || at + GATE_SIZE - 1 > vcpu->idtr.limit || segments_is_v86(vcpu))
		return false;
	__builtin_memcpy(&gate, bytes, sizeof(gate));
	usual->gate = gate.high;
	usual->eip = (gate.low & 0xFFFF) | (gate.high & 0xFFFF0000);
	usual->code_selector = (uint16_t)(gate.low >> 16);
	usual->code = segments_recall(vcpu, usual->code_selector);
	return usual->code && (gate.high >> 8 & USUAL_GATE_MASK) == USUAL_GATE &&
	       (!event->is_software || gate_dpl(gate) >= vcpu->cpl) &&
	       segments_has(usual->code, kind | VCPU_ATTRIBUTE_CONFORMS, kind) &&
	       segments_dpl(usual->code) <= vcpu->cpl && usual->eip <= usual->code->limit;
}

static inline bool find_usual_stack(struct vcpu *vcpu, struct usual *usual)
{
	unsigned int level = segments_dpl(usual->code);

	if (level == vcpu->cpl) {
		usual->ss = &vcpu->segments[VCPU_SS];
		usual->esp = vcpu->registers[VCPU_ESP];
		return true;
	}
	if (!tasks_recall_stack(vcpu, level, &usual->ss_selector, &usual->esp))
		return false;
	usual->ss = segments_recall(vcpu, usual->ss_selector);
	return usual->ss && usual->ss != usual->code && (usual->ss_selector & 3u) == level &&
	       segments_dpl(usual->ss) == level;
}

static inline void put(uint8_t **top, uint32_t value)
{
	*top -= 4;
	__builtin_memcpy(*top, &value, 4);
}

static inline void write_usual(const struct vcpu *vcpu, const struct vcpu_event *event, bool inward,
                               uint8_t *top)
{
	if (inward) {
		put(&top, vcpu->segments[VCPU_SS].selector);
		put(&top, vcpu->registers[VCPU_ESP]);
	}
	put(&top, vcpu->eflags | (event->is_fault ? VCPU_EFLAGS_RF : 0));
	put(&top, vcpu->segments[VCPU_CS].selector);
	put(&top, vcpu->eip);
	if (event->has_error)
		put(&top, event->error);
}

/* False: nothing has been done. */
static bool deliver_usual(struct vcpu *vcpu, const struct vcpu_event *event)
{
	struct usual usual;
	uint32_t size;
	uint8_t *room;
	bool inward;

	if (!find_usual_handler(vcpu, event, &usual) || !find_usual_stack(vcpu, &usual))
		return false;
	inward = usual.ss != &vcpu->segments[VCPU_SS];
	size = event->has_error ? 16 : 12;
	if (inward)
		size += 8;
	usual.esp -= size;
	room = stack_find(vcpu, usual.ss, usual.esp, size, LINEAR_WRITE,
	                  inward ? LINEAR_AS_SUPERVISOR : LINEAR_AS_CPL);
	if (!room)
		return false;
	write_usual(vcpu, event, inward, room + size);
	if (inward)
		segments_put(vcpu, VCPU_SS, usual.ss, usual.ss_selector);
	vcpu->registers[VCPU_ESP] = usual.esp;
	vcpu->cpl = (uint8_t)segments_dpl(usual.code);
	vcpu->eip = usual.eip;
	segments_put(vcpu, VCPU_CS, usual.code,
	             (uint16_t)((usual.code_selector & ~3u) | vcpu->cpl));
	enter_handler(vcpu, usual.gate >> 8 & VCPU_ATTRIBUTE_TYPE);
	return true;
}

static bool deliver_exactly(struct vcpu *vcpu, const struct vcpu_event *event)
{
	struct segments_descriptor gate;
	struct vcpu_segment_register code;
	struct stack_frame frame;
	struct gates_target to;
	unsigned int type, level;

	if (!read_gate(vcpu, event, &gate))
		return false;
	type = gate.high >> 8 & VCPU_ATTRIBUTE_TYPE;
	to = gates_unpack(gate);
	if (type == SEGMENTS_TYPE_TASK_GATE)
		return tasks_switch(vcpu, to.selector, TASKS_EVENT, event);
	if (!fetch_handler(vcpu, to.selector, &code))
		return false;
	level = code_level(vcpu, &code);
	if (!begin_frame(vcpu, level, to.size, &frame))
		return false;
	build_frame(vcpu, event, &frame, level);
	if (!finish(vcpu, &frame, &code, level, to.offset))
		return false;
	enter_handler(vcpu, type);
	return true;
}

bool gates_deliver(struct vcpu *vcpu, const struct vcpu_event *event)
{
	return deliver_usual(vcpu, event) || deliver_exactly(vcpu, event);
}
