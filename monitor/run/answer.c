#include "monitor/run/answer.h"

#include "monitor/cpu/events.h"
#include "monitor/instructions/interpret.h"
#include "monitor/memory/linear.h"
#include "monitor/memory/page_walk.h"
#include "monitor/run/account.h"
#include "monitor/state/fault.h"

/* The bits of a page fault's error code that say what the access was. */
#define ACCESS_BITS (PAGE_WALK_WRITE | PAGE_WALK_USER | PAGE_WALK_FETCH)

static void reflect_page_fault(struct vcpu *vcpu, gva_t at, uint32_t error)
{
	vcpu->instruction_eip = vcpu->eip;
	linear_raise_page_fault(vcpu, at, error);
	events_deliver(vcpu);
}

static const enum cause causes[] = {
        [SHADOW_MAPPED] = CAUSE_page_filled,
        [SHADOW_TRUE_FAULT] = CAUSE_page_true,
        [SHADOW_EMULATE] = CAUSE_page_emulated,
};

struct answer_look answer_look(struct vcpu *vcpu, gva_t at, uint32_t error)
{
	struct answer_look look;

	look.result = shadow_fault(vcpu, at, error & ACCESS_BITS, &look.error);
	if (account_is_on)
		account_rename(causes[look.result]);
	return look;
}

void answer_page_fault(struct vcpu *vcpu, gva_t at, const struct answer_look *look)
{
	switch (look->result) {
	case SHADOW_MAPPED:
		return;
	case SHADOW_TRUE_FAULT:
		reflect_page_fault(vcpu, at, look->error);
		return;
	case SHADOW_EMULATE:
		interpret_instruction(vcpu);
		return;
	}
}

/* A popf has set TF, and the instruction after it has run. */
static void answer_step(struct vcpu *vcpu)
{
	vcpu->debug_trap = true;
	events_complete_slowly(vcpu);
}

static void interpret_named(struct vcpu *vcpu)
{
	account_name_instruction(vcpu);
	interpret_instruction(vcpu);
}

/* Whatever a guest's instruction ran into, the interpreter finds out whether the guest would have,
 * too. */
void answer_trap(struct vcpu *vcpu, struct trap_frame *frame, gva_t address)
{
	struct answer_look look;

	if (frame->vector == TRAP_PAGE_FAULT) {
		look = answer_look(vcpu, address, frame->error);
		answer_page_fault(vcpu, address, &look);
	} else if (frame->vector == TRAP_DEBUG) {
		answer_step(vcpu);
	} else {
		interpret_named(vcpu);
	}
}
