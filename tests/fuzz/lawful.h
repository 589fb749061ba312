/* What holds of a virtual processor in protected mode whatever the guest did to its tables: the
 * rules of rings, as the manual has them for every load and every transfer.
 *
 * It must not know how loads and transfers are made. */
#ifndef TESTS_FUZZ_LAWFUL_H
#define TESTS_FUZZ_LAWFUL_H

#include "monitor/cpu/segments.h"
#include "tests/fuzz/fuzz.h"

static inline unsigned int lawful_dpl(const struct vcpu_segment_register *segment)
{
	return segment->attributes >> VCPU_ATTRIBUTE_DPL_SHIFT & 3;
}

static inline void lawful_code(const struct vcpu *vcpu)
{
	const struct vcpu_segment_register *code = &vcpu->segments[VCPU_CS];

	MUST(code->usable && segments_is_code(code) && segments_is_present(code));
	if (segments_is_conforming(code))
		MUST(lawful_dpl(code) <= vcpu->cpl);
	else
		MUST(lawful_dpl(code) == vcpu->cpl);
	MUST((code->selector & 3) == vcpu->cpl);
}

static inline void lawful_data(const struct vcpu *vcpu, enum vcpu_segment which)
{
	const struct vcpu_segment_register *data = &vcpu->segments[which];

	if (!data->usable)
		return;
	MUST(segments_is_present(data) && segments_is_readable(data));
	if (!segments_is_conforming(data))
		MUST(lawful_dpl(data) >= vcpu->cpl);
}

/* A stack is unusable only between the two halves of a task switch that has faulted. */
static inline void lawful_stack(const struct vcpu *vcpu)
{
	const struct vcpu_segment_register *stack = &vcpu->segments[VCPU_SS];

	if (!stack->usable)
		return;
	MUST(segments_is_writable(stack) && segments_is_present(stack));
	MUST(lawful_dpl(stack) == vcpu->cpl && (stack->selector & 3) == vcpu->cpl);
}

static inline void lawful_processor(const struct vcpu *vcpu)
{
	MUST(vcpu->cpl <= 3);
	MUST(vcpu->eflags & VCPU_EFLAGS_ONE);
	if (!(vcpu->cr0 & VCPU_CR0_PE))
		return;
	if (segments_is_v86(vcpu)) {
		MUST(vcpu->cpl == 3);
		return;
	}
	lawful_code(vcpu);
	lawful_stack(vcpu);
	for (unsigned int i = 0; i < VCPU_SEGMENTS; i++)
		if (i != VCPU_CS && i != VCPU_SS)
			lawful_data(vcpu, (enum vcpu_segment)i);
}

#endif
