#include "monitor/cpu/returns.h"

#include "monitor/cpu/control.h"
#include "monitor/cpu/gates.h"
#include "monitor/cpu/stack.h"
#include "monitor/cpu/tasks.h"

/* What a return has found on the stack, and where it leads. */
struct way_back {
	unsigned int size; /* of each value, 2 or 4 */
	uint32_t popped;   /* bytes so far, those that ret drops included */
	uint32_t eip, eflags, esp;
	uint16_t cs_selector, ss_selector;
	struct vcpu_segment_register cs, ss;
};

static bool take(struct vcpu *vcpu, struct way_back *back, uint32_t *value)
{
	if (!stack_peek(vcpu, back->popped, value, back->size))
		return false;
	back->popped += back->size;
	return true;
}

static bool take_selector(struct vcpu *vcpu, struct way_back *back, uint16_t *selector)
{
	uint32_t value;

	if (!take(vcpu, back, &value))
		return false;
	*selector = (uint16_t)value;
	return true;
}

static bool take_target(struct vcpu *vcpu, struct way_back *back)
{
	return take(vcpu, back, &back->eip) && take_selector(vcpu, back, &back->cs_selector);
}

static bool take_stack(struct vcpu *vcpu, struct way_back *back)
{
	return take(vcpu, back, &back->esp) && take_selector(vcpu, back, &back->ss_selector);
}

/* Never to a more privileged level, whatever the segment is. */
static bool fetch_code(struct vcpu *vcpu, struct way_back *back)
{
	if (!segments_is_null(back->cs_selector) && (back->cs_selector & 3u) < vcpu->cpl)
		return segments_raise(vcpu, FAULT_GP, back->cs_selector);
	return segments_check_code(vcpu, back->cs_selector, FAULT_GP, &back->cs);
}

static bool finish_same_level(struct vcpu *vcpu, struct way_back *back)
{
	if (!gates_check_eip(vcpu, &back->cs, back->eip) || !segments_touch(vcpu, &back->cs))
		return false;
	stack_move(vcpu, vcpu->registers[VCPU_ESP] + back->popped);
	gates_enter(vcpu, &back->cs, vcpu->cpl, back->eip);
	return true;
}

/* A less privileged level does not inherit segments that it could not have loaded. */
static void drop_inner_segments(struct vcpu *vcpu)
{
	for (unsigned int i = 0; i < VCPU_SEGMENTS; i++) {
		const struct vcpu_segment_register *segment = &vcpu->segments[i];

		if (i == VCPU_CS || i == VCPU_SS ||
		    (segment->usable && segments_dpl(segment) >= vcpu->cpl))
			continue;
		if (!segment->usable || !segments_is_conforming(segment))
			segments_invalidate(vcpu, (enum vcpu_segment)i);
	}
}

static bool finish_outer_level(struct vcpu *vcpu, struct way_back *back, uint16_t drop)
{
	unsigned int level = back->cs_selector & 3u;

	if (!take_stack(vcpu, back) ||
	    !segments_check_stack(vcpu, back->ss_selector, level, FAULT_GP, &back->ss) ||
	    !gates_check_eip(vcpu, &back->cs, back->eip) || !segments_touch(vcpu, &back->cs) ||
	    !segments_touch(vcpu, &back->ss))
		return false;
	vcpu->segments[VCPU_SS] = back->ss;
	stack_move(vcpu, back->esp + drop);
	gates_enter(vcpu, &back->cs, level, back->eip);
	drop_inner_segments(vcpu);
	return true;
}

/* In virtual-8086 mode: only a limit to check, and no levels. */
static bool finish_v86(struct vcpu *vcpu, struct way_back *back)
{
	if (!gates_check_eip(vcpu, &vcpu->segments[VCPU_CS], back->eip))
		return false;
	stack_move(vcpu, vcpu->registers[VCPU_ESP] + back->popped);
	segments_load_v86(vcpu, VCPU_CS, back->cs_selector);
	vcpu->eip = back->eip;
	return true;
}

bool transfer_far_return(struct vcpu *vcpu, unsigned int operand_size, uint16_t drop)
{
	struct way_back back = {.size = operand_size};

	if (!take_target(vcpu, &back))
		return false;
	back.popped += drop;
	if (segments_is_v86(vcpu))
		return finish_v86(vcpu, &back);
	if (!fetch_code(vcpu, &back))
		return false;
	if ((back.cs_selector & 3u) == vcpu->cpl)
		return finish_same_level(vcpu, &back);
	return finish_outer_level(vcpu, &back, drop);
}

static bool return_in_v86(struct vcpu *vcpu, struct way_back *back)
{
	if ((vcpu->eflags & VCPU_EFLAGS_IOPL) != VCPU_EFLAGS_IOPL)
		return fault_raise_with_error(vcpu, FAULT_GP, 0);
	if (!take_target(vcpu, back) || !take(vcpu, back, &back->eflags) || !finish_v86(vcpu, back))
		return false;
	vcpu->eflags = control_merge_eflags(vcpu, back->eflags, back->size);
	return true;
}

#define V86_SEGMENTS 5
#define V86_LIMIT    0xFFFFu
#define V86_EFLAGS   0x3F7FD5u

/* From ring 0 only, and with every flag as the frame has it. */
static bool return_to_v86(struct vcpu *vcpu, struct way_back *back)
{
	static const enum vcpu_segment order[V86_SEGMENTS] = {VCPU_SS, VCPU_ES, VCPU_DS, VCPU_FS,
	                                                      VCPU_GS};
	uint16_t selectors[V86_SEGMENTS];

	if (!take(vcpu, back, &back->esp))
		return false;
	for (unsigned int i = 0; i < V86_SEGMENTS; i++)
		if (!take_selector(vcpu, back, &selectors[i]))
			return false;
	if (back->eip > V86_LIMIT)
		return fault_raise_with_error(vcpu, FAULT_GP, 0);
	vcpu->eflags = (back->eflags & V86_EFLAGS) | VCPU_EFLAGS_ONE;
	for (unsigned int i = 0; i < V86_SEGMENTS; i++)
		segments_load_v86(vcpu, order[i], selectors[i]);
	segments_load_v86(vcpu, VCPU_CS, back->cs_selector);
	vcpu->eip = back->eip;
	vcpu->registers[VCPU_ESP] = back->esp;
	vcpu->cpl = 3;
	return true;
}

static bool return_in_protected_mode(struct vcpu *vcpu, struct way_back *back)
{
	uint32_t eflags;
	bool done;

	if (!fetch_code(vcpu, back))
		return false;
	/* By the rights of the level that executes iret, not of the one that it goes to. */
	eflags = control_merge_eflags(vcpu, back->eflags, back->size);
	if ((back->cs_selector & 3u) == vcpu->cpl)
		done = finish_same_level(vcpu, back);
	else
		done = finish_outer_level(vcpu, back, 0);
	if (done)
		vcpu->eflags = eflags;
	return done;
}

/* An iret that meets nothing unusual: between 32-bit stacks, to segments of the GDT, with a frame
 * that is in one page. All of it is found before anything changes, so that whatever it does not
 * know can be left to the exact way. */
struct usual {
	uint32_t eip, cs_selector, eflags, esp, ss_selector; /* as they lie on the stack */
	const struct vcpu_segment_register *cs, *ss;
	unsigned int level;
};

#define USUAL_INNER 12u /* a return to the same level has no ESP and SS */
#define USUAL_OUTER 20u

static inline const uint8_t *find_usual_frame(struct vcpu *vcpu, uint32_t size)
{
	return stack_find(vcpu, &vcpu->segments[VCPU_SS], vcpu->registers[VCPU_ESP], size,
	                  LINEAR_READ, LINEAR_AS_CPL);
}

static inline bool find_usual_code(struct vcpu *vcpu, struct usual *usual)
{
	const uint16_t kind = VCPU_ATTRIBUTE_S | VCPU_ATTRIBUTE_CODE;

	usual->level = usual->cs_selector & 3;
	usual->cs = segments_recall(vcpu, (uint16_t)usual->cs_selector);
	return usual->cs && usual->level >= vcpu->cpl &&
	       segments_has(usual->cs, kind | VCPU_ATTRIBUTE_CONFORMS, kind) &&
	       segments_dpl(usual->cs) == usual->level && usual->eip <= usual->cs->limit;
}

static inline bool find_usual_stack(struct vcpu *vcpu, struct usual *usual)
{
	const uint16_t kind = VCPU_ATTRIBUTE_S | VCPU_ATTRIBUTE_WRITABLE | VCPU_ATTRIBUTE_BIG;

	usual->ss = segments_recall(vcpu, (uint16_t)usual->ss_selector);
	return usual->ss && usual->ss != usual->cs && (usual->ss_selector & 3) == usual->level &&
	       segments_has(usual->ss, kind | VCPU_ATTRIBUTE_CODE, kind) &&
	       segments_dpl(usual->ss) == usual->level;
}

static bool find_usual_return(struct vcpu *vcpu, struct usual *usual)
{
	const uint8_t *outer = find_usual_frame(vcpu, USUAL_OUTER);
	const uint8_t *frame = outer ? outer : find_usual_frame(vcpu, USUAL_INNER);

	if (!frame || vcpu->eflags & (VCPU_EFLAGS_VM | VCPU_EFLAGS_NT))
		return false;
	__builtin_memcpy(usual, frame, USUAL_INNER);
	if (usual->eflags & VCPU_EFLAGS_VM || !find_usual_code(vcpu, usual))
		return false;
	if (usual->level == vcpu->cpl)
		return true;
	if (!outer)
		return false;
	__builtin_memcpy(usual, frame, USUAL_OUTER);
	return find_usual_stack(vcpu, usual);
}

/* False: nothing has been done. */
static bool return_usual(struct vcpu *vcpu)
{
	struct usual usual;

	if (!find_usual_return(vcpu, &usual))
		return false;
	vcpu->eflags = control_merge_eflags(vcpu, usual.eflags, 4);
	vcpu->eip = usual.eip;
	segments_put(vcpu, VCPU_CS, usual.cs, (uint16_t)usual.cs_selector);
	if (usual.level == vcpu->cpl) {
		vcpu->registers[VCPU_ESP] += USUAL_INNER;
		return true;
	}
	vcpu->cpl = (uint8_t)usual.level;
	segments_put(vcpu, VCPU_SS, usual.ss, (uint16_t)usual.ss_selector);
	vcpu->registers[VCPU_ESP] = usual.esp;
	drop_inner_segments(vcpu);
	return true;
}

static bool interrupt_return(struct vcpu *vcpu, struct way_back *back)
{
	if (segments_is_v86(vcpu))
		return return_in_v86(vcpu, back);
	if (vcpu->eflags & VCPU_EFLAGS_NT)
		return tasks_return(vcpu);
	if (!take_target(vcpu, back) || !take(vcpu, back, &back->eflags))
		return false;
	if (back->size == 4 && back->eflags & VCPU_EFLAGS_VM && vcpu->cpl == 0)
		return return_to_v86(vcpu, back);
	return return_in_protected_mode(vcpu, back);
}

/* NMIs are let in again also by an iret that faults. */
bool transfer_interrupt_return(struct vcpu *vcpu, unsigned int operand_size)
{
	struct way_back back;

	vcpu->nmi_blocked = false;
	if (operand_size == 4 && return_usual(vcpu)) {
		vcpu->keeps_resume = true;
		return true;
	}
	back = (struct way_back){.size = operand_size};
	if (!interrupt_return(vcpu, &back))
		return false;
	vcpu->keeps_resume = true;
	return true;
}

#define FLAT_CODE 0xC09Bu /* 4 GB, 32 bits, present, accessed; the level is or-ed in */
#define FLAT_DATA 0xC093u

static struct vcpu_segment_register flat(uint32_t selector, uint16_t attributes, unsigned int level)
{
	return (struct vcpu_segment_register){
	        .selector = (uint16_t)(selector | level),
	        .attributes = (uint16_t)(attributes | level << VCPU_ATTRIBUTE_DPL_SHIFT),
	        .usable = true,
	        .limit = UINT32_MAX,
	};
}

/* Neither looks at a descriptor: the four segments are taken to follow each other in the GDT. */
static void enter_flat(struct vcpu *vcpu, uint32_t selector, unsigned int level, uint32_t eip,
                       uint32_t esp)
{
	vcpu->segments[VCPU_CS] = flat(selector, FLAT_CODE, level);
	vcpu->segments[VCPU_SS] = flat(selector + 8, FLAT_DATA, level);
	vcpu->cpl = (uint8_t)level;
	vcpu->eip = eip;
	vcpu->registers[VCPU_ESP] = esp;
}

bool transfer_sysenter(struct vcpu *vcpu)
{
	uint32_t selector = vcpu->sysenter_cs & 0xFFFC;

	if (!selector)
		return fault_raise_with_error(vcpu, FAULT_GP, 0);
	vcpu->eflags &= ~(VCPU_EFLAGS_VM | VCPU_EFLAGS_IF | VCPU_EFLAGS_RF);
	enter_flat(vcpu, selector, 0, vcpu->sysenter_eip, vcpu->sysenter_esp);
	return true;
}

bool transfer_sysexit(struct vcpu *vcpu)
{
	uint32_t selector = vcpu->sysenter_cs & 0xFFFC;

	if (!selector || vcpu->cpl != 0)
		return fault_raise_with_error(vcpu, FAULT_GP, 0);
	enter_flat(vcpu, selector + 16, 3, vcpu->registers[VCPU_EDX], vcpu->registers[VCPU_ECX]);
	return true;
}
