#include "monitor/cpu/events.h"

#include "monitor/cpu/gates.h"
#include "monitor/state/fault.h"
#include "monitor/state/stop.h"
#include "monitor/state/vm.h"

#define ERROR_EXT 1u

#define DR6_MET   0x0000000Fu /* B0 to B3: replaced by each #DB, the others only gather */
#define DR6_STEP  0x00004000u /* BS */
#define DR7_GUARD 0x00002000u /* GD: off while #DB is handled */

/* How faults combine. What no fault is (interrupts, traps, int n) is benign whatever its vector. */
enum event_class { CLASS_BENIGN, CLASS_CONTRIBUTORY, CLASS_PAGE, CLASS_DOUBLE };

static enum event_class classify(const struct vcpu_event *event)
{
	if (!event->is_fault)
		return CLASS_BENIGN;
	switch (event->vector) {
	case FAULT_DE:
	case FAULT_TS:
	case FAULT_NP:
	case FAULT_SS:
	case FAULT_GP:
		return CLASS_CONTRIBUTORY;
	case FAULT_PF:
		return CLASS_PAGE;
	case FAULT_DF:
		return CLASS_DOUBLE;
	default:
		return CLASS_BENIGN;
	}
}

static bool is_double(enum event_class first, enum event_class second)
{
	return (first == CLASS_CONTRIBUTORY && second == CLASS_CONTRIBUTORY) ||
	       (first == CLASS_PAGE && second != CLASS_BENIGN);
}

/* The last three: a contributory fault, then a page fault, then another is a chain of four. */
static void chain_add(struct vcpu *vcpu, const struct vcpu_event *event)
{
	if (!event->is_fault)
		return;
	if (vcpu->chain_length == VCPU_CHAIN_MAX) {
		for (unsigned int i = 1; i < VCPU_CHAIN_MAX; i++)
			vcpu->chain[i - 1] = vcpu->chain[i];
		vcpu->chain_length--;
	}
	vcpu->chain[vcpu->chain_length++] = (struct vcpu_chain_link){
	        .vector = event->vector,
	        .error = event->error,
	        .eip = vcpu->eip,
	        .esp = vcpu->registers[VCPU_ESP],
	        .cr2 = vcpu->cr2,
	        .cs = vcpu->segments[VCPU_CS].selector,
	        .ss = vcpu->segments[VCPU_SS].selector,
	};
}

#define LINK_TEXT_MAX 64

static void describe(const struct vcpu_chain_link *link, char *text)
{
	static const char *const names[] = {
	        [FAULT_DE] = "DE", [FAULT_DB] = "DB", [FAULT_BP] = "BP", [FAULT_OF] = "OF",
	        [FAULT_BR] = "BR", [FAULT_UD] = "UD", [FAULT_NM] = "NM", [FAULT_DF] = "DF",
	        [FAULT_TS] = "TS", [FAULT_NP] = "NP", [FAULT_SS] = "SS", [FAULT_GP] = "GP",
	        [FAULT_PF] = "PF", [FAULT_MF] = "MF", [FAULT_AC] = "AC", [FAULT_XM] = "XM",
	};
	size_t length;

	length = print_to_buffer(text, LINK_TEXT_MAX, "#%s(%x) at eip=%08x esp=%08x",
	                         names[link->vector], link->error, link->eip, link->esp);
	if (link->vector == FAULT_PF)
		print_to_buffer(text + length, LINK_TEXT_MAX - length, " cr2=%08x", link->cr2);
}

static void shut_down(struct vcpu *vcpu)
{
	char links[VCPU_CHAIN_MAX][LINK_TEXT_MAX] = {"", "", ""};

	for (uint32_t i = 0; i < vcpu->chain_length; i++)
		describe(&vcpu->chain[i], links[i]);
	vm_stop(vcpu, "triple fault: %s, then %s, then %s", links[0], links[1], links[2]);
}

static struct vcpu_event take_event(struct vcpu *vcpu)
{
	struct vcpu_event event = vcpu->event;

	vcpu->event.pending = false;
	return event;
}

/* What a delivery has run into: it happened on behalf of something that no instruction asked for,
 * unless that was int n, int3 or into. */
static struct vcpu_event take_nested(struct vcpu *vcpu, const struct vcpu_event *outer)
{
	struct vcpu_event nested = take_event(vcpu);

	if (!outer->is_software && classify(&nested) == CLASS_CONTRIBUTORY)
		nested.error |= ERROR_EXT;
	return nested;
}

/* The end of a delivery that worked. */
static void delivered(struct vcpu *vcpu, const struct vcpu_event *event)
{
	if (event->vector == FAULT_DB && !event->is_software)
		vcpu->debug[7] &= ~DR7_GUARD;
	vcpu->debug_trap = vcpu->eflags & VCPU_EFLAGS_TF;
	vcpu->halted = false;
}

/* When it fails, eip is once more that of the instruction that asked for it. (A task that has been
 * switched to has its own instruction_eip: the failure then belongs to it.) */
static bool deliver_one(struct vcpu *vcpu, const struct vcpu_event *event)
{
	if (gates_deliver(vcpu, event)) {
		delivered(vcpu, event);
		return true;
	}
	if (event->by_instruction)
		vcpu->eip = vcpu->instruction_eip;
	return false;
}

/* False when the machine has shut down. */
static bool combine(struct vcpu_event *event, const struct vcpu_event *nested)
{
	enum event_class first = classify(event);

	if (first == CLASS_DOUBLE)
		return false;
	*event = *nested;
	if (is_double(first, classify(nested)))
		*event = (struct vcpu_event){
		        .vector = FAULT_DF, .has_error = true, .is_fault = true};
	return true;
}

static bool deliver_debug(struct vcpu *vcpu, uint32_t met);

/* More than any chain that ends has: #AC alone is benign and can be raised by its own delivery, to
 * a handler in ring 3 whose stack is misaligned. There a processor goes on for ever and takes no
 * interrupt. */
#define TRIES_MOST 16

static void give_up(struct vcpu *vcpu, const struct vcpu_event *event)
{
	vm_stop(vcpu, "the delivery of vector %u runs into itself again and again at eip=%08x",
	        event->vector, vcpu->eip);
}

/* A switch to a task with the T bit has earned a #DB before the task's first instruction. */
void events_deliver(struct vcpu *vcpu)
{
	struct vcpu_event event = take_event(vcpu);
	unsigned int tries = 0;

	vcpu->delivering = true;
	vcpu->chain_length = 0;
	chain_add(vcpu, &event);
	while (!vcpu->vm->ended && !deliver_one(vcpu, &event)) {
		struct vcpu_event nested = take_nested(vcpu, &event);

		chain_add(vcpu, &nested);
		if (!combine(&event, &nested))
			shut_down(vcpu);
		else if (++tries == TRIES_MOST)
			give_up(vcpu, &event);
	}
	vcpu->delivering = false;
	if (vcpu->debug_met && !vcpu->vm->ended)
		deliver_debug(vcpu, vcpu->debug_met);
}

static bool deliver_vector(struct vcpu *vcpu, uint8_t vector)
{
	vcpu->event = (struct vcpu_event){.pending = true, .vector = vector};
	events_deliver(vcpu);
	return true;
}

static bool take_nmi(struct vcpu *vcpu)
{
	vcpu->nmi_pending = false;
	vcpu->nmi_blocked = true;
	return deliver_vector(vcpu, FAULT_NMI);
}

/* The bits of DR6 for breakpoints on the instruction at eip. */
static uint32_t instruction_breakpoints(const struct vcpu *vcpu)
{
	uint32_t linear = vcpu->segments[VCPU_CS].base + vcpu->eip, met = 0;

	for (unsigned int i = 0; i < 4; i++) {
		bool on = vcpu->debug[7] >> (2 * i) & 3;
		bool is_code = (vcpu->debug[7] >> (16 + 4 * i) & 0xF) == 0;

		if (on && is_code && vcpu->debug[i] == linear)
			met |= 1u << i;
	}
	return met;
}

/* A #DB with eip as it is: no fault in the sense of RF, neither as a trap nor as a breakpoint. */
static bool deliver_debug(struct vcpu *vcpu, uint32_t met)
{
	vcpu->debug_met = 0;
	vcpu->debug[6] = (vcpu->debug[6] & ~DR6_MET) | met;
	return deliver_vector(vcpu, FAULT_DB);
}

static bool take_breakpoint(struct vcpu *vcpu)
{
	uint32_t met;

	if (vcpu->halted || vcpu->eflags & VCPU_EFLAGS_RF)
		return false;
	met = instruction_breakpoints(vcpu);
	return met && deliver_debug(vcpu, met);
}

/* Each shadow covers one boundary between two instructions: this one. */
static bool leave_shadow(struct vcpu *vcpu)
{
	bool breakpoints_too = vcpu->debug_shadow;

	vcpu->interrupt_shadow = false;
	vcpu->debug_shadow = false;
	return !breakpoints_too && vcpu->debug[7] & EVENTS_DR7_ON && take_breakpoint(vcpu);
}

bool events_take_interrupt_slowly(struct vcpu *vcpu)
{
	struct vm *vm = vcpu->vm;

	if (vcpu->interrupt_shadow || vcpu->debug_shadow)
		return leave_shadow(vcpu);
	if (vcpu->nmi_pending && !vcpu->nmi_blocked)
		return take_nmi(vcpu);
	if (vcpu->eflags & VCPU_EFLAGS_IF && vm->interrupt_waits)
		return deliver_vector(vcpu, vm->acknowledge_interrupt(vm));
	return vcpu->debug[7] & EVENTS_DR7_ON && take_breakpoint(vcpu);
}

void events_raise_software(struct vcpu *vcpu, uint8_t vector)
{
	vcpu->event = (struct vcpu_event){
	        .pending = true, .vector = vector, .is_software = true, .by_instruction = true};
}

void events_raise_int1(struct vcpu *vcpu)
{
	vcpu->event =
	        (struct vcpu_event){.pending = true, .vector = FAULT_DB, .by_instruction = true};
}

bool events_check_int(struct vcpu *vcpu)
{
	if (!(vcpu->eflags & VCPU_EFLAGS_VM) ||
	    (vcpu->eflags & VCPU_EFLAGS_IOPL) == VCPU_EFLAGS_IOPL)
		return true;
	return fault_raise_with_error(vcpu, FAULT_GP, 0);
}

/* The traps that this instruction has earned; TF was looked at when it began. */
static void take_debug_traps(struct vcpu *vcpu)
{
	uint32_t met = vcpu->debug_met;

	if (vcpu->debug_trap && !vcpu->debug_shadow)
		met |= DR6_STEP;
	vcpu->debug_trap = vcpu->eflags & VCPU_EFLAGS_TF;
	if (met)
		deliver_debug(vcpu, met);
}

void events_complete_slowly(struct vcpu *vcpu)
{
	if (!vcpu->keeps_resume)
		vcpu->eflags &= ~VCPU_EFLAGS_RF;
	vcpu->keeps_resume = false;
	if (vcpu->event.pending)
		events_deliver(vcpu);
	else if (vcpu->debug_trap || vcpu->debug_met || vcpu->eflags & VCPU_EFLAGS_TF)
		take_debug_traps(vcpu);
}
