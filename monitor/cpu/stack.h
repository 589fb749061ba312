/* What a transfer pushes and pops: several values at once, on this stack or on a new one.
 *
 * A frame is collected first, then its room is checked, then it is written, and only then does
 * stack_take move SS:ESP; so a frame that faults leaves the processor as it was. It must not know
 * what the values mean. */
#ifndef MONITOR_CPU_STACK_H
#define MONITOR_CPU_STACK_H

#include "monitor/cpu/segments.h"
#include "monitor/memory/linear.h"
#include "monitor/state/vcpu.h"

/* 31 parameters of a call gate and the old SS:ESP and CS:EIP. */
#define STACK_FRAME_MAX 35u

struct stack_frame {
	struct vcpu_segment_register ss;
	uint32_t esp;      /* before the first push */
	uint16_t error;    /* what #SS says: the selector of a new stack, else 0 */
	enum linear_as as; /* a new stack is written at its own level, not yet at CPL */
	unsigned int size; /* of each value, 2 or 4 */
	unsigned int count;
	uint32_t values[STACK_FRAME_MAX];
};

void stack_begin(const struct vcpu *vcpu, struct stack_frame *frame, unsigned int size);
void stack_begin_new(struct stack_frame *frame, const struct vcpu_segment_register *ss,
                     uint32_t esp, unsigned int size);
void stack_add(struct stack_frame *frame, uint32_t value);

/* Raises #SS. The limit is asked before a transfer looks at its target, the pages only after. */
bool stack_check_room(struct vcpu *vcpu, const struct stack_frame *frame);
bool stack_write(struct vcpu *vcpu, const struct stack_frame *frame);
void stack_take(struct vcpu *vcpu, const struct stack_frame *frame);

/* The `size` bytes from `esp` up where they lie: when the stack is an ordinary one of 32 bits, and
 * they are in one page that the buffer knows to allow it. NULL otherwise; then the above find out
 * what happens. */
static inline uint8_t *stack_find(struct vcpu *vcpu, const struct vcpu_segment_register *ss,
                                  uint32_t esp, uint32_t size, unsigned int right,
                                  enum linear_as as)
{
	const uint16_t kind = VCPU_ATTRIBUTE_S | VCPU_ATTRIBUTE_WRITABLE | VCPU_ATTRIBUTE_BIG;

	if (!ss->usable || esp > ss->limit || size - 1 > ss->limit - esp ||
	    !segments_has(ss, kind | VCPU_ATTRIBUTE_CODE | VCPU_ATTRIBUTE_DOWN, kind))
		return NULL;
	return linear_find_span(vcpu, gva(ss->base + esp), size, right, as);
}

/* The value `at` bytes above the top of the current stack; nothing is popped yet. */
bool stack_peek(struct vcpu *vcpu, uint32_t at, uint32_t *value, unsigned int size);
/* Sets ESP, or only SP, as SS says. */
void stack_move(struct vcpu *vcpu, uint32_t esp);

#endif
