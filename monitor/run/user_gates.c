#include "monitor/run/user_gates.h"

#include "kernel/statistics.h"
#include "monitor/cpu/gates.h"
#include "monitor/cpu/shadow_tables.h"
#include "monitor/memory/guest_memory.h"
#include "monitor/memory/linear.h"
#include "monitor/memory/watch.h"
#include "monitor/state/fault.h"

#define RPL               3u
#define FIRST_OF_SOFTWARE (TRANSLATOR_VECTOR_EXIT + 1u)
#define GATE_SIZE         8u
#define TASK_STACKS_END   12u /* of ESP0 and SS0 in the task state */

/* In a gate's second word: present, DPL 3, of 32 bits, interrupt or trap. */
#define GATE_CHECKED   0xFE00u
#define GATE_FOR_USERS 0xEE00u
#define GATE_IS_TRAP   0x0100u
#define GATE_LEVEL     0x6000u

void user_gates_start(struct user_gates *gates, struct vm *vm, struct slot *slot,
                      struct translator *translator, struct twins *twins)
{
	*gates = (struct user_gates){.vm = vm,
	                             .slot = slot,
	                             .translator = translator,
	                             .twins = twins,
	                             .page_fault = BLOCK_NONE};
}

static gpa_t page_of(gpa_t at)
{
	return gpa(at.value & ~(uint64_t)(GUEST_PAGE_SIZE - 1));
}

static void close_all(struct user_gates *gates)
{
	for (unsigned int i = 0; i < gates->count; i++) {
		slot_close_gate(gates->slot, gates->open[i].vector);
		watch_stop(gates->vm, page_of(gates->open[i].source), WATCH_GATES);
	}
	gates->count = 0;
	gates->page_fault = BLOCK_NONE;
}

static bool is(const struct vcpu_segment_register *one, const struct vcpu_segment_register *other)
{
	return one->selector == other->selector && segments_hold_the_same(one, other);
}

/* Kernel code may come back to what its CS no longer is. */
static bool are_good(const struct user_gates *gates, const struct vcpu *vcpu)
{
	return gates->idtr.base == vcpu->idtr.base && gates->idtr.limit == vcpu->idtr.limit &&
	       gates->task == vcpu->tr.base && gates->generation == gates->translator->generation &&
	       gates->twins_generation == gates->twins->generation &&
	       gates->moves == gates->slot->moves &&
	       (vcpu->cpl == 3 || (is(&vcpu->segments[VCPU_CS], &gates->code) &&
	                           is(&vcpu->segments[VCPU_SS], &gates->stack)));
}

static bool have_moved(const struct user_gates *gates, struct vcpu *vcpu)
{
	uint64_t gate;
	gpa_t source;

	for (unsigned int i = 0; i < gates->count; i++)
		if (!linear_look_at(vcpu, gates->open[i].linear, &gate, sizeof(gate), &source) ||
		    source.value != gates->open[i].source.value)
			return true;
	return false;
}

void user_gates_follow(struct user_gates *gates, struct vcpu *vcpu)
{
	if (!gates->count)
		return;
	if (!are_good(gates, vcpu) || (gates->flushes != vcpu->flushes && have_moved(gates, vcpu)))
		close_all(gates);
	gates->flushes = vcpu->flushes;
}

static bool read_gate(struct vcpu *vcpu, struct user_gate *gate, struct segments_descriptor *found)
{
	uint32_t offset = gate->vector * GATE_SIZE;

	gate->linear = gva(vcpu->idtr.base + offset);
	return offset + GATE_SIZE - 1 <= vcpu->idtr.limit &&
	       gate->linear.value % GUEST_PAGE_SIZE <= GUEST_PAGE_SIZE - GATE_SIZE &&
	       linear_look_at(vcpu, gate->linear, found, sizeof(*found), &gate->source) &&
	       guest_memory_page(vcpu->vm, page_of(gate->source));
}

static bool is_opened(uint8_t vector)
{
	return vector >= FIRST_OF_SOFTWARE || vector == FAULT_PF;
}

/* For a fault its level does not matter. */
static bool leads_here(const struct vcpu *vcpu, struct segments_descriptor gate, uint8_t vector)
{
	struct gates_target target = gates_unpack(gate);
	uint32_t any = vector == FAULT_PF ? GATE_LEVEL : 0;

	return ((gate.high | any) & GATE_CHECKED) == GATE_FOR_USERS && target.offset == vcpu->eip &&
	       (target.selector & ~RPL) == (vcpu->segments[VCPU_CS].selector & ~RPL);
}

static bool task_is_usual(const struct vcpu *vcpu)
{
	return vcpu->tr.usable && vcpu->tr.limit >= TASK_STACKS_END - 1 &&
	       segments_system_type(&vcpu->tr) & SEGMENTS_TYPE_32BIT;
}

static void note(struct user_gates *gates, const struct vcpu *vcpu)
{
	gates->code = vcpu->segments[VCPU_CS];
	gates->stack = vcpu->segments[VCPU_SS];
	gates->real_stack = twins_selector(gates->twins, VCPU_SS);
	gates->idtr = vcpu->idtr;
	gates->task = vcpu->tr.base;
	gates->flushes = vcpu->flushes;
	gates->generation = gates->translator->generation;
	gates->twins_generation = gates->twins->generation;
	gates->moves = gates->slot->moves;
}

static bool make_room(struct user_gates *gates, const struct vcpu *vcpu)
{
	if (gates->count == USER_GATES_MAX || !are_good(gates, vcpu))
		close_all(gates);
	note(gates, vcpu);
	for (unsigned int i = 0; i < gates->count; i++)
		if (gates->open[i].vector == gates->wanted)
			return false;
	return true;
}

static void open(struct user_gates *gates, struct vcpu *vcpu, const struct user_gate *gate,
                 bool stays_on)
{
	const struct vcpu_segment_register *stack = &vcpu->segments[VCPU_SS];
	const struct translator_gate made = {
	        .eip = vcpu->eip,
	        .task = vcpu->tr.base - stack->base,
	        .ss = stack->selector,
	        .interrupts = stays_on,
	        .is_fault = gate->vector == FAULT_PF,
	};
	uint32_t offset;

	if (!make_room(gates, vcpu) || !translator_make_gate(gates->translator, &made, &offset))
		return;
	watch_start(vcpu->vm, page_of(gate->source), WATCH_GATES);
	if (made.is_fault)
		gates->page_fault = offset;
	else
		slot_open_gate(gates->slot, gate->vector, offset);
	gates->open[gates->count++] = *gate;
	statistics_count(user_gates);
}

void user_gates_open(struct user_gates *gates, struct vcpu *vcpu)
{
	struct user_gate gate = {.vector = gates->wanted};
	struct segments_descriptor found;

	if (is_opened(gates->wanted) && read_gate(vcpu, &gate, &found) &&
	    leads_here(vcpu, found, gates->wanted) && task_is_usual(vcpu) &&
	    shadow_tables_list(vcpu, &vcpu->segments[VCPU_CS]) &&
	    shadow_tables_list(vcpu, &vcpu->segments[VCPU_SS]))
		open(gates, vcpu, &gate, found.high & GATE_IS_TRAP);
	gates->wanted = USER_GATES_NONE;
}

void user_gates_written(struct user_gates *gates, gpa_t at, uint32_t size)
{
	for (unsigned int i = 0; i < gates->count; i++) {
		uint64_t source = gates->open[i].source.value;

		if (at.value < source + GATE_SIZE && source < at.value + size) {
			close_all(gates);
			return;
		}
	}
}

void user_gates_taken_out(struct user_gates *gates, uint16_t selector)
{
	if (selector == (gates->code.selector & ~RPL) || selector == (gates->stack.selector & ~RPL))
		close_all(gates);
}
